/*
 * A program's work on a file system for power cuts: every word of a file says where it belongs, so
 * that a disk of any later moment can be judged. Operations are numbered; after each the names that
 * there are then are remembered, and who changed last.
 */
#ifndef TESTS_HOST_EXT4_STAMPS_H
#define TESTS_HOST_EXT4_STAMPS_H

#include "kernel/memobj.h"
#include "tests/host/ext4_tree.h"

#define WORK_FILES 48  /* that exist or did a while ago */
#define WORK_NAMES 260 /* and directories */
#define WORK_FILE_BYTES 400000
#define WORK_ALL_BYTES 1000000
#define WORK_OPERATIONS 4000
#define WORK_NEVER UINT32_MAX
#define SAVED_BYTES 3000 /* of the file "saved", which is always whole */

/* A file, as it is to be. */
struct work_file {
  bool used;
  struct vnode *v; /* NULL: nobody has it open any more, nor has it names */
  inode_t ino;
  uint8_t *data;
  size_t size;
  unsigned born, changed, died; /* operations; died 0: it has a name; WORK_NEVER: who knows */
  unsigned names;
  bool fixed; /* random work leaves its contents alone */
};

struct work_name {
  bool used;
  filetype_t type;
  struct vnode *v;
  struct work_file *file; /* NULL: a directory, or another thing */
  unsigned dir;
  char name[200];
};

static struct work_file work_files[WORK_FILES];
static struct work_name work_names[WORK_NAMES]; /* the first is the root */
static uint64_t work_trees[WORK_OPERATIONS];    /* the names after each operation */
static unsigned work_now;                       /* the number of the last one */
static unsigned work_durable;                   /* of the last one that was synced */
static bool work_faulty;                        /* the disk may fail, or memory */
static errno_t work_error;                      /* the first that it led to */
static unsigned work_serial;                    /* every name is another one */
static uint64_t work_state;
static uint8_t work_bytes[WORK_FILE_BYTES];

static unsigned work_random(unsigned n) {
  work_state ^= work_state << 13;
  work_state ^= work_state >> 7;
  work_state ^= work_state << 17;
  return (unsigned)((work_state >> 20) % n);
}

static void work_begin(struct vnode *root, unsigned seed) {
  memset(work_files, 0, sizeof work_files);
  memset(work_names, 0, sizeof work_names);
  work_state = (seed + 1) * 0x9e3779b97f4a7c15ul;
  work_now = work_durable = work_serial = 0;
  work_error = 0;
  work_names[0] = (struct work_name){.used = true, .type = FILETYPE_DIRECTORY, .v = root};
}

/* Whether it worked; if not, the error is one that the disk or the memory is entitled to. */
static bool work_went(errno_t e) {
  bool fault = e == EIO || e == EROFS || e == ENOMEM;
  if (e != 0 && e != ENOSPC && !(work_faulty && fault))
    fail_msg("operation %u ended with error %u", work_now, e);
  if (fault && work_error == 0)
    work_error = e;
  return e == 0;
}

/* ---- Files ----------------------------------------------------------------------------------- */

static void work_file_free(struct work_file *f) {
  vnode_unref(f->v);
  free(f->data);
  *f = (struct work_file){0};
}

static struct work_file *work_file_new(struct vnode *v) {
  struct filestat st;
  struct work_file *f = work_files, *oldest = NULL;
  while (f < work_files + WORK_FILES && f->used) {
    if (f->died != 0 && f->v == NULL && (oldest == NULL || f->died < oldest->died))
      oldest = f;
    f++;
  }
  if (f == work_files + WORK_FILES) {
    if (oldest == NULL)
      return NULL;
    work_file_free(f = oldest);
  }
  v->ops->stat(v, &st);
  *f = (struct work_file){true, vnode_ref(v), st.st_ino, calloc(1, WORK_FILE_BYTES),
                          0,    work_now,     work_now,  0,
                          1,    false};
  return f;
}

/* Whether one more file can be kept, without forgetting one that may be asked about. */
static bool work_file_slot_free(void) {
  for (struct work_file *f = work_files; f < work_files + WORK_FILES; f++)
    if (!f->used || (f->died != 0 && f->v == NULL && f->died < work_durable))
      return true;
  return false;
}

/* The file that had the number after operation `at`; NULL: none, or it is forgotten. */
static struct work_file *work_file_by_ino(inode_t ino, unsigned at) {
  for (struct work_file *f = work_files; f < work_files + WORK_FILES; f++)
    if (f->used && f->ino == ino && f->born <= at && (f->died == 0 || f->died > at))
      return f;
  return NULL;
}

