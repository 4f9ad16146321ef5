/*
 * The C library's calls over local sockets: {out: fd, listener: socket}. socketpair, pipe, sendmsg
 * and recvmsg with SCM_RIGHTS, poll, shutdown; and the address that accept tells.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <program.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../check.h"

static char buf[64];

static int revents(int fd, short events) {
  struct pollfd p = {.fd = fd, .events = events};
  return poll(&p, 1, 0) < 0 ? -1 : p.revents;
}

static void check_pair(void) {
  int s[2];
  struct stat st;
  check("fd_create2", "socketpair()", socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
  check("fd_create2", "socketpair(): sockets that read and write",
        fstat(s[0], &st) == 0 && S_ISSOCK(st.st_mode) && fcntl(s[0], F_GETFL) == O_RDWR &&
            fcntl(s[1], F_GETFL) == O_RDWR);
  check("sock_send", "send()", send(s[0], "hello", 5, 0) == 5 && send(s[0], " you", 4, 0) == 4);
  check("sock_recv", "recv() with MSG_PEEK",
        recv(s[1], buf, sizeof(buf), MSG_PEEK) == 9 && memcmp(buf, "hello you", 9) == 0);
  check("fd_read", "read()", read(s[1], buf, sizeof(buf)) == 9);
  check("sock_recv", "recv() with MSG_DONTWAIT",
        recv(s[1], buf, sizeof(buf), MSG_DONTWAIT) == -1 && errno == EAGAIN);
  check("poll", "poll(): nothing to read, room to write",
        revents(s[1], POLLIN) == 0 && revents(s[1], POLLIN | POLLOUT) == POLLOUT);
  check("sock_shutdown", "shutdown()", shutdown(s[0], SHUT_WR) == 0);
  check("fd_read", "read() after the peer's shutdown()", read(s[1], buf, 9) == 0);
  check("fd_write", "write() after shutdown()", write(s[0], "x", 1) == -1 && errno == EPIPE);
  close(s[0]);
  check("poll", "poll() after the peer's close(), reading and writing",
        revents(s[1], POLLRDNORM | POLLWRNORM) == (POLLRDNORM | POLLHUP));
  check("poll", "poll() after the peer's close(), writing", revents(s[1], POLLWRNORM) == POLLHUP);
  check("poll", "poll() after the peer's close(), reading",
        revents(s[1], POLLRDNORM) == (POLLRDNORM | POLLHUP));
  close(s[1]);
  check("poll", "poll() of a closed number", revents(s[1], POLLIN | POLLOUT) == POLLNVAL);

  check("fd_create2", "socketpair() of datagram sockets",
        socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, s) == 0);
  struct iovec iov = {buf, 2};
  struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
  send(s[0], "abc", 3, 0);
  check("sock_recv", "recvmsg() of a datagram that is too long",
        recvmsg(s[1], &message, 0) == 2 && message.msg_flags == MSG_TRUNC);
  check("sock_recv", "SOCK_NONBLOCK", recv(s[1], buf, 2, 0) == -1 && errno == EAGAIN);
  close(s[0]);
  close(s[1]);
}

static void check_pipe(void) {
  int p[2];
  check("fd_create2", "pipe()", pipe(p) == 0);
  check("fd_write", "pipe(): both ends go both ways",
        write(p[1], "down", 4) == 4 && read(p[0], buf, 9) == 4 && write(p[0], "up", 2) == 2 &&
            read(p[1], buf, 9) == 2);
  check("fd_seek", "lseek() of a pipe", lseek(p[0], 0, SEEK_CUR) == -1 && errno == ESPIPE);
  check("fd_sync", "fsync() of a pipe", fsync(p[0]) == -1 && errno == EINVAL);
  close(p[1]);
  check("fd_read", "pipe(): the writer closed", read(p[0], buf, 9) == 0);
  close(p[0]);
  check("fd_create2", "pipe2() with O_NONBLOCK",
        pipe2(p, O_NONBLOCK) == 0 && read(p[0], buf, 1) == -1 && errno == EAGAIN);
  close(p[0]);
  close(p[1]);
}

union control {
  struct cmsghdr header;
  char room[CMSG_SPACE(4 * sizeof(int))];
};

static ssize_t send_fds(int over, const int *fds, size_t n) {
  struct iovec iov = {"fds", 3};
  union control control = {0};
  struct msghdr message = {.msg_iov = &iov,
                           .msg_iovlen = 1,
                           .msg_control = &control,
                           .msg_controllen = CMSG_LEN(n * sizeof(int))};
  struct cmsghdr *c = CMSG_FIRSTHDR(&message);
  *c = (struct cmsghdr){
      .cmsg_len = CMSG_LEN(n * sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
  memcpy(CMSG_DATA(c), fds, n * sizeof(int));
  return sendmsg(over, &message, 0);
}

/* Returns how many came, and the flags. */
static size_t receive_fds(int over, int *fds, size_t room, int *flags) {
  struct iovec iov = {buf, sizeof(buf)};
  union control control = {0};
  struct msghdr message = {.msg_iov = &iov,
                           .msg_iovlen = 1,
                           .msg_control = room > 0 ? &control : NULL,
                           .msg_controllen = room > 0 ? CMSG_LEN(room * sizeof(int)) : 0};
  *flags = -1;
  if (recvmsg(over, &message, 0) != 3)
    return 99;
  *flags = message.msg_flags;
  struct cmsghdr *c = CMSG_FIRSTHDR(&message);
  if (c == NULL)
    return 0;
  size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
  memcpy(fds, CMSG_DATA(c), n * sizeof(int));
  return c->cmsg_type == SCM_RIGHTS ? n : 99;
}

