/*
 * Poll sets. See poll_set.h; semantics in the reference's section 9.2, which are those of kqueue.
 *
 * A member is keyed by what it waits for: a descriptor and an event type, or a clock's identifier.
 * Its watch stays on the object's queue while the member is enabled. A wake makes the member
 * pending, no more; poll_fd asks the pending ones, so that its cost does not grow with the number
 * of those where nothing happens. What is found ready stays pending, unless it was added to report
 * changes only.
 *
 * No member holds a reference: a descriptor that is closed tells the set before it lets go of its
 * file. Wakes come from any context, timers from the bottom half.
 */
#include "kernel/sys/poll_set.h"

#include "kernel/avl.h"
#include "kernel/clock.h"
#include "kernel/fdtable.h"
#include "kernel/heap.h"
#include "kernel/log.h"
#include "kernel/sys/poll.h"
#include "kernel/timer.h"

#define FLAGS_ALL                                                                       \
  (SUBSCRIPTION_ADD | SUBSCRIPTION_CLEAR | SUBSCRIPTION_DELETE | SUBSCRIPTION_DISABLE | \
   SUBSCRIPTION_ENABLE | SUBSCRIPTION_ONESHOT)

struct poll_set {
  struct file file;
  struct fdtable *fds;
  struct fd_watcher watcher;
  struct avl *members;
  size_t count;
  struct list pending; /* members to be asked, oldest first */
  size_t pending_count;
  struct waitq waiters; /* threads in poll_fd */
};

struct member {
  struct avl node;
  struct list pending_link;
  struct poll_set *set;
  struct subscription sub; /* of the latest ADD */
  bool disabled;
  bool expired; /* a clock: since it was last reported */
  union {
    struct { /* of a descriptor */
      struct watch watch;
      struct file *file; /* alive as long as the number is open */
    };
    struct timer timer; /* of a clock */
  };
};

/* ---- Pending members ------------------------------------------------------------------------- */

static void make_pending(struct member *m) {
  if (m->disabled || !list_empty(&m->pending_link))
    return;
  list_push_back(&m->set->pending, &m->pending_link);
  m->set->pending_count++;
  waitq_wake_all(&m->set->waiters);
}

static void unmake_pending(struct member *m) {
  if (list_empty(&m->pending_link))
    return;
  list_remove(&m->pending_link);
  m->set->pending_count--;
}

static void woken(struct watch *w) {
  make_pending(container_of(w, struct member, watch));
}

static void expire(struct timer *t) {
  struct member *m = container_of(t, struct member, timer);
  m->expired = true;
  make_pending(m);
}

/* ---- The set's order ------------------------------------------------------------------------- */

static bool is_clock(const struct subscription *s) {
  return s->type == EVENTTYPE_CLOCK;
}

static uint64_t key_of(const struct subscription *s) {
  return is_clock(s) ? s->clock.identifier : s->fd_readwrite.fd; /* or proc_terminate.fd */
}

_Static_assert(offsetof(struct subscription, fd_readwrite.fd) ==
                   offsetof(struct subscription, proc_terminate.fd),
               "one place for the descriptor");

/* The member of that key and type, or NULL and its place. */
static struct member *find(struct poll_set *set, uint64_t key, eventtype_t type,
                           struct avl **parent, struct avl ***link) {
  *parent = NULL;
  *link = &set->members;
  while (**link != NULL) {
    struct member *m = container_of(**link, struct member, node);
    uint64_t own = key_of(&m->sub);
    if (own == key && m->sub.type == type)
      return m;
    *parent = **link;
    *link = &(*parent)->child[own < key || (own == key && m->sub.type < type)];
  }
  return NULL;
}

static void remove_member(struct member *m) {
  unmake_pending(m);
  if (is_clock(&m->sub))
    timer_cancel(&m->timer);
  else
    waitq_remove(&m->watch.waiter);
  avl_remove(&m->set->members, &m->node);
  m->set->count--;
  kfree(m);
}

/* ---- Clocks ---------------------------------------------------------------------------------- */

/* Starts, or starts again. */
static void clock_start(struct member *m) {
  uint64_t now_ns = 0;
  uint64_t deadline_ns = poll_clock_deadline(&m->sub, &now_ns);
  m->expired = false;
  timer_cancel(&m->timer);
  if (deadline_ns != NEVER_NS)
    timer_set(&m->timer, deadline_ns);
}

/* After a report: the next end of a period. Those that nobody asked for in time are left out, so
 * that a short period can't keep the machine busy. */
static void clock_continue(struct member *m) {
  uint64_t period_ns = m->sub.clock.timeout, now_ns = clock_monotonic_ns();
  uint64_t late_ns = now_ns - m->timer.deadline_ns;
  m->expired = false;
  if ((m->sub.clock.flags & SUBSCRIPTION_CLOCK_ABSTIME) != 0)
    return; /* once */
  if (period_ns > 0)
    late_ns %= period_ns;
  else
    late_ns = 0;
  timer_set(&m->timer, now_ns - late_ns + period_ns);
}

/* ---- Changes --------------------------------------------------------------------------------- */

/* The descriptor's file, NULL for a clock. */
static errno_t check(struct poll_set *set, const struct subscription *s, struct file **f) {
  *f = NULL;
  if ((s->flags & ~FLAGS_ALL) != 0)
    return EINVAL;
  switch (s->type) {
    case EVENTTYPE_CLOCK:
      return poll_clock_check(s);
    case EVENTTYPE_FD_READ:
    case EVENTTYPE_FD_WRITE:
    case EVENTTYPE_PROC_TERMINATE:
      return poll_fd_check(set->fds, s, f);
    default:
      return EINVAL;
  }
}

