// sources: fs/tmpfs.c fs/tmpfs_dir.c fs/tmpfs_file.c fs/tmpfs_names.c fs/vfile.c fs/lookup.c
// sources: kernel/pagecache_room.c
// sources: kernel/avl.c kernel/pagecache.c kernel/memobj.c kernel/uio.c kernel/file.c
// sources: kernel/pagetree.c
// sources: kernel/fdtable.c kernel/rights.c kernel/sys/fd.c kernel/sys/file.c
// sources: kernel/sys/file_names.c
/*
 * Random file_* and fd_* calls on tmpfs, step by step against a simple model: every result, and
 * every so often everything that there is. By hand, more of it: test_tmpfs_random SEEDS [FIRST]
 */
#include "tests/host/tmpfs_fixture.h"

#define STEPS 4000
#define FILE_MAX 70000 /* bytes */
#define DIR_MAX 8      /* names in a directory: as many as there are */
#define FDS 12

/* ---- Numbers --------------------------------------------------------------------------------- */

static unsigned long seed;
static unsigned step;
static uint64_t limit;
static uint64_t random_state;

static uint32_t below(uint32_t n) {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  random_state ^= random_state << 17;
  return (uint32_t)((random_state >> 20) % n);
}

static void check(bool ok, int line, const char *what) {
  if (!ok)
    fail_msg("seed %lu, step %u, line %d: %s", seed, step, line, what);
}
#define CHECK(cond) check(cond, __LINE__, #cond)

/* ---- The model ------------------------------------------------------------------------------- */

struct model {
  filetype_t type;
  unsigned names, fds; /* the root has a name too many */
  inode_t ino;
  struct model *parent;         /* of a directory */
  struct model *child[DIR_MAX]; /* by name */
  char *data;                   /* FILE_MAX of them */
  size_t size;
};

struct model_fd {
  bool open;
  bool append;
  fd_t fd;
  size_t offset;
  struct model *m;
};

static struct model *model_root;
static struct model_fd fds[FDS];

static struct model *model_new(filetype_t type) {
  struct model *m = calloc(1, sizeof *m);
  m->type = type;
  if (type == FILETYPE_REGULAR_FILE)
    m->data = calloc(1, FILE_MAX);
  return m;
}

static void model_drop(struct model *m) {
  if (m->names > 0 || m->fds > 0)
    return;
  free(m->data);
  free(m);
}

static bool is_dir(const struct model *m) {
  return m->type == FILETYPE_DIRECTORY;
}

static unsigned model_count(const struct model *m, bool directories) {
  unsigned n = 0;
  for (unsigned i = 0; i < DIR_MAX; i++)
    n += m->child[i] != NULL && (!directories || is_dir(m->child[i]));
  return n;
}

static unsigned model_links(const struct model *m) {
  return is_dir(m) && m->names > 0 ? 2 + model_count(m, true) : m->names;
}

static void model_set(struct model *dir, unsigned name, struct model *m) {
  struct model *old = dir->child[name];
  dir->child[name] = m;
  if (m != NULL)
    m->names++;
  if (m != NULL && is_dir(m))
    m->parent = dir;
  if (old != NULL) {
    old->names--;
    model_drop(old);
  }
}

/* ---- Paths: names are single letters --------------------------------------------------------- */

struct place {
  char text[32];
  errno_t error;
  struct model *dir, *node;
  unsigned name; /* DIR_MAX: the path ends in dots */
  bool slash;
};

/* Walks a path in the model. Links lead out of the tree. */
static void walk(struct place *p, struct model *start) {
  struct model *dirs[40] = {start};
  unsigned depth = 0;
  const char *s = p->text;
  p->node = NULL;
  p->error = 0;
  while (*s != '\0') {
    size_t len = strcspn(s, "/");
    bool slash = s[len] == '/', last;
    const char *next = s + len + strspn(s + len, "/");
    last = *next == '\0';
    p->dir = dirs[depth];
    p->name = DIR_MAX;
    p->slash = slash;
    if (s[0] == '.') {
      if (len == 2 && depth-- == 0) {
        p->error = ENOTCAPABLE;
        return;
      }
      if (last)
        p->dir = p->node = dirs[depth];
    } else {
      p->name = (unsigned)(s[0] - 'a');
      struct model *m = dirs[depth]->child[p->name];
      if (m == NULL && !last)
        p->error = ENOENT;
      else if (m != NULL && m->type == FILETYPE_SYMBOLIC_LINK && slash)
        p->error = ENOTCAPABLE;
      else if (m != NULL && !is_dir(m) && slash)
        p->error = ENOTDIR;
      if (p->error != 0)
        return;
      if (last)
        p->node = m;
      else
        dirs[++depth] = m;
    }
    s = next;
  }
}

