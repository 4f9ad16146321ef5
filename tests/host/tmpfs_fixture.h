/*
 * A temporary file system whose root is descriptor 0 of a process, with memory that is counted and
 * can run dry at any allocation: what the file_* and fd_* system calls are tried on.
 */
#ifndef TESTS_HOST_TMPFS_FIXTURE_H
#define TESTS_HOST_TMPFS_FIXTURE_H

#include "tests/host/world.h"

#include "fs/tmpfs.h"
#include "fs/vfile.h"
#include "kernel/clock.h"
#include "kernel/memobj.h"
#include "kernel/mutex.h"
#include "kernel/rights.h"
#include "kernel/sys/sys.h"

/* ---- Pages, with their reference counts behind them ------------------------------------------ */

static size_t pages_live, pages_free = 1000000;

static uint32_t *page_count_of(const void *page) {
  return (uint32_t *)((char *)page + PAGE_SIZE);
}

void *page_alloc(unsigned order) {
  assert_int_equal(order, 0);
  if (world_allocations_left == 0)
    return NULL;
  if (world_allocations_left > 0)
    world_allocations_left--;
  char *page = aligned_alloc(PAGE_SIZE, 2 * PAGE_SIZE);
  memset(page, 0xa5, PAGE_SIZE);
  *page_count_of(page) = 1;
  pages_live++;
  return page;
}

void *page_alloc_zero(unsigned order) {
  void *page = page_alloc(order);
  return page != NULL ? memset(page, 0, PAGE_SIZE) : NULL;
}

bool page_ref(void *page) {
  ++*page_count_of(page);
  return true;
}

void page_unref(void *page) {
  if (--*page_count_of(page) > 0)
    return;
  pages_live--;
  free(page);
}

void page_free(void *page, unsigned order) {
  assert_int_equal(order, 0);
  assert_int_equal(*page_count_of(page), 1);
  page_unref(page);
}

void page_set_cached(void *page) {
  (void)page;
}

size_t page_total(void) {
  return 1000000;
}

uint32_t page_refs(const void *page) {
  (void)page;
  return 1;
}

size_t page_free_count(void) {
  return pages_free;
}

void memobj_revoke(struct memobj *obj, uint64_t offset, uint64_t len) {
  (void)obj;
  (void)offset;
  (void)len;
}

void memobj_write_protect(struct memobj *obj, uint64_t offset, uint64_t len) {
  (void)obj;
  (void)offset;
  (void)len;
}

/* ---- Time and waiting ------------------------------------------------------------------------ */

static uint64_t clock_ns = 1000000; /* moves whenever somebody looks */

uint64_t clock_realtime_ns(void) {
  return ++clock_ns;
}

void mutex_init(struct mutex *m) {
  m->owner = NULL;
}

void mutex_lock(struct mutex *m) {
  assert_null(m->owner);
  m->owner = &world_thread;
}

void mutex_unlock(struct mutex *m) {
  assert_non_null(m->owner);
  m->owner = NULL;
}

/* ---- The process ----------------------------------------------------------------------------- */

static struct thread *const t = &world_thread;
static fd_t root; /* of the file system */

#define DIR_BASE 0x13eff698ull
#define DIR_INHERITING 0x11ffff7ffull
#define NO_FD 99999u
#define LIMIT (64ull << 20)
#define PATH(s) (s), strlen(s)

static inline fd_t add_fd(struct vnode *v, rights_t base, rights_t inheriting) {
  struct file *f;
  fd_t fd;
  assert_int_equal(vfile_create(v, 0, &f), 0);
  assert_int_equal(fd_install(&world_process.fds, f, base, inheriting, &fd), 0);
  return fd;
}

static inline struct vnode *vnode_of(fd_t fd) {
  struct fd_entry *e;
  assert_int_equal(fd_lookup(&world_process.fds, fd, &e), 0);
  return e->file->ops->vnode(e->file);
}

/* A new file system's root as a descriptor. */
static inline fd_t add_tmpfs(uint64_t limit_bytes) {
  struct vnode *v;
  assert_int_equal(tmpfs_create(limit_bytes, &v), 0);
  fd_t fd = add_fd(v, DIR_BASE, DIR_INHERITING);
  vnode_unref(v);
  return fd;
}

static inline uint64_t used(void) {
  return tmpfs_used_bytes(vnode_of(root));
}

static int begin(void **state) {
  (void)state;
  root = add_tmpfs(LIMIT);
  assert_int_equal(used(), 0);
  return 0;
}

