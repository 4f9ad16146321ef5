/*
 * System calls that change the names in directories: file_create, file_link, file_rename,
 * file_symlink, file_unlink. Reference 3.2.
 *
 * What can be said without the file system is checked here; a read-only one has no operation, and
 * the call ends with EROFS once everything else was right.
 */
#include "fs/lookup.h"
#include "kernel/heap.h"
#include "kernel/process.h"
#include "kernel/sys/file_path.h"
#include "kernel/sys/sys.h"
#include "kernel/thread.h"
#include "kernel/user.h"

static bool is_dir(const struct vnode *v) {
  return v->type == FILETYPE_DIRECTORY;
}

/* A path whose last name must be free. `dir`: for a directory, so that slashes may follow. */
static errno_t free_name(const struct path *p, bool dir) {
  if (p->node != NULL)
    return EEXIST;
  return p->slash && !dir ? ENOENT : 0;
}

static errno_t same_file_system(struct vnode *a, struct vnode *b) {
  struct filestat sa, sb;
  errno_t e = a->ops->stat(a, &sa);
  if (e == 0)
    e = b->ops->stat(b, &sb);
  if (e != 0)
    return e;
  return sa.st_dev == sb.st_dev ? 0 : EXDEV;
}

errno_t sys_file_create(struct thread *t, fd_t fd, const char *path, size_t path_len,
                        filetype_t type) {
  struct path *p;
  bool dir = type == FILETYPE_DIRECTORY;
  if (!dir && type != FILETYPE_FIFO)
    return EINVAL;
  errno_t e = file_path(t, fd, dir ? RIGHT_FILE_CREATE_DIRECTORY : RIGHT_FILE_CREATE_FIFO, path,
                        path_len, false, &p);
  if (e != 0)
    return e;
  e = free_name(p, dir);
  if (e == 0 && p->dir->ops->create == NULL)
    e = EROFS;
  if (e == 0)
    e = p->dir->ops->create(p->dir, p->name, p->name_len, type, &p->node);
  path_free(p);
  return e;
}

/* What the two ends of file_link and file_rename are told by. */
struct end {
  fd_t fd;
  rights_t needed;
  const char *path;
  size_t path_len;
  bool follow;
};

static errno_t check_fd(struct thread *t, const struct end *end) {
  struct file *f;
  errno_t e = fd_get(&t->process->fds, end->fd, end->needed, &f);
  if (e == 0)
    file_unref(f);
  return e;
}

/* Both descriptors first, then both paths, then what `act` does with them. */
static errno_t with_two_paths(struct thread *t, const struct end *a, const struct end *b,
                              errno_t (*act)(const struct path *, const struct path *)) {
  struct path *from = NULL, *to = NULL;
  errno_t e = check_fd(t, a);
  if (e == 0)
    e = check_fd(t, b);
  if (e == 0)
    e = file_path(t, a->fd, a->needed, a->path, a->path_len, a->follow, &from);
  if (e == 0)
    e = file_path(t, b->fd, b->needed, b->path, b->path_len, b->follow, &to);
  if (e == 0)
    e = act(from, to);
  path_free(to);
  path_free(from);
  return e;
}

static errno_t link_paths(const struct path *from, const struct path *to) {
  if (from->node == NULL)
    return ENOENT;
  if (is_dir(from->node))
    return EPERM;
  errno_t e = free_name(to, false);
  if (e == 0)
    e = same_file_system(from->node, to->dir);
  if (e != 0)
    return e;
  if (to->dir->ops->link == NULL)
    return EROFS;
  return to->dir->ops->link(to->dir, to->name, to->name_len, from->node);
}

errno_t sys_file_link(struct thread *t, struct lookup fd1, const char *path1, size_t path1_len,
                      fd_t fd2, const char *path2, size_t path2_len) {
  struct end from = {fd1.fd, RIGHT_FILE_LINK_SOURCE, path1, path1_len,
                     fd1.flags & LOOKUP_SYMLINK_FOLLOW};
  struct end to = {fd2, RIGHT_FILE_LINK_TARGET, path2, path2_len, false};
  return with_two_paths(t, &from, &to, link_paths);
}

