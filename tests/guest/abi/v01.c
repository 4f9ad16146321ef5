/*
 * A program of v0.1 as C libraries of 2015 made them: no vDSO, no relocations, traps of its own,
 * its thread-locals found at an absolute address and installed by itself. Its only descriptor is
 * the one that the checks are written to, 0. Reference 1.1, 1.3, 1.4, 9.4.
 *
 * Linked without a C library, in the ways that tests/vm/abi.py names.
 */
#include <cloudabi_types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "machine.h"

#define TRAP(number, ...) trap(number, (uint64_t[6]){__VA_ARGS__})
#define P(pointer) ((uintptr_t)(pointer))

_Noreturn void _start(const struct cloudabi_auxv *auxv);
void *memcpy(void *to, const void *from, size_t n);
void *memset(void *to, int value, size_t n);

static unsigned checks;

static struct machine_answer trap(uint64_t number, const uint64_t a[6]) {
  return machine_trap(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

/* ---- What compilers want, and output --------------------------------------------------------- */

void *memcpy(void *to, const void *from, size_t n) {
  for (size_t i = 0; i < n; i++)
    ((volatile char *)to)[i] = ((const char *)from)[i];
  return to;
}

void *memset(void *to, int value, size_t n) {
  for (size_t i = 0; i < n; i++)
    ((volatile char *)to)[i] = (char)value;
  return to;
}

static size_t length(const char *s) {
  size_t n = 0;
  while (s[n] != '\0')
    n++;
  return n;
}

static uint64_t print(const char *a, const char *b, const char *c) {
  struct cloudabi_iovec iov[] = {{(void *)(uintptr_t)a, length(a)},
                                 {(void *)(uintptr_t)b, length(b)},
                                 {(void *)(uintptr_t)c, length(c)}};
  return TRAP(16, 0, P(iov), 3).result[0];
}

static void check(const char *what, bool ok) {
  checks++;
  print(ok ? "ok v01: " : "FAIL v01: ", what, "\n");
}

static const char *decimal(unsigned n) {
  static char digits[12];
  char *p = digits + sizeof(digits) - 1;
  do
    *--p = (char)('0' + n % 10);
  while ((n /= 10) != 0);
  return p;
}

/* ---- Variables of all kinds ------------------------------------------------------------------ */

static int data = 7, zeroes[5000];
static int *pointer = &data; /* an address in the file: nobody relocates it */
static const char text[] = "constant";
static _Thread_local int own = 42, own_zero;
static _Thread_local const char *own_text = text;

/* ---- Thread-locals --------------------------------------------------------------------------- */

struct elf_header {
  uint32_t type, flags;
  uint64_t offset, vaddr, paddr, filesz, memsz, align;
};

static struct elf_header tls;
static uintptr_t base;

/* Installs a new copy in the caller's memory. */
#define TLS_BYTES 256
static void install_tls(char *space) {
  uint64_t *word = (uint64_t *)(void *)space;
  char *start = space + 64;
  char *end = start + ((tls.memsz + tls.align - 1) & ~(tls.align - 1));
  memset(space, 0, TLS_BYTES);
  memcpy(start, (const char *)(base + tls.vaddr), tls.filesz);
  machine_install_tls(word, start, end);
}

static __attribute__((noinline)) bool tls_is_fresh(void) {
  return own == 42 && own_zero == 0 && own_text == text;
}

/* ---- The start ------------------------------------------------------------------------------- */

static const struct cloudabi_auxv *find(const struct cloudabi_auxv *auxv, cloudabi_auxtype_t type) {
  while (auxv->a_type != CLOUDABI_AT_NULL && auxv->a_type != type)
    auxv++;
  return auxv;
}

static void read_headers(const struct cloudabi_auxv *auxv) {
  const struct elf_header *h = find(auxv, CLOUDABI_AT_PHDR)->a_ptr;
  base = (uintptr_t)find(auxv, CLOUDABI_AT_BASE)->a_ptr;
  for (size_t n = find(auxv, CLOUDABI_AT_PHNUM)->a_val; n > 0; n--, h++) {
    if (h->type == 7)
      tls = *h;
  }
}

static void check_start(const struct cloudabi_auxv *auxv) {
  bool zero = true;
  for (size_t i = 0; i < sizeof(zeroes) / sizeof(zeroes[0]); i++)
    zero = zero && zeroes[i] == 0;
  check("data", data == 7);
  check("an address in data", pointer == &data && *pointer == 7);
  check("constants", text[0] == 'c' && text[8] == '\0');
  check("what the file does not hold is zero", zero);
  check("AT_PAGESZ, AT_NCPUS",
        find(auxv, CLOUDABI_AT_PAGESZ)->a_val == 4096 && find(auxv, CLOUDABI_AT_NCPUS)->a_val >= 1);
  check("AT_ARGDATA", find(auxv, CLOUDABI_AT_ARGDATALEN)->a_val > 0 &&
                          *(const uint8_t *)find(auxv, CLOUDABI_AT_ARGDATA)->a_ptr == 6);
  check("AT_BASE is 0 for a program with fixed addresses", (base == 0) == (P(&data) < 0x10000000));
}

/* ---- A thread with thread-locals of its own -------------------------------------------------- */

static _Atomic unsigned step;
static bool thread_fresh;
static cloudabi_lock_t done;
static char stack[65536] __attribute__((aligned(16))),
    thread_space[TLS_BYTES] __attribute__((aligned(16)));

static __attribute__((noinline)) void in_thread(void) {
  thread_fresh = tls_is_fresh();
  own = 43;
  step = 1;
}

static void thread_main(cloudabi_tid_t tid, void *argument) {
  done = tid | CLOUDABI_LOCK_WRLOCKED;
  install_tls(argument);
  in_thread();
  TRAP(54, P(&done), CLOUDABI_SCOPE_PRIVATE);
}

static void check_thread(void) {
  struct cloudabi_threadattr attr = {thread_main, stack, sizeof(stack), thread_space};
  struct machine_answer a = TRAP(53, P(&attr));
  check("a thread", !a.carry && a.result[0] > 1 && a.result[0] < 0x40000000);
  while (!a.carry && step == 0)
    TRAP(56, 0);
  check("the thread's own variables", thread_fresh);
  check("ours are as they were", tls_is_fresh());
}

/* ---- Some calls ------------------------------------------------------------------------------ */

static void check_calls(void) {
  struct cloudabi_fdstat st = {0};
  struct machine_answer a = TRAP(7, 0);
  check("fd_dup", !a.carry && a.result[0] == 1);
  check("fd_close", !TRAP(3, 1).carry);
  a = TRAP(3, 1);
  check("fd_close of a closed number", a.carry && a.result[0] == CLOUDABI_EBADF);
  check("fd_stat_get", !TRAP(13, 0, P(&st)).carry && st.fs_filetype == 0x11);
  a = TRAP(5, CLOUDABI_FILETYPE_SOCKET_STREAM);
  check("two results", !a.carry && a.result[0] == 1 && a.result[1] == 2);
  check("two descriptors", !TRAP(13, 2, P(&st)).carry);
  check("the rights of its time",
        st.fs_rights_base == 0x1ea1008004a && st.fs_rights_inheriting == 0x1ffffffffff);
  a = TRAP(34, 0, 8192, 6, 5, CLOUDABI_MAP_ANON_FD, 0);
  check("mem_map", !a.carry && *(volatile char *)a.result[0] == 0);
  a = TRAP(99, 0);
  check("a number that is none", a.carry && a.result[0] == CLOUDABI_ENOSYS);
}

static __attribute__((noinline)) void checked(const struct cloudabi_auxv *auxv) {
  check("thread-locals", tls_is_fresh());
  check_start(auxv);
  check_calls();
  check_thread();
  print("checks ", decimal(checks), "\n");
  TRAP(41, 0);
}

_Noreturn void _start(const struct cloudabi_auxv *auxv) {
  char space[TLS_BYTES] __attribute__((aligned(16)));
  read_headers(auxv);
  install_tls(space);
  checked(auxv);
  for (;;) {
  }
}
