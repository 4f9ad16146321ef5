/*
 * FIFOs, which retired versions had, from inside: {out: fd, tmp: directory}. Reference 2.3, 3.2 and
 * 9.2.
 */
#include <program.h>
#include <stdatomic.h>

#include "ipc.h"

#define FIFO CLOUDABI_FILETYPE_FIFO
#define READ_END 0x1008000a
#define WRITE_END 0x10080048
#define BIG 100000

static cloudabi_fd_t tmp;
static char data[BIG], got[BIG];

static cloudabi_errno_t make(const char *path) {
  return cloudabi_sys_file_create(tmp, path, strlen(path), FIFO);
}

/* As a C library opens: everything but the other access mode. */
static cloudabi_errno_t open_end(const char *path, bool read, bool write, cloudabi_fdflags_t flags,
                                 cloudabi_fd_t *fd) {
  const cloudabi_rights_t reading =
      CLOUDABI_RIGHT_FD_READ | CLOUDABI_RIGHT_FILE_READDIR | CLOUDABI_RIGHT_MEM_MAP_EXEC;
  const cloudabi_rights_t writing = CLOUDABI_RIGHT_FD_DATASYNC | CLOUDABI_RIGHT_FD_WRITE |
                                    CLOUDABI_RIGHT_FILE_ALLOCATE |
                                    CLOUDABI_RIGHT_FILE_STAT_FPUT_SIZE;
  struct cloudabi_lookup at = {tmp, CLOUDABI_LOOKUP_SYMLINK_FOLLOW};
  struct cloudabi_fdstat own, st;
  memset(&st, 0, sizeof(st));
  cloudabi_sys_fd_stat_get(tmp, &own);
  st.fs_flags = flags;
  st.fs_rights_base = (own.fs_rights_inheriting & ~(reading | writing)) |
                      (read ? own.fs_rights_inheriting & reading : 0) |
                      (write ? own.fs_rights_inheriting & writing : 0);
  st.fs_rights_inheriting = own.fs_rights_inheriting;
  return cloudabi_sys_file_open(at, path, strlen(path), 0, &st, fd);
}

static void remove_name(const char *path) {
  cloudabi_sys_file_unlink(tmp, path, strlen(path), 0);
}

/* ---- Without a name -------------------------------------------------------------------------- */

static void check_unnamed(void) {
  struct cloudabi_fdstat st;
  struct cloudabi_event ev;
  cloudabi_fd_t r = 77, w = 77;
  size_t n = 77;
  check_err("fd_create2", "a FIFO", cloudabi_sys_fd_create2(FIFO, &r, &w), 0);
  cloudabi_sys_fd_stat_get(r, &st);
  check("fd_create2", "a FIFO's read end: type, rights",
        st.fs_filetype == FIFO && st.fs_rights_base == READ_END && st.fs_rights_inheriting == 0);
  cloudabi_sys_fd_stat_get(w, &st);
  check("fd_create2", "a FIFO's write end: type, rights",
        st.fs_filetype == FIFO && st.fs_rights_base == WRITE_END && st.fs_rights_inheriting == 0);
  check_err("fd_write", "a FIFO's read end", raw_write(r, "x", 1), CLOUDABI_ENOTCAPABLE);
  check_err("fd_read", "a FIFO's write end", raw_read(w, got, 1, &n), CLOUDABI_ENOTCAPABLE);
  check_err("sock_shutdown", "a FIFO", cloudabi_sys_sock_shutdown(w, CLOUDABI_SHUT_WR),
            CLOUDABI_ENOTCAPABLE);
  check("poll", "an empty FIFO", !ipc_readable(r) && ipc_writable(w));
  check("fd_write", "a FIFO", raw_write(w, "hello ", 6) == 0 && raw_write(w, "world", 5) == 0);
  check("poll", "five unread bytes and more",
        ipc_ready(r, CLOUDABI_EVENTTYPE_FD_READ, &ev) && ev.fd_readwrite.nbytes == 11 &&
            ev.fd_readwrite.flags == 0);
  check("fd_read", "a FIFO", ipc_gives(r, "hello world"));
  struct cloudabi_filestat fst;
  memset(&fst, 0xee, sizeof(fst));
  check("file_stat_fget", "a FIFO without a name",
        cloudabi_sys_file_stat_fget(r, &fst) == 0 && fst.st_filetype == FIFO);
  struct cloudabi_recv_out out;
  check_err("sock_recv", "a FIFO", ipc_recv(r, got, 1, 0, NULL, 0, &out), CLOUDABI_ENOTSOCK);
  raw_write(w, "last", 4);
  cloudabi_sys_fd_close(w);
  check("poll", "the writer closed: hung up, with what is unread",
        ipc_ready(r, CLOUDABI_EVENTTYPE_FD_READ, &ev) && ev.fd_readwrite.nbytes == 4 &&
            ev.fd_readwrite.flags == HANGUP);
  check("fd_read", "the writer closed", ipc_gives(r, "last") && ipc_gives(r, ""));
  cloudabi_sys_fd_close(r);
  cloudabi_sys_fd_create2(FIFO, &r, &w);
  cloudabi_sys_fd_close(r);
  check_err("fd_write", "a FIFO without a reader", raw_write(w, "x", 1), CLOUDABI_EPIPE);
  check("poll", "a FIFO without a reader",
        ipc_ready(w, CLOUDABI_EVENTTYPE_FD_WRITE, &ev) && ev.fd_readwrite.flags == HANGUP);
  cloudabi_sys_fd_close(w);
}

