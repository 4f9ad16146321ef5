/*
 * Commits and checkpoints: the log is written.
 *
 * A commit takes the lock to freeze the running transaction (copies of its buffers), lets go of it,
 * and writes: the data of ordered files to their places, the copies to the log, a flush, the commit
 * block, a flush. A checkpoint stops new handles, commits, writes every buffer home and empties the
 * log, which is written from its beginning each time. One at a time; without the lock when they
 * begin. Without a journal a commit writes the buffers home.
 */
#include "fs/ext4/csum.h"
#include "fs/ext4/journal_log.h"
#include "kernel/blkdev.h"
#include "kernel/clock.h"
#include "kernel/heap.h"
#include "kernel/log.h"
#include "kernel/page.h"
#include "kernel/string.h"

/* A buffer as it was when the transaction was frozen. */
struct frozen {
  struct frozen *next;
  uint64_t block;
  bool escaped;
  uint8_t data[];
};

struct commit {
  struct ext4 *fs;
  struct journal *j;
  struct tx tx; /* the frozen transaction, its buffers handed on */
  struct frozen *first, **last;
  uint32_t count;
  uint32_t at;    /* the next block of the log */
  bool log_empty; /* and this is the first transaction in it */
  uint8_t *block; /* being made */
};

/* ---- Room ------------------------------------------------------------------------------------ */

static uint32_t tags_per_block(const struct ext4 *fs, const struct journal *j) {
  size_t room = fs->block_bytes - sizeof(struct jbd2_header) - log_tail_bytes(j) - 16;
  return (uint32_t)(room / log_tag_bytes(j));
}

static uint32_t revokes_per_block(const struct ext4 *fs, const struct journal *j) {
  size_t room = fs->block_bytes - sizeof(struct jbd2_revoke) - log_tail_bytes(j);
  return (uint32_t)(room / (j->wide ? 8 : 4));
}

uint32_t log_blocks_needed(const struct ext4 *fs, const struct journal *j, uint32_t buffers,
                           uint32_t revoked) {
  uint32_t tags = tags_per_block(fs, j), revokes = revokes_per_block(fs, j);
  return buffers + (buffers + tags - 1) / tags + (revoked + revokes - 1) / revokes + 1;
}

/* ---- Freezing: the lock is held -------------------------------------------------------------- */

static errno_t freeze_buffer(struct commit *c, struct buf *b) {
  const be32 magic = be32_put(JBD2_MAGIC), none = 0;
  struct frozen *f = kmalloc(sizeof *f + c->fs->block_bytes);
  if (f == NULL)
    return ENOMEM;
  *f = (struct frozen){.block = b->block};
  memcpy(f->data, b->data, c->fs->block_bytes);
  if (memcmp(f->data, &magic, sizeof magic) == 0 && c->j->file != NULL) {
    f->escaped = true;
    memcpy(f->data, &none, sizeof none);
  }
  *c->last = f;
  c->last = &f->next;
  c->count++;
  return 0;
}

static void frozen_free(struct commit *c) {
  while (c->first != NULL) {
    struct frozen *f = c->first;
    c->first = f->next;
    kfree(f);
  }
  c->last = &c->first;
}

/* The inodes whose pages have to be on the disk first. Nobody will see those of one that is without
 * names by now. */
static void freeze_ordered(struct commit *c) {
  struct list *from = &c->j->running.ordered;
  list_init(&c->tx.ordered);
  while (!list_empty(from)) {
    struct einode *ino = container_of(list_pop_front(from), struct einode, ordered);
    if (ino->links > 0)
      list_push_back(&c->tx.ordered, &ino->ordered);
    else
      vnode_unref(&ino->vnode);
  }
  c->j->ordering = !list_empty(&c->tx.ordered);
}

/* Takes the running transaction; the next one begins. */
static errno_t freeze(struct commit *c) {
  struct journal *j = c->j;
  ASSERT(!j->handle_open);
  list_for_each(l, &j->running.buffers) {
    errno_t e = freeze_buffer(c, container_of(l, struct buf, tx));
    if (e != 0) {
      frozen_free(c);
      return e;
    }
  }
  c->tx = j->running;
  c->at = j->head;
  c->log_empty = j->head == j->first;
  if (c->count > 0 || c->tx.revoked != NULL) /* its place in the log is taken from now on */
    j->head += log_blocks_needed(c->fs, j, c->count, c->tx.revoked_count);
  freeze_ordered(c);
  while (!list_empty(&j->running.buffers)) {
    struct buf *b = container_of(list_pop_front(&j->running.buffers), struct buf, tx);
    b->state = BUF_COMMITTED;
    list_push_back(&j->committed, &b->tx);
  }
  j->committing_freed = c->tx.freed;
  /* The log's numbers have no gaps: recovery would end there. */
  j->running = (struct tx){.id = c->tx.id + (c->at != j->head ? 1 : 0)};
  list_init(&j->running.buffers);
  list_init(&j->running.ordered);
  return 0;
}

