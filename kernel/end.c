/*
 * The end of the machine: of a program, of a boot that can't go on, or by a panic.
 *
 * The last console line says exactly what happened, and the power-off code carries as much of
 * it as fits: 0–124 a program's exit status, 125 any other, 126 a signal, 127 ours.
 */
#include "kernel/end.h"

#include "arch/arch.h"
#include "kernel/bh.h"
#include "kernel/clock.h"
#include "kernel/console.h"
#include "kernel/heap.h"
#include "kernel/log.h"
#include "kernel/page.h"
#include "kernel/printf.h"
#include "kernel/signal_names.h"
#include "kernel/symbols.h"
#include "kernel/timer.h"

enum { CODE_OTHER_STATUS = 125, CODE_SIGNAL = 126, CODE_PANIC = 127 };

#define LINGER_NS 5000000000ull

static struct unfinished *unfinished;
static struct last_work *last_work;

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

void machine_end_waits_for(struct unfinished *u) {
  u->next = unfinished;
  unfinished = u;
}

void machine_end_does(struct last_work *w) {
  w->next = last_work;
  last_work = w;
}

/* Once: it may fail by boot_fail() itself. */
static void do_last_work(void) {
  while (last_work != NULL) {
    struct last_work *w = last_work;
    last_work = w->next;
    w->run();
  }
}

static bool some_left(void) {
  for (const struct unfinished *u = unfinished; u != NULL; u = u->next) {
    if (u->some_left())
      return true;
  }
  return false;
}

/* For the interrupt alone: it ends the last wait. */
static void linger_fire(struct timer *t) {
}

/* As the idle loop does; no thread is left that could run. */
static void linger(void) {
  static struct timer timer = {.fire = linger_fire};
  uint64_t until_ns = clock_monotonic_ns() + LINGER_NS;
  timer_set(&timer, until_ns);
  while (some_left()) {
    if (clock_monotonic_ns() >= until_ns) {
      log_warn("the program's connections still had data to send, which is lost");
      return;
    }
    if (bh_pending != NULL)
      bh_run();
    else
      arch_wait_for_interrupt();
  }
}

/* A program may have done anything: what it did to the kernel shows here. */
static void check_structures(void) {
#ifdef DEBUG
  heap_check();
  page_check();
#endif
}

void machine_end(signal_t signal, exitcode_t exitcode) {
  do_last_work();
  linger();
  check_structures();
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
  do_last_work();
  end(CODE_PANIC, "boot failed: %s", line);
}

static void print_backtrace(void) {
  uintptr_t pc[24];
  char name[96];
  size_t n = arch_backtrace(pc, sizeof pc / sizeof pc[0]);
  for (size_t i = 0; i < n; i++) {
    /* The call: behind one that does not return another function may begin. */
    symbols_format_kernel(pc[i] - 1, name, sizeof name);
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

/* What the compiler's stack protector compares, and what it calls. It comes late, after the linker
 * has judged what is in use. */
__attribute__((used)) uintptr_t __stack_chk_guard;

_Noreturn void __stack_chk_fail(void);
__attribute__((used)) void __stack_chk_fail(void) {
  panic("a kernel stack was overwritten");
}
