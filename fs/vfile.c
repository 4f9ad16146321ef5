/*
 * File operations over vnode operations; the system calls are the callers, under the kernel lock.
 * Where a file system can't change, changing is EROFS.
 */
#include "fs/vfile.h"

#include "kernel/heap.h"

struct vfile {
  struct file file;
  struct vnode *vnode;
};

static struct vnode *vfile_vnode(struct file *f) {
  return ((struct vfile *)f)->vnode;
}

static void vfile_close(struct file *f) {
  vnode_unref(vfile_vnode(f));
  kfree(f);
}

static errno_t vfile_pread(struct file *f, struct uio *uio, filesize_t offset) {
  struct vnode *v = vfile_vnode(f);
  return v->type != FILETYPE_DIRECTORY ? v->ops->pread(v, uio, offset) : EISDIR;
}

static errno_t vfile_sync(struct file *f, bool data_only) {
  struct vnode *v = vfile_vnode(f);
  return v->ops->sync != NULL ? v->ops->sync(v, data_only) : 0;
}

/* With DSYNC, SYNC or RSYNC (which is SYNC, as on Linux) it returns when the bytes are on the
 * medium. */
static errno_t vfile_pwrite(struct file *f, struct uio *uio, filesize_t offset, bool append,
                            filesize_t *end) {
  struct vnode *v = vfile_vnode(f);
  if (v->type == FILETYPE_DIRECTORY)
    return EISDIR;
  if (v->ops->pwrite == NULL)
    return EROFS;
  errno_t e = v->ops->pwrite(v, uio, offset, append, end);
  if (e == 0 && (f->flags & (FDFLAG_DSYNC | FDFLAG_SYNC | FDFLAG_RSYNC)) != 0)
    e = vfile_sync(f, (f->flags & (FDFLAG_SYNC | FDFLAG_RSYNC)) == 0);
  return e;
}

static errno_t vfile_stat(struct file *f, struct filestat *st) {
  struct vnode *v = vfile_vnode(f);
  return v->ops->stat(v, st);
}

static errno_t vfile_set_stat(struct file *f, const struct filestat *st, fsflags_t flags) {
  struct vnode *v = vfile_vnode(f);
  return v->ops->set_stat != NULL ? v->ops->set_stat(v, st, flags) : EROFS;
}

static errno_t vfile_allocate(struct file *f, filesize_t offset, filesize_t len) {
  struct vnode *v = vfile_vnode(f);
  return v->ops->allocate != NULL ? v->ops->allocate(v, offset, len) : EROFS;
}

static void vfile_advise(struct file *f, filesize_t offset, filesize_t len, advice_t advice) {
  struct vnode *v = vfile_vnode(f);
  if (v->ops->advise != NULL)
    v->ops->advise(v, offset, len, advice);
}

static errno_t vfile_memobj(struct file *f, struct memobj **obj) {
  struct vnode *v = vfile_vnode(f);
  return v->ops->memobj != NULL ? v->ops->memobj(v, obj) : ENODEV;
}

/* Always ready; a reader learns how much lies before it. */
static void vfile_poll(struct file *f, eventtype_t type, struct poll_state *state,
                       struct waiter *w) {
  struct filestat st;
  *state = (struct poll_state){.ready = true};
  if (type == EVENTTYPE_FD_READ && f->type == FILETYPE_REGULAR_FILE && vfile_stat(f, &st) == 0 &&
      st.st_size > f->offset)
    state->nbytes = st.st_size - f->offset;
}

static const struct file_ops vfile_ops = {
    .close = vfile_close,
    .pread = vfile_pread,
    .pwrite = vfile_pwrite,
    .stat = vfile_stat,
    .set_stat = vfile_set_stat,
    .sync = vfile_sync,
    .allocate = vfile_allocate,
    .advise = vfile_advise,
    .poll = vfile_poll,
    .memobj = vfile_memobj,
    .vnode = vfile_vnode,
};

void *vfile_alloc(void) {
  return kmalloc(sizeof(struct vfile));
}

struct file *vfile_init(void *memory, struct vnode *v, fdflags_t flags) {
  struct vfile *vf = memory;
  file_init(&vf->file, &vfile_ops, v->type, flags);
  vf->vnode = vnode_ref(v);
  return &vf->file;
}

errno_t vfile_create(struct vnode *v, fdflags_t flags, struct file **f) {
  void *memory = vfile_alloc();
  if (memory == NULL)
    return ENOMEM;
  *f = vfile_init(memory, v, flags);
  return 0;
}
