/*
 * lwIP's memory: the kernel's heap, with a bound, and sizes that follow the machine's.
 *
 * The network takes what it needs when it needs it and gives it back, but never more than a third
 * of RAM: a flood of packets, or a thousand peers that do not read, must leave the program's
 * memory alone. Beyond the bound an allocation fails as if the heap were empty, and lwIP drops the
 * packet, refuses the connection or retries later.
 *
 * Called by lwIP and by net/, under the kernel lock; nothing sleeps.
 */
#include "lwip/opt.h"

#include "arch/arch.h"
#include "kernel/heap.h"
#include "kernel/log.h"
#include "kernel/page.h"
#include "kernel/string.h"
#include "net/port/port.h"

/* The least window: six segments, enough to keep a delayed acknowledgement from stalling. */
#define WINDOW_MIN (6u * TCP_MSS)
/* The largest that TCP_RCV_SCALE can announce. */
#define WINDOW_MAX (0xffffu << TCP_RCV_SCALE)

uint32_t net_tcp_window = WINDOW_MIN, net_tcp_sndbuf = WINDOW_MIN;
uint16_t net_tcp_queuelen = 24;
uint32_t net_lent_max = 64, net_timewait_max = 16;

static size_t used, limit = SIZE_MAX;

void *net_malloc(size_t bytes) {
  if (used + bytes > limit)
    return NULL;
  void *p = kmalloc(bytes);
  if (p != NULL)
    used += kmalloc_size(p);
  return p;
}

void *net_calloc(size_t count, size_t bytes) {
  void *p = net_malloc(count * bytes);
  if (p != NULL)
    memset(p, 0, count * bytes);
  return p;
}

void net_free(void *p) {
  if (p == NULL)
    return;
  used -= kmalloc_size(p);
  kfree(p);
}

bool net_memory_tight(void) {
  return used > limit - limit / 4;
}

size_t net_memory_used(void) {
  return used;
}

static uint32_t clamp(size_t value, uint32_t low, uint32_t high) {
  return value < low ? low : value > high ? high : (uint32_t)value;
}

errno_t net_memory_init(void) {
  size_t ram = page_total() * PAGE_SIZE;
  limit = ram / 3;
  net_tcp_window = net_tcp_sndbuf = clamp(ram / 1024, WINDOW_MIN, WINDOW_MAX);
  net_tcp_queuelen = (uint16_t)(4 * net_tcp_sndbuf / TCP_MSS);
  /* A received buffer is 2 KiB or so: a tenth of RAM at most. */
  net_lent_max = clamp(ram / 20480, 64, 16384);
  net_timewait_max = clamp(ram >> 17, 64, 512);
  unsigned bits = 5;
  while (bits < 14 && (size_t)65536 << bits < ram)
    bits++;
  return net_demux_init(bits);
}

void net_assert_failed(const char *file, int line) {
  panic("lwip/%s:%d: assertion failed", file, line);
}
