/*
 * poll: waits for the first of several events. Reference section 5; locks and condition variables
 * (4.7) go on to poll_lock.c.
 *
 * One pass over the subscriptions asks every object for its state. Until one is ready, the same
 * question leaves a waiter at the object, so that nothing is asked twice before a sleep; after it
 * only the objects that woke the thread are asked again: their waiters have been unlinked. Few
 * subscriptions live on the stack.
 */
#include "kernel/sys/poll.h"

#include "kernel/clock.h"
#include "kernel/heap.h"
#include "kernel/process.h"
#include "kernel/string.h"
#include "kernel/sys/sys.h"
#include "kernel/thread.h"
#include "kernel/user.h"

#define INLINE_SUBSCRIPTIONS 8
#define SUBSCRIPTIONS_MAX 65536
#define BATCH 8 /* events collected before they are stored */

/* The kernel's side of a subscription that waits. */
struct poll_entry {
  struct file *file; /* where the waiter is or was; NULL: it doesn't wait, or is a clock */
  union {
    struct waiter waiter; /* of a descriptor */
    uint64_t deadline_ns; /* of a clock */
  };
};

struct poll_call {
  struct thread *thread;
  const struct subscription *subs;
  struct poll_entry *entries;
  size_t n;
  size_t clocks;   /* subscriptions that are valid clocks */
  size_t waiting;  /* entries with a file */
  bool referenced; /* each of them holds a reference: from the first sleep on */
  uintptr_t out;   /* the program's array */
  size_t nevents;  /* in all */
  size_t batched;  /* of them still in batch[] */
  errno_t error;   /* of storing them */
  struct event batch[BATCH];
};

/* ---- Events ---------------------------------------------------------------------------------- */

static void flush(struct poll_call *c) {
  uintptr_t to = c->out + (c->nevents - c->batched) * sizeof c->batch[0];
  errno_t e = user_copy_out((void *)to, c->batch, c->batched * sizeof c->batch[0]);
  if (e != 0)
    c->error = e;
  c->batched = 0;
}

void poll_event_init(struct event *ev, const struct subscription *s, errno_t error) {
  memset(ev, 0, sizeof *ev);
  ev->userdata = s->userdata;
  ev->error = error;
  ev->type = s->type;
  switch (s->type) {
    case EVENTTYPE_CLOCK:
      ev->clock.identifier = s->clock.identifier;
      break;
    case EVENTTYPE_CONDVAR:
      ev->condvar.condvar = s->condvar.condvar;
      break;
    case EVENTTYPE_FD_READ:
    case EVENTTYPE_FD_WRITE:
      ev->fd_readwrite.fd = s->fd_readwrite.fd;
      break;
    case EVENTTYPE_LOCK_RDLOCK:
    case EVENTTYPE_LOCK_WRLOCK:
      ev->lock.lock = s->lock.lock;
      break;
    case EVENTTYPE_PROC_TERMINATE:
      ev->proc_terminate.fd = s->proc_terminate.fd;
      break;
  }
}

/* Room for one more event of those to store. */
static inline struct event *next_event(struct poll_call *c) {
  if (c->batched == BATCH)
    flush(c);
  c->nevents++;
  return &c->batch[c->batched++];
}

static void add_event(struct poll_call *c, const struct subscription *s, errno_t error) {
  poll_event_init(next_event(c), s, error);
}

/* ---- Clocks ---------------------------------------------------------------------------------- */

errno_t poll_clock_check(const struct subscription *s) {
  switch (s->clock.clock_id) {
    case CLOCK_MONOTONIC:
    case CLOCK_REALTIME:
      return 0;
    case CLOCK_PROCESS_CPUTIME_ID:
    case CLOCK_THREAD_CPUTIME_ID:
      return ENOTSUP;
    default:
      return EINVAL;
  }
}

