/*
 * Local sockets with names, which retired calls make: {out: fd, tmp: directory, dir: read-only
 * directory}. Reference 2.3, 2.4 and 9.2.
 */
#include <program.h>
#include <stdatomic.h>

#include "ipc.h"

#define SOCKET_BASE 0x1ea1008004a
#define ALL_EVER 0x1ffffffffff

static cloudabi_fd_t tmp, dir;
static char got[128];

static cloudabi_fd_t new_socket(cloudabi_filetype_t type) {
  cloudabi_fd_t fd = RAW_BAD_FD;
  cloudabi_sys_fd_create1(type, &fd);
  return fd;
}

static cloudabi_errno_t bind_to(cloudabi_fd_t fd, const char *path) {
  return cloudabi_sys_sock_bind(fd, tmp, path, strlen(path));
}

static cloudabi_errno_t connect_to(cloudabi_fd_t fd, const char *path) {
  return cloudabi_sys_sock_connect(fd, tmp, path, strlen(path));
}

static cloudabi_errno_t accept_from(cloudabi_fd_t fd, cloudabi_fd_t *conn) {
  return cloudabi_sys_sock_accept(fd, NULL, conn);
}

static cloudabi_fd_t listener_at(const char *path, cloudabi_filetype_t type) {
  cloudabi_fd_t fd = new_socket(type);
  bind_to(fd, path);
  cloudabi_sys_sock_listen(fd, 5);
  return fd;
}

static void remove_name(const char *path) {
  cloudabi_sys_file_unlink(tmp, path, strlen(path), 0);
}

static cloudabi_filetype_t type_of(const char *path) {
  struct cloudabi_filestat st = {0};
  struct cloudabi_lookup at = {tmp, 0};
  cloudabi_sys_file_stat_get(at, path, strlen(path), &st);
  return st.st_filetype;
}

/* ---- Unconnected ----------------------------------------------------------------------------- */

static void check_new(cloudabi_filetype_t type, const char *name, cloudabi_errno_t send_error) {
  struct cloudabi_fdstat st;
  struct cloudabi_sockstat ss;
  cloudabi_fd_t fd = 77;
  char what[80];
  size_t n = 0;
#define NAMED(text) (snprintf(what, sizeof(what), "%s: %s", name, text), what)
  check_err("fd_create1", name, cloudabi_sys_fd_create1(type, &fd), 0);
  cloudabi_sys_fd_stat_get(fd, &st);
  check("fd_create1", NAMED("type, flags"), st.fs_filetype == type && st.fs_flags == 0);
  check_eq("fd_create1", NAMED("rights"), st.fs_rights_base, SOCKET_BASE);
  check_eq("fd_create1", NAMED("inheriting rights"), st.fs_rights_inheriting, ALL_EVER);
  check_err("fd_read", NAMED("not connected"), raw_read(fd, got, 1, &n), CLOUDABI_ENOTCONN);
  check_err("fd_write", NAMED("not connected"), raw_write(fd, "x", 1), send_error);
  check_err("sock_shutdown", NAMED("not connected"),
            cloudabi_sys_sock_shutdown(fd, CLOUDABI_SHUT_WR), CLOUDABI_ENOTCONN);
  memset(&ss, 0xee, sizeof(ss));
  check_err("sock_stat_get", NAMED("not connected"), cloudabi_sys_sock_stat_get(fd, &ss, 0), 0);
  check("sock_stat_get", NAMED("no names, no error, not listening"),
        ss.ss_sockname.sa_family == CLOUDABI_AF_UNSPEC &&
            ss.ss_peername.sa_family == CLOUDABI_AF_UNSPEC && ss.ss_error == 0 && ss.ss_state == 0);
  check_err("sock_accept", NAMED("does not listen"), accept_from(fd, &fd), CLOUDABI_EINVAL);
  cloudabi_sys_fd_close(fd);
#undef NAMED
}

