/*
 * Transactions: what several blocks change into, all or nothing (jbd2's journal, ordered mode).
 *
 * An operation of the file system is one handle: tx_begin(), changes to buffers each told by
 * tx_dirty(), tx_end(). Handles that follow each other gather in the running transaction, which is
 * committed after some seconds, on request, or when it grows too large. The file system's lock is
 * held throughout, so no commit ever sees half an operation. Without a journal (ext2) the same
 * calls work and order nothing.
 */
#ifndef FS_EXT4_JOURNAL_H
#define FS_EXT4_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "fs/ext4/bcache.h"

struct einode;
struct ext4;
struct journal;

/* Reads the journal's superblock and, with `replay`, brings what it holds to its place; afterwards
 * it is empty. Without a journal (ext2) there is one that logs nothing. EIO; EINVAL with `why`: a
 * journal that we don't understand. */
errno_t journal_open(struct ext4 *fs, bool replay, struct journal **journal, const char **why);
/* Frees it; what it holds is lost to memory, not to the disk. The changed buffers stay in the
 * cache, which goes next. */
void journal_free(struct journal *j);

/* Buffers that the running transaction may hold: a sixteenth of memory, between these. The largest
 * handle takes fewer than the least. */
#define TX_BUFFERS_MAX 1024
#define TX_BUFFERS_MIN 128

/* Room for `blocks` more changed metadata blocks. It may let go of the lock to commit, so it comes
 * before anything is looked at. EROFS: after an error nothing is changed any more; EIO. May sleep.
 * Not while a handle is open. */
errno_t tx_begin(struct ext4 *fs, unsigned blocks);
/* e: how the operation ended. If it could not go on after it had changed something (EIO, ENOMEM),
 * half of it must not be committed: the file system is read-only from then on. */
void tx_end(struct ext4 *fs, errno_t e);
/* For operations of unknown size, between two consistent states: ends the handle and begins another
 * if fewer than `blocks` are left of the one that is open. */
errno_t tx_extend(struct ext4 *fs, unsigned blocks);
/* b was, or is about to be, changed inside this handle. It stays in memory until it is at home. Its
 * checksum must be right when the handle ends. */
void tx_dirty(struct ext4 *fs, struct buf *b);
/* Blocks that are freed inside this handle: nobody gets them before its transaction is committed.
 * ENOMEM. */
errno_t tx_freed(struct ext4 *fs, uint64_t block, uint32_t count);
/* Metadata among them, besides: no older copy of them is ever replayed. ENOMEM. */
errno_t tx_forget(struct ext4 *fs, uint64_t block, uint32_t count);
/* Whether there may be blocks that a commit would let go of: freed ones, or a deleted file's whose
 * pages it would have written. */
bool tx_holds_blocks(const struct ext4 *fs);
/* The inode's dirty data pages reach the disk before this transaction's commit does. */
void tx_order(struct ext4 *fs, struct einode *ino);
/* Whether a transaction that takes no more changes still waits for such pages: they must not be
 * given back unwritten, or a crash would show what the blocks held before. */
bool tx_ordering(const struct ext4 *fs);

/* Makes everything that was done before the call durable: data of ordered inodes, the journal, the
 * device's cache. Without the file system's lock. EIO. May sleep. */
errno_t journal_commit(struct ext4 *fs);

/* Commits, brings everything home and empties the journal: the disk is as if there had been none.
 * Without the lock. EIO. */
errno_t journal_checkpoint(struct ext4 *fs);

/* Notes in the journal that the file system is damaged, as replaying it would bring a superblock
 * back that doesn't say so. The lock. And whether that was noted. */
void journal_note_error(struct ext4 *fs);
bool journal_has_error(const struct journal *j);

/* Whether blocks [block, block + count) may be given out: not if they were freed by a transaction
 * that is not committed yet. Returns how many from `block` on may, or 0; and then `*busy` how many
 * may not.
 */
uint64_t tx_reusable(struct ext4 *fs, uint64_t block, uint64_t count, uint64_t *busy);

#endif