static struct place some_place(struct model *start) {
  struct place p;
  char *s = p.text;
  unsigned n = 1 + below(3);
  for (unsigned i = 0; i < n; i++) {
    if (i > 0)
      *s++ = '/';
    unsigned kind = below(24);
    if (kind < 2) {
      *s++ = '.';
      if (kind == 1)
        *s++ = '.';
    } else {
      *s++ = (char)('a' + below(DIR_MAX));
    }
  }
  if (below(10) == 0)
    *s++ = '/';
  *s = '\0';
  walk(&p, start);
  return p;
}

/* ---- Descriptors ----------------------------------------------------------------------------- */

/* Some directory to begin at: the root, or one that is held, perhaps removed. */
static struct model *some_start(fd_t *fd) {
  const struct model_fd *held = &fds[below(FDS)];
  bool use = held->open && is_dir(held->m) && below(2) == 0;
  *fd = use ? held->fd : root;
  return use ? held->m : model_root;
}

static struct model_fd *some_file(void) {
  for (unsigned i = 0; i < 10; i++) {
    struct model_fd *f = &fds[below(FDS)];
    if (f->open && !is_dir(f->m))
      return f;
  }
  return NULL;
}

static void check_stat(const struct model *m, const struct filestat *st) {
  CHECK(st->st_filetype == m->type);
  CHECK(st->st_nlink == model_links(m));
  CHECK(st->st_size == m->size);
  CHECK(st->st_ino == m->ino);
}

/* The result of a call that may have found no room, or no memory; true: it did what it should. */
static bool done(errno_t e, errno_t want) {
  if (e == want)
    return e == 0;
  CHECK(e == ENOSPC || e == ENOMEM);
  CHECK(world_allocations_left == 0 || used() + 20000 > limit);
  return false;
}

/* ---- Calls on names -------------------------------------------------------------------------- */

static void learn_number(struct model *m, fd_t start, const char *path) {
  struct filestat st;
  long left = world_allocations_left;
  world_allocations_left = -1;
  CHECK(sys_file_stat_get(t, at(start, false), PATH(path), &st) == 0);
  world_allocations_left = left;
  m->ino = st.st_ino;
  check_stat(m, &st);
}

static void add_model(const struct place *p, filetype_t type, fd_t start) {
  struct model *m = model_new(type);
  model_set(p->dir, p->name, m);
  if (type == FILETYPE_SYMBOLIC_LINK)
    m->size = 4;
  learn_number(m, start, p->text);
}

static errno_t may_add(const struct place *p, bool dir) {
  if (p->error != 0)
    return p->error;
  if (p->node != NULL)
    return EEXIST;
  return (p->slash && !dir) || p->dir->names == 0 ? ENOENT : 0;
}

static void do_mkdir(void) {
  fd_t start;
  struct place p = some_place(some_start(&start));
  errno_t e = sys_file_create(t, start, PATH(p.text), FILETYPE_DIRECTORY);
  if (done(e, may_add(&p, true)))
    add_model(&p, FILETYPE_DIRECTORY, start);
}

static void do_symlink(void) {
  fd_t start;
  struct place p = some_place(some_start(&start));
  errno_t e = sys_file_symlink(t, "/out", 4, start, PATH(p.text));
  if (done(e, may_add(&p, false)))
    add_model(&p, FILETYPE_SYMBOLIC_LINK, start);
}

static void do_link(void) {
  fd_t start, to_start;
  struct place p = some_place(some_start(&start)), to = some_place(some_start(&to_start));
  errno_t e = sys_file_link(t, at(start, false), PATH(p.text), to_start, PATH(to.text));
  errno_t want = p.error != 0 ? p.error : to.error;
  if (want == 0 && p.node == NULL)
    want = ENOENT;
  if (want == 0 && is_dir(p.node))
    want = EPERM;
  if (done(e, want != 0 ? want : may_add(&to, false)))
    model_set(to.dir, to.name, p.node);
}

