/*
 * Transactions: handles, what the running transaction holds, and when it has to end.
 *
 * A handle begins under the lock and before anything has been looked at: tx_begin() may let go of
 * the lock to commit. The log is written by jcommit.c.
 */
#include "fs/ext4/csum.h"
#include "fs/ext4/journal_log.h"
#include "kernel/heap.h"
#include "kernel/log.h"
#include "kernel/page.h"
#include "kernel/string.h"

/* ---- Opening --------------------------------------------------------------------------------- */

static const char *super_fault(const struct ext4 *fs, const struct jbd2_super *s) {
  const uint32_t served =
      JBD2_INCOMPAT_REVOKE | JBD2_INCOMPAT_64BIT | JBD2_INCOMPAT_CSUM_V2 | JBD2_INCOMPAT_CSUM_V3;
  uint32_t type = be32_get(s->s_header.h_blocktype), first = be32_get(s->s_first);
  uint32_t incompat = type == JBD2_SUPER_V2 ? be32_get(s->s_feature_incompat) : 0;
  uint32_t maxlen = be32_get(s->s_maxlen);
  if (be32_get(s->s_header.h_magic) != JBD2_MAGIC ||
      (type != JBD2_SUPER_V1 && type != JBD2_SUPER_V2))
    return "its journal has no superblock; run e2fsck on it";
  if ((incompat & ~served) != 0)
    return "its journal has features that this system doesn't know; mount it on Linux once";
  if (be32_get(s->s_blocksize) != fs->block_bytes || first == 0 || first >= maxlen ||
      maxlen - first < 16)
    return "its journal is damaged; run e2fsck on it";
  if ((incompat & (JBD2_INCOMPAT_CSUM_V2 | JBD2_INCOMPAT_CSUM_V3)) != 0 &&
      (s->s_checksum_type != JBD2_CRC32C || be32_get(s->s_checksum) != log_super_csum(s)))
    return "its journal is damaged; run e2fsck on it";
  return NULL;
}

/* Where the journal's file lies on the disk. */
static errno_t map_file(struct ext4 *fs, struct journal *j, uint32_t blocks) {
  size_t room = 0;
  for (uint32_t at = 0; at < blocks;) {
    struct ext4_run run;
    errno_t e = ext4_map(j->file, at, blocks - at, &run);
    if (e != 0)
      return e;
    if (run.block == 0)
      return ext4_corrupt(fs, j->file->number, at, "a hole in the journal");
    if (j->run_count == room) {
      size_t more = room == 0 ? 8 : room * 2;
      struct log_run *runs = kmalloc(more * sizeof *runs);
      if (runs == NULL)
        return ENOMEM;
      if (room > 0)
        memcpy(runs, j->runs, room * sizeof *runs);
      kfree(j->runs);
      j->runs = runs;
      room = more;
    }
    j->runs[j->run_count++] = (struct log_run){at, run.count, run.block};
    at += run.count;
  }
  return 0;
}

/* What follows from the superblock. */
static void take_features(struct journal *j) {
  uint32_t incompat = be32_get(j->super->s_feature_incompat);
  if (be32_get(j->super->s_header.h_blocktype) != JBD2_SUPER_V2)
    incompat = 0;
  j->wide = (incompat & JBD2_INCOMPAT_64BIT) != 0;
  j->csum_version = 0;
  if ((incompat & JBD2_INCOMPAT_CSUM_V2) != 0)
    j->csum_version = 2;
  if ((incompat & JBD2_INCOMPAT_CSUM_V3) != 0)
    j->csum_version = 3;
  j->csum_seed = crc32c(~0u, j->super->s_uuid, sizeof j->super->s_uuid);
}

static errno_t open_log(struct ext4 *fs, struct journal *j, const char **why) {
  uint32_t number = fs->super.s_journal_inum;
  errno_t e = einode_get(fs, number, &j->file);
  if (e == 0 && j->file->size_bytes >> fs->block_shift > fs->blocks)
    e = ext4_corrupt(fs, number, 0, "a journal that is larger than the file system");
  if (e == 0)
    e = map_file(fs, j, (uint32_t)(j->file->size_bytes >> fs->block_shift));
  if (e != 0)
    return e;
  j->super_block = kmalloc(fs->block_bytes);
  if (j->super_block == NULL)
    return ENOMEM;
  j->super = (void *)j->super_block;
  e = log_read(fs, j, 0, j->super_block);
  if (e != 0)
    return e;
  *why = super_fault(fs, j->super);
  if (*why != NULL)
    return EINVAL;
  j->first = be32_get(j->super->s_first);
  j->blocks = be32_get(j->super->s_maxlen) - j->first;
  if (be32_get(j->super->s_maxlen) > j->file->size_bytes >> fs->block_shift)
    return ext4_corrupt(fs, number, 0, "a journal that is shorter than it says");
  take_features(j);
  return 0;
}