static void check_made(void) {
  struct cloudabi_fdstat st;
  cloudabi_fd_t fd = 77;
  check_new(STREAM, "stream", CLOUDABI_ENOTCONN);
  check_new(SEQPACKET, "seqpacket", CLOUDABI_ENOTCONN);
  check_new(DGRAM, "dgram", CLOUDABI_EDESTADDRREQ);
  check_err("fd_create1", "a socket, the result is no address",
            cloudabi_sys_fd_create1(STREAM, (void *)8), CLOUDABI_EFAULT);
  struct pair p = ipc_pair(SEQPACKET);
  check("fd_create2", "a pair of seqpacket sockets",
        ipc_put(p.a, "one") && ipc_put(p.a, "two") && ipc_gives(p.b, "one"));
  ipc_close(p);
  p = ipc_pair(STREAM);
  cloudabi_sys_fd_stat_get(p.a, &st);
  check("fd_create2", "a pair has the rights of retired calls, in a program of their time",
        st.fs_rights_base == SOCKET_BASE && st.fs_rights_inheriting == ALL_EVER);
  check_err("sock_accept", "one of a pair", accept_from(p.a, &fd), CLOUDABI_EINVAL);
  check_err("sock_listen", "one of a pair", cloudabi_sys_sock_listen(p.a, 5), CLOUDABI_EINVAL);
  check_err("sock_connect", "one of a pair", connect_to(p.a, "nothing"), CLOUDABI_ENOENT);
  ipc_close(p);
}

/* ---- Names ----------------------------------------------------------------------------------- */

static void check_bind(void) {
  cloudabi_fd_t fd = new_socket(STREAM), other = new_socket(STREAM);
  char longest[105];
  memset(longest, 'n', sizeof(longest));
  check_err("sock_bind", "a new name", bind_to(fd, "socket"), 0);
  check_eq("file_stat_get", "a socket's name", type_of("socket"), STREAM);
  check_err("sock_bind", "a name that exists", bind_to(other, "socket"), CLOUDABI_EADDRINUSE);
  check_err("sock_bind", "a socket that has a name", bind_to(fd, "second"), CLOUDABI_EINVAL);
  check_eq("sock_bind", "then no name is made", type_of("second"), 0);
  check_err("sock_bind", "in a directory that is not there", bind_to(other, "no/socket"),
            CLOUDABI_ENOENT);
  check_err("sock_bind", "below something that is no directory", bind_to(other, "socket/x"),
            CLOUDABI_ENOTDIR);
  check_err("sock_bind", "outside", bind_to(other, "../socket"), CLOUDABI_ENOTCAPABLE);
  check_err("sock_bind", "an absolute path", bind_to(other, "/socket"), CLOUDABI_ENOTCAPABLE);
  check_err("sock_bind", "no path", bind_to(other, ""), CLOUDABI_ENOENT);
  check_err("sock_bind", "104 bytes", cloudabi_sys_sock_bind(other, tmp, longest, 104),
            CLOUDABI_ENAMETOOLONG);
  check_err("sock_bind", "103 bytes", cloudabi_sys_sock_bind(other, tmp, longest, 103), 0);
  cloudabi_sys_file_unlink(tmp, longest, 103, 0);
  cloudabi_sys_fd_close(other);

  other = new_socket(DGRAM);
  cloudabi_fd_t less = raw_dup_with(other, ~CLOUDABI_RIGHT_SOCK_BIND_SOCKET);
  cloudabi_fd_t less_dir = raw_dup_with(tmp, ~CLOUDABI_RIGHT_SOCK_BIND_DIRECTORY);
  check_err("sock_bind", "a closed number", bind_to(RAW_BAD_FD, "x"), CLOUDABI_EBADF);
  check_err("sock_bind", "without its right", bind_to(less, "x"), CLOUDABI_ENOTCAPABLE);
  check_err("sock_bind", "a closed directory", cloudabi_sys_sock_bind(other, RAW_BAD_FD, "x", 1),
            CLOUDABI_EBADF);
  check_err("sock_bind", "without the directory's right",
            cloudabi_sys_sock_bind(other, less_dir, "x", 1), CLOUDABI_ENOTCAPABLE);
  check_err("sock_bind", "the path is no address", cloudabi_sys_sock_bind(other, tmp, (void *)8, 4),
            CLOUDABI_EFAULT);
  check_err("sock_bind", "a file system that can't be changed",
            cloudabi_sys_sock_bind(other, dir, "x", 1), CLOUDABI_EROFS);
  check_err("sock_bind", "a symbolic link that leads nowhere",
            cloudabi_sys_sock_bind(other, dir, "dangling", 8), CLOUDABI_EADDRINUSE);
  check_err("sock_bind", "what is no socket", cloudabi_sys_sock_bind(tmp, tmp, "x", 1),
            CLOUDABI_ENOTCAPABLE);
  check_err("sock_bind", "a datagram socket", bind_to(other, "dgram"), 0);
  check_eq("file_stat_get", "a datagram socket's name", type_of("dgram"), DGRAM);
  cloudabi_sys_fd_close(less);
  cloudabi_sys_fd_close(less_dir);
  cloudabi_sys_fd_close(other);

  cloudabi_fd_t opened = 77;
  check_err("file_open", "a socket's name",
            raw_open(tmp, "socket", 0, CLOUDABI_RIGHT_FD_READ, &opened), CLOUDABI_ENOTSUP);
  cloudabi_sys_fd_close(fd);
  check_eq("fd_close", "a socket's name stays", type_of("socket"), STREAM);
  remove_name("socket");
  remove_name("dgram");
  check_eq("file_unlink", "a socket's name", type_of("socket"), 0);
}

