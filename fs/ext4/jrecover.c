/*
 * Recovery: what a crash left in the log is brought to its place.
 *
 * Three passes over the log: to find its end (the last transaction with a commit block), to learn
 * which blocks were revoked and by which transaction, and to write those that were not. The log may
 * contain anything: every number is checked, and no pass goes round it twice.
 *
 * At mount, before anybody uses the file system.
 */
#include "fs/ext4/journal_log.h"
#include "kernel/blkdev.h"
#include "kernel/heap.h"
#include "kernel/log.h"
#include "kernel/string.h"

/* A block that transaction `sequence` revoked: older copies of it are not to be replayed. */
struct revocation {
  struct revocation *next;
  uint64_t block;
  uint32_t sequence;
};

#define BUCKETS 256

enum pass { PASS_SCAN, PASS_REVOKE, PASS_REPLAY };

struct recovery {
  struct ext4 *fs;
  struct journal *j;
  enum pass pass;
  uint32_t at;       /* the next block of the log to read */
  uint32_t left;     /* blocks that this pass may still read */
  uint32_t sequence; /* expected */
  uint32_t end;      /* the first transaction that is not complete; known after the first pass */
  uint8_t *block;    /* a descriptor, commit or revoke block */
  uint8_t *data;
  uint32_t replayed;
  struct revocation *revoked[BUCKETS];
};

/* Sequence numbers go round. */
static bool later(uint32_t a, uint32_t b) {
  return (int32_t)(a - b) > 0;
}

/* ---- Revocations ----------------------------------------------------------------------------- */

static struct revocation **bucket_of(struct recovery *r, uint64_t block) {
  return &r->revoked[(block ^ block >> 8) % BUCKETS];
}

static struct revocation *revocation_find(struct recovery *r, uint64_t block) {
  struct revocation *v = *bucket_of(r, block);
  while (v != NULL && v->block != block)
    v = v->next;
  return v;
}

static errno_t revoke(struct recovery *r, uint64_t block) {
  struct revocation *v = revocation_find(r, block);
  if (v == NULL) {
    v = kmalloc(sizeof *v);
    if (v == NULL)
      return ENOMEM;
    *v = (struct revocation){*bucket_of(r, block), block, r->sequence};
    *bucket_of(r, block) = v;
  }
  if (later(r->sequence, v->sequence))
    v->sequence = r->sequence;
  return 0;
}

static void revocations_free(struct recovery *r) {
  for (unsigned i = 0; i < BUCKETS; i++) {
    while (r->revoked[i] != NULL) {
      struct revocation *v = r->revoked[i];
      r->revoked[i] = v->next;
      kfree(v);
    }
  }
}

/* ---- Blocks of the log ----------------------------------------------------------------------- */

/* Reads the next block into `to`. ENOENT: this pass has gone round. */
static errno_t next_block(struct recovery *r, void *to) {
  if (r->left == 0)
    return ENOENT;
  r->left--;
  uint32_t at = r->at++;
  if (r->at == r->j->first + r->j->blocks)
    r->at = r->j->first;
  return log_read(r->fs, r->j, at, to);
}

static bool tail_ok(const struct recovery *r) {
  if (r->j->csum_version == 0)
    return true;
  const struct jbd2_tail *tail = (const void *)(r->block + r->fs->block_bytes - sizeof *tail);
  return tail->t_checksum == log_tail_csum(r->fs, r->j, r->block);
}

static bool commit_ok(const struct recovery *r) {
  const struct jbd2_commit *c = (const void *)r->block;
  return r->j->csum_version == 0 || c->h_chksum[0] == log_commit_csum(r->fs, r->j, r->block);
}

/* A tag, whatever its form. */
struct tag {
  uint64_t block;
  uint32_t flags, checksum;
};

static struct tag tag_read(const struct journal *j, const uint8_t *p) {
  struct jbd2_tag3 t3;
  struct jbd2_tag t = {0};
  if (j->csum_version == 3) {
    memcpy(&t3, p, sizeof t3);
    return (struct tag){
        be32_get(t3.t_blocknr) | (j->wide ? (uint64_t)be32_get(t3.t_blocknr_high) << 32 : 0),
        be32_get(t3.t_flags), be32_get(t3.t_checksum)};
  }
  memcpy(&t, p, log_tag_bytes(j));
  return (struct tag){be32_get(t.t_blocknr) | (uint64_t)be32_get(t.t_blocknr_high) << 32,
                      __builtin_bswap16(t.t_flags), __builtin_bswap16(t.t_checksum)};
}

static bool data_csum_ok(const struct recovery *r, const struct tag *tag) {
  if (r->j->csum_version == 0)
    return true;
  uint32_t crc = log_data_csum(r->fs, r->j, r->sequence, r->data);
  return r->j->csum_version == 3 ? crc == tag->checksum : (uint16_t)crc == tag->checksum;
}