static errno_t add_member(struct poll_set *set, const struct subscription *s, struct file *f,
                          struct avl *parent, struct avl **link, struct member **out) {
  if (set->count == POLL_SET_MAX)
    return ENOMEM;
  struct member *m = kzalloc(sizeof *m);
  if (m == NULL)
    return ENOMEM;
  list_init(&m->pending_link);
  m->set = set;
  m->sub = *s;
  if (is_clock(s)) {
    m->timer.fire = expire;
  } else {
    watch_init(&m->watch, woken);
    m->file = f;
  }
  avl_insert(&set->members, parent, link, &m->node);
  set->count++;
  *out = m;
  return 0;
}

static void disable(struct member *m) {
  m->disabled = true;
  unmake_pending(m);
  if (!is_clock(&m->sub))
    waitq_remove(&m->watch.waiter);
}

/* In kqueue's order, should there be several. */
static void apply(struct member *m, subflags_t flags) {
  if ((flags & SUBSCRIPTION_ADD) != 0 && is_clock(&m->sub))
    clock_start(m);
  if ((flags & SUBSCRIPTION_DISABLE) != 0)
    disable(m);
  if ((flags & SUBSCRIPTION_ENABLE) != 0)
    m->disabled = false;
  make_pending(m); /* there may be something to be told already */
}

errno_t poll_set_change(struct file *f, const struct subscription *s) {
  struct poll_set *set = (struct poll_set *)f;
  struct avl *parent, **link;
  struct file *file;
  errno_t e = check(set, s, &file);
  if (e != 0)
    return e;
  struct member *m = find(set, key_of(s), s->type, &parent, &link);
  bool add = (s->flags & SUBSCRIPTION_ADD) != 0;
  if (m == NULL)
    e = add ? add_member(set, s, file, parent, link, &m) : ENOENT;
  else if (add)
    m->sub = *s;
  if (e != 0)
    return e;
  if ((s->flags & SUBSCRIPTION_DELETE) != 0)
    remove_member(m);
  else
    apply(m, s->flags);
  return 0;
}

static void fd_closed(struct fd_watcher *w, fd_t fd) {
  static const eventtype_t types[] = {EVENTTYPE_FD_READ, EVENTTYPE_FD_WRITE,
                                      EVENTTYPE_PROC_TERMINATE};
  struct poll_set *set = container_of(w, struct poll_set, watcher);
  struct avl *parent, **link;
  for (unsigned i = 0; i < sizeof types / sizeof types[0]; i++) {
    struct member *m = find(set, fd, types[i], &parent, &link);
    if (m != NULL)
      remove_member(m);
  }
}

/* ---- Events ---------------------------------------------------------------------------------- */

/* True: there is something to be told. */
static bool ask_clock(struct member *m, struct event *ev) {
  if (timer_armed(&m->timer) && m->timer.deadline_ns <= clock_monotonic_ns()) {
    timer_cancel(&m->timer);
    m->expired = true;
  }
  if (m->expired)
    poll_event_init(ev, &m->sub, 0);
  return m->expired;
}

static bool ask(struct member *m, struct event *ev) {
  struct poll_state st = {0};
  if (is_clock(&m->sub))
    return ask_clock(m, ev);
  struct waiter *w = list_empty(&m->watch.waiter.link) ? &m->watch.waiter : NULL;
  if (m->file->ops->poll == NULL)
    st.ready = true;
  else
    m->file->ops->poll(m->file, m->sub.type, &st, w);
  if (!st.ready && st.error == 0)
    return false;
  poll_fd_event(ev, &m->sub, &st);
  return true;
}

static void reported(struct member *m) {
  if ((m->sub.flags & SUBSCRIPTION_ONESHOT) != 0)
    remove_member(m);
  else if (is_clock(&m->sub))
    clock_continue(m);
  else if ((m->sub.flags & SUBSCRIPTION_CLEAR) == 0)
    make_pending(m);
}

size_t poll_set_pending(struct file *f) {
  return ((struct poll_set *)f)->pending_count;
}

size_t poll_set_collect(struct file *f, size_t *left, struct event *events, size_t max) {
  struct poll_set *set = (struct poll_set *)f;
  size_t n = 0;
  for (; n<max && * left> 0 && !list_empty(&set->pending); --*left) {
    struct member *m = container_of(set->pending.next, struct member, pending_link);
    unmake_pending(m);
    if (ask(m, &events[n])) {
      n++;
      reported(m);
    }
  }
  return n;
}

errno_t poll_set_wait(struct file *f, uint64_t deadline_ns) {
  struct poll_set *set = (struct poll_set *)f;
  return set->pending_count > 0 ? 0 : waitq_sleep(&set->waiters, deadline_ns);
}

/* ---- Life and death -------------------------------------------------------------------------- */

static void set_close(struct file *f) {
  struct poll_set *set = (struct poll_set *)f;
  while (set->members != NULL)
    remove_member(container_of(set->members, struct member, node));
  fd_unwatch(set->fds, &set->watcher);
  kfree(set);
}

errno_t poll_set_create(struct fdtable *fds, struct file **f) {
  static const struct file_ops ops = {.close = set_close};
  struct poll_set *set = kzalloc(sizeof *set);
  if (set == NULL)
    return ENOMEM;
  file_init(&set->file, &ops, FILETYPE_POLL, 0);
  set->fds = fds;
  set->watcher.closed = fd_closed;
  list_init(&set->pending);
  waitq_init(&set->waiters);
  fd_watch(fds, &set->watcher);
  *f = &set->file;
  return 0;
}