/* What the machine's memory allows: changed buffers, and as many copies of them during a commit. A
 * small one has at least what the largest handle takes. */
static void set_limits(struct journal *j) {
  size_t share = page_total() / 16;
  if (share < TX_BUFFERS_MIN)
    share = TX_BUFFERS_MIN;
  j->buffers_max = share < TX_BUFFERS_MAX ? (uint32_t)share : TX_BUFFERS_MAX;
  j->committed_max = (uint32_t)(2 * share);
}

static void tx_init(struct tx *t, uint32_t id) {
  *t = (struct tx){.id = id};
  list_init(&t->buffers);
  list_init(&t->ordered);
}

void freed_free(struct freed_run **list) {
  while (*list != NULL) {
    struct freed_run *f = *list;
    *list = f->next;
    kfree(f);
  }
}

void revoked_free(struct revoked **list) {
  while (*list != NULL) {
    struct revoked *r = *list;
    *list = r->next;
    kfree(r);
  }
}

void journal_free(struct journal *j) {
  while (!list_empty(&j->running.ordered))
    vnode_unref(&container_of(list_pop_front(&j->running.ordered), struct einode, ordered)->vnode);
  freed_free(&j->running.freed);
  freed_free(&j->committing_freed);
  revoked_free(&j->running.revoked);
  if (j->file != NULL)
    vnode_unref(&j->file->vnode);
  kfree(j->super_block);
  kfree(j->runs);
  kfree(j);
}

errno_t journal_open(struct ext4 *fs, bool replay, struct journal **out, const char **why) {
  bool has = (fs->super.s_feature_compat & EXT4_COMPAT_HAS_JOURNAL) != 0;
  struct journal *j = kzalloc(sizeof *j);
  if (j == NULL)
    return ENOMEM;
  tx_init(&j->running, 1);
  list_init(&j->committed);
  waitq_init(&j->idle);
  errno_t e = has ? open_log(fs, j, why) : 0;
  set_limits(j);
  if (e == 0 && has && replay)
    e = log_recover(fs, j, why);
  if (e != 0) {
    journal_free(j);
    return e;
  }
  *out = j;
  return 0;
}

/* ---- Damage ---------------------------------------------------------------------------------- */

/* As Linux counts errors. */
#define JOURNAL_EIO (-5)

/* Not while somebody commits, who may be writing the same block. */
void journal_note_error(struct ext4 *fs) {
  struct journal *j = fs->journal;
  if (j->file == NULL || j->busy)
    return;
  j->super->s_errno = be32_put((uint32_t)JOURNAL_EIO);
  if (j->csum_version != 0)
    j->super->s_checksum = be32_put(log_super_csum(j->super));
  log_write(fs, j, 0, j->super_block);
}

bool journal_has_error(const struct journal *j) {
  return j->file != NULL && j->super->s_errno != 0;
}

/* ---- Handles --------------------------------------------------------------------------------- */

/* Whether the running transaction may grow by so many blocks, and the log has room for it then. */
static bool has_room(const struct ext4 *fs, const struct journal *j, unsigned blocks) {
  const struct tx *t = &j->running;
  uint32_t needed =
      log_blocks_needed(fs, j, t->buffers_count + j->reserved + blocks, t->revoked_count + blocks);
  if (t->buffers_count + blocks > j->buffers_max)
    return false;
  return j->file == NULL ||
         (needed <= j->blocks / 4 && needed <= j->first + j->blocks - j->head &&
          (j->head == j->first || j->head - j->first + needed <= j->committed_max));
}

/* Makes room without the lock: a commit, and a checkpoint if that was not the trouble. */
static errno_t make_room(struct ext4 *fs) {
  struct journal *j = fs->journal;
  bool empty = j->running.buffers_count == 0;
  mutex_unlock(&fs->lock);
  errno_t e = empty ? journal_checkpoint(fs) : journal_commit(fs);
  mutex_lock(&fs->lock);
  return e;
}

