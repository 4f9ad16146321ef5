// sources: kernel/exec.c kernel/elf_parse.c kernel/elf_source.c kernel/aspace.c
// sources: kernel/aspace_fault.c kernel/aspace_pages.c kernel/aspace_print.c kernel/maptree.c
// sources: kernel/memobj.c kernel/elf_era.c kernel/aspace_large.c
// sources: kernel/pagecache_room.c
// sources: kernel/heap.c kernel/page.c kernel/file.c kernel/uio.c kernel/pagecache.c
// sources: kernel/pagetree.c kernel/aspace_share.c
// libs: -Wl,--wrap=page_alloc,--wrap=page_alloc_zero,--wrap=kmalloc,--wrap=kzalloc
/* Loading a program: what it finds in its memory, and what is left when that fails. */
#include "tests/host/fake_aspace.h"
#include "tests/host/elf_fixture.h"
#include "kernel/aspace.h"
#include "kernel/cpu.h"
#include "kernel/exec.h"
#include "kernel/file.h"
#include "kernel/heap.h"
#include "kernel/thread.h"
#include "kernel/vdso.h"

struct cpu cpu_boot;
_Alignas(PAGE_SIZE) const uint8_t vdso_image[2 * PAGE_SIZE] = "vdso";
const uint64_t vdso_image_bytes = sizeof vdso_image;
_Alignas(PAGE_SIZE) uint8_t vdso_data_page[VDSO_DATA_BYTES] = "data";

static struct exec_image image; /* the latest */

void log_printf(enum log_level level, const char *format, ...) {
  (void)level;
  (void)format;
}

void random_bytes(void *buf, size_t n) {
  for (size_t i = 0; i < n; i++)
    ((uint8_t *)buf)[i] = (uint8_t)ram_random(256);
}

static unsigned pauses;

errno_t thread_pause(void) {
  pauses++;
  return 0;
}

void thread_use_aspace(struct aspace *as) {
  cpu_boot.aspace = as;
}

/* The argument data is the kernel's own here. */
size_t arch_user_copy(void *dst, const void *src, size_t n) {
  (void)dst, (void)src;
  return n;
}

/* ---- The program's view ---------------------------------------------------------------------- */

static void see(uintptr_t va, void *to, size_t n) {
  for (char *p = to; n > 0;) {
    pa_t pa;
    assert_int_equal(aspace_fault(image.aspace, va, ARCH_READ), 0);
    assert_true(arch_aspace_query(aspace_arch(image.aspace), va, &pa, NULL));
    size_t at = va % PAGE_SIZE, part = n < PAGE_SIZE - at ? n : PAGE_SIZE - at;
    memcpy(p, (char *)pa_to_va(pa) + at, part);
    p += part;
    va += part;
    n -= part;
  }
}

static void assert_seen(uintptr_t va, const void *expected, size_t n) {
  char *seen = malloc(n + 1);
  see(va, seen, n);
  assert_memory_equal(seen, expected, n);
  free(seen);
}

static void assert_zero(uintptr_t va, size_t n) {
  char *zero = calloc(n, 1);
  assert_seen(va, zero, n);
  free(zero);
}

static void assert_prot(uintptr_t va, mprot_t prot) {
  errno_t read = aspace_fault(image.aspace, va, ARCH_READ);
  errno_t write = aspace_fault(image.aspace, va, ARCH_WRITE);
  errno_t exec = aspace_fault(image.aspace, va, ARCH_EXEC);
  assert_int_equal(read, prot != 0 ? 0 : EFAULT);
  assert_int_equal(write, (prot & PROT_WRITE) != 0 ? 0 : EFAULT);
  assert_int_equal(exec, (prot & PROT_EXEC) != 0 ? 0 : EFAULT);
}

/* What the machine does: a word at the top. It may only store where the loader has been. */
errno_t arch_user_stack_init(struct arch_user_start *start, uintptr_t low, uintptr_t top) {
  assert_int_equal(top % 16, 0);
  assert_true(top - low >= 1ul << 20);
  pa_t pa;
  unsigned prot;
  for (uintptr_t va = top - 64; va < top; va += 8) {
    assert_true(arch_aspace_query(aspace_arch(cpu_boot.aspace), va, &pa, &prot));
    assert_true((prot & ARCH_WRITE) != 0);
  }
  start->sp = top - 40;
  start->tls = top - 32;
  return 0;
}

