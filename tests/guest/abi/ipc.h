/*
 * Local sockets for the programs that check them: pairs, messages with descriptors, waiting.
 */
#ifndef TESTS_GUEST_ABI_IPC_H
#define TESTS_GUEST_ABI_IPC_H

#include "../check.h"
#include "raw.h"

#define STREAM CLOUDABI_FILETYPE_SOCKET_STREAM
#define DGRAM CLOUDABI_FILETYPE_SOCKET_DGRAM
#define SEQPACKET CLOUDABI_FILETYPE_SOCKET_SEQPACKET
#define PEEK CLOUDABI_SOCK_RECV_PEEK
#define WAITALL CLOUDABI_SOCK_RECV_WAITALL
#define HANGUP CLOUDABI_EVENT_FD_READWRITE_HANGUP

struct pair {
  cloudabi_fd_t a, b;
};

static inline struct pair ipc_pair(cloudabi_filetype_t type) {
  struct pair p = {RAW_BAD_FD, RAW_BAD_FD};
  cloudabi_sys_fd_create2(type, &p.a, &p.b);
  return p;
}

static inline void ipc_close(struct pair p) {
  cloudabi_sys_fd_close(p.a);
  cloudabi_sys_fd_close(p.b);
}

static inline cloudabi_errno_t ipc_flags(cloudabi_fd_t fd, cloudabi_fdflags_t flags) {
  struct cloudabi_fdstat st = {.fs_flags = flags};
  return cloudabi_sys_fd_stat_put(fd, &st, CLOUDABI_FDSTAT_FLAGS);
}

static inline cloudabi_errno_t ipc_send(cloudabi_fd_t fd, const void *data, size_t len,
                                        const cloudabi_fd_t *fds, size_t fds_len, size_t *n) {
  struct cloudabi_iovec iov = {(void *)(uintptr_t)data, len};
  struct cloudabi_send_in in = {
      .si_data = &iov, .si_data_len = 1, .si_fds = fds, .si_fds_len = fds_len};
  struct cloudabi_send_out out = {*n};
  cloudabi_errno_t e = cloudabi_sys_sock_send(fd, &in, &out);
  *n = out.so_datalen;
  return e;
}

/* One call, all of it. */
static inline bool ipc_put(cloudabi_fd_t fd, const char *text) {
  size_t n = 0;
  return ipc_send(fd, text, strlen(text), NULL, 0, &n) == 0 && n == strlen(text);
}

static inline cloudabi_errno_t ipc_recv(cloudabi_fd_t fd, void *data, size_t len,
                                        cloudabi_riflags_t flags, cloudabi_fd_t *fds,
                                        size_t fds_len, struct cloudabi_recv_out *out) {
  struct cloudabi_iovec iov = {data, len};
  struct cloudabi_recv_in in = {
      .ri_data = &iov, .ri_data_len = 1, .ri_fds = fds, .ri_fds_len = fds_len, .ri_flags = flags};
  return cloudabi_sys_sock_recv(fd, &in, out);
}

/* One fd_read gives exactly this. */
static inline bool ipc_gives(cloudabi_fd_t fd, const char *text) {
  char buf[128];
  size_t n = 999;
  return raw_read(fd, buf, sizeof(buf), &n) == 0 && n == strlen(text) && memcmp(buf, text, n) == 0;
}

static inline struct cloudabi_subscription ipc_subscription(cloudabi_fd_t fd,
                                                            cloudabi_eventtype_t type) {
  struct cloudabi_subscription s;
  memset(&s, 0, sizeof(s));
  s.type = type;
  s.userdata = type;
  s.fd_readwrite.fd = fd;
  s.fd_readwrite.flags = CLOUDABI_SUBSCRIPTION_FD_READWRITE_POLL;
  return s;
}

/* Whether fd is ready now, with *ev. */
static inline bool ipc_ready(cloudabi_fd_t fd, cloudabi_eventtype_t type,
                             struct cloudabi_event *ev) {
  struct cloudabi_subscription subs[2] = {ipc_subscription(fd, type), raw_clock(0, 0)};
  struct cloudabi_event events[2];
  size_t n = 0;
  if (cloudabi_sys_poll(subs, events, 2, &n) != 0)
    return false;
  for (size_t i = 0; i < n; i++) {
    if (events[i].type != type)
      continue;
    *ev = events[i];
    return ev->error == 0;
  }
  return false;
}

static inline bool ipc_readable(cloudabi_fd_t fd) {
  struct cloudabi_event ev;
  return ipc_ready(fd, CLOUDABI_EVENTTYPE_FD_READ, &ev);
}

static inline bool ipc_writable(cloudabi_fd_t fd) {
  struct cloudabi_event ev;
  return ipc_ready(fd, CLOUDABI_EVENTTYPE_FD_WRITE, &ev);
}

#endif
