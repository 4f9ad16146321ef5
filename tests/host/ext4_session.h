/*
 * A program on a file system where something fails, and what must be true then: no crash and no
 * leak; whatever a sync had promised is there after a restart, on a disk that e2fsck finds clean;
 * and if the file system goes on after an error, as if nothing had been, it is whole itself.
 */
#ifndef TESTS_HOST_EXT4_SESSION_H
#define TESTS_HOST_EXT4_SESSION_H

#include "fs/ext4/csum.h"
#include "tests/host/ext4_judge.h"
#include "tests/host/ext4_program.h"
#include "tests/host/linux_tools.h"

static uint8_t *session_image;         /* what the disk begins with */
static uint64_t session_names;         /* of an empty one */
static char session_what[200];         /* for messages */
static void (*session_fault)(bool on); /* plants the fault, before the mount, and takes it away */
static uint64_t session_requests;      /* of the last one, up to its end */
static unsigned session_refused, session_failed, session_survived; /* how they ended */

/* A disk in a file that e2fsck can look at, with a new file system. */
static void session_mkfs(unsigned mib, const char *options) {
  fixture_mkfs(mib, options);
  session_image = disk.bytes;
  disk.bytes = tools_map(fixture_file(), disk.dev.size_bytes);
  assert_non_null(disk.bytes);
  memcpy(disk.bytes, session_image, disk.dev.size_bytes);
  struct vnode *root;
  struct tree t;
  const char *why = "";
  assert_int_equal(ext4_mount(&disk.dev, true, &root, &why), 0);
  assert_int_equal(tree_read(&t, root), 0);
  session_names = t.hash;
  assert_int_equal(ext4_unmount(root), 0);
}

static void session_free(void) {
  tools_unmap(disk.bytes, disk.dev.size_bytes);
  disk.bytes = NULL;
  disk_free(&disk);
  free(session_image);
}

#define SESSION_CHECK(condition, ...)                                    \
  do {                                                                   \
    if (!(condition)) {                                                  \
      printf(__VA_ARGS__);                                               \
      fail_msg("%s, operation %u: " #condition, session_what, work_now); \
    }                                                                    \
  } while (0)

static void session_fsck(void) {
  const char *const words[] = {"e2fsck", "-fn", fixture_file(), NULL};
  char output[4000], copy[4000];
  int status = tools_run(words, output, sizeof output);
  unsigned others = 0; /* the last line, with figures */
  strcpy(copy, output);
  for (char *s = strtok(copy, "\n"); s != NULL; s = strtok(NULL, "\n"))
    others += strncmp(s, "e2fsck ", 7) != 0 && strncmp(s, "Pass ", 5) != 0;
  SESSION_CHECK(status == 0 && others == 1, "e2fsck -fn: %d\n%s", status, output);
}

static void session_over(bool synced) {
  if (synced)
    work_durable = work_now;
}

/* The machine starts again; `judged`: with what the program left. */
static void session_restart(bool judged) {
  struct vnode *root;
  const char *why = "";
  uint64_t hash;
  SESSION_CHECK(ext4_mount(&disk.dev, false, &root, &why) == 0, "%s\n", why);
  const char *complaint = judged ? judge_tree(root, &hash) : NULL;
  SESSION_CHECK(complaint == NULL, "%u to %u: %s\n", work_durable, work_now, complaint);
  SESSION_CHECK(ext4_unmount(root) == 0, "it ends badly\n");
  session_fsck();
}

/* In memory a file is what the program made of it, unless it can't be read. */
static void session_read_files(bool failed) {
  static uint8_t bytes[WORK_FILE_BYTES + 8];
  for (struct work_file *f = work_files; f < work_files + WORK_FILES; f++) {
    struct uio uio;
    if (!f->used || f->v == NULL || f->changed == WORK_NEVER)
      continue;
    uio_init_kernel(&uio, bytes, sizeof bytes);
    errno_t e = f->v->ops->pread(f->v, &uio, 0);
    size_t n = sizeof bytes - uio.resid;
    if (e != 0 && failed)
      continue;
    size_t same = 0;
    while (same < n && same < f->size && bytes[same] == f->data[same])
      same++;
    SESSION_CHECK(e == 0 && n == f->size && same == n,
                  "inode %lu: error %u, %zu bytes of %zu, as after operation %u up to %zu\n",
                  f->ino, e, n, f->size, f->changed, same);
  }
}

/* The end of the program. If something failed it tries to make its work safe; what failed is in
 * order then, and it tries again. */
static void session_epilogue(struct vnode *root) {
  struct ext4 *fs = einode_of(root)->fs;
  struct vnode *v;
  sync_node(root, false);
  bool over = work_error != 0;
  if (over)
    session_fault(false);
  session_read_files(fs->failed || !over);
  if (fs->failed) {
    SESSION_CHECK(root->ops->create(root, "more", 4, FILETYPE_REGULAR_FILE, &v) == EROFS, " ");
    SESSION_CHECK(root->ops->sync(root, false) == EIO, " ");
  } else if (over) {
    sync_node(root, false);
    SESSION_CHECK(work_durable == work_now, "it can't be synced any more\n");
  }
}

static void session_end(struct vnode *root) {
  bool failed = einode_of(root)->fs->failed, over = work_error != 0;
  work_now++;
  work_trees[work_now] = work_trees[work_now - 1];
  work_close();
  errno_t e = ext4_unmount(root);
  bool good = e == 0 && !failed;
  SESSION_CHECK(failed || good || !over, "failed %d, unmounting %u\n", failed, e);
  if (good)
    work_durable = work_now;
  session_failed += !good;
  session_survived += good;
}

/* Mounts the image, with the fault, lets the program run until an operation fails, or so many
 * steps, and ends; then starts again. */
static void session_run(unsigned seed, unsigned steps) {
  struct vnode *root;
  const char *why = "";
  assert_int_equal(csum_init(), 0); /* its tables stay */
  size_t heap = heap_used_bytes();
  memcpy(disk.bytes, session_image, disk.dev.size_bytes);
  memset(work_trees, 0, sizeof work_trees);
  work_faulty = true;
  work_trees[0] = session_names;
  session_fault(true);
  errno_t e = ext4_mount(&disk.dev, false, &root, &why);
  work_begin(root, seed);
  if (e == 0) {
    program_begin(root, seed, session_over);
    for (unsigned i = 0; i < steps && work_error == 0; i++)
      program_step();
    session_epilogue(root);
    session_end(root);
  } else {
    session_refused++;
  }
  session_fault(false);
  session_requests = disk.requests;
  SESSION_CHECK(heap_used_bytes() == heap, "%zu bytes, and there were %zu\n", heap_used_bytes(),
                heap);
  session_restart(work_now > 0);
  work_end();
}

#endif