static uint64_t auxv_value(uintptr_t auxv, auxtype_t type) {
  uint64_t found = 0;
  int times = 0;
  for (int i = 0;; i++) {
    struct auxv a;
    assert_true(i < 20);
    see(auxv + (size_t)i * sizeof a, &a, sizeof a);
    if (a.a_type == type) {
      found = a.a_val;
      times++;
    }
    if (a.a_type == AT_NULL)
      break;
  }
  assert_int_equal(times, 1);
  return found;
}

/* ---- Set-up ---------------------------------------------------------------------------------- */

static _Alignas(PAGE_SIZE) struct elf_fixture elf;

static int setup_ram(void **state) {
  (void)state;
  ram_init(20000);
  return 0;
}

/* The file: any bytes of the host's. */
static struct file program;
static const char *program_bytes;
static long program_fails_after = -1; /* reads until the disk breaks; -1: never */
static unsigned program_closed;

static errno_t program_pread(struct file *f, struct uio *uio, filesize_t offset) {
  (void)f;
  assert_true(offset <= elf.size && uio->resid <= elf.size - offset);
  if (program_fails_after >= 0 && program_fails_after-- == 0)
    return EIO;
  return uio_copy_to(uio, program_bytes + offset, uio->resid);
}

static errno_t program_stat(struct file *f, struct filestat *st) {
  *st = (struct filestat){.st_filetype = f->type, .st_size = elf.size};
  return 0;
}

static errno_t program_memobj(struct file *f, struct memobj **obj) {
  (void)f;
  return memobj_bytes_create(program_bytes, elf.size, obj);
}

static void program_close(struct file *f) {
  (void)f;
  program_closed++;
}

static const struct file_ops program_ops = {
    .close = program_close, .pread = program_pread, .stat = program_stat, .memobj = program_memobj};

static int setup(void **state) {
  (void)state;
  fixture_program(&elf, ARCH_ELF_MACHINE);
  memset(elf.bytes + 0x1000, 0x90, 0x100);
  memset(elf.bytes + 0x2000, 0xda, 0x200);
  file_init(&program, &program_ops, FILETYPE_REGULAR_FILE, 0);
  return 0;
}

static int teardown(void **state) {
  (void)state;
  assert_null(cpu_boot.aspace);
  if (image.aspace == NULL)
    return 0;
  aspace_verify(image.aspace);
  assert_ptr_equal(image.program, &program);
  assert_int_equal(program.refs, 2);
  exec_image_destroy(&image);
  image.aspace = NULL;
  assert_int_equal(program.refs, 1);
  return 0;
}

static const uint8_t uuid[16] = "of the process.";

static errno_t load_from(const void *file, const void *argdata, size_t argdata_bytes,
                         const char **why) {
  struct uio uio;
  uio_init_kernel(&uio, (void *)(uintptr_t)argdata, argdata_bytes);
  program_bytes = file;
  return exec_load(&program, &uio, uuid, 77, &image, NULL, why);
}

static uintptr_t load(const void *argdata, size_t argdata_bytes) {
  assert_int_equal(load_from(elf.bytes, argdata, argdata_bytes, NULL), 0);
  aspace_verify(image.aspace);
  return image.start.arg0;
}

static void set_phdr(unsigned index, unsigned field, unsigned width, uint64_t value) {
  fixture_store(elf.bytes + fixture_phdr(index, field), width, value);
}

/* ---- Tests ----------------------------------------------------------------------------------- */

static void assert_program(uintptr_t bias) {
  assert_seen(bias, elf.bytes, 0x400);
  assert_seen(bias + 0x1000, elf.bytes + 0x1000, 0x100);
  assert_seen(bias + 0x2000, elf.bytes + 0x2000, 0x200);
  assert_zero(bias + 0x2200, 0x100000 - 0x200); /* where the file goes on with symbols */
  assert_prot(bias, PROT_READ);
  assert_prot(bias + 0x1000, PROT_READ | PROT_EXEC);
  assert_prot(bias + 0x2000, PROT_READ | PROT_WRITE);
  assert_prot(bias + 0x101fff, PROT_READ | PROT_WRITE);
  assert_prot(bias + 0x102000, 0);
  assert_prot(bias - 1, 0);
}

static void test_program_is_mapped(void **state) {
  (void)state;
  uintptr_t auxv = load("abc", 3);
  uintptr_t bias = auxv_value(auxv, AT_BASE);
  assert_int_equal(bias % PAGE_SIZE, 0);
  assert_int_equal(image.load_bias, bias);
  assert_program(bias);
  assert_int_equal(image.start.pc, bias + 0x1000);
  /* Its constants and text are not copied. */
  pa_t pa;
  assert_true(arch_aspace_query(aspace_arch(image.aspace), bias + 0x1000, &pa, NULL));
  assert_ptr_equal(pa_to_va(pa), elf.bytes + 0x1000);
  /* Relro: the start code takes the right to write away, and can't have a page both ways. */
  assert_int_equal(aspace_protect(image.aspace, bias + 0x2000, PAGE_SIZE, PROT_READ), 0);
  assert_prot(bias + 0x2000, PROT_READ);
}

