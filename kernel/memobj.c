/*
 * Memory objects over bytes in kernel memory: the image's files, the program, the vDSO.
 *
 * Called by aspace.c for page faults and by whoever creates them; kernel lock; never sleeps.
 */
#include "kernel/memobj.h"

#include "kernel/heap.h"
#include "kernel/list.h"
#include "kernel/log.h"
#include "kernel/page.h"
#include "kernel/string.h"

struct bytes {
  struct memobj obj;
  const char *data;
  size_t size;
  size_t first_copied; /* pages from this one on can't be mapped in place */
  size_t copies_count;
  void *copies[]; /* of page first_copied + i; NULL: not needed so far */
};

void memobj_init(struct memobj *obj, const struct memobj_ops *ops) {
  obj->ops = ops;
  obj->refs = 1;
  list_init(&obj->mappings);
}

void memobj_unref(struct memobj *obj) {
  if (obj == NULL)
    return;
  ASSERT(obj->refs > 0);
  if (--obj->refs == 0)
    obj->ops->destroy(obj);
  else if (obj->refs == 1 && obj->ops->alone != NULL)
    obj->ops->alone(obj);
}

static errno_t bytes_copy(struct bytes *b, size_t offset, void **copy) {
  if (*copy != NULL)
    return 0;
  void *page = page_alloc(0);
  if (page == NULL)
    return ENOMEM;
  size_t n = b->size - offset < PAGE_SIZE ? b->size - offset : PAGE_SIZE;
  memcpy(page, b->data + offset, n);
  memset((char *)page + n, 0, PAGE_SIZE - n);
  page_set_cached(page);
  *copy = page;
  return 0;
}

static errno_t bytes_get_page(struct memobj *obj, uint64_t offset, bool write, pa_t *pa) {
  struct bytes *b = container_of(obj, struct bytes, obj);
  if (offset >= b->size)
    return ERANGE;
  if (write)
    return EROFS;
  size_t index = offset >> PAGE_SHIFT;
  if (index < b->first_copied) {
    *pa = va_to_pa(b->data + offset);
    return 0;
  }
  void **copy = &b->copies[index - b->first_copied];
  errno_t e = bytes_copy(b, offset, copy);
  if (e == 0)
    *pa = va_to_pa(*copy);
  return e;
}

static void bytes_destroy(struct memobj *obj) {
  struct bytes *b = container_of(obj, struct bytes, obj);
  for (size_t i = 0; i < b->copies_count; i++)
    if (b->copies[i] != NULL)
      page_unref(b->copies[i]);
  kfree(b);
}

static const struct memobj_ops bytes_ops = {.get_page = bytes_get_page, .destroy = bytes_destroy};

errno_t memobj_bytes_create(const void *data, size_t n, struct memobj **out) {
  bool in_place = ((uintptr_t)data & (PAGE_SIZE - 1)) == 0;
  size_t first_copied = in_place ? n >> PAGE_SHIFT : 0;
  size_t copies = ((n + PAGE_SIZE - 1) >> PAGE_SHIFT) - first_copied;
  struct bytes *b = kzalloc(sizeof *b + copies * sizeof b->copies[0]);
  if (b == NULL)
    return ENOMEM;
  memobj_init(&b->obj, &bytes_ops);
  b->data = data;
  b->size = n;
  b->first_copied = first_copied;
  b->copies_count = copies;
  *out = &b->obj;
  return 0;
}
