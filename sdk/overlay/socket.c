/*
 * Sockets: accepting, sending and receiving, descriptors included, and pairs.
 *
 * Sockets come from outside, from accept and from socketpair; nothing else makes one. A
 * write to a closed connection is EPIPE and never a signal.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "sdk/overlay/overlay.h"

/* From CloudABI's socket addresses, as sock_accept tells them (up to v0.11). */
static void peer_to_linux(struct sockaddr *address, socklen_t *size,
                          const struct cloudabi_sockaddr *name) {
  union {
    struct sockaddr any;
    struct sockaddr_in inet;
    struct sockaddr_in6 inet6;
  } peer = {.any.sa_family = AF_UNSPEC};
  socklen_t length = sizeof(peer.any.sa_family);

  if (name->sa_family == CLOUDABI_AF_INET) {
    peer.inet.sin_family = AF_INET;
    peer.inet.sin_port = __builtin_bswap16(name->sa_inet.port);
    memcpy(&peer.inet.sin_addr, name->sa_inet.addr, 4);
    length = sizeof(peer.inet);
  } else if (name->sa_family == CLOUDABI_AF_INET6) {
    peer.inet6.sin6_family = AF_INET6;
    peer.inet6.sin6_port = __builtin_bswap16(name->sa_inet6.port);
    memcpy(&peer.inet6.sin6_addr, name->sa_inet6.addr, 16);
    length = sizeof(peer.inet6);
  }
  memcpy(address, &peer, length < *size ? length : *size);
  *size = length;
}

CALL4(accept4, int, listener, struct sockaddr *, address, socklen_t *, size, int, flags) {
  struct cloudabi_sockstat stat;
  cloudabi_fd_t fd;

  if (address != NULL)
    memset(&stat, 0, sizeof(stat));
  cloudabi_errno_t error = cloudabi_sys_sock_accept(listener, address != NULL ? &stat : NULL, &fd);
  if (error == CLOUDABI_ENOTCAPABLE && __error_socket(listener, error) != -ENOTSOCK)
    return -EINVAL; /* a socket that does not listen */
  if (error != 0)
    return __error_socket(listener, error);
  if (address != NULL)
    peer_to_linux(address, size, &stat.ss_peername);
  if (flags & SOCK_NONBLOCK)
    __fd_flags_set(fd, O_NONBLOCK);
  return fd;
}

CALL3(accept, int, listener, struct sockaddr *, address, socklen_t *, size) {
  return do_accept4(listener, address, size, 0);
}

/* Whether the call would block now; that is what MSG_DONTWAIT asks for once. */
static bool would_block(int fd, int events) {
  struct pollfd wait = {.fd = fd, .events = events};

  return __wait_fds(&wait, 1, 0) == 0;
}

static bool is_rights(const struct cmsghdr *control) {
  return control->cmsg_level == SOL_SOCKET && control->cmsg_type == SCM_RIGHTS;
}

CALL3(sendmsg, int, fd, const struct msghdr *, message, int, flags) {
  struct cloudabi_send_out out = {0};
  struct cloudabi_send_in in = {
      .si_data = (const struct cloudabi_iovec *)message->msg_iov,
      .si_data_len = message->msg_iovlen,
  };

  if (message->msg_name != NULL)
    return -EISCONN;
  if (flags & ~(MSG_NOSIGNAL | MSG_DONTWAIT))
    return -EOPNOTSUPP;
  if (message->msg_controllen > 0) {
    const struct cmsghdr *control = CMSG_FIRSTHDR(message);
    if (control == NULL || !is_rights(control) || control->cmsg_len < CMSG_LEN(0))
      return -EINVAL;
    in.si_fds = (const cloudabi_fd_t *)CMSG_DATA(control);
    in.si_fds_len = (control->cmsg_len - CMSG_LEN(0)) / sizeof(int);
  }
  if ((flags & MSG_DONTWAIT) && would_block(fd, POLLOUT))
    return -EAGAIN;
  cloudabi_errno_t error = cloudabi_sys_sock_send(fd, &in, &out);
  return error == 0 ? (long)out.so_datalen : __error_socket(fd, error);
}

CALL5(sendto, int, fd, const void *, data, size_t, length, int, flags, const void *, address) {
  struct iovec iov = {.iov_base = (void *)data, .iov_len = length};
  struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1, .msg_name = (void *)address};

  return do_sendmsg(fd, &message, flags);
}

/* Where received descriptors go: the room that the control buffer has for them. */
static void offer_room(struct cloudabi_recv_in *in, struct msghdr *message) {
  if (message->msg_controllen < CMSG_LEN(sizeof(int)))
    return;
  in->ri_fds = (cloudabi_fd_t *)CMSG_DATA((struct cmsghdr *)message->msg_control);
  in->ri_fds_len = (message->msg_controllen - CMSG_LEN(0)) / sizeof(int);
}

static void describe(struct msghdr *message, const struct cloudabi_recv_out *out) {
  message->msg_flags = 0;
  if (out->ro_flags & CLOUDABI_SOCK_RECV_FDS_TRUNCATED)
    message->msg_flags |= MSG_CTRUNC;
  if (out->ro_flags & CLOUDABI_SOCK_RECV_DATA_TRUNCATED)
    message->msg_flags |= MSG_TRUNC;
  message->msg_namelen = 0;
  if (out->ro_fdslen == 0) {
    message->msg_controllen = 0;
    return;
  }
  struct cmsghdr *control = message->msg_control;
  control->cmsg_level = SOL_SOCKET;
  control->cmsg_type = SCM_RIGHTS;
  control->cmsg_len = CMSG_LEN(out->ro_fdslen * sizeof(int));
  message->msg_controllen = CMSG_SPACE(out->ro_fdslen * sizeof(int));
}

