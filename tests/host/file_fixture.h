/*
 * A directory of the writable tree, and of a read-only one, as descriptor 0 of a process: what the
 * file_* system calls are tried on.
 */
#ifndef TESTS_HOST_FILE_FIXTURE_H
#define TESTS_HOST_FILE_FIXTURE_H

#include "tests/host/tree.h"

#include "fs/vfile.h"
#include "kernel/rights.h"
#include "kernel/sys/sys.h"

static struct thread *const t = &world_thread;
static fd_t root; /* the directory */
static struct vnode_ops ro_ops;

#define DIR_BASE 0x13eff698ull
#define DIR_INHERITING 0x11ffff7ffull
#define NO_FD 99u

static inline fd_t add_dir(struct vnode *v, rights_t base, rights_t inheriting) {
  struct file *f;
  fd_t fd;
  assert_int_equal(vfile_create(v, 0, &f), 0);
  assert_int_equal(fd_install(&world_process.fds, f, base, inheriting, &fd), 0);
  return fd;
}

static void add_tree(void) {
  tree_add("", FILETYPE_DIRECTORY, "");
  tree_add("file", FILETYPE_REGULAR_FILE, "hello");
  tree_add("dir", FILETYPE_DIRECTORY, "");
  tree_add("dir/inner", FILETYPE_REGULAR_FILE, "");
  tree_add("empty", FILETYPE_DIRECTORY, "");
  tree_add("link", FILETYPE_SYMBOLIC_LINK, "file");
  tree_add("dirlink", FILETYPE_SYMBOLIC_LINK, "dir");
  tree_add("dangling", FILETYPE_SYMBOLIC_LINK, "target");
  tree_add("loop", FILETYPE_SYMBOLIC_LINK, "loop");
  tree_add("sock", FILETYPE_SOCKET_STREAM, "");
}

static inline int begin(void **state) {
  add_tree();
  root = add_dir(&tree_nodes[0].vnode, DIR_BASE, DIR_INHERITING);
  return 0;
}

static inline int begin_read_only(void **state) {
  ro_ops = (struct vnode_ops){.stat = tree_stat,
                              .pread = tree_pread,
                              .readlink = tree_readlink,
                              .lookup = tree_lookup,
                              .readdir = tree_readdir};
  add_tree();
  for (size_t i = 0; i < tree_count; i++)
    tree_nodes[i].vnode.ops = &ro_ops;
  root = add_dir(&tree_nodes[0].vnode, DIR_BASE, DIR_INHERITING);
  return 0;
}

static int end(void **state) {
  fdtable_destroy(&world_process.fds);
  tree_check_refs("end");
  assert_int_equal(world_live, 0);
  return 0;
}

#define PATH(s) (s), strlen(s)

static struct lookup at(fd_t fd, bool follow) {
  return (struct lookup){fd, follow ? LOOKUP_SYMLINK_FOLLOW : 0};
}

/* ---- Opening --------------------------------------------------------------------------------- */

#define RDONLY (RIGHT_FD_READ | RIGHT_FILE_READDIR | RIGHT_MEM_MAP_EXEC)
#define WRONLY \
  (RIGHT_FD_DATASYNC | RIGHT_FD_WRITE | RIGHT_FILE_ALLOCATE | RIGHT_FILE_STAT_FPUT_SIZE)

/* What a libc asks for: everything but the other access mode. */
static inline rights_t mode(bool read, bool write) {
  return (DIR_INHERITING & ~(RDONLY | WRONLY)) | (read ? RDONLY : 0) | (write ? WRONLY : 0);
}

static inline errno_t open_at(fd_t dir, const char *path, oflags_t oflags, rights_t base,
                              bool follow, fd_t *fd) {
  struct fdstat st = {.fs_rights_base = base, .fs_rights_inheriting = DIR_INHERITING};
  return sys_file_open(t, at(dir, follow), PATH(path), oflags, &st, fd);
}

#endif
