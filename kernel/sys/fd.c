/*
 * System calls on descriptors whatever they refer to: fd_*. Reference 2.5, 2.7, 2.8.
 */
#include "kernel/file.h"
#include "kernel/process.h"
#include "kernel/string.h"
#include "kernel/sys/sys.h"
#include "kernel/thread.h"
#include "kernel/user.h"

#define FDFLAGS_ALL (FDFLAG_APPEND | FDFLAG_DSYNC | FDFLAG_NONBLOCK | FDFLAG_RSYNC | FDFLAG_SYNC)

static struct fdtable *fds_of(struct thread *t) {
  return &t->process->fds;
}

/* ---- Descriptors ----------------------------------------------------------------------------- */

errno_t sys_fd_close(struct thread *t, fd_t fd) {
  return fd_close(fds_of(t), fd);
}

errno_t sys_fd_dup(struct thread *t, fd_t from, fd_t *fd) {
  struct fd_entry *from_entry, entry;
  fd_t number;
  errno_t e = fd_lookup(fds_of(t), from, &from_entry);
  if (e != 0)
    return e;
  entry = *from_entry; /* installing may move the table */
  file_ref(entry.file);
  e = fd_install(fds_of(t), entry.file, entry.base, entry.inheriting, &number);
  if (e != 0) {
    file_unref(entry.file);
    return e;
  }
  e = user_put(fd, number);
  if (e != 0)
    fd_close(fds_of(t), number);
  return e;
}

errno_t sys_fd_replace(struct thread *t, fd_t from, fd_t to) {
  return fd_replace(fds_of(t), from, to);
}

errno_t sys_fd_stat_get(struct thread *t, fd_t fd, struct fdstat *buf) {
  struct fd_entry *entry;
  struct fdstat st;
  errno_t e = fd_lookup(fds_of(t), fd, &entry);
  if (e != 0)
    return e;
  memset(&st, 0, sizeof st); /* its padding goes out, too */
  st.fs_filetype = entry->file->type;
  st.fs_flags = entry->file->flags;
  st.fs_rights_base = entry->base;
  st.fs_rights_inheriting = entry->inheriting;
  return user_copy_out(buf, &st, sizeof st);
}

static errno_t put_flags(struct fd_entry *entry, const struct fdstat *st) {
  if ((st->fs_flags & ~FDFLAGS_ALL) != 0)
    return EINVAL;
  entry->file->flags = st->fs_flags;
  return 0;
}

static errno_t put_rights(struct fd_entry *entry, const struct fdstat *st) {
  if ((st->fs_rights_base & ~entry->base) != 0 ||
      (st->fs_rights_inheriting & ~entry->inheriting) != 0)
    return ENOTCAPABLE;
  entry->base = st->fs_rights_base;
  entry->inheriting = st->fs_rights_inheriting;
  return 0;
}

errno_t sys_fd_stat_put(struct thread *t, fd_t fd, const struct fdstat *buf, fdsflags_t flags) {
  struct fd_entry *entry;
  struct fdstat st;
  if (flags != FDSTAT_FLAGS && flags != FDSTAT_RIGHTS)
    return EINVAL;
  errno_t e = fd_lookup(fds_of(t), fd, &entry);
  if (e == 0 && flags == FDSTAT_FLAGS && !(entry->base & RIGHT_FD_STAT_PUT_FLAGS))
    e = ENOTCAPABLE;
  if (e == 0)
    e = user_copy_in(&st, buf, sizeof st);
  if (e == 0)
    e = fd_lookup(fds_of(t), fd, &entry); /* copying may have waited */
  if (e != 0)
    return e;
  return flags == FDSTAT_FLAGS ? put_flags(entry, &st) : put_rights(entry, &st);
}

/* ---- Bytes ----------------------------------------------------------------------------------- */

static errno_t read_at_offset(struct file *f, struct uio *uio) {
  if (f->ops->pread == NULL)
    return ENOTSUP;
  size_t wanted = uio->resid;
  errno_t e = f->ops->pread(f, uio, f->offset);
  if (e == 0)
    f->offset += wanted - uio->resid;
  return e;
}

static errno_t write_at_offset(struct file *f, struct uio *uio) {
  filesize_t end = f->offset;
  if (f->ops->pwrite == NULL)
    return ENOTSUP;
  errno_t e = f->ops->pwrite(f, uio, f->offset, (f->flags & FDFLAG_APPEND) != 0, &end);
  if (e == 0)
    f->offset = end;
  return e;
}

/* The end of a call that moved bytes: tells how many. Takes over the reference to f. */
static errno_t finish(struct file *f, struct uio *uio, size_t wanted, errno_t e, size_t *moved) {
  if (e == 0)
    e = user_put(moved, wanted - uio->resid);
  uio_destroy(uio);
  file_unref(f);
  return e;
}

/* The beginning: the descriptor with its rights, then the vector. */
static inline errno_t begin(struct thread *t, fd_t fd, rights_t needed, const struct iovec *iovs,
                            size_t iovs_len, struct file **f, struct uio *uio) {
  errno_t e = fd_get(fds_of(t), fd, needed, f);
  if (e != 0)
    return e;
  e = uio_init_user(uio, iovs, iovs_len);
  if (e != 0)
    file_unref(*f);
  return e;
}

