// sources: kernel/elf_parse.c kernel/elf_symbol.c
/*
 * ELF checks: a good program is described right, every way of being broken has its message, and
 * symbols are found in a table that may be broken too.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "kernel/elf_parse.h"
#include "tests/host/elf_fixture.h"

static bool parse_for(const struct elf_fixture *elf, unsigned machine, struct elf_image *image,
                      const char **why) {
  struct elf_memory file;
  elf_memory_init(&file, elf->bytes, elf->size);
  return elf_parse(&file.file, machine, image, why);
}

/* Parses an exact, misaligned copy, so that a read past the end or an aligned load is caught. */
static bool parse(const struct elf_fixture *elf, struct elf_image *image, const char **why) {
  uint8_t *copy = malloc(elf->size + 1);
  memcpy(copy + 1, elf->bytes, elf->size);
  struct elf_memory file;
  elf_memory_init(&file, copy + 1, elf->size);
  bool good = elf_parse(&file.file, ELF_MACHINE_X86_64, image, why);
  free(copy);
  return good;
}

static void accepts(const struct elf_fixture *elf, struct elf_image *image) {
  const char *why;
  if (!parse(elf, image, &why)) {
    fail_msg("refused: %s", why);
  }
}

static void good_program(void **state) {
  (void)state;
  struct elf_fixture elf;
  struct elf_image image;
  fixture_program(&elf, ELF_MACHINE_X86_64);
  accepts(&elf, &image);
  assert_true(image.dynamic);
  assert_int_equal(image.segment_count, 3);
  assert_int_equal(image.segments[0].flags, ELF_READ);
  assert_int_equal(image.segments[1].flags, ELF_READ | ELF_EXECUTE);
  assert_int_equal(image.segments[2].flags, ELF_READ | ELF_WRITE);
  assert_int_equal(image.segments[2].vaddr, 0x2000);
  assert_int_equal(image.segments[2].offset, 0x2000);
  assert_int_equal(image.segments[2].filesz_bytes, 0x200);
  assert_int_equal(image.segments[2].memsz_bytes, 0x100000);
  assert_int_equal(image.start, 0);
  assert_int_equal(image.span_bytes, 0x102000);
  assert_int_equal(image.align_bytes, 0x1000);
  assert_int_equal(image.entry, 0x1000);
  assert_true(image.has_phdr_vaddr);
  assert_int_equal(image.phdr_vaddr, EHDR_BYTES);
  assert_int_equal(image.phdr_count, FIXTURE_PHDRS);
}

static void both_machines(void **state) {
  (void)state;
  struct elf_fixture elf;
  struct elf_image image;
  const char *why;
  fixture_program(&elf, ELF_MACHINE_AARCH64);
  assert_true(parse_for(&elf, ELF_MACHINE_AARCH64, &image, &why));
  assert_false(parse_for(&elf, ELF_MACHINE_X86_64, &image, &why));
  assert_string_equal(why, "program for aarch64 on x86_64");
  fixture_program(&elf, ELF_MACHINE_X86_64);
  assert_false(parse_for(&elf, ELF_MACHINE_AARCH64, &image, &why));
  assert_string_equal(why, "program for x86_64 on aarch64");
}

/* The smallest program of the conformance suite: one segment, smaller than a page, aligned to 2
 * MiB. */
static void tiny_program(void **state) {
  (void)state;
  static const struct fixture_segment segment = {ELF_PT_LOAD, 5, 0, 0, 0, 0x86, 0x86, 0x200000};
  struct elf_fixture elf = {.size = 390};
  struct elf_image image;
  fixture_put_header(&elf, ELF_OSABI_CLOUDABI, ELF_TYPE_DYN, ELF_MACHINE_X86_64, 1, 0x80);
  fixture_put_segment(&elf, 0, &segment);
  accepts(&elf, &image);
  assert_int_equal(image.span_bytes, 0x1000);
  assert_int_equal(image.align_bytes, 0x200000);
  assert_true(image.has_phdr_vaddr);
  assert_true(image.branded);
  elf.bytes[EHDR_OSABI] = ELF_OSABI_FREEBSD; /* another of the suite's is that */
  accepts(&elf, &image);
  assert_false(image.branded);
}

