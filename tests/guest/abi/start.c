/*
 * How a program and a thread start, and the vDSO, from inside: {out: fd}. Reference 1.2 to 1.6.
 *
 * The entry in ARCH/start.S notes the registers before the C library gets to run.
 */
#include <elf.h>
#include <program.h>

#include "../check.h"
#include "machine.h"
#include "raw.h"
#include "table.h"

struct machine_state start_state __attribute__((visibility("hidden")));
struct machine_state thread_state __attribute__((visibility("hidden")));
void thread_entry(cloudabi_tid_t tid, void *arg);
__attribute__((visibility("hidden"))) void thread_started(cloudabi_tid_t tid, void *arg);

extern const char __ehdr_start[] __attribute__((visibility("hidden")));

static void check_state(const char *call, const struct machine_state *s) {
  check(call, "the stack is aligned", MACHINE_STACK_OK(s));
  check(call, "the flags are clear", MACHINE_FLAGS_OK(s));
  check(call, "floating point is as the processor starts", MACHINE_FP_OK(s));
  check(call, "all other registers are zero", raw_all(s->other, sizeof(s->other), 0));
  check(call, "the thread pointer leads to a word that can be written",
        cloudabi_sys_random_get((void *)(uintptr_t)s->tcb, sizeof(struct cloudabi_tcb)) == 0);
}

/* ---- The auxiliary vector -------------------------------------------------------------------- */

static const struct cloudabi_auxv *auxv_find(cloudabi_auxtype_t type) {
  static const struct cloudabi_auxv none;
  const struct cloudabi_auxv *a = (const void *)(uintptr_t)start_state.argument[0];
  for (; a->a_type != CLOUDABI_AT_NULL; a++) {
    if (a->a_type == type)
      return a;
  }
  return &none;
}

static void check_auxv(void) {
  const struct cloudabi_auxv *a = (const void *)(uintptr_t)start_state.argument[0];
  bool known = true, padding = true, twice = false;
  unsigned count = 0;
  for (; a->a_type != CLOUDABI_AT_NULL; a++, count++) {
    known = known && ((a->a_type >= 3 && a->a_type <= 7) || (a->a_type >= 256 && a->a_type <= 263));
    padding = padding && raw_all((const char *)a + 4, 4, 0);
    twice = twice || auxv_find(a->a_type) != a;
  }
  check("start", "the auxiliary vector has known entries only", known);
  check("start", "no entry stands there twice", !twice);
  check("start", "its padding holds nothing", padding);
  check_eq("start", "the auxiliary vector has all twelve entries", count, 12);
  check_eq("start", "the second argument is 0", start_state.argument[1], 0);

  const void *argdata;
  size_t length;
  program_get_raw_argdata(&argdata, &length);
  check("start", "AT_ARGDATA and AT_ARGDATALEN",
        auxv_find(CLOUDABI_AT_ARGDATA)->a_ptr == argdata &&
            auxv_find(CLOUDABI_AT_ARGDATALEN)->a_val == length);
  check_eq("start", "AT_PAGESZ", auxv_find(CLOUDABI_AT_PAGESZ)->a_val, RAW_PAGE);
  check("start", "AT_NCPUS", auxv_find(CLOUDABI_AT_NCPUS)->a_val >= 1);
  check("start", "AT_BASE is where address 0 of the file lies",
        auxv_find(CLOUDABI_AT_BASE)->a_ptr == (void *)__ehdr_start);
  const Elf64_Ehdr *header = (const void *)__ehdr_start;
  check("start", "AT_PHDR and AT_PHNUM",
        auxv_find(CLOUDABI_AT_PHDR)->a_ptr == (void *)(__ehdr_start + header->e_phoff) &&
            auxv_find(CLOUDABI_AT_PHNUM)->a_val == header->e_phnum);

  cloudabi_lock_t lock = 0;
  struct cloudabi_event ev;
  raw_wait(raw_lock_sub(&lock, CLOUDABI_EVENTTYPE_LOCK_WRLOCK), 0, &ev);
  size_t tid = auxv_find(CLOUDABI_AT_TID)->a_val;
  check("start", "AT_TID is the thread's number in locks",
        lock == (tid | CLOUDABI_LOCK_WRLOCKED) && tid > 0 && tid < 0x40000000);
}