/* ---- Writing --------------------------------------------------------------------------------- */

static errno_t write_ordered(struct commit *c) {
  errno_t result = 0;
  while (!list_empty(&c->tx.ordered)) {
    struct einode *ino = container_of(list_pop_front(&c->tx.ordered), struct einode, ordered);
    errno_t e = ext4_file_writeback(ino);
    if (e != 0)
      result = e;
    vnode_unref(&ino->vnode);
  }
  c->j->ordering = false;
  return result;
}

static void block_begin(struct commit *c, uint32_t type) {
  memset(c->block, 0, c->fs->block_bytes);
  *(struct jbd2_header *)c->block =
      (struct jbd2_header){be32_put(JBD2_MAGIC), be32_put(type), be32_put(c->tx.id)};
}

static errno_t block_end(struct commit *c) {
  if (c->j->csum_version != 0) {
    be32 crc = log_tail_csum(c->fs, c->j, c->block);
    memcpy(c->block + c->fs->block_bytes - sizeof crc, &crc, sizeof crc);
  }
  return log_write(c->fs, c->j, c->at++, c->block);
}

static void tag_write(const struct commit *c, uint8_t *p, const struct frozen *f, uint32_t flags) {
  uint32_t crc = c->j->csum_version != 0 ? log_data_csum(c->fs, c->j, c->tx.id, f->data) : 0;
  be32 lo = be32_put((uint32_t)f->block), hi = be32_put((uint32_t)(f->block >> 32));
  if (c->j->csum_version == 3) {
    struct jbd2_tag3 t = {lo, be32_put(flags), hi, be32_put(crc)};
    memcpy(p, &t, sizeof t);
  } else {
    struct jbd2_tag t = {lo, __builtin_bswap16((uint16_t)crc), __builtin_bswap16((uint16_t)flags),
                         hi};
    memcpy(p, &t, log_tag_bytes(c->j));
  }
}

/* One descriptor and its blocks, from *f on. */
static errno_t write_descriptor(struct commit *c, const struct frozen **f) {
  const uint32_t max = tags_per_block(c->fs, c->j);
  const struct frozen *x = *f;
  uint8_t *p = c->block + sizeof(struct jbd2_header);
  block_begin(c, JBD2_DESCRIPTOR);
  for (uint32_t n = 0; x != NULL && n < max; x = x->next, n++) {
    uint32_t flags = (x->escaped ? JBD2_TAG_ESCAPE : 0) | (n > 0 ? JBD2_TAG_SAME_UUID : 0);
    if (n + 1 == max || x->next == NULL)
      flags |= JBD2_TAG_LAST;
    tag_write(c, p, x, flags);
    p += log_tag_bytes(c->j);
    if (n == 0) {
      memcpy(p, c->j->super->s_uuid, 16);
      p += 16;
    }
  }
  errno_t e = block_end(c);
  for (; e == 0 && *f != x; *f = (*f)->next)
    e = log_write(c->fs, c->j, c->at++, (*f)->data);
  return e;
}

static errno_t write_revokes(struct commit *c) {
  const struct revoked *r = c->tx.revoked;
  const uint32_t max = revokes_per_block(c->fs, c->j);
  const size_t each = c->j->wide ? 8 : 4;
  while (r != NULL) {
    block_begin(c, JBD2_REVOKE);
    uint8_t *p = c->block + sizeof(struct jbd2_revoke);
    for (uint32_t n = 0; r != NULL && n < max; r = r->next, n++) {
      be64 wide = __builtin_bswap64(r->block);
      be32 narrow = be32_put((uint32_t)r->block);
      memcpy(p, c->j->wide ? (const void *)&wide : &narrow, each);
      p += each;
    }
    ((struct jbd2_revoke *)c->block)->r_count = be32_put((uint32_t)(p - c->block));
    errno_t e = block_end(c);
    if (e != 0)
      return e;
  }
  return 0;
}

