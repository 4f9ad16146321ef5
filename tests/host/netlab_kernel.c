/*
 * The fake kernel of the network laboratory: memory, time, queues, messages.
 */
#include "netlab.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/arch.h"
#include "kernel/bh.h"
#include "kernel/clock.h"
#include "kernel/cmdline.h"
#include "kernel/end.h"
#include "kernel/heap.h"
#include "kernel/log.h"
#include "kernel/page.h"
#include "kernel/random.h"
#include "kernel/timer.h"
#include "kernel/waitq.h"
#include "netlab_private.h"

struct lab lab = {.ram = 64 << 20, .fail_after = SIZE_MAX, .ring_free = UINT32_MAX};

enum log_level log_max = LOG_DEBUG;

static struct timer *timer;
static bool armed;
static struct bh *bhs;

void *kmalloc(size_t size) {
  if (lab.fail_after == 0)
    return NULL;
  if (lab.fail_after != SIZE_MAX)
    lab.fail_after--;
  lab.allocated++;
  return malloc(size);
}

void *kzalloc(size_t size) {
  void *p = kmalloc(size);
  if (p != NULL)
    memset(p, 0, size);
  return p;
}

void kfree(void *p) {
  if (p != NULL)
    lab.allocated--;
  free(p);
}

size_t kmalloc_size(const void *p) {
  return malloc_usable_size((void *)p);
}

size_t page_total(void) {
  return lab.ram / PAGE_SIZE;
}

void random_bytes(void *buf, size_t n) {
  static uint64_t x = 88172645463325252ull;
  for (size_t i = 0; i < n; i++) {
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    ((uint8_t *)buf)[i] = (uint8_t)(x >> 32);
  }
}

uint64_t random_u64(void) {
  uint64_t v;
  random_bytes(&v, sizeof v);
  return v;
}

uint64_t clock_monotonic_ns(void) {
  return lab.now_ns;
}

void timer_set(struct timer *t, uint64_t deadline_ns) {
  if (timer != NULL && timer != t)
    panic("the network has one timer");
  timer = t;
  t->deadline_ns = deadline_ns;
  armed = true;
}

void timer_cancel(struct timer *t) {
  armed = false;
}

void bh_schedule(struct bh *bh) {
  if (bh->queued)
    return;
  bh->queued = true;
  bh->next = bhs;
  bhs = bh;
}

bool lab_run_bhs(void) {
  bool any = bhs != NULL;
  while (bhs != NULL) {
    struct bh *bh = bhs;
    bhs = bh->next;
    bh->queued = false;
    bh->run(bh);
  }
  return any;
}

/* Fires the timer if it is due before `until`; false: it isn't. */
bool lab_fire_timer(uint64_t until) {
  if (!armed || timer->deadline_ns > until)
    return false;
  if (lab.now_ns < timer->deadline_ns)
    lab.now_ns = timer->deadline_ns;
  armed = false;
  lab.timer_fires++;
  timer->fire(timer);
  return true;
}

void waitq_add(struct waitq *q, struct waiter *w) {
  list_push_back(&q->waiters, &w->link);
}

void waitq_remove(struct waiter *w) {
  list_remove(&w->link);
}

errno_t waitq_sleep(struct waitq *q, uint64_t deadline_ns) {
  struct waiter w = {.thread = NULL};
  list_init(&w.link);
  waitq_add(q, &w);
  bool woken = false;
  for (int i = 0; i < 100000 && !woken && lab.on_sleep != NULL; i++) {
    if (!lab.on_sleep())
      break;
    lab_pump();
    woken = list_empty(&w.link);
  }
  waitq_remove(&w);
  return woken ? 0 : ECANCELED;
}

void waitq_wake_all(struct waitq *q) {
  while (!list_empty(&q->waiters))
    list_remove(q->waiters.next);
}

void waitq_wake_one(struct waitq *q) {
  list_pop_front(&q->waiters);
}

size_t arch_user_copy(void *dst, const void *src, size_t n) {
  memcpy(dst, src, n);
  return 0;
}

const char *cmdline_get(const char *name) {
  return strcmp(name, "ip") == 0    ? lab.ip
         : strcmp(name, "gw") == 0  ? lab.gw
         : strcmp(name, "dns") == 0 ? lab.dns
                                    : NULL;
}

void log_vprintf(enum log_level level, const char *format, va_list ap) {
  vsnprintf(lab.log, sizeof lab.log, format, ap);
}

void log_printf(enum log_level level, const char *format, ...) {
  va_list ap;
  va_start(ap, format);
  log_vprintf(level, format, ap);
  va_end(ap);
}

void panic(const char *format, ...) {
  va_list ap;
  va_start(ap, format);
  fprintf(stderr, "panic: ");
  vfprintf(stderr, format, ap);
  fprintf(stderr, "\n");
  va_end(ap);
  abort();
}

static struct unfinished *unfinished;

void machine_end_waits_for(struct unfinished *u) {
  unfinished = u;
}

bool lab_unfinished(void) {
  return unfinished->some_left();
}

void boot_fail(const char *format, ...) {
  va_list ap;
  va_start(ap, format);
  log_vprintf(LOG_ERROR, format, ap);
  va_end(ap);
  fprintf(stderr, "boot failed: %s\n", lab.log);
  abort();
}