static errno_t may_rename(const struct place *p, const struct place *to) {
  if (p->error != 0 || to->error != 0)
    return p->error != 0 ? p->error : to->error;
  if (p->name == DIR_MAX || to->name == DIR_MAX)
    return EINVAL;
  if (p->node == NULL)
    return ENOENT;
  if (to->node == NULL && to->slash && !is_dir(p->node))
    return ENOTDIR;
  if (to->node != NULL && is_dir(p->node) != is_dir(to->node))
    return is_dir(p->node) ? ENOTDIR : EISDIR;
  if (p->node == to->node)
    return 0;
  if (to->dir->names == 0)
    return ENOENT;
  for (const struct model *m = to->dir; is_dir(p->node); m = m->parent) {
    if (m == p->node)
      return EINVAL;
    if (m == model_root)
      break;
  }
  return to->node != NULL && is_dir(to->node) && model_count(to->node, false) > 0 ? ENOTEMPTY : 0;
}

static void do_rename(void) {
  fd_t start, to_start;
  struct place p = some_place(some_start(&start)), to = some_place(some_start(&to_start));
  errno_t e = sys_file_rename(t, start, PATH(p.text), to_start, PATH(to.text));
  if (!done(e, may_rename(&p, &to)) || p.node == to.node)
    return;
  model_set(to.dir, to.name, p.node);
  model_set(p.dir, p.name, NULL);
}

static void do_unlink(void) {
  fd_t start;
  struct place p = some_place(some_start(&start));
  bool rmdir = below(2) == 0;
  errno_t e = sys_file_unlink(t, start, PATH(p.text), rmdir ? UNLINK_REMOVEDIR : 0);
  errno_t want = p.error;
  if (want == 0 && p.node == NULL)
    want = ENOENT;
  if (want == 0 && is_dir(p.node) != rmdir)
    want = rmdir ? ENOTDIR : EPERM;
  if (want == 0 && p.name == DIR_MAX)
    want = EINVAL;
  if (want == 0 && is_dir(p.node) && model_count(p.node, false) > 0)
    want = ENOTEMPTY;
  if (done(e, want))
    model_set(p.dir, p.name, NULL);
}

static void do_stat(void) {
  fd_t start;
  struct filestat st;
  struct place p = some_place(some_start(&start));
  errno_t e = sys_file_stat_get(t, at(start, false), PATH(p.text), &st);
  if (done(e, p.error == 0 && p.node == NULL ? ENOENT : p.error))
    check_stat(p.node, &st);
}

/* ---- Opening and closing --------------------------------------------------------------------- */

static errno_t may_open(const struct place *p, oflags_t oflags, bool write) {
  if (p->error != 0)
    return p->error;
  if (p->node == NULL)
    return oflags & O_CREAT && !p->slash && p->dir->names > 0 ? 0 : ENOENT;
  if (oflags & O_CREAT && oflags & O_EXCL)
    return EEXIST;
  if (p->node->type == FILETYPE_SYMBOLIC_LINK)
    return ELOOP;
  if (is_dir(p->node))
    return write || oflags & (O_CREAT | O_TRUNC) ? EISDIR : 0;
  return oflags & O_DIRECTORY ? ENOTDIR : 0;
}

static void do_open(void) {
  static const oflags_t kinds[] = {0,       O_CREAT,           O_CREAT,    O_CREAT | O_EXCL,
                                   O_TRUNC, O_CREAT | O_TRUNC, O_DIRECTORY};
  struct model_fd *f = &fds[below(FDS)];
  fd_t start;
  if (f->open)
    return;
  oflags_t oflags = kinds[below(sizeof kinds / sizeof kinds[0])];
  bool write = !(oflags & O_DIRECTORY) && below(4) != 0;
  f->append = below(4) == 0;
  struct place p = some_place(some_start(&start));
  struct fdstat st = {.fs_flags = f->append ? FDFLAG_APPEND : 0,
                      .fs_rights_base = write ? DIR_INHERITING : READING,
                      .fs_rights_inheriting = DIR_INHERITING};
  errno_t e = sys_file_open(t, at(start, false), PATH(p.text), oflags, &st, &f->fd);
  if (!done(e, may_open(&p, oflags, write)))
    return;
  if (p.node == NULL) {
    add_model(&p, FILETYPE_REGULAR_FILE, start);
    p.node = p.dir->child[p.name];
  } else if (oflags & O_TRUNC) {
    memset(p.node->data, 0, FILE_MAX);
    p.node->size = 0;
  }
  f->m = p.node;
  f->m->fds++;
  f->open = true;
  f->offset = 0;
  if (!write) { /* for reading alone: nothing may be written by it */
    size_t n;
    CHECK(is_dir(f->m) || write_fd(f->fd, "x", 1, &n) == ENOTCAPABLE);
    CHECK(is_dir(f->m) || set_size(f->fd, 0) == ENOTCAPABLE);
  }
}