static errno_t write_commit_block(struct commit *c) {
  uint64_t now_ns = clock_realtime_ns();
  struct jbd2_commit *b = (void *)c->block;
  block_begin(c, JBD2_COMMIT);
  b->h_commit_sec = __builtin_bswap64(now_ns / 1000000000);
  b->h_commit_nsec = be32_put((uint32_t)(now_ns % 1000000000));
  if (c->j->csum_version != 0)
    b->h_chksum[0] = log_commit_csum(c->fs, c->j, c->block);
  return log_write(c->fs, c->j, c->at++, c->block);
}

static errno_t write_log(struct commit *c) {
  struct journal *j = c->j;
  const struct frozen *f = c->first;
  errno_t e = 0;
  while (e == 0 && f != NULL)
    e = write_descriptor(c, &f);
  if (e == 0)
    e = write_revokes(c);
  if (e == 0 && c->log_empty)
    e = log_super_write(c->fs, j, j->first, c->tx.id);
  else if (e == 0)
    e = blk_flush(c->fs->dev);
  if (e == 0)
    e = write_commit_block(c);
  if (e == 0)
    e = blk_flush(c->fs->dev);
  return e;
}

static errno_t write_buffer_home(struct ext4 *fs, struct buf *b) {
  errno_t e = blk_write(fs->dev, b->block << fs->block_shift, b->data, fs->block_bytes);
  if (e == 0)
    buf_clean(b);
  return e;
}

/* The lock is held, and nothing is in the running transaction. */
static errno_t write_home(struct ext4 *fs, struct journal *j) {
  while (!list_empty(&j->committed)) {
    errno_t e = write_buffer_home(fs, container_of(j->committed.next, struct buf, tx));
    if (e != 0)
      return e;
  }
  return blk_flush(fs->dev);
}

/* ---- A commit -------------------------------------------------------------------------------- */

static errno_t fail(struct ext4 *fs, errno_t e) {
  if (!fs->failed)
    log_error("ext4 %s: the disk can't be written; it is read-only from now on", fs->name);
  fs->failed = true;
  return e;
}

/* With j->busy, without the lock. ENOMEM: nothing has happened. */
static errno_t commit(struct ext4 *fs, struct journal *j) {
  struct commit c = {.fs = fs, .j = j, .last = &c.first};
  c.block = kmalloc(fs->block_bytes);
  if (c.block == NULL)
    return ENOMEM;
  pagecache_make_room(j->running.buffers_count + PAGE_RESERVE); /* for the copies */
  mutex_lock(&fs->lock);
  bool empty = j->running.buffers_count == 0 && j->running.revoked == NULL;
  errno_t e = freeze(&c);
  mutex_unlock(&fs->lock);
  if (e != 0) {
    kfree(c.block);
    return e;
  }
  e = write_ordered(&c);
  if (e == 0 && j->file != NULL && !empty)
    e = write_log(&c);
  else if (e == 0)
    e = blk_flush(fs->dev);
  if (e == 0 && j->file == NULL) {
    mutex_lock(&fs->lock);
    e = write_home(fs, j);
    mutex_unlock(&fs->lock);
  }
  freed_free(&j->committing_freed);
  revoked_free(&c.tx.revoked);
  frozen_free(&c);
  kfree(c.block);
  return e == 0 ? 0 : fail(fs, e);
}

/* ---- One at a time --------------------------------------------------------------------------- */

static void busy_begin(struct journal *j) {
  while (j->busy)
    waitq_wait(&j->idle);
  j->busy = true;
}

static void busy_end(struct journal *j) {
  j->busy = false;
  waitq_wake_all(&j->idle);
}

errno_t journal_commit(struct ext4 *fs) {
  struct journal *j = fs->journal;
  busy_begin(j);
  errno_t e = fs->failed ? EIO : commit(fs, j);
  busy_end(j);
  return e;
}

static errno_t checkpoint(struct ext4 *fs, struct journal *j) {
  errno_t e = commit(fs, j);
  if (e != 0)
    return e;
  mutex_lock(&fs->lock);
  e = write_home(fs, j);
  if (e == 0 && j->file != NULL && j->head != j->first) {
    j->head = j->first;
    e = log_super_write(fs, j, 0, j->running.id);
  }
  mutex_unlock(&fs->lock);
  return e == 0 ? 0 : fail(fs, e);
}

errno_t journal_checkpoint(struct ext4 *fs) {
  struct journal *j = fs->journal;
  busy_begin(j);
  j->barrier = true; /* what is committed now stays all there is */
  errno_t e = fs->failed ? EIO : checkpoint(fs, j);
  j->barrier = false;
  busy_end(j);
  return e;
}