/* Fixed addresses, and a data segment whose address and offset are only equal modulo the page. */
static void old_linker_program(void **state) {
  (void)state;
  static const struct fixture_segment segments[] = {
      {ELF_PT_LOAD, 5, 0, 0x400000, 0, 0xabc, 0xabc, 0x200000},
      {ELF_PT_LOAD, 6, 0xabc, 0x600abc, 0, 0x100, 0x9000, 0x200000},
  };
  struct elf_fixture elf = {.size = 0x1000};
  struct elf_image image;
  fixture_put_header(&elf, ELF_OSABI_CLOUDABI, ELF_TYPE_EXEC, ELF_MACHINE_X86_64, 2, 0x400200);
  fixture_put_segment(&elf, 0, &segments[0]);
  fixture_put_segment(&elf, 1, &segments[1]);
  accepts(&elf, &image);
  assert_false(image.dynamic);
  assert_int_equal(image.start, 0x400000);
  assert_int_equal(image.span_bytes, 0x20a000);
  assert_int_equal(image.phdr_vaddr, 0x400040);
}

static void headers_outside_segments(void **state) {
  (void)state;
  struct elf_fixture elf;
  struct elf_image image;
  fixture_program(&elf, ELF_MACHINE_X86_64);
  fixture_store(elf.bytes + fixture_phdr(FIXTURE_R, PHDR_FILESZ), 8, EHDR_BYTES);
  accepts(&elf, &image);
  assert_false(image.has_phdr_vaddr);
  assert_int_equal(image.phdr_vaddr, 0);
}

static void segment_of_no_size(void **state) {
  (void)state;
  struct elf_fixture elf;
  struct elf_image image;
  fixture_program(&elf, ELF_MACHINE_X86_64);
  fixture_store(elf.bytes + fixture_phdr(FIXTURE_R, PHDR_FILESZ), 8, 0);
  fixture_store(elf.bytes + fixture_phdr(FIXTURE_R, PHDR_MEMSZ), 8, 0);
  accepts(&elf, &image);
  assert_int_equal(image.segment_count, 2);
  assert_int_equal(image.start, 0x1000);
}

#define P(segment, field) (EHDR_BYTES + FIXTURE_##segment * PHDR_BYTES + PHDR_##field)