static void check_listen(void) {
  cloudabi_fd_t fd = new_socket(STREAM), dgram = new_socket(DGRAM);
  check_err("sock_listen", "without a name", cloudabi_sys_sock_listen(fd, 5),
            CLOUDABI_EDESTADDRREQ);
  bind_to(fd, "listener");
  bind_to(dgram, "dgram");
  check_err("sock_listen", "a datagram socket", cloudabi_sys_sock_listen(dgram, 5),
            CLOUDABI_ENOTSUP);
  check_err("sock_listen", "a socket with a name", cloudabi_sys_sock_listen(fd, 5), 0);
  check_err("sock_listen", "again", cloudabi_sys_sock_listen(fd, UINT32_MAX), 0);
  check_err("sock_listen", "again, for none", cloudabi_sys_sock_listen(fd, 0), 0);
  cloudabi_fd_t less = raw_dup_with(fd, ~CLOUDABI_RIGHT_SOCK_LISTEN);
  check_err("sock_listen", "without its right", cloudabi_sys_sock_listen(less, 5),
            CLOUDABI_ENOTCAPABLE);
  check_err("sock_listen", "a closed number", cloudabi_sys_sock_listen(RAW_BAD_FD, 5),
            CLOUDABI_EBADF);
  struct cloudabi_sockstat ss;
  cloudabi_sys_sock_stat_get(fd, &ss, 0);
  check("sock_stat_get", "a listener: a name, no peer, accepting",
        ss.ss_sockname.sa_family == CLOUDABI_AF_UNIX &&
            ss.ss_peername.sa_family == CLOUDABI_AF_UNSPEC &&
            ss.ss_state == CLOUDABI_SOCKSTATE_ACCEPTCONN);
  cloudabi_sys_fd_close(less);
  cloudabi_sys_fd_close(fd);
  cloudabi_sys_fd_close(dgram);
  remove_name("listener");
  remove_name("dgram");
}

/* ---- Connections ----------------------------------------------------------------------------- */