CALL3(recvmsg, int, fd, struct msghdr *, message, int, flags) {
  struct cloudabi_recv_out out = {0};
  struct cloudabi_recv_in in = {
      .ri_data = (const struct cloudabi_iovec *)message->msg_iov,
      .ri_data_len = message->msg_iovlen,
      .ri_flags = (flags & MSG_PEEK ? CLOUDABI_SOCK_RECV_PEEK : 0) |
                  (flags & MSG_WAITALL ? CLOUDABI_SOCK_RECV_WAITALL : 0),
  };

  if (flags & ~(MSG_PEEK | MSG_WAITALL | MSG_DONTWAIT | MSG_NOSIGNAL | MSG_CMSG_CLOEXEC))
    return -EOPNOTSUPP;
  if ((flags & MSG_DONTWAIT) && would_block(fd, POLLIN))
    return -EAGAIN;
  offer_room(&in, message);
  cloudabi_errno_t error = cloudabi_sys_sock_recv(fd, &in, &out);
  if (error != 0)
    return __error_socket(fd, error);
  describe(message, &out);
  return out.ro_datalen;
}

CALL6(recvfrom, int, fd, void *, buffer, size_t, length, int, flags, void *, address, socklen_t *,
      size) {
  struct iovec iov = {.iov_base = buffer, .iov_len = length};
  struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
  long result = do_recvmsg(fd, &message, flags);

  if (result >= 0 && address != NULL)
    *size = 0;
  return result;
}

CALL2(shutdown, int, fd, int, how) {
  static const unsigned char directions[] = {
      [SHUT_RD] = CLOUDABI_SHUT_RD,
      [SHUT_WR] = CLOUDABI_SHUT_WR,
      [SHUT_RDWR] = CLOUDABI_SHUT_RD | CLOUDABI_SHUT_WR,
  };

  if (how < 0 || (size_t)how >= sizeof(directions))
    return -EINVAL;
  cloudabi_errno_t error = cloudabi_sys_sock_shutdown(fd, directions[how]);
  return error == 0 ? 0 : __error_socket(fd, error);
}

static long make_pair(cloudabi_filetype_t type, int flags, int fds[2]) {
  cloudabi_fd_t one, two;
  cloudabi_errno_t error = cloudabi_sys_fd_create2(type, &one, &two);

  if (error != 0)
    return __error(error);
  if (flags & O_NONBLOCK) {
    __fd_flags_set(one, O_NONBLOCK);
    __fd_flags_set(two, O_NONBLOCK);
  }
  fds[0] = one;
  fds[1] = two;
  return 0;
}

CALL4(socketpair, int, family, int, type, int, protocol, int *, fds) {
  int flags = type & SOCK_NONBLOCK ? O_NONBLOCK : 0;

  type &= ~(SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (family != AF_UNIX)
    return -EAFNOSUPPORT;
  if (protocol != 0 || (type != SOCK_STREAM && type != SOCK_DGRAM))
    return -EPROTONOSUPPORT;
  return make_pair(
      type == SOCK_STREAM ? CLOUDABI_FILETYPE_SOCKET_STREAM : CLOUDABI_FILETYPE_SOCKET_DGRAM, flags,
      fds);
}

/* A pipe is a pair of connected sockets: both ends can do both. */
CALL2(pipe2, int *, fds, int, flags) {
  return make_pair(CLOUDABI_FILETYPE_SOCKET_STREAM, flags, fds);
}

CALL5(getsockopt, int, fd, int, level, int, option, int *, value, socklen_t *, size) {
  struct cloudabi_fdstat stat;
  cloudabi_errno_t error = cloudabi_sys_fd_stat_get(fd, &stat);

  if (error != 0)
    return __error(error);
  if ((stat.fs_filetype & 0xf0) != 0x80)
    return -ENOTSOCK;
  if (level != SOL_SOCKET || (option != SO_TYPE && option != SO_ERROR))
    return -ENOPROTOOPT;
  if (*size < sizeof(*value))
    return -EINVAL;
  *value = 0; /* errors are reported by the calls that meet them */
  if (option == SO_TYPE)
    *value = stat.fs_filetype == CLOUDABI_FILETYPE_SOCKET_DGRAM ? SOCK_DGRAM : SOCK_STREAM;
  *size = sizeof(*value);
  return 0;
}

/* These are wishes about how the system does its work; it does it in its own way. */
CALL3(setsockopt, int, fd, int, level, int, option) {
  struct cloudabi_fdstat stat;
  cloudabi_errno_t error = cloudabi_sys_fd_stat_get(fd, &stat);
  bool wish = (level == IPPROTO_TCP && option == TCP_NODELAY) ||
              (level == SOL_SOCKET && (option == SO_KEEPALIVE || option == SO_REUSEADDR ||
                                       option == SO_SNDBUF || option == SO_RCVBUF));

  if (error != 0)
    return __error(error);
  if ((stat.fs_filetype & 0xf0) != 0x80)
    return -ENOTSOCK;
  return wish ? 0 : -ENOPROTOOPT;
}
