/*
 * lwIP's periodic work, on one kernel timer that rests when there is nothing to do.
 *
 * - TCP's timer (delayed acknowledgements, retransmission, TIME_WAIT) beats every 250 ms while
 * there is a connection.
 * - Housekeeping (ARP, neighbour discovery, DHCP) is written for ticks of a second. It beats so
 *   while there are connections, frames, or an open DHCP question; a quiet machine wakes once in
 *   a minute and catches up with the ticks it missed.
 *
 * The callback runs in the bottom half, under the kernel lock.
 */
#include "net/stack.h"

#include "kernel/clock.h"
#include "kernel/timer.h"
#include "lwip/dhcp.h"
#include "lwip/etharp.h"
#include "lwip/nd6.h"
#include "lwip/mld6.h"
#include "lwip/priv/tcp_priv.h"

#define MS 1000000ull
#define TCP_PERIOD (TCP_TMR_INTERVAL * MS)
#define TICK (1000 * MS)
#define QUIET_PERIOD (60 * TICK)
#define SETTLING (15 * TICK) /* after the start: address detection, router solicitation */
#define MINUTE_TICKS (DHCP_COARSE_TIMER_SECS)

static struct timer timer;
static uint64_t tcp_due_ns; /* 0: TCP needs no timer */
static uint64_t tick_ns;    /* when the last tick was due */
static uint64_t settled_ns;
static bool quiet; /* housekeeping sleeps for QUIET_PERIOD */
static unsigned ticks_of_minute;

static void rearm(void) {
  uint64_t next = tick_ns + (quiet ? QUIET_PERIOD : TICK);
  if (tcp_due_ns != 0 && tcp_due_ns < next)
    next = tcp_due_ns;
  timer_set(&timer, next);
}

static void tcp_beat(uint64_t now) {
  if (tcp_due_ns == 0 || now < tcp_due_ns)
    return;
  tcp_tmr();
  bool needed = tcp_active_pcbs != NULL || tcp_tw_pcbs != NULL;
  tcp_due_ns += TCP_PERIOD;
  if (tcp_due_ns <= now) /* late by more than a beat: those missed are not made up for */
    tcp_due_ns = now + TCP_PERIOD;
  if (!needed)
    tcp_due_ns = 0;
}

static void tick(void) {
  etharp_tmr();
  dhcp_fine_tmr(); /* meant for every 500 ms */
  dhcp_fine_tmr();
  if (++ticks_of_minute >= MINUTE_TICKS) {
    ticks_of_minute = 0;
    dhcp_coarse_tmr();
  }
#if LWIP_IPV6
  nd6_tmr();
  for (unsigned i = 0; i < 1000 / MLD6_TMR_INTERVAL; i++)
    mld6_tmr();
#endif
}

static bool busy(uint64_t now) {
  const struct dhcp *dhcp = netif_dhcp_data(&net_if);
  bool asking = dhcp != NULL && dhcp->request_timeout != 0;
  return net_if_traffic() || asking || tcp_due_ns != 0 || now < settled_ns;
}

static void housekeeping(uint64_t now) {
  if (now < tick_ns + TICK)
    return;
  for (; tick_ns + TICK <= now; tick_ns += TICK)
    tick();
  quiet = !busy(now);
}

static void fire(struct timer *t) {
  uint64_t now = clock_monotonic_ns();
  /* The driver learns first that it may take back what is sent: a segment that it still holds
   * can't be sent again. */
  net_device()->ops->flush(net_device());
  tcp_beat(now);
  if (!quiet || now >= tick_ns + QUIET_PERIOD)
    housekeeping(now);
  net_flush();
  rearm();
}

void net_timers_init(void) {
  timer.fire = fire;
  tick_ns = clock_monotonic_ns();
  settled_ns = tick_ns + SETTLING;
  rearm();
}

void net_timers_wake(void) {
  if (!quiet)
    return;
  quiet = false;
  housekeeping(clock_monotonic_ns());
  quiet = false;
  rearm();
}

/* lwIP calls this for every new connection. */
void tcp_timer_needed(void) {
  if (tcp_due_ns != 0)
    return;
  tcp_due_ns = clock_monotonic_ns() + TCP_PERIOD;
  quiet = false;
  rearm();
}
