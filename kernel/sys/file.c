/*
 * System calls on files: opening, reading directories and links, and what a file is: file_*. Those
 * that change a directory's names are in file_names.c. Reference 2.6, 2.7 and section 3.
 */
#include "fs/lookup.h"
#include "fs/vfile.h"
#include "ipc/ipc.h"
#include "kernel/heap.h"
#include "kernel/process.h"
#include "kernel/rights.h"
#include "kernel/string.h"
#include "kernel/sys/file_path.h"
#include "kernel/sys/sys.h"
#include "kernel/thread.h"
#include "kernel/user.h"

#define OFLAGS_ALL (O_CREAT | O_DIRECTORY | O_EXCL | O_TRUNC)
#define FDFLAGS_ALL (FDFLAG_APPEND | FDFLAG_DSYNC | FDFLAG_NONBLOCK | FDFLAG_RSYNC | FDFLAG_SYNC)
#define TIMES_ALL (FILESTAT_ATIM | FILESTAT_ATIM_NOW | FILESTAT_MTIM | FILESTAT_MTIM_NOW)

static struct fdtable *fds_of(struct thread *t) {
  return &t->process->fds;
}

/* ---- A directory and a path (file_path.h) ---------------------------------------------------- */

static errno_t dir_of(struct file *f, struct vnode **dir) {
  *dir = f->ops->vnode != NULL ? f->ops->vnode(f) : NULL;
  return *dir != NULL && (*dir)->type == FILETYPE_DIRECTORY ? 0 : ENOTDIR;
}

static errno_t lookup_from(struct file *f, const char *path, size_t path_len, bool follow,
                           struct path **p) {
  struct vnode *dir;
  errno_t e = dir_of(f, &dir);
  return e == 0 ? path_lookup_user(dir, path, path_len, follow, p) : e;
}

errno_t file_path(struct thread *t, fd_t fd, rights_t needed, const char *path, size_t path_len,
                  bool follow, struct path **p) {
  struct file *f;
  errno_t e = fd_get(fds_of(t), fd, needed, &f);
  if (e != 0)
    return e;
  e = lookup_from(f, path, path_len, follow, p);
  file_unref(f);
  return e;
}

/* The same where the last name must exist. */
static errno_t file_node(struct thread *t, fd_t fd, rights_t needed, const char *path,
                         size_t path_len, bool follow, struct path **p) {
  errno_t e = file_path(t, fd, needed, path, path_len, follow, p);
  if (e == 0 && (*p)->node == NULL) {
    path_free(*p);
    e = ENOENT;
  }
  return e;
}

/* ---- Opening --------------------------------------------------------------------------------- */

struct open_request {
  oflags_t oflags;
  struct fdstat fds;
  struct rights_open rights;
};

/* Whether the node may be opened so; reference 3.2. */
static errno_t check_node(const struct vnode *v, const struct open_request *req) {
  bool change = req->rights.write || (req->oflags & O_TRUNC) != 0;
  if ((req->oflags & O_CREAT) && (req->oflags & O_EXCL))
    return EEXIST;
  if (v->type == FILETYPE_SYMBOLIC_LINK)
    return ELOOP;
  if (v->type == FILETYPE_DIRECTORY)
    return change || (req->oflags & O_CREAT) ? EISDIR : 0;
  if (req->oflags & O_DIRECTORY)
    return ENOTDIR;
  if (v->type == FILETYPE_FIFO)
    return 0;
  if (v->type != FILETYPE_REGULAR_FILE)
    return ENOTSUP;
  if ((req->rights.write && v->ops->pwrite == NULL) ||
      ((req->oflags & O_TRUNC) && v->ops->set_stat == NULL))
    return EROFS;
  return 0;
}

/* Whether a file may be made where the path ends. */
static errno_t check_missing(const struct path *p, const struct open_request *req) {
  if (!(req->oflags & O_CREAT) || p->slash)
    return ENOENT;
  return p->dir->ops->create == NULL ? EROFS : 0;
}

/* Makes the file, or empties it. */
static errno_t open_change(struct path *p, const struct open_request *req) {
  static const struct filestat empty;
  if (p->node == NULL)
    return p->dir->ops->create(p->dir, p->name, p->name_len, FILETYPE_REGULAR_FILE, &p->node);
  return req->oflags & O_TRUNC ? p->node->ops->set_stat(p->node, &empty, FILESTAT_SIZE) : 0;
}

/* Opens what is at the end of the path. Whatever may fail comes before the change. */
static errno_t open_node(struct thread *t, struct path *p, const struct open_request *req,
                         struct file **f) {
  errno_t e = p->node != NULL ? check_node(p->node, req) : check_missing(p, req);
  if (e == 0)
    e = fd_reserve(fds_of(t));
  if (e != 0)
    return e;
  if (p->node != NULL && p->node->type == FILETYPE_FIFO) /* may wait for the other end */
    return ipc_fifo_open(p->node, req->fds.fs_flags, req->rights.read, req->rights.write, f);
  void *memory = vfile_alloc();
  if (memory == NULL)
    return ENOMEM;
  e = open_change(p, req);
  if (e != 0) {
    kfree(memory);
    return e;
  }
  *f = vfile_init(memory, p->node, req->fds.fs_flags);
  return 0;
}

