/*
 * poll and select, by CloudABI's poll.
 *
 * Each pollfd becomes a subscription for reading, for writing, or both, with its index as
 * the userdata, and the timeout becomes one for the clock. The arrays are on the stack,
 * or in a mapping when there are too many descriptors.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <time.h>

#include "sdk/overlay/overlay.h"

enum {
  STACK_FDS = 256,
  READ_EVENTS = POLLIN | POLLRDNORM,
  WRITE_EVENTS = POLLOUT | POLLWRNORM,
};

struct arrays {
  struct cloudabi_subscription *in;
  struct cloudabi_event *out;
};

static void subscribe(struct cloudabi_subscription *in, size_t index, int fd,
                      cloudabi_eventtype_t type) {
  in->userdata = index;
  in->flags = 0;
  in->type = type;
  in->fd_readwrite.fd = fd;
  in->fd_readwrite.flags = CLOUDABI_SUBSCRIPTION_FD_READWRITE_POLL;
}

static void subscribe_clock(struct cloudabi_subscription *in, uint64_t timeout_ns) {
  *in = (struct cloudabi_subscription){
      .type = CLOUDABI_EVENTTYPE_CLOCK,
      .clock = {.clock_id = CLOUDABI_CLOCK_MONOTONIC,
                .timeout = timeout_ns,
                .flags = timeout_ns == WAIT_FOREVER ? CLOUDABI_SUBSCRIPTION_CLOCK_ABSTIME : 0},
  };
}

static size_t subscribe_all(struct cloudabi_subscription *in, struct pollfd *fds, size_t nfds,
                            uint64_t timeout_ns) {
  size_t count = 0;

  for (size_t i = 0; i < nfds; ++i) {
    fds[i].revents = 0;
    if (fds[i].fd < 0)
      continue;
    if (fds[i].events & READ_EVENTS)
      subscribe(&in[count++], i, fds[i].fd, CLOUDABI_EVENTTYPE_FD_READ);
    if (fds[i].events & WRITE_EVENTS)
      subscribe(&in[count++], i, fds[i].fd, CLOUDABI_EVENTTYPE_FD_WRITE);
  }
  if (timeout_ns != WAIT_FOREVER || count == 0)
    subscribe_clock(&in[count++], timeout_ns);
  return count;
}

/* What one event means for its pollfd (semantics 5). */
static int event_bits(const struct cloudabi_event *event, int wanted) {
  bool hangup = event->fd_readwrite.flags & CLOUDABI_EVENT_FD_READWRITE_HANGUP;

  if (event->error == CLOUDABI_EBADF)
    return POLLNVAL;
  if (event->error == CLOUDABI_EPIPE)
    return POLLHUP;
  if (event->error != 0)
    return POLLERR;
  if (event->type == CLOUDABI_EVENTTYPE_FD_READ)
    return (wanted & READ_EVENTS) | (hangup ? POLLHUP : 0);
  return hangup ? POLLHUP : wanted & WRITE_EVENTS;
}

static long collect(struct pollfd *fds, const struct cloudabi_event *out, size_t count) {
  long ready = 0;

  for (size_t i = 0; i < count; ++i) {
    if (out[i].type == CLOUDABI_EVENTTYPE_CLOCK)
      continue;
    struct pollfd *fd = &fds[out[i].userdata];
    ready += fd->revents == 0;
    fd->revents |= event_bits(&out[i], fd->events);
    if (fd->revents & POLLHUP) /* nothing can be written any more */
      fd->revents &= ~WRITE_EVENTS;
  }
  return ready;
}

static long wait_in(struct arrays arrays, struct pollfd *fds, size_t nfds, uint64_t timeout_ns) {
  size_t count = subscribe_all(arrays.in, fds, nfds, timeout_ns);
  cloudabi_errno_t error = cloudabi_sys_poll(arrays.in, arrays.out, count, &count);

  return error == 0 ? collect(fds, arrays.out, count) : __error(error);
}

static __attribute__((noinline)) long wait_on_stack(struct pollfd *fds, size_t nfds,
                                                    uint64_t timeout_ns) {
  struct cloudabi_subscription in[2 * nfds + 1];
  struct cloudabi_event out[2 * nfds + 1];

  return wait_in((struct arrays){in, out}, fds, nfds, timeout_ns);
}