static void close_model(struct model_fd *f) {
  CHECK(fd_close(&world_process.fds, f->fd) == 0);
  f->open = false;
  f->m->fds--;
  model_drop(f->m);
}

static void do_close(void) {
  struct model_fd *f = &fds[below(FDS)];
  if (f->open)
    close_model(f);
}

/* ---- Contents -------------------------------------------------------------------------------- */

static char buffer[FILE_MAX];

static bool writable(const struct model_fd *f) {
  struct fd_entry *e;
  fd_lookup(&world_process.fds, f->fd, &e);
  return (e->base & RIGHT_FD_WRITE) != 0;
}

static size_t some_offset(const struct model *m) {
  return below(3) == 0 ? below(FILE_MAX) : below((uint32_t)m->size + 1);
}

static void do_write(void) {
  struct model_fd *f = some_file();
  if (f == NULL || !writable(f))
    return;
  bool positioned = below(2) == 0;
  size_t offset = positioned ? some_offset(f->m) : f->append ? f->m->size : f->offset;
  size_t n = below(8) == 0 ? below(20000) : below(300), moved = 0;
  if (n > FILE_MAX - offset)
    n = FILE_MAX - offset;
  if (n == 0)
    return;
  for (size_t i = 0; i < n; i++)
    buffer[i] = (char)below(256);
  errno_t e =
      positioned ? pwrite_fd(f->fd, buffer, n, offset, &moved) : write_fd(f->fd, buffer, n, &moved);
  if (!done(e, 0))
    return;
  CHECK(moved == n || (moved > 0 && moved < n && !done(ENOSPC, 0)));
  memcpy(f->m->data + offset, buffer, moved);
  if (offset + moved > f->m->size)
    f->m->size = offset + moved;
  if (!positioned)
    f->offset = offset + moved;
}

static void do_read(void) {
  struct model_fd *f = some_file();
  if (f == NULL)
    return;
  bool positioned = below(2) == 0;
  size_t offset = positioned ? some_offset(f->m) : f->offset, moved = 99;
  size_t n = below(6000), left = offset < f->m->size ? f->m->size - offset : 0;
  struct iovec iov = {buffer, n};
  errno_t e = positioned ? pread_fd(f->fd, buffer, n, offset, &moved)
                         : sys_fd_read(t, f->fd, &iov, 1, &moved);
  CHECK(e == 0);
  CHECK(moved == (n < left ? n : left));
  CHECK(memcmp(buffer, f->m->data + offset, moved) == 0);
  if (!positioned)
    f->offset += moved;
}

static void do_seek(void) {
  struct model_fd *f = some_file();
  filesize_t at;
  if (f == NULL)
    return;
  f->offset = some_offset(f->m);
  CHECK(sys_fd_seek(t, f->fd, (filedelta_t)f->offset, WHENCE_SET, &at) == 0);
  CHECK(at == f->offset);
}

static void do_resize(void) {
  struct model_fd *f = some_file();
  if (f == NULL || !writable(f))
    return;
  size_t size = some_offset(f->m);
  if (below(3) == 0 && size < FILE_MAX) {
    size_t len = 1 + below((uint32_t)(FILE_MAX - size) < 9000 ? FILE_MAX - (uint32_t)size : 9000);
    if (done(sys_file_allocate(t, f->fd, size, len), 0) && size + len > f->m->size)
      f->m->size = size + len;
    return;
  }
  CHECK(set_size(f->fd, size) == 0);
  if (size < f->m->size)
    memset(f->m->data + size, 0, f->m->size - size);
  f->m->size = size;
}