static void check_rights(void) {
  int s[2], p[2], got[4], flags;
  socketpair(AF_UNIX, SOCK_STREAM, 0, s);
  pipe(p);
  check("sock_send", "sendmsg() with SCM_RIGHTS", send_fds(s[0], p, 2) == 3);
  close(p[0]);
  close(p[1]);
  check("sock_recv", "recvmsg() with SCM_RIGHTS",
        receive_fds(s[1], got, 4, &flags) == 2 && flags == 0);
  check("fd_write", "through descriptors that came by SCM_RIGHTS",
        write(got[1], "xyz", 3) == 3 && read(got[0], buf, 9) == 3);
  send_fds(s[0], got, 2);
  check("sock_recv", "recvmsg() without room for control data: no flags",
        receive_fds(s[1], p, 0, &flags) == 0 && flags == 0);
  send_fds(s[0], got, 2);
  int one[2];
  size_t n = receive_fds(s[1], one, 1, &flags);
  check("sock_recv", "recvmsg() with too little room: MSG_CTRUNC", n <= 1 && flags == MSG_CTRUNC);
  if (n == 1)
    close(one[0]);
  int bad = 12345;
  check("sock_send", "sendmsg() of a closed number",
        send_fds(s[0], &bad, 1) == -1 && errno == EBADF);
  close(got[0]);
  close(got[1]);
  close(s[0]);
  close(s[1]);
}

static int blocked[2];

static void *read_end(void *arg) {
  static ssize_t n;
  n = read(blocked[0], buf, sizeof(buf));
  return arg != NULL ? &n : NULL;
}

static void check_thread(void) {
  pthread_t t;
  void *result = NULL;
  socketpair(AF_UNIX, SOCK_STREAM, 0, blocked);
  pthread_create(&t, NULL, read_end, blocked);
  close(blocked[1]);
  pthread_join(t, &result);
  check("fd_read", "close() in another thread ends a read()",
        result != NULL && *(ssize_t *)result == 0);
  close(blocked[0]);
}

static void check_accept(int listener) {
  struct sockaddr_in in = {0};
  socklen_t size = sizeof(in);
  dprintf(check_fd, "peer: connect\n");
  int fd = accept(listener, (struct sockaddr *)&in, &size);
  check("sock_accept", "accept() tells the peer's address",
        fd >= 0 && size == sizeof(in) && in.sin_family == AF_INET && in.sin_port != 0 &&
            ntohl(in.sin_addr.s_addr) >> 24 == 10);
  close(fd);
}

void program_main(const argdata_t *ad) {
  check_begin(ad);
  check_pair();
  check_pipe();
  check_rights();
  check_thread();
  check_accept(arg_fd(ad, "listener"));
  check_end();
}
