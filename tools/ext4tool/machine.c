/*
 * The machine that the kernel's code runs on in this program: memory, a clock, random numbers, a
 * console. arch/host/alone.c has the rest.
 */
#include <stdio.h>
#include <stdlib.h>

#include "boot/bootinfo.h"
#include "kernel/clock.h"
#include "kernel/log.h"
#include "kernel/page.h"
#include "kernel/random.h"
#include "tools/ext4tool/host.h"
#include "tools/ext4tool/machine.h"
#include "tools/ext4tool/tool.h"

#define MEMORY_BYTES (512ul << 20) /* none is taken before it is touched */

enum log_level log_max = LOG_WARN;
void (*tool_log)(const char *line);

bool machine_init(void) {
  static struct bootinfo boot;
  void *memory = aligned_alloc(PAGE_SIZE << PAGE_ORDER_MAX, MEMORY_BYTES);
  if (memory == NULL)
    return false;
  boot.ram_count = 1;
  boot.ram[0] = (struct boot_range){.start_pa = (uintptr_t)memory, .size_bytes = MEMORY_BYTES};
  page_init(&boot);
  return true;
}

void log_printf(enum log_level level, const char *format, ...) {
  char line[512];
  va_list ap;
  if (level > log_max)
    return;
  va_start(ap, format);
  vsnprintf(line, sizeof line, format, ap);
  va_end(ap);
  if (tool_log != NULL)
    tool_log(line);
  else
    complain("%s", line);
}

_Noreturn void panic(const char *format, ...) {
  va_list ap;
  fprintf(stderr, "ext4tool: a bug: ");
  va_start(ap, format);
  vfprintf(stderr, format, ap);
  va_end(ap);
  fprintf(stderr, "\n");
  abort();
}

_Noreturn void boot_fail(const char *format, ...) {
  (void)format;
  abort();
}

uint64_t clock_realtime_ns(void) {
  return host_now_ns();
}

uint64_t clock_monotonic_ns(void) {
  return host_now_ns();
}

/* Generations of inodes: they differ, and that is all. */
void random_bytes(void *p, size_t n) {
  static uint64_t state;
  for (size_t i = 0; i < n; i++) {
    state = (state ^ host_now_ns()) * 6364136223846793005u + 1442695040888963407u;
    ((uint8_t *)p)[i] = (uint8_t)(state >> 56);
  }
}

/* Nothing is committed by age: the command's end comes soon. */
void journal_changed(struct ext4 *fs) {
  (void)fs;
}
