// sources: fs/bootfs.c fs/vfile.c fs/lookup.c fs/cpio.c kernel/uio.c kernel/file.c
/*
 * The image's files: the tree that an archive becomes, its contents and directories, and what is
 * refused, with the entry's name.
 */
#include "tests/host/world.h"

#include "fs/bootfs.h"
#include "fs/cpio.h"
#include "fs/lookup.h"
#include "fs/vfile.h"
#include "kernel/memobj.h"

/* ---- Memory of the index, given back after each test ----------------------------------------- */

static void *taken[4096];
static size_t taken_count, pages_left = SIZE_MAX;

void *page_alloc_zero(unsigned order) {
  assert_int_equal(order, 0);
  if (pages_left == 0)
    return NULL;
  pages_left--;
  void *p = aligned_alloc(PAGE_SIZE, PAGE_SIZE);
  memset(p, 0, PAGE_SIZE);
  taken[taken_count++] = p;
  return p;
}

static const void *memobj_data;
static size_t memobj_size;

errno_t memobj_bytes_create(const void *data, size_t n, struct memobj **out) {
  static struct memobj obj;
  memobj_data = data;
  memobj_size = n;
  *out = &obj;
  return 0;
}

/* ---- Archives -------------------------------------------------------------------------------- */

static char *archive;
static size_t archive_len;

static void append(const void *s, size_t n) {
  archive = realloc(archive, archive_len + n + 4);
  memcpy(archive + archive_len, s, n);
  archive_len += n;
  while (archive_len % 4 != 0)
    archive[archive_len++] = '\0';
}

static void entry(const char *name, unsigned mode, const char *data, size_t n) {
  char head[600];
  int len = snprintf(head, sizeof head,
                     "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%s", 1, mode, 0, 0,
                     1, 1600000000, (unsigned)n, 0, 0, 0, 0, (unsigned)strlen(name) + 1, 0, name);
  append(head, (size_t)len + 1);
  append(data, n);
}

static void dir(const char *name) {
  entry(name, 040755, "", 0);
}

static void file(const char *name, const char *data) {
  entry(name, 0100644, data, strlen(data));
}

static void symlink_to(const char *name, const char *target) {
  entry(name, 0120777, target, strlen(target));
}

static int begin(void **state) {
  archive = NULL;
  archive_len = 0;
  pages_left = SIZE_MAX;
  return 0;
}

static int end(void **state) {
  free(archive);
  while (taken_count > 0)
    free(taken[--taken_count]);
  world_free_all();
  return 0;
}

static void init(void) {
  entry(CPIO_TRAILER, 0, "", 0);
  bootfs_init(archive, archive_len + 1000000); /* the trailer ends it */
}

static void make(void) {
  file("program", "ELF");
  file("argdata", "");
  dir("files/0");
  file("files/0/index.html", "<h1>hello</h1>");
  dir("files/0/sub");
  file("files/0/sub/a", "A");
  file("files/0/sub/b", "B");
  dir("files/0/sub/deeper");
  symlink_to("files/0/latest", "sub/../index.html");
  symlink_to("files/0/out", "../1");
  file("files/0/z", "last");
  file("files/1", "the only one");
  dir("files/2");
  init();
}

static struct vnode *open_vnode(const char *name, struct file **f) {
  assert_int_equal(bootfs_open(name, f), 0);
  return (*f)->ops->vnode(*f);
}

/* ---- Tests ----------------------------------------------------------------------------------- */

static void test_find(void **state) {
  const void *data;
  size_t n;
  struct file *f;
  make();
  assert_int_equal(bootfs_find("program", &data, &n), 0);
  assert_int_equal(n, 3);
  assert_memory_equal(data, "ELF", 3);
  assert_in_range((uintptr_t)data, (uintptr_t)archive, (uintptr_t)archive + archive_len);
  assert_int_equal(bootfs_find("argdata", &data, &n), 0);
  assert_int_equal(n, 0);
  assert_int_equal(bootfs_find("files/0/sub/b", &data, &n), 0);
  assert_memory_equal(data, "B", 1);
  assert_int_equal(bootfs_find("files/0", &data, &n), ENOENT);
  assert_int_equal(bootfs_find("progra", &data, &n), ENOENT);
  assert_int_equal(bootfs_find("programs", &data, &n), ENOENT);
  assert_int_equal(bootfs_find("program/x", &data, &n), ENOENT);
  assert_int_equal(bootfs_find("", &data, &n), ENOENT);
  assert_int_equal(bootfs_open("files/7", &f), ENOENT);
  assert_int_equal(bootfs_open("files/0/latest", &f), ENOENT);
}

