/*
 * Which rights a program of an era gets, from inside, and exactly these: {out: fd, dir: directory,
 * file: regular file, tmp: writable directory, listener: socket}. Reference 2.3, 9.2.
 *
 * Included by a program of each era, which differ in a name among their constants: no check here
 * may name a retired call.
 */
#include <program.h>

#include "../check.h"
#include "raw.h"

static void check_rights(const char *what, cloudabi_fd_t fd, cloudabi_rights_t base,
                         cloudabi_rights_t inheriting) {
  struct cloudabi_fdstat st = {0};
  char text[80];
  snprintf(text, sizeof(text), "%s: base rights", what);
  cloudabi_sys_fd_stat_get(fd, &st);
  check_eq("era", text, st.fs_rights_base, base);
  snprintf(text, sizeof(text), "%s: inheriting rights", what);
  check_eq("era", text, st.fs_rights_inheriting, inheriting);
}

/* Asks for all that the directory can give. */
static cloudabi_fd_t open_all(cloudabi_fd_t dir, const char *path, cloudabi_oflags_t oflags) {
  struct cloudabi_lookup lookup = {dir, 0};
  struct cloudabi_fdstat st = {0}, dir_st = {0};
  cloudabi_fd_t fd = RAW_BAD_FD;
  cloudabi_sys_fd_stat_get(dir, &dir_st);
  st.fs_rights_base = st.fs_rights_inheriting = dir_st.fs_rights_inheriting;
  if ((oflags & CLOUDABI_O_DIRECTORY) != 0)
    st.fs_rights_base &= ~(CLOUDABI_RIGHT_FD_DATASYNC | CLOUDABI_RIGHT_FD_WRITE |
                           CLOUDABI_RIGHT_FILE_ALLOCATE | CLOUDABI_RIGHT_FILE_STAT_FPUT_SIZE);
  cloudabi_sys_file_open(lookup, path, strlen(path), oflags, &st, &fd);
  return fd;
}

static void check_era(const argdata_t *ad, bool then) {
  const cloudabi_rights_t directory = then ? 0x1413effe98 : 0x13eff698,
                          below = then ? 0x151fffffff : 0x11ffff7ff, regular = 0x11c3801ff,
                          socket = then ? 0x1ea1008004a : 0x801008004a,
                          all = then ? 0x1ffffffffff : 0x815ffff7ff;
  cloudabi_fd_t tmp = (cloudabi_fd_t)arg_fd(ad, "tmp"), a = RAW_BAD_FD, b = RAW_BAD_FD;
  check_rights("the console", (cloudabi_fd_t)check_fd, 0x10080048, 0);
  check_rights("a directory of the image", (cloudabi_fd_t)arg_fd(ad, "dir"), directory, below);
  check_rights("a file of the image", (cloudabi_fd_t)arg_fd(ad, "file"),
               regular & ~CLOUDABI_RIGHT_FD_WRITE, 0);
  check_rights("a temporary directory", tmp, directory, below);
  check_rights("a new file", open_all(tmp, "file", CLOUDABI_O_CREAT), regular, 0);
  cloudabi_sys_file_create(tmp, "sub", 3, CLOUDABI_FILETYPE_DIRECTORY);
  check_rights("a directory in it", open_all(tmp, "sub", CLOUDABI_O_DIRECTORY), directory, below);
  cloudabi_sys_fd_create2(CLOUDABI_FILETYPE_SOCKET_STREAM, &a, &b);
  check_rights("one end of a pair", a, socket, all);
  check_rights("the other end", b, socket, all);
  a = RAW_BAD_FD;
  cloudabi_sys_fd_create1(CLOUDABI_FILETYPE_SHARED_MEMORY, &a);
  check_rights("shared memory", a, 0xc180042, 0);

  /* Whoever makes these is of the time of the calls that they are for. */
  check_rights("a listening socket", (cloudabi_fd_t)arg_fd(ad, "listener"), 0x1ea1008004a,
               0x1ffffffffff);
  cloudabi_sys_fd_create1(CLOUDABI_FILETYPE_SOCKET_STREAM, &a);
  check_rights("a socket to be bound", a, 0x1ea1008004a, 0x1ffffffffff);
  cloudabi_sys_fd_create1(CLOUDABI_FILETYPE_POLL, &a);
  check_rights("a poll set", a, 0xa0080000, 0);
  cloudabi_sys_fd_create2(CLOUDABI_FILETYPE_FIFO, &a, &b);
  check_rights("a FIFO's read end", a, 0x1008000a, 0);
  check_rights("a FIFO's write end", b, 0x10080048, 0);
  dprintf(check_fd, "peer: connect\n");
  cloudabi_sys_sock_accept((cloudabi_fd_t)arg_fd(ad, "listener"), NULL, &a);
  check_rights("what a listening socket accepts", a, 0x1ea1008004a, 0x1ffffffffff);
}