static struct work_file *work_file_some(bool unlinked) {
  struct work_file *found[WORK_FILES];
  unsigned n = 0;
  for (struct work_file *f = work_files; f < work_files + WORK_FILES; f++)
    if (f->used && !f->fixed && f->v != NULL && (f->died != 0) == unlinked)
      found[n++] = f;
  return n > 0 ? found[work_random(n)] : NULL;
}

static size_t work_all_bytes(void) {
  size_t n = 0;
  for (struct work_file *f = work_files; f < work_files + WORK_FILES; f++)
    n += f->v != NULL ? f->size : 0;
  return n;
}

/* ---- Words ----------------------------------------------------------------------------------- */

static uint64_t work_word(inode_t ino, size_t offset, unsigned generation) {
  return 0xa5ul << 56 | (uint64_t)ino << 32 | (uint64_t)(offset / 8) << 8 | (generation & 0xff);
}

/* Whether a word that lies there may do so; 0 is what was never written. */
static bool work_word_ok(uint64_t word, inode_t ino, size_t offset) {
  return word == 0 || (word & ~0xfful) == work_word(ino, offset, 0);
}

static void work_fill(const struct work_file *f, size_t offset, size_t n) {
  for (size_t i = 0; i < n; i += 8) {
    uint64_t word = work_word(f->ino, offset + i, work_now);
    memcpy(work_bytes + i, &word, 8);
  }
}

/* The file has changed; if `unsure`, nobody knows how, from now on. */
static void work_changed(struct work_file *f, bool unsure) {
  if (f->changed != WORK_NEVER)
    f->changed = unsure ? WORK_NEVER : work_now;
}

/* Bytes that went into the file. */
static void work_note(struct work_file *f, size_t offset, size_t n) {
  memcpy(f->data + offset, work_bytes, n);
  work_changed(f, false);
  if (n > 0 && offset + n > f->size)
    f->size = offset + n;
}

static void work_write(struct work_file *f, size_t offset, size_t n) {
  struct uio uio;
  filesize_t end;
  work_fill(f, offset, n);
  uio_init_kernel(&uio, work_bytes, n);
  bool whole = work_went(f->v->ops->pwrite(f->v, &uio, offset, false, &end)) && uio.resid == 0;
  work_note(f, offset, n - uio.resid);
  if (!whole) /* bytes that are not reported as written may be there */
    work_changed(f, true);
}

/* The same by a mapping, inside the file. */
static void work_map_write(struct work_file *f, size_t offset, size_t n) {
  struct memobj *obj;
  size_t done = 0;
  assert_int_equal(f->v->ops->memobj(f->v, &obj), 0);
  work_fill(f, offset, n);
  while (done < n) {
    pa_t pa;
    size_t at = offset + done, in_page = at % PAGE_SIZE;
    size_t part = n - done < PAGE_SIZE - in_page ? n - done : PAGE_SIZE - in_page;
    if (!work_went(obj->ops->get_page(obj, at - in_page, true, &pa)))
      break;
    memcpy((char *)pa_to_va(pa) + in_page, work_bytes + done, part);
    done += part;
  }
  work_note(f, offset, done);
  memobj_unref(obj);
}

static void work_truncate(struct work_file *f, size_t size) {
  struct filestat st = {.st_size = size};
  bool went = work_went(f->v->ops->set_stat(f->v, &st, FILESTAT_SIZE));
  work_changed(f, !went);
  if (!went)
    return;
  if (size < f->size)
    memset(f->data + size, 0, f->size - size);
  f->size = size;
}

static void work_allocate(struct work_file *f, size_t offset, size_t n) {
  struct filestat st;
  work_changed(f, !work_went(f->v->ops->allocate(f->v, offset, n)));
  f->v->ops->stat(f->v, &st); /* a part may have gone through */
  if (st.st_size > f->size)
    f->size = st.st_size;
}

/* ---- Names ----------------------------------------------------------------------------------- */

static struct work_name *work_name_slot(void) {
  for (struct work_name *x = work_names; x < work_names + WORK_NAMES; x++)
    if (!x->used)
      return x;
  return NULL;
}

/* One of a type (0: any but the root); NULL: none. */
static struct work_name *work_name_some(filetype_t type) {
  struct work_name *found[WORK_NAMES];
  unsigned n = 0;
  for (struct work_name *x = work_names + (type != FILETYPE_DIRECTORY); x < work_names + WORK_NAMES;
       x++)
    if (x->used && (type == 0 || x->type == type))
      found[n++] = x;
  return n > 0 ? found[work_random(n)] : NULL;
}