errno_t tx_begin(struct ext4 *fs, unsigned blocks) {
  struct journal *j = fs->journal;
  ASSERT(mutex_held(&fs->lock) && !j->handle_open);
  for (;;) {
    if (fs->failed || fs->read_only)
      return EROFS;
    while (j->barrier) {
      mutex_unlock(&fs->lock);
      waitq_wait(&j->idle);
      mutex_lock(&fs->lock);
    }
    if (has_room(fs, j, blocks))
      break;
    if (log_blocks_needed(fs, j, blocks, blocks) > j->blocks / 4 && j->file != NULL)
      return ENOSPC; /* a journal too small for the operation */
    errno_t e = make_room(fs);
    if (e != 0)
      return e;
  }
  j->handle_open = true;
  j->handle_changed = false;
  j->reserved = blocks;
  return 0;
}

void tx_end(struct ext4 *fs, errno_t e) {
  struct journal *j = fs->journal;
  ASSERT(j->handle_open);
  if ((e == EIO || e == ENOMEM) && j->handle_changed && !fs->failed) {
    log_error("ext4 %s: %s in the middle of a change; it is read-only from now on", fs->name,
              e == EIO ? "the disk failed" : "memory ran out");
    fs->failed = true;
  }
  j->handle_open = false;
  j->reserved = 0;
}

errno_t tx_extend(struct ext4 *fs, unsigned blocks) {
  struct journal *j = fs->journal;
  if (j->reserved >= blocks)
    return 0;
  tx_end(fs, 0);
  errno_t e = tx_begin(fs, blocks);
  if (e == 0)
    return 0;
  j->handle_open = true; /* the caller ends it, as it would have */
  j->handle_changed = false;
  return e;
}

void tx_dirty(struct ext4 *fs, struct buf *b) {
  struct journal *j = fs->journal;
  ASSERT(j->handle_open);
  j->handle_changed = true;
  if (b->state == BUF_DIRTY)
    return;
  list_remove(&b->tx);
  b->state = BUF_DIRTY;
  list_push_back(&j->running.buffers, &b->tx);
  j->running.buffers_count++;
  if (j->reserved > 0)
    j->reserved--;
  journal_changed(fs);
}

/* Remembers that blocks were freed, so that they stay unused until the commit. */
static errno_t note_freed(struct journal *j, uint64_t block, uint32_t count) {
  struct freed_run *f = j->running.freed;
  if (f != NULL && f->block + f->count == block) {
    f->count += count;
    return 0;
  }
  if (f != NULL && block + count == f->block) {
    f->block = block;
    f->count += count;
    return 0;
  }
  f = kmalloc(sizeof *f);
  if (f == NULL)
    return ENOMEM;
  *f = (struct freed_run){j->running.freed, block, count};
  j->running.freed = f;
  return 0;
}

errno_t tx_freed(struct ext4 *fs, uint64_t block, uint32_t count) {
  return note_freed(fs->journal, block, count);
}

bool tx_holds_blocks(const struct ext4 *fs) {
  const struct journal *j = fs->journal;
  bool holds = j->busy || j->running.freed != NULL;
  list_for_each(l, &j->running.ordered) holds |=
      container_of(l, struct einode, ordered)->links == 0;
  return holds;
}

errno_t tx_forget(struct ext4 *fs, uint64_t block, uint32_t count) {
  struct journal *j = fs->journal;
  for (uint32_t i = 0; i < count; i++) {
    struct revoked *r = NULL;
    if (j->file != NULL && (r = kmalloc(sizeof *r)) == NULL)
      return ENOMEM;
    struct buf *b = buf_find(&fs->cache, block + i);
    if (b != NULL && b->state == BUF_DIRTY)
      j->running.buffers_count--;
    buf_put(b);
    buf_forget(&fs->cache, block + i);
    if (r == NULL)
      continue;
    *r = (struct revoked){j->running.revoked, block + i};
    j->running.revoked = r;
    j->running.revoked_count++;
  }
  return 0;
}

void tx_order(struct ext4 *fs, struct einode *ino) {
  if (!list_empty(&ino->ordered))
    return;
  vnode_ref(&ino->vnode);
  list_push_back(&fs->journal->running.ordered, &ino->ordered);
}

bool tx_ordering(const struct ext4 *fs) {
  return fs->journal->ordering;
}

static uint64_t overlap(const struct freed_run *list, uint64_t block, uint64_t count,
                        uint64_t *busy) {
  for (const struct freed_run *f = list; f != NULL; f = f->next) {
    if (block + count <= f->block || block >= f->block + f->count)
      continue;
    if (block < f->block) {
      count = f->block - block;
      continue;
    }
    *busy = f->block + f->count - block;
    return 0;
  }
  return count;
}

uint64_t tx_reusable(struct ext4 *fs, uint64_t block, uint64_t count, uint64_t *busy) {
  count = overlap(fs->journal->running.freed, block, count, busy);
  return count == 0 ? 0 : overlap(fs->journal->committing_freed, block, count, busy);
}