static void check_short_writes(void) {
  cloudabi_fd_t r = 77, w = 77;
  size_t n = 0, total = 0;
  struct cloudabi_iovec iov = {data, 1000};
  cloudabi_sys_fd_create2(FIFO, &r, &w);
  ipc_flags(w, CLOUDABI_FDFLAG_NONBLOCK);
  while (cloudabi_sys_fd_write(w, &iov, 1, &n) == 0)
    total += n;
  check_eq("fd_write", "a FIFO takes 64 KiB", total, 65536);
  check("poll", "a full FIFO", !ipc_writable(w));
  raw_read(r, got, 100, &n);
  iov.buf_len = 101;
  check_err("fd_write", "a short write to a FIFO: all or none",
            cloudabi_sys_fd_write(w, &iov, 1, &n), CLOUDABI_EAGAIN);
  iov.buf_len = 100;
  check("fd_write", "a short write to a FIFO that fits",
        cloudabi_sys_fd_write(w, &iov, 1, &n) == 0 && n == 100);
  cloudabi_sys_fd_close(r);
  cloudabi_sys_fd_close(w);
}

/* ---- With a name ----------------------------------------------------------------------------- */

static void check_create(void) {
  struct cloudabi_filestat st = {0};
  struct cloudabi_lookup at = {tmp, 0};
  struct cloudabi_sockstat ss;
  cloudabi_fd_t less = raw_dup_with(tmp, ~CLOUDABI_RIGHT_FILE_CREATE_FIFO);
  check_err("file_create", "a FIFO", make("fifo"), 0);
  check("file_stat_get", "a FIFO",
        cloudabi_sys_file_stat_get(at, "fifo", 4, &st) == 0 && st.st_filetype == FIFO &&
            st.st_nlink == 1 && st.st_size == 0);
  check_err("file_create", "a FIFO where something is", make("fifo"), CLOUDABI_EEXIST);
  check_err("file_create", "a FIFO with a slash behind", make("second/"), CLOUDABI_ENOENT);
  check_err("file_create", "a FIFO outside", make("../fifo"), CLOUDABI_ENOTCAPABLE);
  check_err("file_create", "a FIFO without its right",
            cloudabi_sys_file_create(less, "second", 6, FIFO), CLOUDABI_ENOTCAPABLE);
  check_err("file_create", "a socket", cloudabi_sys_file_create(tmp, "second", 6, STREAM),
            CLOUDABI_EINVAL);
  check_err("sock_stat_get", "a FIFO's directory", cloudabi_sys_sock_stat_get(tmp, &ss, 0),
            CLOUDABI_ENOTCAPABLE);
  cloudabi_sys_fd_close(less);
  remove_name("fifo");
}