/* Whether what stands at the target may be replaced by the source. */
static errno_t replaceable(const struct path *from, const struct path *to) {
  if (to->node == NULL)
    return to->slash && !is_dir(from->node) ? ENOTDIR : 0;
  if (is_dir(from->node) && !is_dir(to->node))
    return ENOTDIR;
  return !is_dir(from->node) && is_dir(to->node) ? EISDIR : 0;
}

static errno_t rename_paths(const struct path *from, const struct path *to) {
  if (from->name_len == 0 || to->name_len == 0) /* "." and ".." */
    return EINVAL;
  if (from->node == NULL)
    return ENOENT;
  errno_t e = replaceable(from, to);
  if (e == 0)
    e = same_file_system(from->node, to->dir);
  if (e != 0)
    return e;
  if (from->dir->ops->rename == NULL)
    return EROFS;
  if (from->node == to->node)
    return 0;
  return from->dir->ops->rename(from->dir, from->name, from->name_len, from->node, to->dir,
                                to->name, to->name_len, to->node);
}

errno_t sys_file_rename(struct thread *t, fd_t fd1, const char *path1, size_t path1_len, fd_t fd2,
                        const char *path2, size_t path2_len) {
  struct end from = {fd1, RIGHT_FILE_RENAME_SOURCE, path1, path1_len, false};
  struct end to = {fd2, RIGHT_FILE_RENAME_TARGET, path2, path2_len, false};
  return with_two_paths(t, &from, &to, rename_paths);
}

/* A copy of the bytes that a symbolic link shall contain; any bytes will do. */
static errno_t copy_contents(const char *user, size_t len, char **contents) {
  if (len > PATH_BYTES_MAX)
    return ENAMETOOLONG;
  *contents = kmalloc(len);
  if (*contents == NULL)
    return ENOMEM;
  return len > 0 ? user_copy_in(*contents, user, len) : 0;
}

errno_t sys_file_symlink(struct thread *t, const char *path1, size_t path1_len, fd_t fd,
                         const char *path2, size_t path2_len) {
  struct path *p;
  char *contents = NULL;
  errno_t e = file_path(t, fd, RIGHT_FILE_SYMLINK, path2, path2_len, false, &p);
  if (e != 0)
    return e;
  e = copy_contents(path1, path1_len, &contents);
  if (e == 0)
    e = free_name(p, false);
  if (e == 0 && p->dir->ops->symlink == NULL)
    e = EROFS;
  if (e == 0)
    e = p->dir->ops->symlink(p->dir, p->name, p->name_len, contents, path1_len);
  kfree(contents);
  path_free(p);
  return e;
}

static errno_t unlink_path(const struct path *p, bool remove_dir) {
  if (p->node == NULL)
    return ENOENT;
  if (is_dir(p->node) && !remove_dir)
    return EPERM;
  if (!is_dir(p->node) && remove_dir)
    return ENOTDIR;
  if (p->name_len == 0) /* "." and ".." */
    return EINVAL;
  if (p->dir->ops->unlink == NULL)
    return EROFS;
  return p->dir->ops->unlink(p->dir, p->name, p->name_len, p->node);
}

errno_t sys_file_unlink(struct thread *t, fd_t fd, const char *path, size_t path_len,
                        ulflags_t flags) {
  struct path *p;
  if ((flags & ~UNLINK_REMOVEDIR) != 0)
    return EINVAL;
  errno_t e = file_path(t, fd, RIGHT_FILE_UNLINK, path, path_len, false, &p);
  if (e != 0)
    return e;
  e = unlink_path(p, flags & UNLINK_REMOVEDIR);
  path_free(p);
  return e;
}
