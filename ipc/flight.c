/*
 * Descriptors in flight: their number, their release, and the search for what nobody can receive.
 *
 * A socket in flight has references held by messages (file.in_flight of file.refs). If it has
 * others as well, somebody can read its queue, and so get what is in there, and so read those
 * queues. All sockets in flight that can't be reached so are released:
 *
 *   1. of each socket without other references, count those that messages in the queues of such
 *      sockets hold;
 *   2. one with more references than these is in a queue that somebody can read: it is reachable,
 *      and with it what lies in its queue, and so on, over a list of what is still to be looked at;
 *   3. the queues of the rest are emptied, and with that they close.
 *
 * The search costs as much as there are descriptors in flight. It is run as soon as the program has
 * made as many of its sockets unreachable as a sixteenth of that, and otherwise by a timer: all of
 * it costs no more than a constant for each change.
 *
 * Kernel lock; entered from channels and from whoever drops references; the search runs in the
 * bottom half. Nothing here sleeps.
 */
#include "ipc/flight.h"

#include "ipc/socket.h"
#include "kernel/bh.h"
#include "kernel/clock.h"
#include "kernel/log.h"
#include "kernel/timer.h"

#define CHANGES_SHARE 16
#define LATEST_NS 100000000u /* until a search after a change */

static void search(struct bh *bh);
static void search_late(struct timer *t);

static struct list sockets = LIST_INIT(sockets); /* in flight, by flight_link */
static size_t count;                             /* descriptors in flight */
static size_t changes;                           /* sockets stranded since the last search */
static struct fd_bundle *dropped;                /* still to be released */
static bool releasing;
static struct bh search_bh = {.run = search};
static struct timer search_timer = {.fire = search_late};

size_t flight_count(void) {
  return count;
}

/* ---- Counting -------------------------------------------------------------------------------- */

errno_t flight_enter(struct fd_bundle *b) {
  if (b->len > FLIGHT_MAX - count)
    return ENFILE;
  count += b->len;
  for (size_t i = 0; i < b->len; i++) {
    struct file *f = b->entries[i].file;
    struct socket *s = socket_of(f);
    f->in_flight++;
    if (s == NULL)
      continue;
    if (f->in_flight == 1)
      list_push_back(&sockets, &s->flight_link);
    if (f->in_flight == f->refs) /* the sender's number for it is closed already */
      flight_stranded(f);
  }
  return 0;
}

void flight_leave(struct fd_bundle *b) {
  count -= b->len;
  for (size_t i = 0; i < b->len; i++) {
    struct file *f = b->entries[i].file;
    struct socket *s = socket_of(f);
    ASSERT(f->in_flight > 0);
    if (--f->in_flight == 0 && s != NULL)
      list_remove(&s->flight_link);
  }
}

/* Closing a socket comes back here, where its queue only joins the list. */
static void release(void) {
  if (releasing)
    return;
  releasing = true;
  while (dropped != NULL) {
    struct fd_bundle *b = dropped;
    dropped = b->next;
    flight_leave(b);
    fd_bundle_free(b);
  }
  releasing = false;
}

void flight_drop(struct fd_bundle *b) {
  b->next = dropped;
  dropped = b;
  release();
}

void flight_drop_all(struct fd_bundle *list) {
  while (list != NULL) {
    struct fd_bundle *b = list;
    list = b->next;
    b->next = dropped;
    dropped = b;
  }
  release();
}

/* ---- When to search -------------------------------------------------------------------------- */

void flight_stranded(struct file *f) {
  changes++;
  bh_schedule(&search_bh);
}

static void search(struct bh *bh) {
  if (changes * CHANGES_SHARE >= count)
    flight_collect();
  else if (!timer_armed(&search_timer))
    timer_set(&search_timer, clock_monotonic_ns() + LATEST_NS);
}

static void search_late(struct timer *t) {
  flight_collect();
}

/* ---- Searching ------------------------------------------------------------------------------- */

#define REACHABLE UINT32_MAX /* in flight_held */

static bool only_in_flight(const struct socket *s) {
  return s->file.refs == s->file.in_flight;
}

/* Whether the file is a socket whose fate is open: of which it isn't known that it is reachable. */
static struct socket *candidate(struct file *f) {
  struct socket *s = socket_of(f);
  return s != NULL && f->in_flight > 0 && s->flight_held != REACHABLE ? s : NULL;
}

/* Calls `visit` for each socket in s's queue whose fate is open. */
static void visit_queue(struct socket *s, void (*visit)(struct socket *)) {
  const struct chunk *at = NULL;
  struct fd_bundle *b;
  while ((b = channel_next_fds(&s->rx, &at)) != NULL) {
    for (size_t i = 0; i < b->len; i++) {
      struct socket *inside = candidate(b->entries[i].file);
      if (inside != NULL)
        visit(inside);
    }
  }
}

static void held_once(struct socket *s) {
  s->flight_held++;
}

static struct socket *to_look_at;

static void reach(struct socket *s) {
  s->flight_held = REACHABLE;
  s->flight_next = to_look_at;
  to_look_at = s;
}

static void mark(void) {
  list_for_each(l, &sockets) { /* what those with other references hold is reached below */
    struct socket *s = container_of(l, struct socket, flight_link);
    s->flight_held = only_in_flight(s) ? 0 : REACHABLE;
  }
  list_for_each(l, &sockets) {
    struct socket *s = container_of(l, struct socket, flight_link);
    if (s->flight_held != REACHABLE)
      visit_queue(s, held_once);
  }
  to_look_at = NULL;
  list_for_each(l, &sockets) {
    struct socket *s = container_of(l, struct socket, flight_link);
    if (s->flight_held < s->file.in_flight)
      reach(s);
  }
  while (to_look_at != NULL) {
    struct socket *s = to_look_at;
    to_look_at = s->flight_next;
    visit_queue(s, reach);
  }
}

void flight_collect(void) {
  struct fd_bundle *lost = NULL;
  timer_cancel(&search_timer);
  changes = 0;
  mark();
  list_for_each(l, &sockets) {
    struct socket *s = container_of(l, struct socket, flight_link);
    if (s->flight_held != REACHABLE)
      channel_take_fds(&s->rx, &lost);
  }
  flight_drop_all(lost);
}