/* One field of the good program changed, and what is said about it. */
static const struct {
  size_t at;
  unsigned width;
  uint64_t value;
  const char *why;
} broken[] = {
    {0, 1, 'E', "not an ELF file"},
    {3, 1, 'G', "not an ELF file"},
    {EHDR_CLASS, 1, 1, "ELF class 1, not 2 (64-bit)"},
    {EHDR_DATA, 1, 2, "ELF data encoding 2, not 1 (little-endian)"},
    {EHDR_IDENT_VERSION, 1, 0, "ELF identification version 0, not 1"},
    {EHDR_OSABI, 1, 0, "not a CloudABI program: ELF OS ABI 0, not 17"},
    {EHDR_OSABI, 1, 8, "not a CloudABI program: ELF OS ABI 8, not 17"},
    {EHDR_OSABI, 1, 3, "not a CloudABI program: ELF OS ABI 3, not 17"},
    {EHDR_ABIVERSION, 1, 1, "ELF ABI version 1, not 0"},
    {EHDR_TYPE, 2, 1, "ELF type 1, neither 2 (executable) nor 3 (position independent)"},
    {EHDR_TYPE, 2, 4, "ELF type 4, neither 2 (executable) nor 3 (position independent)"},
    {EHDR_MACHINE, 2, 40, "ELF machine 40, not 62"},
    {EHDR_VERSION, 4, 2, "ELF version 2, not 1"},
    {EHDR_PHNUM, 2, 0, "no program headers"},
    {EHDR_PHENTSIZE, 2, 32, "program headers of 32 bytes, not 56"},
    {EHDR_PHNUM, 2, 0xffff,
     "65535 program headers at offset 64 reach past the file's end (9408 bytes)"},
    {EHDR_PHOFF, 8, 9400,
     "5 program headers at offset 9400 reach past the file's end (9408 bytes)"},
    {EHDR_PHOFF, 8, UINT64_MAX - 8,
     "5 program headers at offset 18446744073709551607 reach past the file's end (9408 bytes)"},
    {P(STACK, TYPE), 4, ELF_PT_INTERP,
     "dynamically linked: it asks for an interpreter (segment 4)"},
    {P(X, FILESZ), 8, 0x101, "segment 1: file size 257 exceeds memory size 256"},
    {P(TLS, FILESZ), 8, 0x41, "segment 3: file size 65 exceeds memory size 64"},
    {P(X, OFFSET), 8, 0x5000, "segment 1: 256 bytes at offset 20480 reach past the file's end"},
    {P(X, OFFSET), 8, UINT64_MAX - 0xfff,
     "segment 1: 256 bytes at offset 18446744073709547520 reach past the file's end"},
    {P(W, FILESZ), 8, 0x1000, "segment 2: 4096 bytes at offset 8192 reach past the file's end"},
    {P(TLS, OFFSET), 8, 9400, "segment 3: 16 bytes at offset 9400 reach past the file's end"},
    {P(X, ALIGN), 8, 0x1001, "segment 1: alignment 0x1001 is not a power of two"},
    {P(TLS, ALIGN), 8, 24, "segment 3: alignment 0x18 is not a power of two"},
    {P(X, ALIGN), 8, UINT64_C(1) << 31, "segment 1: alignment 0x80000000 exceeds 0x40000000"},
    {P(W, VADDR), 8, UINT64_C(1) << 46,
     "segment 2: 1048576 bytes at address 0x400000000000 are outside the address space"},
    {P(W, VADDR), 8, UINT64_MAX - 0xfff,
     "segment 2: 1048576 bytes at address 0xfffffffffffff000 are outside the address space"},
    {P(W, MEMSZ), 8, UINT64_MAX,
     "segment 2: 18446744073709551615 bytes at address 0x2000 are outside the address space"},
    {P(W, MEMSZ), 8, (UINT64_C(1) << 46) - 0x1fff,
     "segment 2: 70368744169473 bytes at address 0x2000 are outside the address space"},
    {EHDR_TYPE, 2, 2, "segment 0: fixed address 0x0 lies in the page of the null pointer"},
    {P(W, VADDR), 8, 0x2010, "segment 2: address 0x2010 and offset 0x2000 differ within a page"},
    {P(X, OFFSET), 8, 0x1001, "segment 1: address 0x1000 and offset 0x1001 differ within a page"},
    {P(X, FLAGS), 4, 7, "segment 1: both writable and executable"},
    {P(W, FLAGS), 4, 3, "segment 2: both writable and executable"},
    {P(X, VADDR), 8, 0x10000, "segment 2: address 0x2000 is below the segment before it"},
    {P(X, MEMSZ), 8, 0x1001, "segment 2: address 0x2000 overlaps the segment before it"},
    {P(X, VADDR), 8, 0, "segment 1: address 0x0 overlaps the segment before it"},
    {EHDR_ENTRY, 8, 0, "entry point 0x0 is not inside an executable segment"},
    {EHDR_ENTRY, 8, 0x1100, "entry point 0x1100 is not inside an executable segment"},
    {EHDR_ENTRY, 8, 0x2000, "entry point 0x2000 is not inside an executable segment"},
    {EHDR_ENTRY, 8, UINT64_MAX,
     "entry point 0xffffffffffffffff is not inside an executable segment"},
    {P(X, FLAGS), 4, 4, "entry point 0x1000 is not inside an executable segment"},
};