/* Gives the open file its number, with the rights that its type can have of those asked for. Takes
 * over the reference to f. */
static errno_t open_install(struct thread *t, struct file *f, const struct fdstat *request,
                            fd_t *user_fd) {
  rights_t base, inheriting;
  fd_t fd;
  rights_max(f->type, true, &base, &inheriting);
  errno_t e = fd_install(fds_of(t), f, request->fs_rights_base & base,
                         request->fs_rights_inheriting & inheriting, &fd);
  if (e != 0) {
    file_unref(f);
    return e;
  }
  e = user_put(user_fd, fd);
  if (e != 0)
    fd_close(fds_of(t), fd);
  return e;
}

/* Reads the request. What the directory's descriptor must have for the call itself comes before,
 * what it must have for the request behind. */
static errno_t open_request(struct thread *t, fd_t dirfd, const struct fdstat *fds,
                            struct open_request *req) {
  struct fd_entry *entry;
  errno_t e = fd_lookup(fds_of(t), dirfd, &entry);
  if (e != 0)
    return e;
  if ((rights_to_open(req->oflags) & ~entry->base) != 0)
    return ENOTCAPABLE;
  e = user_copy_in(&req->fds, fds, sizeof req->fds);
  if (e != 0)
    return e;
  if ((req->fds.fs_flags & ~FDFLAGS_ALL) != 0)
    return EINVAL;
  rights_for_open(req->oflags, &req->fds, &req->rights);
  e = fd_lookup(fds_of(t), dirfd, &entry); /* copying may have waited */
  if (e != 0)
    return e;
  return (req->rights.inheriting & ~entry->inheriting) != 0 ? ENOTCAPABLE : 0;
}

errno_t sys_file_open(struct thread *t, struct lookup dirfd, const char *path, size_t path_len,
                      oflags_t oflags, const struct fdstat *fds, fd_t *fd) {
  struct open_request req = {.oflags = oflags};
  struct path *p;
  struct file *f;
  bool exclusive = (oflags & O_CREAT) && (oflags & O_EXCL), missing;
  if ((oflags & ~OFLAGS_ALL) != 0 || ((oflags & O_CREAT) && (oflags & O_DIRECTORY)))
    return EINVAL;
  errno_t e = open_request(t, dirfd.fd, fds, &req);
  if (e != 0)
    return e;
  do {
    e = file_path(t, dirfd.fd, req.rights.base, path, path_len,
                  (dirfd.flags & LOOKUP_SYMLINK_FOLLOW) && !exclusive, &p);
    if (e != 0)
      return e;
    missing = p->node == NULL;
    e = open_node(t, p, &req, &f);
    path_free(p);
  } while (e == EEXIST && missing && !exclusive); /* a slow file system: another one was faster */
  return e == 0 ? open_install(t, f, &req.fds, fd) : e;
}

/* ---- Reading directories and links ----------------------------------------------------------- */

/* Packs entries into the program's buffer, the last one cut where the buffer ends. */
struct packer {
  struct dir_sink sink;
  char *buf;
  size_t room, used;
  errno_t error;
};

static bool pack(struct packer *p, const void *data, size_t n) {
  size_t room = p->room - p->used;
  /* The program's address may be any value: no pointer yet. */
  p->error = user_copy_out((void *)((uintptr_t)p->buf + p->used), data, n < room ? n : room);
  if (p->error != 0)
    return false;
  p->used += n < room ? n : room;
  return p->used < p->room;
}

static bool pack_entry(struct dir_sink *sink, const struct dir_entry *entry) {
  struct packer *p = (struct packer *)sink;
  struct dirent d;
  memset(&d, 0, sizeof d);
  d.d_next = entry->next;
  d.d_ino = entry->ino;
  d.d_namlen = (uint32_t)entry->name_len;
  d.d_type = entry->type;
  return pack(p, &d, sizeof d) && pack(p, entry->name, entry->name_len);
}

errno_t sys_file_readdir(struct thread *t, fd_t fd, void *buf, size_t buf_len, dircookie_t cookie,
                         size_t *bufused) {
  struct packer packer = {.sink = {pack_entry}, .buf = buf, .room = buf_len};
  struct vnode *dir;
  struct file *f;
  errno_t e = fd_get(fds_of(t), fd, RIGHT_FILE_READDIR, &f);
  if (e != 0)
    return e;
  e = dir_of(f, &dir);
  if (e == 0 && buf_len > 0)
    e = dir->ops->readdir(dir, cookie, &packer.sink);
  if (e == 0)
    e = packer.error;
  if (e == 0)
    e = user_put(bufused, packer.used);
  file_unref(f);
  return e;
}