static void check_connect_errors(void) {
  cloudabi_fd_t listener = listener_at("listener", STREAM), bound = new_socket(STREAM);
  cloudabi_fd_t fd = new_socket(STREAM), dgram = new_socket(DGRAM), file = 77;
  bind_to(bound, "bound");
  raw_open(tmp, "regular", CLOUDABI_O_CREAT, CLOUDABI_RIGHT_FD_WRITE, &file);
  cloudabi_sys_fd_close(file);
  check_err("sock_connect", "a missing name", connect_to(fd, "nothing"), CLOUDABI_ENOENT);
  check_err("sock_connect", "no socket", connect_to(fd, "regular"), CLOUDABI_ENOTSOCK);
  check_err("sock_connect", "a socket that does not listen", connect_to(fd, "bound"),
            CLOUDABI_ECONNREFUSED);
  check_err("sock_connect", "of another type", connect_to(dgram, "listener"), CLOUDABI_EPROTOTYPE);
  check_err("sock_connect", "a listener", connect_to(listener, "bound"), CLOUDABI_ENOTSUP);
  check_err("sock_connect", "outside", connect_to(fd, "../listener"), CLOUDABI_ENOTCAPABLE);
  check_err("sock_connect", "the path is no address",
            cloudabi_sys_sock_connect(fd, tmp, (void *)8, 4), CLOUDABI_EFAULT);
  cloudabi_fd_t less = raw_dup_with(fd, ~CLOUDABI_RIGHT_SOCK_CONNECT_SOCKET);
  cloudabi_fd_t less_dir = raw_dup_with(tmp, ~CLOUDABI_RIGHT_SOCK_CONNECT_DIRECTORY);
  check_err("sock_connect", "without its right", connect_to(less, "listener"),
            CLOUDABI_ENOTCAPABLE);
  check_err("sock_connect", "without the directory's right",
            cloudabi_sys_sock_connect(fd, less_dir, "listener", 8), CLOUDABI_ENOTCAPABLE);
  check_err("sock_connect", "a closed number", connect_to(RAW_BAD_FD, "listener"), CLOUDABI_EBADF);
  cloudabi_sys_fd_close(bound);
  check_err("sock_connect", "nobody is bound any more", connect_to(fd, "bound"),
            CLOUDABI_ECONNREFUSED);
  check_err("sock_connect", "a listener's name", connect_to(fd, "listener"), 0);
  check_err("sock_connect", "a second time", connect_to(fd, "listener"), CLOUDABI_EISCONN);
  check_err("sock_listen", "a connected socket", cloudabi_sys_sock_listen(fd, 5), CLOUDABI_EINVAL);
  cloudabi_fd_t all[] = {listener, fd, dgram, less, less_dir};
  for (size_t i = 0; i < 5; i++)
    cloudabi_sys_fd_close(all[i]);
  remove_name("listener");
  remove_name("bound");
  remove_name("regular");
}

static void check_connection(cloudabi_filetype_t type, const char *name) {
  cloudabi_fd_t listener = listener_at("listener", type), client = new_socket(type), conn = 77;
  struct cloudabi_sockstat ss;
  struct cloudabi_fdstat st;
  struct cloudabi_event ev;
  char what[80];
#define NAMED(text) (snprintf(what, sizeof(what), "%s: %s", name, text), what)
  check("poll", NAMED("a listener without connections"), !ipc_readable(listener));
  ipc_flags(listener, CLOUDABI_FDFLAG_NONBLOCK);
  check_err("sock_accept", NAMED("none is pending, not blocking"), accept_from(listener, &conn),
            CLOUDABI_EAGAIN);
  check_eq("sock_accept", NAMED("EAGAIN leaves the result alone"), conn, 77);
  check_err("sock_connect", name, connect_to(client, "listener"), 0);
  check("fd_write", NAMED("before it is accepted"), raw_write(client, "early", 5) == 0);
  check("poll", NAMED("a listener with a connection"),
        ipc_ready(listener, CLOUDABI_EVENTTYPE_FD_READ, &ev) && ev.fd_readwrite.nbytes == 1);
  memset(&ss, 0xee, sizeof(ss));
  check_err("sock_accept", name, cloudabi_sys_sock_accept(listener, &ss, &conn), 0);
  check("sock_accept", NAMED("the peer's name alone is told"),
        raw_all(&ss.ss_sockname, 20, 0) && ss.ss_peername.sa_family == CLOUDABI_AF_UNIX &&
            ss.ss_error == 0 && ss.ss_state == 0);
  cloudabi_sys_fd_stat_get(conn, &st);
  check("sock_accept", NAMED("type, flags, rights"),
        st.fs_filetype == type && st.fs_flags == 0 && st.fs_rights_base == SOCKET_BASE &&
            st.fs_rights_inheriting == ALL_EVER);
  check("fd_read", NAMED("what was sent before"), ipc_gives(conn, "early"));
  check("fd_write", NAMED("both directions"),
        ipc_put(conn, "down") && ipc_gives(client, "down") && ipc_put(client, "up") &&
            ipc_gives(conn, "up"));
  cloudabi_sys_sock_stat_get(client, &ss, 0);
  check("sock_stat_get", NAMED("connected"),
        ss.ss_peername.sa_family == CLOUDABI_AF_UNIX && ss.ss_state == 0);
  cloudabi_sys_fd_close(listener);
  check("fd_close", NAMED("a listener leaves its connections alone"),
        ipc_put(conn, "x") && ipc_gives(client, "x"));
  cloudabi_sys_fd_close(conn);
  check("fd_read", NAMED("the other end closed"), ipc_gives(client, ""));
  cloudabi_sys_fd_close(client);
  remove_name("listener");
#undef NAMED
}