/* Writes a block to its place, unless it was revoked later. */
static errno_t replay(struct recovery *r, const struct tag *tag) {
  const struct revocation *v = revocation_find(r, tag->block);
  if (v != NULL && !later(r->sequence, v->sequence))
    return 0;
  if (tag->block >= r->fs->blocks || !data_csum_ok(r, tag))
    return EINVAL;
  if ((tag->flags & JBD2_TAG_ESCAPE) != 0) {
    be32 magic = be32_put(JBD2_MAGIC);
    memcpy(r->data, &magic, sizeof magic);
  }
  r->replayed++;
  return blk_write(r->fs->dev, tag->block << r->fs->block_shift, r->data, r->fs->block_bytes);
}

/* ---- The three kinds of blocks --------------------------------------------------------------- */

/* A descriptor and the blocks that it tells of. */
static errno_t descriptor(struct recovery *r) {
  const size_t tag_bytes = log_tag_bytes(r->j);
  const size_t end = r->fs->block_bytes - log_tail_bytes(r->j);
  struct tag tag = {0};
  errno_t e = 0;
  for (size_t at = sizeof(struct jbd2_header);
       e == 0 && at + tag_bytes <= end && (tag.flags & JBD2_TAG_LAST) == 0;) {
    tag = tag_read(r->j, r->block + at);
    at += tag_bytes + ((tag.flags & JBD2_TAG_SAME_UUID) != 0 ? 0 : 16);
    e = next_block(r, r->data);
    if (e == 0 && r->pass == PASS_REPLAY)
      e = replay(r, &tag);
  }
  return e;
}

static errno_t revoke_block(struct recovery *r) {
  const struct jbd2_revoke *head = (const void *)r->block;
  const size_t each = r->j->wide ? 8 : 4;
  size_t end = be32_get(head->r_count);
  if (r->pass != PASS_REVOKE)
    return 0;
  if (end > r->fs->block_bytes - log_tail_bytes(r->j))
    return EINVAL;
  for (size_t at = sizeof *head; at + each <= end; at += each) {
    be64 wide;
    be32 narrow;
    memcpy(&wide, r->block + at, sizeof wide);
    memcpy(&narrow, r->block + at, sizeof narrow);
    errno_t e = revoke(r, r->j->wide ? __builtin_bswap64(wide) : be32_get(narrow));
    if (e != 0)
      return e;
  }
  return 0;
}

/* ---- A pass ---------------------------------------------------------------------------------- */

static void pass_begin(struct recovery *r, enum pass pass) {
  r->pass = pass;
  r->at = be32_get(r->j->super->s_start);
  r->sequence = be32_get(r->j->super->s_sequence);
  r->left = r->j->blocks;
}

/* One block and what belongs to it. ENOENT: the log ends here. */
static errno_t step(struct recovery *r) {
  const struct jbd2_header *h = (const void *)r->block;
  errno_t e = next_block(r, r->block);
  if (e != 0)
    return e;
  if (be32_get(h->h_magic) != JBD2_MAGIC || be32_get(h->h_sequence) != r->sequence)
    return ENOENT;
  switch (be32_get(h->h_blocktype)) {
    case JBD2_DESCRIPTOR:
      return tail_ok(r) ? descriptor(r) : ENOENT;
    case JBD2_REVOKE:
      return tail_ok(r) ? revoke_block(r) : ENOENT;
    case JBD2_COMMIT:
      if (!commit_ok(r))
        return ENOENT;
      r->sequence++;
      return 0;
    default:
      return ENOENT;
  }
}

static errno_t pass_run(struct recovery *r, enum pass pass) {
  errno_t e = 0;
  pass_begin(r, pass);
  while (e == 0 && (pass == PASS_SCAN || r->sequence != r->end))
    e = step(r);
  if (pass != PASS_SCAN)
    return e == ENOENT ? EINVAL : e; /* what the first pass saw must be there */
  r->end = r->sequence;
  return e == ENOENT ? 0 : e;
}

static errno_t passes(struct recovery *r, const char **why) {
  errno_t e = pass_run(r, PASS_SCAN);
  if (e == 0)
    e = pass_run(r, PASS_REVOKE);
  if (e == 0)
    e = pass_run(r, PASS_REPLAY);
  if (e == 0)
    e = blk_flush(r->fs->dev);
  if (e == EINVAL)
    *why = "its journal is damaged; run e2fsck on it";
  return e;
}

errno_t log_recover(struct ext4 *fs, struct journal *j, const char **why) {
  uint32_t start = be32_get(j->super->s_start);
  j->running.id = be32_get(j->super->s_sequence);
  j->head = j->first;
  if (start == 0)
    return 0;
  *why = "its journal is damaged; run e2fsck on it";
  if (start < j->first || start - j->first >= j->blocks)
    return EINVAL;
  struct recovery *r = kzalloc(sizeof *r);
  if (r == NULL)
    return ENOMEM;
  *r = (struct recovery){.fs = fs, .j = j};
  r->block = kmalloc(fs->block_bytes);
  r->data = kmalloc(fs->block_bytes);
  errno_t e = r->block != NULL && r->data != NULL ? passes(r, why) : ENOMEM;
  if (e == 0) {
    j->running.id = r->end + 1;
    e = log_super_write(fs, j, 0, j->running.id);
    log_info("ext4 %s: the journal brought %u blocks back", fs->name, r->replayed);
  }
  revocations_free(r);
  kfree(r->block);
  kfree(r->data);
  kfree(r);
  return e;
}
