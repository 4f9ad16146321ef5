/*
 * Open file descriptions: their birth and their end.
 *
 * Called under the kernel lock by whoever makes or drops a reference. Dropping the last one runs
 * the object's close operation, which does not sleep.
 */
#include "kernel/file.h"

#include "kernel/heap.h"
#include "kernel/log.h"

void file_init(struct file *f, const struct file_ops *ops, filetype_t type, fdflags_t flags) {
  f->ops = ops;
  f->refs = 1;
  f->in_flight = 0;
  f->type = type;
  f->flags = flags;
  f->offset = 0;
}

/* Nothing but references in flight is left. Apart from file_unref(), which is in many places. */
static __attribute__((noinline)) void gone(struct file *f) {
  if (f->refs == 0)
    f->ops->close(f);
  else if (f->ops->stranded != NULL)
    f->ops->stranded(f);
}

void file_unref(struct file *f) {
  ASSERT(f->refs > 0);
  if (__builtin_expect(--f->refs > f->in_flight, 1))
    return;
  gone(f);
}

void fd_bundle_free(struct fd_bundle *b) {
  for (size_t i = 0; b != NULL && i < b->len; i++)
    file_unref(b->entries[i].file);
  kfree(b);
}