static void test_stat(void **state) {
  static const struct {
    const char *path;
    filetype_t type;
    filesize_t size;
    linkcount_t links;
  } table[] = {
      {".", FILETYPE_DIRECTORY, 0, 3},           {"index.html", FILETYPE_REGULAR_FILE, 14, 1},
      {"sub", FILETYPE_DIRECTORY, 0, 3},         {"sub/deeper", FILETYPE_DIRECTORY, 0, 2},
      {"latest", FILETYPE_SYMBOLIC_LINK, 17, 1}, {"sub/a", FILETYPE_REGULAR_FILE, 1, 1},
      {"z", FILETYPE_REGULAR_FILE, 4, 1},
  };
  struct file *f;
  inode_t seen[16];
  make();
  struct vnode *root = open_vnode("files/0", &f);
  for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
    struct filestat st;
    struct path *p;
    assert_int_equal(path_lookup(root, table[i].path, strlen(table[i].path), false, &p), 0);
    memset(&st, 0xff, sizeof st);
    assert_int_equal(p->node->ops->stat(p->node, &st), 0);
    assert_int_equal(st.st_dev, 1);
    assert_int_equal(st.st_filetype, table[i].type);
    assert_int_equal(st.st_size, table[i].size);
    assert_int_equal(st.st_nlink, table[i].links);
    assert_int_equal(st.st_mtim, 1600000000000000000);
    assert_int_equal(st.st_atim, st.st_mtim);
    assert_int_equal(st.st_ctim, st.st_mtim);
    seen[i] = st.st_ino;
    for (size_t j = 0; j < i; j++)
      assert_int_not_equal(seen[j], st.st_ino);
    path_free(p);
  }
  file_unref(f);
}

static void test_lookup(void **state) {
  struct file *f;
  struct path *p;
  char buf[64] = "";
  struct uio uio;
  make();
  struct vnode *root = open_vnode("files/0", &f);
  assert_int_equal(path_lookup(root, "latest", 6, true, &p), 0);
  uio_init_kernel(&uio, buf, sizeof buf);
  assert_int_equal(p->node->ops->pread(p->node, &uio, 0), 0);
  assert_string_equal(buf, "<h1>hello</h1>");
  path_free(p);
  /* Neighbours in the archive can't be reached from a granted directory. */
  assert_int_equal(path_lookup(root, "out", 3, true, &p), ENOTCAPABLE);
  assert_int_equal(path_lookup(root, "../1", 4, true, &p), ENOTCAPABLE);
  assert_int_equal(path_lookup(root, "../../program", 13, true, &p), ENOTCAPABLE);
  assert_int_equal(path_lookup(root, "sub/a/x", 7, true, &p), ENOTDIR);
  assert_int_equal(path_lookup(root, "sub/ab", 6, true, &p), 0);
  assert_null(p->node);
  path_free(p);
  file_unref(f);
}