static void check_accept_rights(void) {
  cloudabi_fd_t listener = listener_at("listener", STREAM), client = new_socket(STREAM), conn = 77;
  struct cloudabi_fdstat st;
  connect_to(client, "listener");
  raw_set_rights(listener, CLOUDABI_RIGHT_SOCK_ACCEPT,
                 CLOUDABI_RIGHT_FD_READ | CLOUDABI_RIGHT_FILE_READDIR);
  check_err("sock_accept", "with its right alone, local", accept_from(listener, &conn), 0);
  cloudabi_sys_fd_stat_get(conn, &st);
  check("sock_accept", "a local connection has what its listener hands on",
        st.fs_rights_base == CLOUDABI_RIGHT_FD_READ &&
            st.fs_rights_inheriting == (CLOUDABI_RIGHT_FD_READ | CLOUDABI_RIGHT_FILE_READDIR));
  raw_set_rights(listener, 0, 0);
  check_err("sock_accept", "without its right, local", accept_from(listener, &conn),
            CLOUDABI_ENOTCAPABLE);
  cloudabi_sys_fd_close(conn);
  cloudabi_sys_fd_close(client);
  cloudabi_sys_fd_close(listener);
  remove_name("listener");
}

static void check_never_accepted(void) {
  cloudabi_fd_t listener = listener_at("listener", STREAM), client = new_socket(STREAM);
  struct cloudabi_sockstat ss;
  connect_to(client, "listener");
  cloudabi_sys_fd_close(listener);
  check_err("sock_stat_get", "a flag that is none, local",
            cloudabi_sys_sock_stat_get(client, &ss, 2), CLOUDABI_EINVAL);
  cloudabi_sys_sock_stat_get(client, &ss, 0);
  check_eq("sock_stat_get", "never accepted: the error stays", ss.ss_error, CLOUDABI_ECONNABORTED);
  cloudabi_sys_sock_stat_get(client, &ss, CLOUDABI_SOCKSTAT_CLEAR_ERROR);
  check_eq("sock_stat_get", "never accepted: the error is told", ss.ss_error,
           CLOUDABI_ECONNABORTED);
  cloudabi_sys_sock_stat_get(client, &ss, 0);
  check_eq("sock_stat_get", "never accepted: once", ss.ss_error, 0);
  check("fd_read", "never accepted: the end", ipc_gives(client, ""));
  cloudabi_fd_t less = raw_dup_with(client, ~CLOUDABI_RIGHT_SOCK_STAT_GET);
  check_err("sock_stat_get", "without its right", cloudabi_sys_sock_stat_get(less, &ss, 0),
            CLOUDABI_ENOTCAPABLE);
  cloudabi_sys_fd_close(less);
  cloudabi_sys_fd_close(client);
  remove_name("listener");
}