static void check_open(void) {
  struct cloudabi_fdstat st;
  struct cloudabi_filestat fst = {0}, named = {0};
  struct cloudabi_lookup at = {tmp, 0};
  struct cloudabi_event ev;
  cloudabi_fd_t r = 77, w = 77, both = 77;
  size_t n = 77;
  make("fifo");
  check_err("file_open", "a FIFO for writing without a reader, not blocking",
            open_end("fifo", false, true, CLOUDABI_FDFLAG_NONBLOCK, &w), CLOUDABI_ENXIO);
  check_eq("file_open", "ENXIO leaves the result alone", w, 77);
  check_err("file_open", "a FIFO for reading, not blocking",
            open_end("fifo", true, false, CLOUDABI_FDFLAG_NONBLOCK, &r), 0);
  cloudabi_sys_fd_stat_get(r, &st);
  check("file_open", "a FIFO for reading: type, flags",
        st.fs_filetype == FIFO && st.fs_flags == CLOUDABI_FDFLAG_NONBLOCK);
  check_eq("file_open", "a FIFO for reading: rights", st.fs_rights_base, READ_END);
  check_eq("file_open", "a FIFO for reading: inheriting rights", st.fs_rights_inheriting, 0);
  check("fd_read", "a FIFO that nobody writes to", raw_read(r, got, 1, &n) == 0 && n == 0);
  check("poll", "a FIFO that nobody has written to", !ipc_readable(r));
  check_err("file_open", "a FIFO for writing", open_end("fifo", false, true, 0, &w), 0);
  cloudabi_sys_fd_stat_get(w, &st);
  check_eq("file_open", "a FIFO for writing: rights", st.fs_rights_base, WRITE_END);
  check_err("fd_read", "a FIFO that somebody may write to, not blocking", raw_read(r, got, 1, &n),
            CLOUDABI_EAGAIN);
  check("fd_write", "a FIFO with a name", raw_write(w, "through the name", 16) == 0);
  check("fd_read", "a FIFO with a name", ipc_gives(r, "through the name"));
  check("file_stat_fget", "a FIFO with a name is its inode",
        cloudabi_sys_file_stat_fget(r, &fst) == 0 &&
            cloudabi_sys_file_stat_get(at, "fifo", 4, &named) == 0 && fst.st_ino == named.st_ino &&
            fst.st_dev == named.st_dev && fst.st_filetype == FIFO);
  cloudabi_sys_fd_close(w);
  check("poll", "the last writer closed",
        ipc_ready(r, CLOUDABI_EVENTTYPE_FD_READ, &ev) && ev.fd_readwrite.flags == HANGUP);
  check("fd_read", "the last writer closed", ipc_gives(r, ""));
  open_end("fifo", false, true, 0, &w);
  check("poll", "another writer came", !ipc_readable(r));
  check("fd_write", "another writer", raw_write(w, "again", 5) == 0 && ipc_gives(r, "again"));
  raw_write(w, "dropped", 7);
  cloudabi_sys_fd_close(w);
  cloudabi_sys_fd_close(r);
  check_err("file_open", "a FIFO for both", open_end("fifo", true, true, 0, &both), 0);
  check("poll", "what was unread when all ends closed is gone", !ipc_readable(both));
  check("fd_write", "a FIFO for both", raw_write(both, "self", 4) == 0 && ipc_gives(both, "self"));
  remove_name("fifo");
  check("fd_write", "a FIFO whose name is gone",
        raw_write(both, "self", 4) == 0 && ipc_gives(both, "self"));
  cloudabi_sys_fd_close(both);
}

/* ---- Other threads --------------------------------------------------------------------------- */

static cloudabi_fd_t other;

static void opening(struct raw_thread *t) {
  bool write = t->arg != NULL;
  t->step = 1;
  t->step = open_end("fifo", !write, write, 0, &other) == 0 ? 2 : 3;
}

static void check_waiting(void) {
  static const char *const waits[] = {"a FIFO for reading waits for a writer",
                                      "a FIFO for writing waits for a reader"};
  static const char *const wakes[] = {"a writer wakes who opens for reading",
                                      "a reader wakes who opens for writing"};
  make("fifo");
  for (uintptr_t writes = 0; writes < 2; writes++) {
    struct raw_thread t;
    cloudabi_fd_t mine = RAW_BAD_FD;
    raw_spawn(&t, opening, (void *)writes);
    raw_until(&t.step, 1);
    raw_sleep(5 * RAW_MS);
    check_eq("file_open", waits[writes], t.step, 1);
    check_err("file_open", "the other end of a FIFO, not blocking",
              open_end("fifo", writes, !writes, CLOUDABI_FDFLAG_NONBLOCK, &mine), 0);
    raw_join(&t);
    check_eq("file_open", wakes[writes], t.step, 2);
    cloudabi_fd_t r = writes ? mine : other, w = writes ? other : mine;
    check("fd_write", "both ends of a FIFO met",
          raw_write(w, "met", 3) == 0 && ipc_gives(r, "met"));
    cloudabi_sys_fd_close(mine);
    cloudabi_sys_fd_close(other);
  }
  remove_name("fifo");
}

static void reading(struct raw_thread *t) {
  size_t n = 99;
  t->step = 1;
  t->step = raw_read(other, got, 1, &n) == 0 && n == 0 ? 2 : 3;
}

static void check_close_wakes(void) {
  struct raw_thread t;
  cloudabi_fd_t w = 77;
  cloudabi_sys_fd_create2(FIFO, &other, &w);
  raw_spawn(&t, reading, NULL);
  raw_until(&t.step, 1);
  raw_sleep(2 * RAW_MS);
  cloudabi_sys_fd_close(w);
  raw_join(&t);
  check_eq("fd_read", "a FIFO: the last writer's close wakes who reads", t.step, 2);
  cloudabi_sys_fd_close(other);
}

void program_main(const argdata_t *ad) {
  check_begin(ad);
  tmp = arg_fd(ad, "tmp");
  check_unnamed();
  check_short_writes();
  check_create();
  check_open();
  check_waiting();
  check_close_wakes();
  check_end();
}