static void check_random(void) {
  const uint8_t *canary = auxv_find(CLOUDABI_AT_CANARY)->a_ptr;
  size_t length = auxv_find(CLOUDABI_AT_CANARYLEN)->a_val;
  bool repeated = false;
  check("start", "AT_CANARYLEN is at least a word", length >= sizeof(long));
  for (size_t i = 8; i + 8 <= length; i += 8)
    repeated = repeated || memcmp(canary, canary + i, 8) == 0;
  check("start", "AT_CANARY is random", !repeated && !raw_all(canary, 8, 0));
  const uint8_t *pid = auxv_find(CLOUDABI_AT_PID)->a_ptr;
  check("start", "AT_PID is a UUID of version 4",
        (pid[6] & 0xf0) == 0x40 && (pid[8] & 0xc0) == 0x80);
  char text[40];
  snprintf(text, sizeof(text), "%02x%02x%02x%02x-", pid[0], pid[1], pid[2], pid[3]);
  check("start", "the C library tells the same", memcmp(program_getpid(), text, 9) == 0);
}

/* ---- Memory ---------------------------------------------------------------------------------- */

static int variable_in_data = 7, variable_in_bss[5000];

static void check_memory(void) {
  char *sp = (char *)(uintptr_t)start_state.stack;
  check("start", "data is there", variable_in_data == 7);
  check("start", "what the file does not hold is zero",
        raw_all(variable_in_bss, sizeof(variable_in_bss), 0));
  check_err("start", "900 KB of stack can be written", cloudabi_sys_random_get(sp - 900000, 1), 0);
  check_err("start", "the program's code can't be written",
            cloudabi_sys_random_get((void *)(uintptr_t)check_memory, 1), CLOUDABI_EFAULT);
  check_err("start", "constants can't be written", cloudabi_sys_random_get((void *)__ehdr_start, 1),
            CLOUDABI_EFAULT);
  check_err("start", "nothing is mapped at 0", cloudabi_sys_random_get(NULL, 1), CLOUDABI_EFAULT);
  char *low = sp - (1 << 20) - RAW_PAGE;
  check_err("start", "there is a guard below the stack", cloudabi_sys_random_get(low, 1),
            CLOUDABI_EFAULT);
  dprintf(check_fd, "place program %p\nplace stack %p\nplace vdso %p\nplace memory %p\n",
          (void *)__ehdr_start, sp, auxv_find(CLOUDABI_AT_SYSINFO_EHDR)->a_ptr,
          raw_memory(RAW_PAGE));
}

/* ---- The vDSO -------------------------------------------------------------------------------- */

static const char *image; /* of the vDSO */
static size_t image_bytes;

static bool inside(uint64_t at, uint64_t n) {
  return at <= image_bytes && n <= image_bytes - at;
}

static void check_vdso_header(void) {
  const Elf64_Ehdr *h = (const void *)image;
  check("vdso", "lies on a page", ((uintptr_t)image & (RAW_PAGE - 1)) == 0);
  check("vdso", "is a 64-bit little-endian ELF image",
        memcmp(h->e_ident, ELFMAG, 4) == 0 && h->e_ident[EI_CLASS] == ELFCLASS64 &&
            h->e_ident[EI_DATA] == ELFDATA2LSB && h->e_type == ET_DYN &&
            h->e_machine == MACHINE_ELF);
  const Elf64_Phdr *p = (const void *)(image + h->e_phoff);
  unsigned loads = 0, dynamics = 0;
  for (unsigned i = 0; i < h->e_phnum; i++) {
    if (p[i].p_type == PT_LOAD && p[i].p_vaddr == p[i].p_offset && p[i].p_flags == (PF_R | PF_X)) {
      loads++;
      image_bytes = p[i].p_vaddr + p[i].p_memsz;
    }
    dynamics += p[i].p_type == PT_DYNAMIC && p[i].p_vaddr == p[i].p_offset;
  }
  check("vdso", "has one segment, readable and executable, at its offset", loads == 1);
  check("vdso", "has one dynamic segment", dynamics == 1);
  check("vdso", "the dynamic segment is its first program header", p[0].p_type == PT_DYNAMIC);
}

static const Elf64_Sym *symbols;
static const char *strings;
static uint32_t symbol_count;

