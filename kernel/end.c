/*
 * The end of the machine: of a program, of a boot that can't go on, or by a panic.
 *
 * The last console line says exactly what happened, and the power-off code carries as much of
 * it as fits: 0–124 a program's exit status, 125 any other, 126 a signal, 127 ours.
 */
#include <stdbool.h>

#include "arch/arch.h"
#include "kernel/console.h"
#include "kernel/heap.h"
#include "kernel/log.h"
#include "kernel/page.h"
#include "kernel/printf.h"
#include "kernel/process.h"
#include "kernel/signal_names.h"
#include "kernel/symbols.h"

enum { CODE_OTHER_STATUS = 125, CODE_SIGNAL = 126, CODE_PANIC = 127 };

__attribute__((format(printf, 2, 3))) static _Noreturn void end(unsigned code, const char *format,
                                                                ...) {
  char line[256];
  va_list ap;
  va_start(ap, format);
  kvsnprintf(line, sizeof line, format, ap);
  va_end(ap);
  console_fresh_line();
  log_error("%s", line);
  console_flush();
  arch_poweroff(code);
}

void machine_end(signal_t signal, exitcode_t exitcode) {
  console_fresh_line();
  log_info("memory at the end: %zu KiB free, %zu bytes of heap in use",
           page_free_count() * (PAGE_SIZE / 1024), heap_used_bytes());
  if (signal != 0)
    end(CODE_SIGNAL, "killed by %s", signal_name(signal));
  end(exitcode < CODE_OTHER_STATUS ? exitcode : CODE_OTHER_STATUS, "exit status %u", exitcode);
}

void boot_fail(const char *format, ...) {
  char line[256];
  va_list ap;
  va_start(ap, format);
  kvsnprintf(line, sizeof line, format, ap);
  va_end(ap);
  end(CODE_PANIC, "boot failed: %s", line);
}

static void print_backtrace(void) {
  uintptr_t pc[24];
  char name[96];
  size_t n = arch_backtrace(pc, sizeof pc / sizeof pc[0]);
  for (size_t i = 0; i < n; i++) {
    symbols_format_kernel(pc[i], name, sizeof name);
    log_error("  #%zu %s", i, name);
  }
}

void panic(const char *format, ...) {
  static bool panicking;
  char line[256];
  va_list ap;
  va_start(ap, format);
  kvsnprintf(line, sizeof line, format, ap);
  va_end(ap);
  if (!panicking) {
    panicking = true;
    console_fresh_line();
    log_error("kernel panic: %s", line);
    print_backtrace();
  }
  end(CODE_PANIC, "panic: %s", line);
}