static unsigned work_index(const struct work_name *x) {
  return (unsigned)(x - work_names);
}

static bool work_has_children(const struct work_name *dir) {
  for (struct work_name *x = work_names + 1; x < work_names + WORK_NAMES; x++)
    if (x->used && x->dir == work_index(dir))
      return true;
  return false;
}

static bool work_inside(unsigned at, const struct work_name *dir) {
  while (at != work_index(dir) && at != 0)
    at = work_names[at].dir;
  return at == work_index(dir);
}

/* A name that there never was; a long one fills directories. */
static void work_new_name(char *name, bool is_long) {
  int n = sprintf(name, "n%u", work_serial++);
  if (is_long)
    memset(name + n, 'x', 150), name[n + 150] = '\0';
}

static struct work_name *work_create(struct work_name *dir, const char *name, filetype_t type) {
  struct work_name *x = work_name_slot();
  struct vnode *v;
  if (x == NULL || !work_went(dir->v->ops->create(dir->v, name, strlen(name), type, &v)))
    return NULL;
  *x = (struct work_name){true, type, v, NULL, work_index(dir), ""};
  strcpy(x->name, name);
  if (type == FILETYPE_REGULAR_FILE)
    x->file = work_file_new(v);
  return x;
}

static void work_symlink(struct work_name *dir, const char *name, size_t len) {
  struct work_name *x = work_name_slot();
  struct vnode *v;
  memset(work_bytes, 's', len);
  if (x == NULL ||
      !work_went(dir->v->ops->symlink(dir->v, name, strlen(name), (char *)work_bytes, len)))
    return;
  if (!work_went(dir->v->ops->lookup(dir->v, name, strlen(name), &v)))
    return;
  *x = (struct work_name){true, FILETYPE_SYMBOLIC_LINK, v, NULL, work_index(dir), ""};
  strcpy(x->name, name);
}

static void work_link(struct work_name *dir, const char *name, struct work_name *to) {
  struct work_name *x = work_name_slot();
  if (x == NULL || to->file == NULL ||
      !work_went(dir->v->ops->link(dir->v, name, strlen(name), to->v)))
    return;
  *x = (struct work_name){true, to->type, vnode_ref(to->v), to->file, work_index(dir), ""};
  strcpy(x->name, name);
  to->file->names++;
}

/* The model loses a name; the file may stay open. */
static void work_forget(struct work_name *x, bool stay_open) {
  if (x->file != NULL && --x->file->names == 0) {
    x->file->died = work_now;
    if (!stay_open) {
      vnode_unref(x->file->v);
      x->file->v = NULL;
    }
  }
  vnode_unref(x->v);
  x->used = false;
}

static void work_unlink(struct work_name *x, bool stay_open) {
  struct vnode *dir = work_names[x->dir].v;
  if (work_went(dir->ops->unlink(dir, x->name, strlen(x->name), x->v)))
    work_forget(x, stay_open);
}

static bool work_rename(struct work_name *x, struct work_name *dir, const char *name,
                        struct work_name *replaced) {
  struct vnode *from = work_names[x->dir].v;
  if (!work_went(from->ops->rename(from, x->name, strlen(x->name), x->v, dir->v, name, strlen(name),
                                   replaced != NULL ? replaced->v : NULL)))
    return false;
  char kept[sizeof x->name];
  strcpy(kept, name);
  if (replaced != NULL)
    work_forget(replaced, work_random(4) == 0);
  x->dir = work_index(dir);
  strcpy(x->name, kept);
  return true;
}

static struct work_name *work_find(const char *name) {
  for (struct work_name *x = work_names + 1; x < work_names + WORK_NAMES; x++)
    if (x->used && strcmp(x->name, name) == 0)
      return x;
  return NULL;
}

/* The program ends: its references go, the model stays. */
static void work_close(void) {
  for (struct work_name *x = work_names + 1; x < work_names + WORK_NAMES; x++) {
    vnode_unref(x->used ? x->v : NULL);
    x->used = false;
  }
  for (struct work_file *f = work_files; f < work_files + WORK_FILES; f++) {
    vnode_unref(f->v);
    f->v = NULL;
  }
}

static void work_end(void) {
  work_close();
  for (struct work_file *f = work_files; f < work_files + WORK_FILES; f++)
    if (f->used)
      work_file_free(f);
}

#endif