static void check_vdso_dynamic(void) {
  const Elf64_Ehdr *h = (const void *)image;
  const Elf64_Phdr *p = (const void *)(image + h->e_phoff);
  const Elf64_Dyn *d = NULL;
  bool relocations = false;
  for (unsigned i = 0; i < h->e_phnum; i++) {
    if (p[i].p_type == PT_DYNAMIC)
      d = (const void *)(image + p[i].p_vaddr);
  }
  for (; d != NULL && d->d_tag != DT_NULL; d++) {
    if (d->d_tag == DT_SYMTAB && inside(d->d_un.d_ptr, sizeof(*symbols)))
      symbols = (const void *)(image + d->d_un.d_ptr);
    if (d->d_tag == DT_STRTAB && inside(d->d_un.d_ptr, 1))
      strings = image + d->d_un.d_ptr;
    if (d->d_tag == DT_HASH && inside(d->d_un.d_ptr, 8))
      symbol_count = ((const uint32_t *)(image + d->d_un.d_ptr))[1];
    relocations = relocations || d->d_tag == DT_RELA || d->d_tag == DT_REL || d->d_tag == DT_NEEDED;
  }
  check("vdso", "DT_SYMTAB, DT_STRTAB and DT_HASH are offsets into it",
        symbols != NULL && strings != NULL && symbol_count > 0);
  check("vdso", "needs no relocation", !relocations);
}

static void check_vdso_symbols(void) {
  unsigned found = 0;
  bool good = true;
  char what[60];
  for (size_t i = 0; i < table_count; i++) {
    unsigned times = 0;
    char name[40];
    snprintf(name, sizeof(name), "cloudabi_sys_%s", table[i].name);
    for (uint32_t j = 0; j < symbol_count; j++) {
      const Elf64_Sym *s = &symbols[j];
      if (strcmp(strings + s->st_name, name) != 0)
        continue;
      times++;
      good = good && s->st_info == ELF64_ST_INFO(STB_GLOBAL, STT_FUNC) &&
             s->st_other == STV_DEFAULT && s->st_value != 0 && inside(s->st_value, 4);
    }
    snprintf(what, sizeof(what), "has %s", name);
    check("vdso", what, times == 1);
    found += times;
  }
  check("vdso", "all are global functions inside of it", good);
  unsigned others = 0;
  for (uint32_t j = 0; j < symbol_count; j++)
    others += ELF64_ST_BIND(symbols[j].st_info) == STB_GLOBAL && symbols[j].st_name != 0;
  check_eq("vdso", "has no other global symbols", others, found);
  check_eq("vdso", "has every call that ever was", found, 58);
}

static void check_vdso(void) {
  image = auxv_find(CLOUDABI_AT_SYSINFO_EHDR)->a_ptr;
  if (!check("vdso", "AT_SYSINFO_EHDR", image != NULL))
    return;
  check_vdso_header();
  check_vdso_dynamic();
  if (symbols != NULL && strings != NULL)
    check_vdso_symbols();
  check_err("vdso", "can't be written", cloudabi_sys_random_get((void *)(uintptr_t)image, 1),
            CLOUDABI_EFAULT);
  check_err("vdso", "can't be made writable",
            cloudabi_sys_mem_protect((void *)(uintptr_t)image, RAW_PAGE,
                                     CLOUDABI_PROT_READ | CLOUDABI_PROT_WRITE),
            CLOUDABI_EACCES);
}

/* ---- A thread -------------------------------------------------------------------------------- */

__attribute__((visibility("hidden"))) void thread_started(cloudabi_tid_t tid, void *arg) {
  raw_thread_main(tid, arg);
}

static void finish(struct raw_thread *t) {
  t->step = 1;
}

static void check_thread(void) {
  struct raw_thread t = {.run = finish};
  t.stack = raw_memory(RAW_STACK_BYTES);
  struct cloudabi_threadattr attr = {thread_entry, t.stack, RAW_STACK_BYTES, &t};
  check_err("thread_create", "with an entry of our own", cloudabi_sys_thread_create(&attr, &t.tid),
            0);
  raw_until(&t.step, 1);
  check_eq("thread_create", "the first argument is the thread's number", thread_state.argument[0],
           t.tid);
  check_eq("thread_create", "the second argument is the caller's", thread_state.argument[1],
           (uintptr_t)&t);
  check("thread_create", "the stack pointer lies in the stack's upper part",
        thread_state.stack > (uintptr_t)t.stack + RAW_STACK_BYTES - 512 &&
            thread_state.stack < (uintptr_t)t.stack + RAW_STACK_BYTES);
  check("thread_create", "its TCB is another thread's than ours",
        thread_state.tcb != start_state.tcb);
  check_state("thread_create", &thread_state);
  raw_join(&t);
}

void program_main(const argdata_t *ad) {
  check_begin(ad);
  check_auxv();
  check_random();
  check_memory();
  check_state("start", &start_state);
  check_vdso();
  check_thread();
  check_end();
}