/* Nothing may be left. */
static int end(void **state) {
  (void)state;
  world_allocations_left = -1;
  fdtable_destroy(&world_process.fds);
  assert_int_equal(world_live, 0);
  assert_int_equal(pages_live, 0);
  return 0;
}

/* ---- Calls, from the root -------------------------------------------------------------------- */

static inline struct lookup at(fd_t fd, bool follow) {
  return (struct lookup){fd, follow ? LOOKUP_SYMLINK_FOLLOW : 0};
}

#define RDONLY (RIGHT_FD_READ | RIGHT_FILE_READDIR | RIGHT_MEM_MAP_EXEC)
#define WRONLY \
  (RIGHT_FD_DATASYNC | RIGHT_FD_WRITE | RIGHT_FILE_ALLOCATE | RIGHT_FILE_STAT_FPUT_SIZE)
#define READING (DIR_INHERITING & ~WRONLY)

/* Asks for all rights, or for all that don't change. */
static inline errno_t open_from(fd_t dir, const char *path, oflags_t oflags, fdflags_t flags,
                                rights_t base, fd_t *fd) {
  struct fdstat st = {
      .fs_flags = flags, .fs_rights_base = base, .fs_rights_inheriting = DIR_INHERITING};
  return sys_file_open(t, at(dir, true), PATH(path), oflags, &st, fd);
}

/* A file for reading and writing, which must open. */
static inline fd_t open_file(const char *path, oflags_t oflags, fdflags_t flags) {
  fd_t fd;
  assert_int_equal(open_from(root, path, oflags, flags, DIR_INHERITING, &fd), 0);
  return fd;
}

static inline fd_t open_dir(const char *path) {
  fd_t fd;
  assert_int_equal(open_from(root, path, O_DIRECTORY, 0, READING, &fd), 0);
  return fd;
}

static inline void close_fd(fd_t fd) {
  assert_int_equal(fd_close(&world_process.fds, fd), 0);
}

static inline errno_t make_file(const char *path) {
  fd_t fd;
  errno_t e = open_from(root, path, O_CREAT | O_EXCL, 0, READING, &fd);
  if (e == 0)
    close_fd(fd);
  return e;
}

static inline errno_t make_dir(const char *path) {
  return sys_file_create(t, root, PATH(path), FILETYPE_DIRECTORY);
}

static inline errno_t make_link(const char *contents, const char *path) {
  return sys_file_symlink(t, PATH(contents), root, PATH(path));
}

static inline errno_t link_to(const char *from, const char *to) {
  return sys_file_link(t, at(root, false), PATH(from), root, PATH(to));
}

static inline errno_t rename_to(const char *from, const char *to) {
  return sys_file_rename(t, root, PATH(from), root, PATH(to));
}

static inline errno_t remove_file(const char *path) {
  return sys_file_unlink(t, root, PATH(path), 0);
}

static inline errno_t remove_dir(const char *path) {
  return sys_file_unlink(t, root, PATH(path), UNLINK_REMOVEDIR);
}

static inline errno_t stat_path(const char *path, struct filestat *st) {
  return sys_file_stat_get(t, at(root, false), PATH(path), st);
}

static inline struct filestat stat_of(const char *path) {
  struct filestat st;
  assert_int_equal(stat_path(path, &st), 0);
  return st;
}

static inline struct filestat stat_fd(fd_t fd) {
  struct filestat st;
  assert_int_equal(sys_file_stat_fget(t, fd, &st), 0);
  return st;
}

static inline errno_t write_fd(fd_t fd, const void *data, size_t n, size_t *moved) {
  struct iovec iov = {(void *)data, n};
  return sys_fd_write(t, fd, &iov, 1, moved);
}

static inline errno_t pwrite_fd(fd_t fd, const void *data, size_t n, filesize_t offset,
                                size_t *moved) {
  struct iovec iov = {(void *)data, n};
  return sys_fd_pwrite(t, fd, &iov, 1, offset, moved);
}

static inline errno_t pread_fd(fd_t fd, void *data, size_t n, filesize_t offset, size_t *moved) {
  struct iovec iov = {data, n};
  return sys_fd_pread(t, fd, &iov, 1, offset, moved);
}

static inline errno_t set_size(fd_t fd, filesize_t size) {
  struct filestat st = {.st_size = size};
  return sys_file_stat_fput(t, fd, &st, FILESTAT_SIZE);
}

#endif