static void check_backlog(void) {
  cloudabi_fd_t listener = listener_at("listener", STREAM), clients[200], conn = 77;
  unsigned count = 0;
  cloudabi_errno_t e = 0;
  while (e == 0 && count < 200) {
    clients[count] = new_socket(STREAM);
    e = connect_to(clients[count++], "listener");
  }
  check_err("sock_connect", "more than the listener keeps waiting", e, CLOUDABI_ECONNREFUSED);
  check("sock_connect", "at least as many as it was told", count > 5);
  accept_from(listener, &conn);
  check_err("sock_connect", "after one was accepted", connect_to(clients[count - 1], "listener"),
            0);
  for (unsigned i = 0; i < count; i++)
    cloudabi_sys_fd_close(clients[i]);
  cloudabi_sys_fd_close(conn);
  cloudabi_sys_fd_close(listener);
  remove_name("listener");
}

static cloudabi_fd_t waiting_listener;

static void accepting(struct raw_thread *t) {
  cloudabi_fd_t conn = RAW_BAD_FD;
  t->step = 1;
  t->step = accept_from(waiting_listener, &conn) == 0 && raw_write(conn, "welcome", 7) == 0 ? 2 : 3;
  cloudabi_sys_fd_close(conn);
}

static void check_waiting(void) {
  struct raw_thread t;
  cloudabi_fd_t client = new_socket(STREAM);
  waiting_listener = listener_at("listener", STREAM);
  raw_spawn(&t, accepting, NULL);
  raw_until(&t.step, 1);
  raw_sleep(2 * RAW_MS);
  check_eq("sock_accept", "waits", t.step, 1);
  connect_to(client, "listener");
  raw_join(&t);
  check_eq("sock_accept", "wakes up with a connection", t.step, 2);
  check("fd_read", "from who was waiting", ipc_gives(client, "welcome"));
  cloudabi_sys_fd_close(client);
  cloudabi_sys_fd_close(waiting_listener);
  remove_name("listener");
}

/* ---- Datagrams ------------------------------------------------------------------------------- */

static void check_datagrams(void) {
  cloudabi_fd_t one = new_socket(DGRAM), two = new_socket(DGRAM), sender = new_socket(DGRAM);
  size_t n;
  bind_to(one, "one");
  bind_to(two, "two");
  check_err("sock_connect", "a datagram socket", connect_to(sender, "one"), 0);
  check("sock_send", "to a name", ipc_put(sender, "first") && ipc_gives(one, "first"));
  check_err("sock_connect", "a datagram socket, to another name", connect_to(sender, "two"), 0);
  check("sock_send", "to another name", ipc_put(sender, "second") && ipc_gives(two, "second"));
  check("poll", "nothing came to the former", !ipc_readable(one));
  check_err("sock_connect", "a name that is no datagram socket's", connect_to(sender, "nothing"),
            CLOUDABI_ENOENT);
  check("sock_connect", "a failure leaves the destination",
        ipc_put(sender, "third") && ipc_gives(two, "third"));
  cloudabi_sys_fd_close(two);
  check("sock_send", "nobody has the name any more", raw_write(sender, "x", 1) != 0);
  connect_to(sender, "one");
  cloudabi_fd_t fd = 77;
  struct cloudabi_recv_out out;
  check_err("sock_send", "a descriptor to a name", ipc_send(sender, "x", 1, &dir, 1, &n), 0);
  check("sock_recv", "a descriptor from somebody",
        ipc_recv(one, got, 9, 0, &fd, 1, &out) == 0 && out.ro_fdslen == 1);
  cloudabi_sys_fd_close(fd);
  cloudabi_sys_fd_close(sender);
  ipc_flags(one, CLOUDABI_FDFLAG_NONBLOCK);
  check_err("fd_read", "a sender's close is no end for a socket with a name",
            raw_read(one, got, 1, &n), CLOUDABI_EAGAIN);
  cloudabi_sys_fd_close(one);
  remove_name("one");
  remove_name("two");
}

void program_main(const argdata_t *ad) {
  check_begin(ad);
  tmp = arg_fd(ad, "tmp");
  dir = arg_fd(ad, "dir");
  check_made();
  check_bind();
  check_listen();
  check_connect_errors();
  check_connection(STREAM, "stream");
  check_connection(SEQPACKET, "seqpacket");
  check_accept_rights();
  check_never_accepted();
  check_backlog();
  check_waiting();
  check_datagrams();
  check_end();
}
