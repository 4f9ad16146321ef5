/*
 * The WAL index: memory that a database's connections share, and the locks on its parts.
 *
 * All connections are of this process, so it is memory of the heap. It goes with the last of them;
 * the next one finds zeroes, takes that for a crash, and builds the index from the WAL.
 */
#include <stdlib.h>

#include "dirvfs_private.h"

/* Room for regions up to this one, zeroed. */
static bool regions_extend(struct node *n, int region, int bytes) {
  void **regions = realloc(n->regions, (size_t)(region + 1) * sizeof *regions);
  if (regions == NULL)
    return false;
  n->regions = regions;
  while (n->region_count <= region) {
    void *memory = calloc(1, (size_t)bytes);
    if (memory == NULL)
      return false;
    n->regions[n->region_count++] = memory;
  }
  return true;
}

int dirfile_shm_map(sqlite3_file *file, int region, int bytes, int extend, void volatile **out) {
  struct dirfile *f = (struct dirfile *)file;
  struct node *n = f->node;
  int code = SQLITE_OK;
  *out = NULL;
  nodes_enter();
  n->mapped += !f->shm;
  f->shm = true;
  if (region >= n->region_count && extend && !regions_extend(n, region, bytes))
    code = SQLITE_IOERR_NOMEM;
  if (region < n->region_count)
    *out = n->regions[region];
  nodes_leave();
  return code;
}

/* Whether the slots of `mask` can be had: shared ones if nobody writes, exclusive ones if nobody
 * else has them. */
static bool slots_free(const struct dirfile *f, unsigned mask, bool exclusive) {
  const struct node *n = f->node;
  for (int i = 0; i < SQLITE_SHM_NLOCK; i++) {
    if (!(mask >> i & 1))
      continue;
    int own = f->slots_shared >> i & 1;
    if ((n->slot_writer[i] != NULL && n->slot_writer[i] != f) ||
        (exclusive && n->slot_readers[i] > own))
      return false;
  }
  return true;
}

static void slots_take(struct dirfile *f, unsigned mask, bool exclusive) {
  for (int i = 0; i < SQLITE_SHM_NLOCK; i++) {
    if (!(mask >> i & 1))
      continue;
    if (exclusive) {
      f->node->slot_writer[i] = f;
      f->slots_exclusive |= 1u << i;
    } else if (!(f->slots_shared >> i & 1)) {
      f->node->slot_readers[i]++;
      f->slots_shared |= 1u << i;
    }
  }
}

static void slots_give(struct dirfile *f, unsigned mask) {
  for (int i = 0; i < SQLITE_SHM_NLOCK; i++) {
    unsigned bit = mask & 1u << i;
    if (f->slots_exclusive & bit)
      f->node->slot_writer[i] = NULL;
    if (f->slots_shared & bit)
      f->node->slot_readers[i]--;
  }
  f->slots_exclusive &= ~mask;
  f->slots_shared &= ~mask;
}

int dirfile_shm_lock(sqlite3_file *file, int first, int count, int flags) {
  struct dirfile *f = (struct dirfile *)file;
  unsigned mask = ((1u << count) - 1) << first;
  bool exclusive = (flags & SQLITE_SHM_EXCLUSIVE) != 0;
  int code = SQLITE_OK;
  nodes_enter();
  if (flags & SQLITE_SHM_UNLOCK)
    slots_give(f, mask);
  else if (slots_free(f, mask, exclusive))
    slots_take(f, mask, exclusive);
  else
    code = SQLITE_BUSY;
  nodes_leave();
  return code;
}

void dirfile_shm_barrier(sqlite3_file *file) {
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
  nodes_enter(); /* waits for those who are inside */
  nodes_leave();
}

/* There is no file to remove. */
int dirfile_shm_unmap(sqlite3_file *file, int remove) {
  struct dirfile *f = (struct dirfile *)file;
  struct node *n = f->node;
  if (!f->shm)
    return SQLITE_OK;
  nodes_enter();
  slots_give(f, ~0u);
  f->shm = false;
  if (--n->mapped == 0) {
    for (int i = 0; i < n->region_count; i++)
      free(n->regions[i]);
    free(n->regions);
    n->regions = NULL;
    n->region_count = 0;
  }
  nodes_leave();
  return SQLITE_OK;
}
