/*
 * Ends in the way that its argument data names: {how: exit | return | …, status: int}.
 */
#include <program.h>
#include <signal.h>
#include <stdint.h>

#include "args.h"

static volatile int zero;

static void overflow_stack(int depth) {
  volatile char frame[4096];
  frame[0] = (char)depth;
  overflow_stack(depth + 1);
  frame[1] = 0; /* not a tail call */
}

static void jump_to_data(void) {
  static uint8_t code[] = {0xc3, 0xc0, 0x03, 0x5f, 0xd6};
  ((void (*)(void))(uintptr_t)code)();
}

static void write_to_text(void) {
  *(volatile char *)(uintptr_t)overflow_stack = 0;
}

void program_main(const argdata_t *ad) {
  const char *how = arg_str(ad, "how");
  if (strcmp(how, "exit") == 0)
    exit(arg_int(ad, "status"));
  if (strcmp(how, "return") == 0)
    return;
  if (strcmp(how, "null") == 0)
    *(volatile int *)(uintptr_t)zero = 1;
  if (strcmp(how, "kernel") == 0)
    *(volatile int *)0xffffffff80100000ul = 1;
  if (strcmp(how, "abort") == 0)
    abort();
  if (strcmp(how, "illegal") == 0)
    __asm__ volatile(".long 0x0b0f"); /* x86-64: UD2; aarch64: UDF */
  if (strcmp(how, "stack") == 0)
    overflow_stack(0);
  if (strcmp(how, "data") == 0)
    jump_to_data();
  if (strcmp(how, "text") == 0)
    write_to_text();
  exit(99);
}