errno_t sys_fd_read(struct thread *t, fd_t fd, const struct iovec *iovs, size_t iovs_len,
                    size_t *nread) {
  struct file *f;
  struct uio uio;
  errno_t e = begin(t, fd, RIGHT_FD_READ, iovs, iovs_len, &f, &uio);
  if (e != 0)
    return e;
  size_t wanted = uio.resid;
  e = f->ops->read != NULL ? f->ops->read(f, &uio) : read_at_offset(f, &uio);
  return finish(f, &uio, wanted, e, nread);
}

errno_t sys_fd_write(struct thread *t, fd_t fd, const struct iovec *iovs, size_t iovs_len,
                     size_t *nwritten) {
  struct file *f;
  struct uio uio;
  errno_t e = begin(t, fd, RIGHT_FD_WRITE, iovs, iovs_len, &f, &uio);
  if (e != 0)
    return e;
  size_t wanted = uio.resid;
  e = f->ops->write != NULL ? f->ops->write(f, &uio) : write_at_offset(f, &uio);
  return finish(f, &uio, wanted, e, nwritten);
}

errno_t sys_fd_pread(struct thread *t, fd_t fd, const struct iovec *iovs, size_t iovs_len,
                     filesize_t offset, size_t *nread) {
  struct file *f;
  struct uio uio;
  errno_t e = begin(t, fd, RIGHT_FD_READ | RIGHT_FD_SEEK, iovs, iovs_len, &f, &uio);
  if (e != 0)
    return e;
  size_t wanted = uio.resid;
  if (offset > INT64_MAX)
    e = EINVAL;
  else
    e = f->ops->pread != NULL ? f->ops->pread(f, &uio, offset) : ESPIPE;
  return finish(f, &uio, wanted, e, nread);
}

errno_t sys_fd_pwrite(struct thread *t, fd_t fd, const struct iovec *iovs, size_t iovs_len,
                      filesize_t offset, size_t *nwritten) {
  struct file *f;
  struct uio uio;
  filesize_t end;
  errno_t e = begin(t, fd, RIGHT_FD_WRITE | RIGHT_FD_SEEK, iovs, iovs_len, &f, &uio);
  if (e != 0)
    return e;
  size_t wanted = uio.resid;
  if (offset > INT64_MAX)
    e = EINVAL;
  else
    e = f->ops->pwrite != NULL ? f->ops->pwrite(f, &uio, offset, false, &end) : ESPIPE;
  return finish(f, &uio, wanted, e, nwritten);
}

/* ---- Position and writing back --------------------------------------------------------------- */

/* Where a seek starts from. */
static errno_t seek_base(struct file *f, whence_t whence, filesize_t *base) {
  struct filestat st;
  *base = whence == WHENCE_CUR ? f->offset : 0;
  if (whence != WHENCE_END)
    return 0;
  if (f->ops->stat == NULL)
    return ENOTSUP;
  errno_t e = f->ops->stat(f, &st);
  if (e == 0)
    *base = st.st_size;
  return e;
}

static errno_t seek(struct file *f, filedelta_t offset, whence_t whence, filesize_t *newoffset) {
  filesize_t base;
  filedelta_t result;
  if (f->ops->pread == NULL && f->ops->pwrite == NULL)
    return ESPIPE;
  errno_t e = seek_base(f, whence, &base);
  if (e != 0)
    return e;
  if (__builtin_add_overflow((filedelta_t)base, offset, &result))
    return EOVERFLOW;
  if (result < 0)
    return EINVAL;
  e = user_put(newoffset, (filesize_t)result);
  if (e == 0)
    f->offset = (filesize_t)result;
  return e;
}

errno_t sys_fd_seek(struct thread *t, fd_t fd, filedelta_t offset, whence_t whence,
                    filesize_t *newoffset) {
  struct file *f;
  if (whence != WHENCE_CUR && whence != WHENCE_END && whence != WHENCE_SET)
    return EINVAL;
  rights_t needed = RIGHT_FD_TELL;
  if (whence != WHENCE_CUR || offset != 0)
    needed |= RIGHT_FD_SEEK;
  errno_t e = fd_get(fds_of(t), fd, needed, &f);
  if (e != 0)
    return e;
  e = seek(f, offset, whence, newoffset);
  file_unref(f);
  return e;
}

static errno_t sync(struct thread *t, fd_t fd, rights_t needed, bool data_only) {
  struct file *f;
  errno_t e = fd_get(fds_of(t), fd, needed, &f);
  if (e != 0)
    return e;
  e = f->ops->sync != NULL ? f->ops->sync(f, data_only) : ENOTSUP;
  file_unref(f);
  return e;
}

errno_t sys_fd_sync(struct thread *t, fd_t fd) {
  return sync(t, fd, RIGHT_FD_SYNC, false);
}

errno_t sys_fd_datasync(struct thread *t, fd_t fd) {
  return sync(t, fd, RIGHT_FD_DATASYNC, true);
}