/* Whoever wants to know is told of which era it is. */
static void test_era(void **state) {
  (void)state;
  for (int retired = 0; retired < 2; retired++) {
    struct uio uio;
    bool told = !retired;
    memcpy(elf.bytes + 0x300, "sock_bind", retired ? 10 : 8);
    uio_init_kernel(&uio, NULL, 0);
    program_bytes = (const char *)elf.bytes;
    pauses = 0;
    assert_int_equal(exec_load(&program, &uio, uuid, 77, &image, &told, NULL), 0);
    assert_int_equal(told, retired);
    assert_int_equal(pauses, 0); /* of so small a file */
    exec_image_destroy(&image);
    image.aspace = NULL;
  }
}

static void test_auxiliary_vector(void **state) {
  (void)state;
  uintptr_t auxv = load("\x06hello", 7);
  assert_int_equal(auxv_value(auxv, AT_ARGDATALEN), 7);
  assert_seen(auxv_value(auxv, AT_ARGDATA), "\x06hello", 7);
  assert_int_equal(auxv_value(auxv, AT_CANARYLEN), 64);
  uint8_t canary[64], pid[16], zero[64] = {0};
  see(auxv_value(auxv, AT_CANARY), canary, sizeof canary);
  assert_memory_not_equal(canary, zero, 8);
  assert_memory_not_equal(canary + 56, zero, 8);
  see(auxv_value(auxv, AT_PID), pid, sizeof pid);
  assert_memory_equal(pid, uuid, 16);
  assert_int_equal(auxv_value(auxv, AT_NCPUS), 1);
  assert_int_equal(auxv_value(auxv, AT_PAGESZ), 4096);
  assert_int_equal(auxv_value(auxv, AT_TID), 77);
  assert_int_equal(auxv_value(auxv, AT_PHNUM), FIXTURE_PHDRS);
  assert_int_equal(auxv_value(auxv, AT_PHDR), auxv_value(auxv, AT_BASE) + EHDR_BYTES);
  uintptr_t vdso = auxv_value(auxv, AT_SYSINFO_EHDR);
  assert_int_equal(vdso % PAGE_SIZE, 0);
  assert_seen(vdso, vdso_image, sizeof vdso_image);
  assert_seen(vdso - VDSO_DATA_BYTES, vdso_data_page, VDSO_DATA_BYTES);
  assert_prot(vdso, PROT_READ | PROT_EXEC);
  assert_prot(vdso + sizeof vdso_image - 1, PROT_READ | PROT_EXEC);
  assert_prot(vdso - 1, PROT_READ);
  assert_int_equal(aspace_protect(image.aspace, vdso, PAGE_SIZE, PROT_READ | PROT_WRITE), EACCES);
  auxv_value(auxv, AT_NULL);
}

static void test_stack(void **state) {
  (void)state;
  uintptr_t auxv = load("abc", 3);
  uintptr_t sp = image.start.sp;
  assert_true(sp < auxv && auxv - sp < PAGE_SIZE);
  for (uintptr_t va = sp; va > sp - (1ul << 20); va -= PAGE_SIZE)
    assert_prot(va, PROT_READ | PROT_WRITE);
  uintptr_t low = (auxv - (1ul << 20)) & ~(PAGE_SIZE - 1);
  for (uintptr_t va = low - PAGE_SIZE; va >= low - 16 * PAGE_SIZE; va -= PAGE_SIZE) {
    assert_prot(va, 0); /* …and nothing else is ever put there */
    assert_int_equal(aspace_check(image.aspace, va, PAGE_SIZE), 0);
  }
  assert_int_equal(aspace_protect(image.aspace, low - PAGE_SIZE, PAGE_SIZE, PROT_READ), EACCES);
}

static void test_argument_data_of_any_size(void **state) {
  (void)state;
  static char data[300000];
  for (size_t i = 0; i < sizeof data; i++)
    data[i] = (char)(i * 13);
  static const size_t sizes[] = {0, 1, 15, 16, 3000, 3800, 4096, 5000, sizeof data};
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    uintptr_t auxv = load(data, sizes[i]);
    assert_int_equal(auxv_value(auxv, AT_ARGDATALEN), sizes[i]);
    assert_seen(auxv_value(auxv, AT_ARGDATA), data, sizes[i]);
    assert_int_equal(auxv_value(auxv, AT_TID), 77);
    teardown(state);
    setup(state);
  }
}