static void test_read(void **state) {
  struct file *f;
  struct uio uio;
  struct memobj *obj;
  struct poll_state st;
  char buf[64];
  make();
  assert_int_equal(bootfs_open("files/1", &f), 0);
  assert_int_equal(f->type, FILETYPE_REGULAR_FILE);
  static const filesize_t offsets[] = {0, 1, 11, 12, 13, 1ull << 32, INT64_MAX};
  for (size_t i = 0; i < sizeof offsets / sizeof offsets[0]; i++) {
    for (size_t n = 0; n <= 14; n++) {
      size_t left = offsets[i] < 12 ? 12 - offsets[i] : 0, expected = n < left ? n : left;
      memset(buf, '#', sizeof buf);
      uio_init_user_buffer(&uio, buf, n);
      assert_int_equal(f->ops->pread(f, &uio, offsets[i]), 0);
      assert_int_equal(n - uio.resid, expected);
      assert_memory_equal(buf, &"the only one"[expected > 0 ? offsets[i] : 0], expected);
      assert_int_equal(buf[expected], '#');
    }
  }
  f->offset = 10;
  f->ops->poll(f, EVENTTYPE_FD_READ, &st, NULL);
  assert_true(st.ready);
  assert_int_equal(st.nbytes, 2);
  f->offset = 100;
  f->ops->poll(f, EVENTTYPE_FD_READ, &st, NULL);
  assert_true(st.ready);
  assert_int_equal(st.nbytes, 0);
  assert_int_equal(f->ops->memobj(f, &obj), 0);
  assert_int_equal(memobj_size, 12);
  assert_memory_equal(memobj_data, "the only one", 12);
  assert_int_equal(f->ops->sync(f, false), 0);
  uio_init_user_buffer(&uio, buf, 1);
  assert_int_equal(f->ops->pwrite(f, &uio, 0, false, &(filesize_t){0}), EROFS);
  assert_int_equal(f->ops->allocate(f, 0, 1), EROFS);
  assert_int_equal(f->ops->set_stat(f, &(struct filestat){0}, FILESTAT_SIZE), EROFS);
  file_unref(f);
  assert_int_equal(bootfs_open("files/0", &f), 0);
  assert_int_equal(f->ops->pread(f, &uio, 0), EISDIR);
  assert_int_equal(f->ops->memobj(f, &obj), ENODEV);
  file_unref(f);
}

/* ---- Directories ----------------------------------------------------------------------------- */

struct listing {
  struct dir_sink sink;
  char text[4096];
  int left; /* entries still wanted */
  dircookie_t next;
};

static bool list_put(struct dir_sink *sink, const struct dir_entry *e) {
  struct listing *l = (struct listing *)sink;
  size_t at = strlen(l->text);
  snprintf(l->text + at, sizeof l->text - at, "%.*s(%x) ", (int)e->name_len, e->name, e->type);
  l->next = e->next;
  return --l->left > 0;
}

static void test_readdir(void **state) {
  static const char all[] = ".(20) ..(20) index.html(60) sub(20) latest(90) out(90) z(60) ";
  struct file *f;
  make();
  struct vnode *root = open_vnode("files/0", &f);
  for (int step = 1; step <= 8; step++) { /* in calls for so many entries each */
    struct listing l = {.sink = {list_put}};
    dircookie_t cookie = DIRCOOKIE_START;
    for (int i = 0; i < 8; i++) {
      l.left = step;
      assert_int_equal(root->ops->readdir(root, cookie, &l.sink), 0);
      cookie = l.next;
    }
    assert_string_equal(l.text, all);
  }
  struct listing l = {.sink = {list_put}, .left = 100};
  assert_int_equal(root->ops->readdir(root, 1000, &l.sink), EINVAL);
  assert_int_equal(root->ops->readdir(root, UINT64_MAX, &l.sink), EINVAL);
  assert_int_equal(root->ops->readdir(root, 3, &l.sink), EINVAL); /* another directory's */
  assert_string_equal(l.text, "");
  file_unref(f);
  root = open_vnode("files/2", &f);
  assert_int_equal(root->ops->readdir(root, DIRCOOKIE_START, &l.sink), 0);
  assert_string_equal(l.text, ".(20) ..(20) ");
  file_unref(f);
}

