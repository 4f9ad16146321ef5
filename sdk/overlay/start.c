/*
 * The start of a program after its relocation: links the calls, sets libc up, runs
 * constructors and calls program_main. Stands for musl's __libc_start_main, whose start
 * is a Linux stack with arguments, environment and auxiliary vector.
 */
#include <elf.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <program.h>

#include "argdata/value.h"
#include "libc.h"
#include "sdk/overlay/overlay.h"

struct startup __startup = {.ncpus = 1, .tid = 1};

/* Only in programs that are compiled with a stack protector. */
weak void __init_ssp(void *random);

typedef void (*constructor)(void);
extern hidden weak const constructor __init_array_start[];
extern hidden weak const constructor __init_array_end[];

/* Linux's auxiliary vector, as far as musl looks at it: the last by type, this as a list. */
static size_t linux_auxv[] = {AT_RANDOM, 0, AT_NULL, 0};
static unsigned char entropy[16];

/* Descriptor n of the argument data is this process's descriptor n (semantics 10.5). */
static int same_fd(void *arg, size_t index) {
  (void)arg;
  return index <= INT_MAX ? (int)index : -1;
}

const argdata_t *__startup_argdata(void) {
  static argdata_t root;

  root.kind = VALUE_BYTES;
  root.length = __startup.argdata_length;
  root.bytes.data = __startup.argdata;
  root.bytes.convert_fd = same_fd;
  return &root;
}

/* What the secrets of libc are made from: the kernel's random bytes. */
static void keep_entropy(const void *canary, size_t length) {
  memcpy(entropy, canary, length < sizeof(entropy) ? length : sizeof(entropy));
  linux_auxv[1] = (size_t)entropy;
  libc.auxv = linux_auxv;
}

static void set_up(const struct cloudabi_auxv *auxv) {
  size_t types[AT_PAGESZ + 1] = {[AT_PHENT] = sizeof(Elf64_Phdr)};
  const void *canary = NULL;
  size_t canary_length = 0;

  for (; auxv->a_type != CLOUDABI_AT_NULL; ++auxv) {
    switch (auxv->a_type) {
      case CLOUDABI_AT_ARGDATA:
        __startup.argdata = auxv->a_ptr;
        break;
      case CLOUDABI_AT_ARGDATALEN:
        __startup.argdata_length = auxv->a_val;
        break;
      case CLOUDABI_AT_CANARY:
        canary = auxv->a_ptr;
        break;
      case CLOUDABI_AT_CANARYLEN:
        canary_length = auxv->a_val;
        break;
      case CLOUDABI_AT_NCPUS:
        __startup.ncpus = auxv->a_val;
        break;
      case CLOUDABI_AT_PAGESZ:
        libc.page_size = auxv->a_val;
        break;
      case CLOUDABI_AT_PHDR:
        types[AT_PHDR] = auxv->a_val;
        break;
      case CLOUDABI_AT_PHNUM:
        types[AT_PHNUM] = auxv->a_val;
        break;
      case CLOUDABI_AT_PID:
        __startup.pid = auxv->a_ptr;
        break;
      case CLOUDABI_AT_SYSINFO_EHDR:
        __link_calls(auxv->a_ptr);
        break;
      case CLOUDABI_AT_TID:
        __startup.tid = auxv->a_val;
        break;
    }
  }
  keep_entropy(canary, canary_length);
  __init_tls(types);
  if (&__init_ssp != NULL)
    __init_ssp(entropy);
}

/* After set_up the thread has its thread pointer: a function of its own may rely on it. */
static _Noreturn __attribute__((noinline)) void run(void) {
  static char *no_environment[1];

  __environ = no_environment;
  __progname = __progname_full = (char *)"program";
  for (const constructor *next = __init_array_start; next < __init_array_end; ++next)
    (*next)();
  program_main(__startup_argdata());
  exit(0);
}

_Noreturn void __start_program(const struct cloudabi_auxv *auxv) {
  set_up(auxv);
  run();
}