static void test_bases_are_random_and_aligned(void **state) {
  (void)state;
  uintptr_t last_bias = 0, last_sp = 0, last_vdso = 0;
  set_phdr(FIXTURE_X, PHDR_ALIGN, 8, 0x200000);
  for (int i = 0; i < 5; i++) {
    uintptr_t auxv = load("abc", 3), bias = auxv_value(auxv, AT_BASE);
    assert_int_equal(bias % 0x200000, 0);
    assert_int_not_equal(bias, last_bias);
    assert_int_not_equal(image.start.sp, last_sp);
    assert_int_not_equal(auxv_value(auxv, AT_SYSINFO_EHDR), last_vdso);
    last_bias = bias;
    last_sp = image.start.sp;
    last_vdso = auxv_value(auxv, AT_SYSINFO_EHDR);
    teardown(state);
    setup(state);
    set_phdr(FIXTURE_X, PHDR_ALIGN, 8, 0x200000);
  }
}

/* A position-independent file need not begin at 0. */
static void test_first_address_not_zero(void **state) {
  (void)state;
  static const uint64_t shift = 0x7000;
  for (unsigned i = FIXTURE_R; i <= FIXTURE_W; i++)
    set_phdr(i, PHDR_VADDR, 8, shift + i * 0x1000);
  set_phdr(FIXTURE_R, PHDR_ALIGN, 8, 0x10000);
  fixture_store(elf.bytes + EHDR_ENTRY, 8, shift + 0x1010);
  uintptr_t auxv = load("abc", 3), bias = auxv_value(auxv, AT_BASE);
  assert_int_equal(bias % 0x10000, 0);
  assert_program(bias + shift);
  assert_int_equal(image.start.pc, bias + shift + 0x1010);
  assert_int_equal(auxv_value(auxv, AT_PHDR), bias + shift + EHDR_BYTES);
}

static void test_fixed_addresses(void **state) {
  (void)state;
  fixture_store(elf.bytes + EHDR_TYPE, 2, ELF_TYPE_EXEC);
  for (unsigned i = FIXTURE_R; i <= FIXTURE_W; i++)
    set_phdr(i, PHDR_VADDR, 8, 0x400000 + i * 0x1000);
  fixture_store(elf.bytes + EHDR_ENTRY, 8, 0x401000);
  uintptr_t auxv = load("abc", 3);
  assert_int_equal(auxv_value(auxv, AT_BASE), 0);
  assert_int_equal(image.start.pc, 0x401000);
  assert_program(0x400000);
}

static void test_fixed_addresses_that_are_not_the_programs(void **state) {
  (void)state;
  fixture_store(elf.bytes + EHDR_TYPE, 2, ELF_TYPE_EXEC);
  for (unsigned i = FIXTURE_R; i <= FIXTURE_W; i++)
    set_phdr(i, PHDR_VADDR, 8, USER_START - PAGE_SIZE + i * 0x1000);
  fixture_store(elf.bytes + EHDR_ENTRY, 8, USER_START);
  const char *why = NULL;
  assert_int_equal(load_from(elf.bytes, "", 0, &why), ENOEXEC);
  assert_string_equal(why, "its fixed addresses are not a program's");
  assert_null(image.aspace);
}

/* Sections that no page border separates, as an older linker lays them out. */
static void test_addresses_inside_pages(void **state) {
  (void)state;
  set_phdr(FIXTURE_X, PHDR_VADDR, 8, 0x11080);
  set_phdr(FIXTURE_X, PHDR_OFFSET, 8, 0x1080);
  set_phdr(FIXTURE_X, PHDR_FILESZ, 8, 0x80);
  set_phdr(FIXTURE_X, PHDR_MEMSZ, 8, 0x80);
  set_phdr(FIXTURE_W, PHDR_VADDR, 8, 0x212010);
  set_phdr(FIXTURE_W, PHDR_OFFSET, 8, 0x2010);
  set_phdr(FIXTURE_W, PHDR_FILESZ, 8, 0x100);
  set_phdr(FIXTURE_W, PHDR_MEMSZ, 8, 0x5000);
  fixture_store(elf.bytes + EHDR_ENTRY, 8, 0x11090);
  uintptr_t bias = auxv_value(load("abc", 3), AT_BASE);
  assert_seen(bias + 0x11080, elf.bytes + 0x1080, 0x80);
  assert_seen(bias + 0x212010, elf.bytes + 0x2010, 0x100);
  assert_zero(bias + 0x212110, 0x4f00);
  assert_prot(bias + 0x217000, PROT_READ | PROT_WRITE);
  assert_prot(bias + 0x218000, 0);
}