uint64_t poll_clock_deadline(const struct subscription *s, uint64_t *now_ns) {
  uint64_t timeout = s->clock.timeout, deadline_ns;
  if (timeout == UINT64_MAX)
    return NEVER_NS;
  if ((s->clock.flags & SUBSCRIPTION_CLOCK_ABSTIME) != 0) {
    uint64_t start = s->clock.clock_id == CLOCK_REALTIME ? clock_offset_ns() : 0;
    return timeout > start ? timeout - start : 0;
  }
  if (*now_ns == 0)
    *now_ns = clock_monotonic_ns();
  return __builtin_add_overflow(*now_ns, timeout, &deadline_ns) ? NEVER_NS : deadline_ns;
}

static void clock_first(struct poll_call *c, const struct subscription *s) {
  errno_t e = poll_clock_check(s);
  if (e != 0)
    add_event(c, s, e);
  else
    c->clocks++;
}

/* What a valid clock leaves; the others have had their events. */
static bool is_clock(const struct subscription *s) {
  return s->type == EVENTTYPE_CLOCK && poll_clock_check(s) == 0;
}

/* Computes all deadlines; returns the earliest. */
static uint64_t clocks_start(struct poll_call *c) {
  uint64_t earliest_ns = NEVER_NS, now_ns = 0;
  size_t left = c->clocks;
  for (size_t i = 0; left > 0; i++) {
    if (!is_clock(&c->subs[i]))
      continue;
    left--;
    uint64_t deadline_ns = poll_clock_deadline(&c->subs[i], &now_ns);
    c->entries[i].deadline_ns = deadline_ns;
    if (deadline_ns < earliest_ns)
      earliest_ns = deadline_ns;
  }
  return earliest_ns;
}

static void clocks_expire(struct poll_call *c) {
  uint64_t now_ns = clock_monotonic_ns();
  size_t left = c->clocks;
  for (size_t i = 0; left > 0; i++) {
    if (!is_clock(&c->subs[i]))
      continue;
    left--;
    if (c->entries[i].deadline_ns <= now_ns)
      add_event(c, &c->subs[i], 0);
  }
}

/* ---- Descriptors ----------------------------------------------------------------------------- */

/* Asks the object. True: there is an event. Otherwise, with w, it has been left there. */
static inline bool ask(struct poll_call *c, const struct subscription *s, struct file *f,
                       struct waiter *w) {
  struct poll_state st = {0};
  if (f->ops->poll == NULL)
    st.ready = true;
  else
    f->ops->poll(f, s->type, &st, w);
  if (!st.ready) {
    if (st.error == 0)
      return false;
    if (w != NULL)
      waitq_remove(w);
  }
  poll_fd_event(next_event(c), s, &st);
  return true;
}

static inline void fd_first(struct poll_call *c, const struct subscription *s,
                            struct poll_entry *entry) {
  struct file *f;
  errno_t e = poll_fd_check(&c->thread->process->fds, s, &f);
  if (__builtin_expect(e != 0, 0)) {
    add_event(c, s, e);
    return;
  }
  struct waiter *w = NULL;
  if (c->nevents == 0) {
    w = &entry->waiter;
    w->thread = c->thread;
    list_init(&w->link);
  }
  if (!ask(c, s, f, w) && w != NULL) {
    entry->file = f;
    c->waiting++;
  }
}

/* Its waiter is on no queue. */
static void entry_release(struct poll_call *c, struct poll_entry *entry) {
  if (c->referenced)
    file_unref(entry->file);
  entry->file = NULL;
  c->waiting--;
}

/* Before a sleep: the descriptors may be closed during it. */
static void fds_reference(struct poll_call *c) {
  size_t left = c->waiting;
  for (struct poll_entry *entry = c->entries; left > 0; entry++) {
    if (entry->file == NULL)
      continue;
    left--;
    file_ref(entry->file);
  }
  c->referenced = true;
}

/* After a wake: asks those again whose waiters were taken off their queues. */
static void fds_again(struct poll_call *c) {
  size_t left = c->waiting;
  for (size_t i = 0; left > 0; i++) {
    struct poll_entry *entry = &c->entries[i];
    if (entry->file == NULL)
      continue;
    left--;
    if (list_empty(&entry->waiter.link) &&
        ask(c, &c->subs[i], entry->file, c->nevents > 0 ? NULL : &entry->waiter))
      entry_release(c, entry);
  }
}