static void broken_programs(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
    struct elf_fixture elf;
    struct elf_image image;
    const char *why = "";
    fixture_program(&elf, ELF_MACHINE_X86_64);
    fixture_store(elf.bytes + broken[i].at, broken[i].width, broken[i].value);
    if (parse(&elf, &image, &why)) {
      fail_msg("accepted: %s", broken[i].why);
    }
    assert_string_equal(why, broken[i].why);
  }
  print_message("%zu broken programs\n", sizeof(broken) / sizeof(broken[0]));
}

static void shared_page(void **state) {
  (void)state;
  struct elf_fixture elf;
  struct elf_image image;
  const char *why;
  fixture_program(&elf, ELF_MACHINE_X86_64);
  fixture_store(elf.bytes + fixture_phdr(FIXTURE_W, PHDR_VADDR), 8, 0x1800);
  fixture_store(elf.bytes + fixture_phdr(FIXTURE_W, PHDR_OFFSET), 8, 0x1800);
  assert_false(parse(&elf, &image, &why));
  assert_string_equal(why, "segment 2: address 0x1800 shares a page with the segment before it");
}

static void no_segments(void **state) {
  (void)state;
  struct elf_fixture elf;
  struct elf_image image;
  const char *why;
  fixture_program(&elf, ELF_MACHINE_X86_64);
  for (unsigned i = 0; i < 3; i++) {
    fixture_store(elf.bytes + fixture_phdr(i, PHDR_TYPE), 4, 0);
  }
  assert_false(parse(&elf, &image, &why));
  assert_string_equal(why, "no loadable segment");
}

static void too_many_segments(void **state) {
  (void)state;
  struct elf_fixture elf = {.size = 0x2000};
  struct elf_image image;
  const char *why;
  fixture_put_header(&elf, ELF_OSABI_CLOUDABI, ELF_TYPE_DYN, ELF_MACHINE_X86_64, 17, 0);
  for (unsigned i = 0; i < 17; i++) {
    struct fixture_segment segment = {ELF_PT_LOAD, 5, 0, i * 0x1000, 0, 0x10, 0x10, 0x1000};
    fixture_put_segment(&elf, i, &segment);
  }
  assert_false(parse(&elf, &image, &why));
  assert_string_equal(why, "more than 16 loadable segments");
  fixture_store(elf.bytes + EHDR_PHNUM, 2, 16);
  accepts(&elf, &image);
}

/* Cut off anywhere, the file is refused with a message or, behind its segments, accepted. */
static void cut_off(void **state) {
  (void)state;
  struct elf_fixture elf;
  fixture_program(&elf, ELF_MACHINE_X86_64);
  size_t whole = 0x2200;
  for (elf.size = 0; elf.size < whole; elf.size++) {
    struct elf_image image;
    const char *why = "";
    assert_false(parse(&elf, &image, &why));
    assert_true(strlen(why) > 0);
    if (elf.size == 63) {
      assert_string_equal(why, "file of 63 bytes is shorter than an ELF header (64)");
    }
  }
}

static void symbol(const struct elf_fixture *elf, uint64_t vaddr, const char *name,
                   uint64_t offset) {
  struct elf_memory file;
  char found[20];
  uint64_t distance;
  elf_memory_init(&file, elf->bytes, elf->size);
  if (name == NULL) {
    assert_false(elf_symbol(&file.file, vaddr, found, sizeof(found), &distance));
    return;
  }
  assert_true(elf_symbol(&file.file, vaddr, found, sizeof(found), &distance));
  assert_string_equal(found, name);
  assert_int_equal(distance, offset);
}

