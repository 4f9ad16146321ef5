/*
 * Whether a disk is one that a program may find after a power cut or a fault: names of a moment
 * since the last sync, all bytes that were synced and left alone since, and no bytes of others.
 */
#ifndef TESTS_HOST_EXT4_JUDGE_H
#define TESTS_HOST_EXT4_JUDGE_H

#include "tests/host/ext4_stamps.h"

static char judge_complaint[300];
static unsigned judge_files; /* whose bytes were looked at */

#define JUDGE(condition, ...)                                         \
  do {                                                                \
    if (!(condition)) {                                               \
      snprintf(judge_complaint, sizeof judge_complaint, __VA_ARGS__); \
      return false;                                                   \
    }                                                                 \
  } while (0)

/* Every word belongs where it lies, or was never written. */
static bool judge_words(const struct tree_file *t, const uint8_t *bytes, size_t n, bool whole) {
  for (size_t i = 0; i + 8 <= n; i += 8) {
    uint64_t word;
    memcpy(&word, bytes + i, 8);
    JUDGE(work_word_ok(word, t->ino, i) && !(whole && word == 0), "%s has %lx at %zu of %zu",
          t->name, word, i, n);
  }
  return true;
}

/* A file, if the names are those after operation `at`. */
static bool judge_file(const struct tree_file *t, unsigned at) {
  static uint8_t bytes[WORK_FILE_BYTES + 8];
  const struct work_file *f = work_file_by_ino(t->ino, at);
  bool saved = strcmp(t->name, "saved") == 0;
  struct uio uio;
  uio_init_kernel(&uio, bytes, sizeof bytes);
  errno_t e = t->v->ops->pread(t->v, &uio, 0);
  size_t n = sizeof bytes - uio.resid;
  JUDGE(e == 0, "%s: error %u", t->name, e);
  judge_files++;
  if (f != NULL && f->born <= work_durable && f->changed <= work_durable) {
    size_t same = 0;
    while (same < n && same < f->size && bytes[same] == f->data[same])
      same++;
    JUDGE(
        n == f->size && same == n,
        "%s, synced after operation %u, has other bytes, %zu of %zu, from %zu on (%02x, not %02x)",
        t->name, f->changed, n, f->size, same, bytes[same], f->data[same]);
  }
  JUDGE(!saved || n == SAVED_BYTES, "saved has %zu bytes", n);
  return judge_words(t, bytes, n, saved);
}

static bool judge_at(const struct tree *t, unsigned at) {
  for (unsigned i = 0; i < t->count; i++)
    if (!judge_file(&t->files[i], at))
      return false;
  return true;
}

/* NULL, or what is wrong with the disk; in *hash which names it has. */
static const char *judge_tree(struct vnode *root, uint64_t *hash) {
  static struct tree t;
  bool found = false;
  errno_t e = tree_read(&t, root);
  snprintf(judge_complaint, sizeof judge_complaint, "error %u, %u names of no moment since then", e,
           t.names);
  for (unsigned at = work_now + 1; e == 0 && !found && at-- > work_durable;)
    found = work_trees[at] == t.hash && judge_at(&t, at);
  *hash = t.hash;
  tree_put_back(&t);
  return found ? NULL : judge_complaint;
}

#endif