static void test_file_anywhere_in_memory(void **state) {
  (void)state;
  static char copy[sizeof elf.bytes + 100];
  memcpy(copy + 36, elf.bytes, elf.size);
  const char *why;
  assert_int_equal(load_from(copy + 36, "abc", 3, &why), 0);
  assert_program(auxv_value(image.start.arg0, AT_BASE));
}

/* One segment, shorter than a page, aligned to 2 MiB, no section header. */
static void test_smallest_file(void **state) {
  (void)state;
  static const struct fixture_segment only = {ELF_PT_LOAD, 5, 0, 0, 0, 0x86, 0x86, 0x200000};
  memset(&elf, 0, sizeof elf);
  fixture_put_header(&elf, ELF_OSABI_CLOUDABI, ELF_TYPE_DYN, ARCH_ELF_MACHINE, 1, 0x80);
  fixture_put_segment(&elf, 0, &only);
  memcpy(elf.bytes + 0x80, "\x31\xc9\xf7\xf1", 4);
  elf.size = 390;
  uintptr_t bias = auxv_value(load(NULL, 0), AT_BASE);
  assert_int_equal(bias % 0x200000, 0);
  assert_seen(bias + 0x80, "\x31\xc9\xf7\xf1", 4);
  assert_prot(bias + 0x80, PROT_READ | PROT_EXEC);
}

static void test_a_bad_file_leaves_nothing(void **state) {
  (void)state;
  const char *why = NULL;
  elf.bytes[EHDR_OSABI] = 0;
  assert_int_equal(load_from(elf.bytes, "", 0, &why), ENOEXEC);
  assert_string_equal(why, "not a CloudABI program: ELF OS ABI 0, not 17");
  assert_null(image.aspace);
  assert_int_equal(program.refs, 1);
  program.type = FILETYPE_DIRECTORY;
  assert_int_equal(load_from(elf.bytes, "", 0, NULL), EACCES);
}

static void test_a_disk_that_breaks(void **state) {
  (void)state;
  errno_t e;
  long reads = 0;
  do {
    size_t heap = heap_used_bytes();
    program_fails_after = reads++;
    e = load_from(elf.bytes, "abc", 3, NULL);
    program_fails_after = -1;
    assert_true(e == EIO || e == 0);
    if (e == EIO)
      assert_int_equal(heap_used_bytes(), heap);
  } while (e != 0);
  assert_int_equal(reads - 1, 1 + FIXTURE_PHDRS); /* the header, and each program header */
}

static void test_out_of_memory_at_every_step(void **state) {
  (void)state;
  for (long n = 0;; n++) {
    size_t heap = heap_used_bytes();
    size_t pages = page_free_count();
    fail_after = n;
    errno_t e = load_from(elf.bytes, "abc", 3, NULL);
    fail_after = -1;
    if (e == 0)
      break;
    assert_int_equal(e, ENOMEM);
    assert_null(cpu_boot.aspace);
    assert_null(image.aspace);
    assert_int_equal(program.refs, 1);
    assert_int_equal(heap_used_bytes(), heap);
    assert_in_range(page_free_count(), pages - 4, pages);
    assert_in_range(n, 0, 60);
  }
  assert_program(auxv_value(image.start.arg0, AT_BASE));
}

static void test_memory_taken(void **state) {
  (void)state;
  size_t free = page_free_count();
  load("abc", 3);
  /* Of the program: the data page with the start of bss, and the stack's top (two at a border). */
  assert_in_range(aspace_resident_pages(image.aspace), 2, 3);
  assert_in_range(free - page_free_count(), 2, 3 + 3 + 4); /* tables here: one each; the heap's */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_program_is_mapped),
      TEST(test_era),
      TEST(test_auxiliary_vector),
      TEST(test_stack),
      TEST(test_argument_data_of_any_size),
      TEST(test_bases_are_random_and_aligned),
      TEST(test_first_address_not_zero),
      TEST(test_fixed_addresses),
      TEST(test_fixed_addresses_that_are_not_the_programs),
      TEST(test_addresses_inside_pages),
      TEST(test_file_anywhere_in_memory),
      TEST(test_smallest_file),
      TEST(test_a_bad_file_leaves_nothing),
      TEST(test_a_disk_that_breaks),
      TEST(test_out_of_memory_at_every_step),
      TEST(test_memory_taken),
  };
  return cmocka_run_group_tests(tests, setup_ram, NULL);
}