/* A buffer of any size gets a whole string. */
static void long_names(void **state) {
  (void)state;
  struct elf_fixture elf;
  struct elf_memory file;
  char name[8];
  uint64_t offset;
  fixture_program(&elf, ELF_MACHINE_X86_64);
  elf_memory_init(&file, elf.bytes, elf.size);
  for (size_t n = 2; n <= sizeof(name); n++) {
    memset(name, '#', sizeof(name));
    assert_true(elf_symbol(&file.file, 0x1000, name, n, &offset));
    assert_int_equal(strlen(name), n - 1 < 6 ? n - 1 : 6);
    assert_memory_equal(name, "_start", strlen(name));
  }
}

static bool fails_after(struct elf_file *file, uint64_t offset, void *to, size_t n) {
  (void)offset, (void)to, (void)n;
  return file->size-- % 7 != 0;
}

/* A disk may fail at any piece. */
static void unreadable_file(void **state) {
  (void)state;
  struct elf_image image;
  const char *why;
  char name[20];
  uint64_t offset;
  struct elf_file file = {.size = 700, .read = fails_after};
  assert_false(elf_parse(&file, ELF_MACHINE_X86_64, &image, &why));
  assert_string_equal(why, "the file can't be read");
  file.size = 700;
  assert_false(elf_symbol(&file, 0x1000, name, sizeof(name), &offset));
}

static void symbols(void **state) {
  (void)state;
  struct elf_fixture elf;
  fixture_program(&elf, ELF_MACHINE_X86_64);
  symbol(&elf, 0xfff, NULL, 0);
  symbol(&elf, 0x1000, "_start", 0);
  symbol(&elf, 0x101f, "_start", 0x1f);
  symbol(&elf, 0x1020, NULL, 0); /* between two functions */
  symbol(&elf, 0x1050, "main", 0x10);
  symbol(&elf, 0x1088, NULL, 0); /* a mark, not a function */
}

static void broken_symbols(void **state) {
  (void)state;
  static const struct {
    size_t at;
    unsigned width;
    uint64_t value;
  } changes[] = {
      {EHDR_SHOFF, 8, UINT64_MAX - 63},
      {EHDR_SHOFF, 8, FIXTURE_SECTIONS + 1},
      {EHDR_SHNUM, 2, 0xffff},
      {EHDR_SHENTSIZE, 2, 40},
      {FIXTURE_SECTIONS + SHDR_BYTES + SHDR_OFFSET, 8, UINT64_MAX},
      {FIXTURE_SECTIONS + SHDR_BYTES + SHDR_SIZE, 8, UINT64_MAX},
      {FIXTURE_SECTIONS + SHDR_BYTES + SHDR_LINK, 4, 7},
      {FIXTURE_SECTIONS + 2 * SHDR_BYTES + SHDR_SIZE, 8, 5}, /* no NUL behind the name */
      {FIXTURE_SYMBOLS + SYMBOL_BYTES + SYMBOL_NAME, 4, 0xffffffff},
  };
  for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
    struct elf_fixture elf;
    fixture_program(&elf, ELF_MACHINE_X86_64);
    fixture_store(elf.bytes + changes[i].at, changes[i].width, changes[i].value);
    symbol(&elf, 0x1000, NULL, 0);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(good_program),
      cmocka_unit_test(both_machines),
      cmocka_unit_test(tiny_program),
      cmocka_unit_test(old_linker_program),
      cmocka_unit_test(headers_outside_segments),
      cmocka_unit_test(segment_of_no_size),
      cmocka_unit_test(broken_programs),
      cmocka_unit_test(shared_page),
      cmocka_unit_test(no_segments),
      cmocka_unit_test(too_many_segments),
      cmocka_unit_test(cut_off),
      cmocka_unit_test(symbols),
      cmocka_unit_test(broken_symbols),
      cmocka_unit_test(long_names),
      cmocka_unit_test(unreadable_file),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