/* ---- Everything ------------------------------------------------------------------------------ */

struct census {
  struct dir_sink sink;
  const struct model *m;
  struct vnode *v;
  unsigned count;
};

static void check_tree(const struct model *m, struct vnode *v);

static bool check_entry(struct dir_sink *sink, const struct dir_entry *e) {
  struct census *c = (struct census *)sink;
  struct vnode *child;
  c->count++;
  if (e->name[0] == '.')
    return true;
  CHECK(e->name_len == 1);
  const struct model *m = c->m->child[e->name[0] - 'a'];
  CHECK(m != NULL);
  CHECK(e->ino == m->ino && e->type == m->type);
  CHECK(c->v->ops->lookup(c->v, e->name, 1, &child) == 0);
  check_tree(m, child);
  vnode_unref(child);
  return true;
}

static void check_tree(const struct model *m, struct vnode *v) {
  struct filestat st;
  CHECK(v->ops->stat(v, &st) == 0);
  check_stat(m, &st);
  if (is_dir(m)) {
    struct census c = {{check_entry}, m, v, 0};
    CHECK(v->ops->readdir(v, 0, &c.sink) == 0);
    CHECK(c.count == (m->names > 0 ? 2 : 0) + model_count(m, false));
  } else if (m->type == FILETYPE_REGULAR_FILE) {
    struct uio uio;
    uio_init_kernel(&uio, buffer, FILE_MAX);
    CHECK(v->ops->pread(v, &uio, 0) == 0);
    CHECK(uio.resid == FILE_MAX - m->size);
    CHECK(memcmp(buffer, m->data, m->size) == 0);
  }
}

static void check_all(void) {
  check_tree(model_root, vnode_of(root));
  for (unsigned i = 0; i < FDS; i++) {
    if (fds[i].open)
      check_tree(fds[i].m, vnode_of(fds[i].fd));
  }
}

/* What seeds are for: plenty of room; little room; allocations that fail. */
static void (*const calls[])(void) = {
    do_mkdir,  do_mkdir, do_symlink, do_link,   do_rename, do_rename, do_unlink,
    do_unlink, do_stat,  do_open,    do_open,   do_open,   do_close,  do_write,
    do_write,  do_write, do_read,    do_resize, do_seek,
};

static void remove_all(struct model *m) {
  for (unsigned i = 0; i < DIR_MAX; i++) {
    if (m->child[i] == NULL)
      continue;
    if (is_dir(m->child[i]))
      remove_all(m->child[i]);
    model_set(m, i, NULL);
  }
}

static void run(void) {
  random_state = (seed + 1) * 0x9e3779b97f4a7c15;
  close_fd(root);
  limit = seed % 3 == 1 ? 100000 : LIMIT;
  root = add_tmpfs(limit);
  model_root = model_new(FILETYPE_DIRECTORY);
  model_root->names = 1;
  model_root->parent = model_root;
  model_root->ino = stat_fd(root).st_ino;
  for (step = 0; step < STEPS; step++) {
    world_allocations_left = seed % 3 == 2 && below(2) == 0 ? below(6) : -1;
    calls[below(sizeof calls / sizeof calls[0])]();
    world_allocations_left = -1;
    if (step % 100 == 0)
      check_all();
  }
  check_all();
}

/* Half of the seeds close first and then let the tree go, the others the other way round. */
static void finish(void) {
  bool root_first = seed % 2 == 0;
  if (root_first)
    close_fd(root);
  for (unsigned i = 0; i < FDS; i++) {
    if (fds[i].open)
      close_model(&fds[i]);
  }
  if (!root_first)
    close_fd(root);
  remove_all(model_root);
  model_root->names = 0;
  model_drop(model_root);
  CHECK(pages_live == 0);
  CHECK(world_live == 1); /* the descriptor table */
  root = add_tmpfs(LIMIT);
}

static unsigned long seeds = 24, first_seed;

static void test_random(void **state) {
  (void)state;
  for (seed = first_seed; seed < first_seed + seeds; seed++) {
    run();
    finish();
  }
}

int main(int argc, char **argv) {
  if (argc > 1)
    seeds = strtoul(argv[1], NULL, 0);
  if (argc > 2)
    first_seed = strtoul(argv[2], NULL, 0);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_random, begin, end),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
