/*
 * Shared memory: a page cache behind a descriptor. Its rights let programs size it, map it, and
 * pass it on; it reads and writes like a file as well, in order, for there is no right to seek.
 *
 * Called by fd_create1 and through struct file_ops; kernel lock; never sleeps. The memory lives as
 * long as a descriptor or a mapping. Reference sections 2.3, 2.8 and 6.
 */
#include "ipc/shm.h"

#include "kernel/file.h"
#include "kernel/heap.h"
#include "kernel/list.h"
#include "kernel/page.h"
#include "kernel/pagecache.h"

struct shm {
  struct file file;
  struct pagecache *pages;
};

static struct pagecache *pages_of(struct file *f) {
  return container_of(f, struct shm, file)->pages;
}

static void shm_close(struct file *f) {
  memobj_unref(&pages_of(f)->obj);
  kfree(f);
}

static errno_t shm_pread(struct file *f, struct uio *uio, filesize_t offset) {
  return pagecache_read(pages_of(f), uio, offset);
}

static errno_t shm_pwrite(struct file *f, struct uio *uio, filesize_t offset, bool append,
                          filesize_t *end) {
  struct pagecache *pc = pages_of(f);
  size_t all = uio->resid;
  if (append)
    offset = pc->size_bytes;
  if (all > INT64_MAX - offset)
    return EFBIG;
  errno_t e = pagecache_write(pc, uio, offset);
  if (e == 0)
    *end = offset + (all - uio->resid);
  return e;
}

static errno_t shm_stat(struct file *f, struct filestat *st) {
  st->st_nlink = 1;
  st->st_size = pages_of(f)->size_bytes;
  return 0;
}

/* Memory comes at the first access, when there is nobody left to tell that there is none. So a size
 * that could never be filled is refused here, as mem_map does. */
static errno_t shm_set_stat(struct file *f, const struct filestat *st, fsflags_t flags) {
  struct pagecache *pc = pages_of(f);
  uint64_t pages = (st->st_size + PAGE_SIZE - 1) >> PAGE_SHIFT;
  if ((flags & FILESTAT_SIZE) == 0)
    return ENOTSUP;
  if (st->st_size > pc->size_bytes && pages + PAGE_RESERVE > pc->tree.pages + page_free_count())
    return ENOMEM;
  return pagecache_resize(pc, st->st_size);
}

static errno_t shm_memobj(struct file *f, struct memobj **obj) {
  *obj = memobj_ref(&pages_of(f)->obj);
  return 0;
}

static const struct file_ops shm_ops = {
    .close = shm_close,
    .pread = shm_pread,
    .pwrite = shm_pwrite,
    .stat = shm_stat,
    .set_stat = shm_set_stat,
    .memobj = shm_memobj,
};

errno_t shm_create(struct file **f) {
  struct shm *s = kmalloc(sizeof *s);
  if (s == NULL)
    return ENOMEM;
  errno_t e = pagecache_create_anonymous(&s->pages);
  if (e != 0) {
    kfree(s);
    return e;
  }
  file_init(&s->file, &shm_ops, FILETYPE_SHARED_MEMORY, 0);
  *f = &s->file;
  return 0;
}