errno_t sys_file_readlink(struct thread *t, fd_t fd, const char *path, size_t path_len, char *buf,
                          size_t buf_len, size_t *bufused) {
  struct path *p;
  struct uio uio;
  errno_t e = file_node(t, fd, RIGHT_FILE_READLINK, path, path_len, false, &p);
  if (e != 0)
    return e;
  uio_init_user_buffer(&uio, buf, buf_len);
  e = p->node->type == FILETYPE_SYMBOLIC_LINK ? p->node->ops->readlink(p->node, &uio) : EINVAL;
  if (e == 0)
    e = user_put(bufused, buf_len - uio.resid);
  path_free(p);
  return e;
}

/* ---- What a file is -------------------------------------------------------------------------- */

errno_t sys_file_stat_fget(struct thread *t, fd_t fd, struct filestat *buf) {
  struct filestat st;
  struct file *f;
  errno_t e = fd_get(fds_of(t), fd, RIGHT_FILE_STAT_FGET, &f);
  if (e != 0)
    return e;
  memset(&st, 0, sizeof st);
  st.st_filetype = f->type;
  e = f->ops->stat != NULL ? f->ops->stat(f, &st) : 0;
  file_unref(f);
  return e == 0 ? user_copy_out(buf, &st, sizeof st) : e;
}

errno_t sys_file_stat_get(struct thread *t, struct lookup fd, const char *path, size_t path_len,
                          struct filestat *buf) {
  struct filestat st;
  struct path *p;
  errno_t e = file_node(t, fd.fd, RIGHT_FILE_STAT_GET, path, path_len,
                        fd.flags & LOOKUP_SYMLINK_FOLLOW, &p);
  if (e != 0)
    return e;
  memset(&st, 0, sizeof st);
  e = p->node->ops->stat(p->node, &st);
  path_free(p);
  return e == 0 ? user_copy_out(buf, &st, sizeof st) : e;
}

errno_t sys_file_stat_fput(struct thread *t, fd_t fd, const struct filestat *buf, fsflags_t flags) {
  struct filestat st;
  struct file *f;
  if (flags != FILESTAT_SIZE && (flags == 0 || (flags & ~TIMES_ALL) != 0))
    return EINVAL;
  errno_t e =
      fd_get(fds_of(t), fd,
             flags == FILESTAT_SIZE ? RIGHT_FILE_STAT_FPUT_SIZE : RIGHT_FILE_STAT_FPUT_TIMES, &f);
  if (e != 0)
    return e;
  e = user_copy_in(&st, buf, sizeof st);
  if (e == 0 && flags == FILESTAT_SIZE && st.st_size > INT64_MAX)
    e = EINVAL;
  if (e == 0)
    e = f->ops->set_stat != NULL ? f->ops->set_stat(f, &st, flags) : ENOTSUP;
  file_unref(f);
  return e;
}

errno_t sys_file_stat_put(struct thread *t, struct lookup fd, const char *path, size_t path_len,
                          const struct filestat *buf, fsflags_t flags) {
  struct filestat st;
  struct path *p;
  if ((flags & ~TIMES_ALL) != 0)
    return EINVAL;
  errno_t e = file_node(t, fd.fd, RIGHT_FILE_STAT_PUT_TIMES, path, path_len,
                        fd.flags & LOOKUP_SYMLINK_FOLLOW, &p);
  if (e != 0)
    return e;
  e = user_copy_in(&st, buf, sizeof st);
  if (e == 0 && flags != 0)
    e = p->node->ops->set_stat != NULL ? p->node->ops->set_stat(p->node, &st, flags) : EROFS;
  path_free(p);
  return e;
}

/* ---- Hints and room -------------------------------------------------------------------------- */

errno_t sys_file_advise(struct thread *t, fd_t fd, filesize_t offset, filesize_t len,
                        advice_t advice) {
  struct file *f;
  if (advice < ADVICE_DONTNEED || advice > ADVICE_WILLNEED)
    return EINVAL;
  errno_t e = fd_get(fds_of(t), fd, RIGHT_FILE_ADVISE, &f);
  if (e != 0)
    return e;
  if (offset + len < offset)
    e = EINVAL;
  else if (f->ops->advise != NULL)
    f->ops->advise(f, offset, len, advice);
  file_unref(f);
  return e;
}

errno_t sys_file_allocate(struct thread *t, fd_t fd, filesize_t offset, filesize_t len) {
  struct file *f;
  errno_t e = fd_get(fds_of(t), fd, RIGHT_FILE_ALLOCATE, &f);
  if (e != 0)
    return e;
  if (len == 0)
    e = EINVAL;
  else if (offset > INT64_MAX || len > INT64_MAX - offset)
    e = EFBIG;
  else
    e = f->ops->allocate != NULL ? f->ops->allocate(f, offset, len) : ENOTSUP;
  file_unref(f);
  return e;
}