static __attribute__((noinline)) long wait_in_mapping(struct pollfd *fds, size_t nfds,
                                                      uint64_t timeout_ns) {
  const size_t each = sizeof(struct cloudabi_subscription) + sizeof(struct cloudabi_event);
  size_t count = 2 * nfds + 1;
  struct cloudabi_subscription *in;

  if (nfds > SIZE_MAX / 4 / each)
    return -EINVAL;
  in = mmap(NULL, count * each, PROT_READ | PROT_WRITE, MAP_ANON | MAP_PRIVATE, -1, 0);
  if (in == MAP_FAILED)
    return -ENOMEM;
  struct arrays arrays = {in, (struct cloudabi_event *)(in + count)};
  long result = wait_in(arrays, fds, nfds, timeout_ns);
  munmap(in, count * each);
  return result;
}

/*
 * Waits until one of the descriptors has an event, or for the time, WAIT_FOREVER being
 * none. Returns how many descriptors have events, and these in revents.
 */
long __wait_fds(struct pollfd *fds, size_t nfds, uint64_t timeout_ns) {
  return nfds <= STACK_FDS ? wait_on_stack(fds, nfds, timeout_ns)
                           : wait_in_mapping(fds, nfds, timeout_ns);
}

CALL3(poll, struct pollfd *, fds, size_t, nfds, int, timeout_ms) {
  return __wait_fds(fds, nfds, timeout_ms < 0 ? WAIT_FOREVER : timeout_ms * UINT64_C(1000000));
}

CALL3(ppoll, struct pollfd *, fds, size_t, nfds, const struct timespec *, timeout) {
  return __wait_fds(fds, nfds, timeout == NULL ? WAIT_FOREVER : __time_ns(timeout));
}

CALL0(pause) {
  __wait_fds(NULL, 0, WAIT_FOREVER);
  return -EINTR;
}

static bool is_set(const fd_set *set, int fd) {
  return set != NULL && FD_ISSET(fd, set);
}

/* Keeps a descriptor in the set if it is ready; returns 1 for each that stays. */
static int keep(fd_set *set, const struct pollfd *fd, int events) {
  if (!is_set(set, fd->fd))
    return 0;
  if (fd->revents & events)
    return 1;
  FD_CLR(fd->fd, set);
  return 0;
}

/* Exceptional conditions do not exist. */
static long select_ns(int nfds, fd_set *reads, fd_set *writes, fd_set *excepts,
                      uint64_t timeout_ns) {
  struct pollfd fds[FD_SETSIZE];
  size_t count = 0;

  if (nfds < 0 || nfds > FD_SETSIZE)
    return -EINVAL;
  for (int fd = 0; fd < nfds; ++fd) {
    int events = (is_set(reads, fd) ? POLLIN : 0) | (is_set(writes, fd) ? POLLOUT : 0);
    if (events != 0)
      fds[count++] = (struct pollfd){.fd = fd, .events = events};
  }
  long result = __wait_fds(fds, count, timeout_ns);
  if (result < 0)
    return result;
  result = 0;
  for (size_t i = 0; i < count; ++i) {
    if (fds[i].revents & POLLNVAL)
      return -EBADF;
    result += keep(reads, &fds[i], POLLIN | POLLHUP | POLLERR);
    result += keep(writes, &fds[i], POLLOUT | POLLHUP | POLLERR);
  }
  if (excepts != NULL)
    FD_ZERO(excepts);
  return result;
}

CALL5(pselect6, int, nfds, fd_set *, reads, fd_set *, writes, fd_set *, excepts,
      const struct timespec *, timeout) {
  return select_ns(nfds, reads, writes, excepts,
                   timeout == NULL ? WAIT_FOREVER : __time_ns(timeout));
}

CALL5(select, int, nfds, fd_set *, reads, fd_set *, writes, fd_set *, excepts,
      const struct timeval *, timeout) {
  if (timeout == NULL)
    return select_ns(nfds, reads, writes, excepts, WAIT_FOREVER);
  const struct timespec time = {timeout->tv_sec, timeout->tv_usec * 1000};
  return select_ns(nfds, reads, writes, excepts, __time_ns(&time));
}
