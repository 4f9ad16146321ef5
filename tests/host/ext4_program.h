/*
 * The program of the tests with power cuts and faults: random operations, each told to the test
 * when it is over.
 */
#ifndef TESTS_HOST_EXT4_PROGRAM_H
#define TESTS_HOST_EXT4_PROGRAM_H

#include "fs/ext4/journal_log.h"
#include "tests/host/ext4_stamps.h"

static struct vnode *program_root;
static void (*program_over)(
    bool synced); /* an operation; with `synced` one that makes all durable */

static void begin(void) {
  work_now++;
}

static void end_with(bool synced) {
  static struct tree t;
  errno_t e = tree_read(&t, program_root);
  if (e != 0) { /* a fault that comes once */
    tree_put_back(&t);
    e = tree_read(&t, program_root);
  }
  if (work_went(e))
    work_trees[work_now] = t.hash;
  else if (work_now > 0) /* then nothing gets to the disk either */
    work_trees[work_now] = work_trees[work_now - 1];
  tree_put_back(&t);
  program_over(synced);
}

static void end(void) {
  end_with(false);
}

/* An operation of its own: all that was done is to be safe. */
static void sync_node(struct vnode *v, bool by_mapping) {
  struct memobj *obj = NULL;
  begin();
  if (by_mapping)
    assert_int_equal(v->ops->memobj(v, &obj), 0);
  errno_t e = by_mapping ? obj->ops->sync(obj, 0, UINT64_MAX) : v->ops->sync(v, true);
  memobj_unref(obj);
  end_with(work_went(e));
}

static void sync_some(void) {
  struct work_file *f = work_file_some(work_random(4) == 0);
  sync_node(f != NULL ? f->v : program_root, f != NULL && work_random(2) == 0);
}

/* What a program does that must not lose a file, or (not synced) one that is less careful. */
static void save(void) {
  struct work_name *old = work_find("saved"), *x;
  begin();
  x = work_file_slot_free() ? work_create(work_names, "saved.new", FILETYPE_REGULAR_FILE) : NULL;
  end();
  begin();
  if (x != NULL) {
    x->file->fixed = true;
    work_write(x->file, 0, SAVED_BYTES);
  }
  end();
  bool whole = x != NULL && x->file->size == SAVED_BYTES && work_error == 0;
  if (whole && work_random(2) == 0) {
    sync_node(x->v, false);
  }
  begin();
  if (whole)
    work_rename(x, work_names, "saved", old);
  else if (x != NULL)
    work_unlink(x, false);
  end();
}

/* Many names in one directory, made or taken away: its index grows and shrinks. */
static void crowd(void) {
  struct work_name *dir = work_find("crowd"), *to = work_name_some(FILETYPE_REGULAR_FILE);
  char name[200];
  bool more = work_random(3) > 0;
  for (unsigned i = 0; dir != NULL && i < 25; i++) {
    begin();
    work_new_name(name, true);
    if (more && to != NULL && work_random(2) == 0)
      work_link(dir, name, to);
    else if (more)
      work_symlink(dir, name, 1 + work_random(100));
    for (struct work_name *x = work_names + work_random(WORK_NAMES);
         !more && x < work_names + WORK_NAMES; x++) {
      if (x->used && x->dir == work_index(dir) && x->type != FILETYPE_DIRECTORY) {
        work_unlink(x, false);
        break;
      }
    }
    end();
  }
}

static void create_some(void) {
  struct work_name *dir = work_name_some(FILETYPE_DIRECTORY);
  char name[200];
  bool is_dir = work_random(3) == 0;
  work_new_name(name, false);
  if (is_dir || work_file_slot_free())
    work_create(dir, name, is_dir ? FILETYPE_DIRECTORY : FILETYPE_REGULAR_FILE);
}

static void rename_some(void) {
  struct work_name *x = work_name_some(0), *dir = work_name_some(FILETYPE_DIRECTORY), *over = NULL;
  char name[200];
  if (x == NULL || work_inside(work_index(dir), x) || strncmp(x->name, "n", 1) != 0)
    return;
  work_new_name(name, false);
  if (work_random(2) == 0)
    over = work_name_some(x->type);
  if (over != NULL && over != x && over->v != x->v && strncmp(over->name, "n", 1) == 0 &&
      !work_has_children(over) && !work_inside(over->dir, x))
    work_rename(x, &work_names[over->dir], strcpy(name, over->name), over);
  else
    work_rename(x, dir, name, NULL);
}

static void unlink_some(void) {
  struct work_name *x = work_name_some(0);
  if (x != NULL && x->name[0] == 'n' && !work_has_children(x))
    work_unlink(x, work_random(3) == 0);
}

static void close_some(void) {
  struct work_file *f = work_file_some(true);
  if (f == NULL)
    return;
  vnode_unref(f->v);
  f->v = NULL;
  ext4_reap(einode_of(program_root)->fs);
}

static size_t words(size_t n) {
  return n & ~(size_t)7;
}

static void map_write_some(struct work_file *f, size_t n) {
  size_t at = words(work_random((unsigned)f->size - 8));
  work_map_write(f, at, n < f->size - at ? n : f->size - at);
}

static void write_some(struct work_file *f, unsigned how) {
  size_t room = WORK_FILE_BYTES - 70000;
  size_t at = words(work_random(3) == 0 ? work_random(WORK_FILE_BYTES - 70000)
                                        : work_random((unsigned)f->size + 1));
  size_t n = 8 + words(work_random(work_random(3) == 0 ? 60000 : 5000));
  at = at < room ? at : room;
  if (how < 2 && work_all_bytes() < WORK_ALL_BYTES)
    work_write(f, at, n);
  else if (how == 2 && f->size >= 16)
    map_write_some(f, n);
  else if (how == 3 && work_all_bytes() < WORK_ALL_BYTES)
    work_allocate(f, at, n);
  else
    work_truncate(f, at / (1 + work_random(3)) & ~(size_t)7);
}

static void program_step(void) {
  unsigned op = work_random(100);
  struct work_file *f = work_file_some(work_random(6) == 0);
  struct work_name *to = work_name_some(FILETYPE_REGULAR_FILE);
  char name[200];
  if (op >= 88) {
    op < 94 ? sync_some() : op < 98 ? save() : crowd();
    return;
  }
  begin();
  work_new_name(name, false);
  if (op < 14)
    create_some();
  else if (op < 24)
    rename_some();
  else if (op < 32)
    unlink_some();
  else if (op < 35)
    close_some();
  else if (op < 38)
    work_symlink(work_name_some(FILETYPE_DIRECTORY), name, 1 + work_random(300));
  else if (op < 41 && to != NULL)
    work_link(work_name_some(FILETYPE_DIRECTORY), name, to);
  else if (op < 43)
    ext4_commit_all(); /* what the flusher does */
  else if (op < 44)
    work_went(journal_checkpoint(einode_of(program_root)->fs));
  else if (f != NULL && f->v != NULL)
    write_some(f, op < 70 ? 0 : op < 77 ? 2 : op < 81 ? 3 : 4);
  end();
  if (f != NULL && f->v != NULL && op >= 44 && op < 48) { /* O_DSYNC */
    sync_node(f->v, false);
  }
}

static inline void program_begin(struct vnode *root, unsigned seed, void (*over)(bool synced)) {
  program_root = root;
  program_over = over;
  work_begin(root, seed);
  end();
  begin();
  work_create(work_names, "crowd", FILETYPE_DIRECTORY);
  end();
}

#endif