static void fds_release(struct poll_call *c) {
  for (struct poll_entry *entry = c->entries; c->waiting > 0; entry++) {
    if (entry->file == NULL)
      continue;
    waitq_remove(&entry->waiter);
    entry_release(c, entry);
  }
}

/* ---- The call -------------------------------------------------------------------------------- */

static void other_first(struct poll_call *c, const struct subscription *s,
                        struct poll_entry *entry) {
  if (s->type == EVENTTYPE_CLOCK)
    clock_first(c, s);
  else if (s->type == EVENTTYPE_PROC_TERMINATE)
    fd_first(c, s, entry);
  else /* unknown, or a lock in the wrong place */
    add_event(c, s, EINVAL);
}

static void first_pass(struct poll_call *c) {
  const struct subscription *s = c->subs, *end = s + c->n;
  for (struct poll_entry *entry = c->entries; s < end; s++, entry++) {
    entry->file = NULL;
    if (__builtin_expect(s->type == EVENTTYPE_FD_READ || s->type == EVENTTYPE_FD_WRITE, 1))
      fd_first(c, s, entry);
    else
      other_first(c, s, entry);
  }
}

/* Sleeps until there is an event. ECANCELED. */
static errno_t wait(struct poll_call *c) {
  uint64_t deadline_ns = clocks_start(c);
  fds_reference(c);
  while (c->nevents == 0) {
    errno_t e = thread_sleep(deadline_ns);
    if (e == ECANCELED)
      return e;
    thread_sleep_begin();
    fds_again(c);
    if (e == ETIMEDOUT)
      clocks_expire(c);
  }
  return 0;
}

static errno_t run(struct poll_call *c) {
  errno_t e = 0;
  if (poll_is_lock(&c->subs[0]) &&
      (c->n == 1 || (c->n == 2 && c->subs[1].type == EVENTTYPE_CLOCK))) {
    e = poll_lock(c->subs, c->n, &c->batch[0]);
    c->nevents = c->batched = 1;
  } else {
    thread_sleep_begin();
    first_pass(c);
    if (c->nevents == 0)
      e = wait(c);
    fds_release(c);
  }
  if (e != 0)
    return e;
  flush(c);
  return c->error;
}

static errno_t run_many(struct poll_call *c, const struct subscription *in) {
  errno_t e = ENOMEM;
  struct subscription *subs = kmalloc(c->n * sizeof *subs);
  c->entries = kmalloc(c->n * sizeof *c->entries);
  c->subs = subs;
  if (subs != NULL && c->entries != NULL)
    e = user_copy_in(subs, in, c->n * sizeof *subs);
  if (e == 0)
    e = run(c);
  kfree(subs);
  kfree(c->entries);
  return e;
}

static errno_t run_few(struct poll_call *c, const struct subscription *in) {
  struct subscription subs[INLINE_SUBSCRIPTIONS];
  struct poll_entry entries[INLINE_SUBSCRIPTIONS];
  c->subs = subs;
  c->entries = entries;
  errno_t e = user_copy_in(subs, in, c->n * sizeof *subs);
  return e != 0 ? e : run(c);
}

errno_t sys_poll(struct thread *t, const struct subscription *in, struct event *out,
                 size_t nsubscriptions, size_t *nevents) {
  struct poll_call c;
  c.thread = t;
  c.n = nsubscriptions;
  c.clocks = c.waiting = c.nevents = c.batched = 0;
  c.out = (uintptr_t)out;
  c.referenced = false;
  c.error = 0;
  if (nsubscriptions > SUBSCRIPTIONS_MAX)
    return EINVAL;
  if (nsubscriptions > 0) {
    errno_t e = nsubscriptions <= INLINE_SUBSCRIPTIONS ? run_few(&c, in) : run_many(&c, in);
    if (e != 0)
      return e;
  }
  return user_put(nevents, c.nevents);
}