static void test_many(void **state) {
  char name[64];
  const void *data;
  size_t n;
  dir("files/0");
  for (int i = 0; i < 3000; i++) {
    snprintf(name, sizeof name, "files/0/f%d", i);
    file(name, name);
    if (i % 100 == 0) { /* the next ones stand in another directory than the last entry */
      snprintf(name, sizeof name, "files/0/d%d", i);
      dir(name);
      strcat(name, "/x");
      file(name, name);
    }
  }
  init();
  for (int i = 0; i < 3000; i++) {
    snprintf(name, sizeof name, "files/0/f%d", i);
    assert_int_equal(bootfs_find(name, &data, &n), 0);
    assert_memory_equal(data, name, n);
  }
  assert_int_equal(bootfs_find("files/0/d2900/x", &data, &n), 0);
  assert_int_equal(bootfs_find("files/0/f3000", &data, &n), ENOENT);
  assert_in_range(taken_count, 40, 44); /* pages of the index: 3,063 nodes */
}

static void test_passed_over(void **state) {
  dir(".");
  dir("files");
  file("files/0", "x");
  init();
  const void *data;
  size_t n;
  assert_int_equal(bootfs_find("files/0", &data, &n), 0);
}

/* ---- What is refused ------------------------------------------------------------------------- */

static void refuse(const char *message) {
  assert_ends(init(), message);
  end(NULL);
  begin(NULL);
}

#define DAMAGED "the image's payload is damaged at "

static void test_refused(void **state) {
  char name[300];
  file("a/b", "");
  refuse(DAMAGED "`a/b`: its directory does not stand before it");
  file("a", "");
  file("a/b", "");
  refuse(DAMAGED "`a/b`: its directory does not stand before it");
  file("/a", "");
  refuse(DAMAGED "`/a`: an absolute name");
  file("a", "");
  file("a", "");
  refuse(DAMAGED "`a`: the name stands there twice");
  dir("files/0");
  dir("files/0");
  refuse(DAMAGED "`files/0`: the name stands there twice");
  file("files", "");
  refuse(DAMAGED "`files`: the name stands there twice");
  dir("a");
  file("a/..", "");
  refuse(DAMAGED "`a/..`: not a name");
  file("..", "");
  refuse(DAMAGED "`..`: not a name");
  file("../x", "");
  refuse(DAMAGED "`../x`: its directory does not stand before it");
  dir("a");
  file("a/", "");
  refuse(DAMAGED "`a/`: not a name");
  entry("dev", 020644, "", 0);
  refuse(DAMAGED "`dev`: neither a file nor a directory nor a symbolic link");
  memset(name, 'n', sizeof name);
  name[256] = '\0';
  file(name, "");
  world_jump_set = true;
  if (setjmp(world_jump) == 0) {
    init();
    fail();
  }
  assert_non_null(strstr(world_message, "a name of more than 255 bytes"));
}

static void test_cut_archive(void **state) {
  file("program", "0123456789");
  assert_ends(bootfs_init(archive, archive_len),
              DAMAGED "byte 132: the archive ends without a trailer");
  assert_ends(bootfs_init(archive, archive_len - 4),
              DAMAGED "byte 0: a file reaches past the archive's end");
  assert_ends(bootfs_init(archive, 0), DAMAGED "byte 0: the archive ends without a trailer");
  archive[0] = 'x';
  assert_ends(bootfs_init(archive, archive_len),
              DAMAGED "byte 0: no cpio header where one must be");
}

static void test_no_memory(void **state) {
  file("program", "");
  pages_left = 0;
  refuse("not enough memory to index the image's files; give the machine more (-m)");
  file("program", "");
  world_allocations_left = 0;
  assert_ends(init(),
              "not enough memory to index 3 files of the image; give the machine more (-m)");
  world_allocations_left = -1;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_find, begin, end),
      cmocka_unit_test_setup_teardown(test_stat, begin, end),
      cmocka_unit_test_setup_teardown(test_lookup, begin, end),
      cmocka_unit_test_setup_teardown(test_read, begin, end),
      cmocka_unit_test_setup_teardown(test_readdir, begin, end),
      cmocka_unit_test_setup_teardown(test_many, begin, end),
      cmocka_unit_test_setup_teardown(test_passed_over, begin, end),
      cmocka_unit_test_setup_teardown(test_refused, begin, end),
      cmocka_unit_test_setup_teardown(test_cut_archive, begin, end),
      cmocka_unit_test_setup_teardown(test_no_memory, begin, end),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
