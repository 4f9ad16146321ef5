// sources: fs/tmpfs.c fs/tmpfs_dir.c fs/tmpfs_file.c fs/tmpfs_names.c fs/vfile.c fs/lookup.c
// sources: kernel/pagecache_room.c
// sources: kernel/avl.c kernel/pagecache.c kernel/memobj.c kernel/uio.c kernel/file.c
// sources: kernel/pagetree.c
// sources: kernel/fdtable.c kernel/rights.c kernel/sys/fd.c kernel/sys/file.c
// sources: kernel/sys/file_names.c
/*
 * Reading directories of tmpfs while names come and go, and large ones.
 */
#include "tests/host/tmpfs_fixture.h"

/* Takes up to `left` entries; their names are numbers, or dots. */
struct reader {
  struct dir_sink sink;
  dircookie_t cookie;
  unsigned left;
  unsigned dots;
  unsigned count;
  unsigned seen[200000]; /* by number: how often */
  char last[NAME_BYTES_MAX + 1];
};

static struct reader r;

static bool take(struct dir_sink *sink, const struct dir_entry *e) {
  struct reader *reader = (struct reader *)sink;
  memcpy(reader->last, e->name, e->name_len);
  reader->last[e->name_len] = '\0';
  if (e->name[0] == '.') {
    reader->dots++;
    assert_int_equal(e->type, FILETYPE_DIRECTORY);
  } else {
    reader->seen[atoi(reader->last)]++;
    reader->count++;
  }
  reader->cookie = e->next;
  return --reader->left > 0;
}

static void rewind_reader(void) {
  memset(&r, 0, sizeof r);
  r.sink.put = take;
}

/* Reads so many entries more; false at the end. */
static bool read_some(fd_t dir, unsigned n) {
  struct vnode *v = vnode_of(dir);
  r.left = n;
  assert_int_equal(v->ops->readdir(v, r.cookie, &r.sink), 0);
  return r.left == 0;
}

static void add(fd_t dir, unsigned number) {
  char name[16];
  snprintf(name, sizeof name, "%u", number);
  assert_int_equal(sys_file_symlink(t, "", 0, dir, PATH(name)), 0);
}

static void take_away(fd_t dir, unsigned number) {
  char name[16];
  snprintf(name, sizeof name, "%u", number);
  assert_int_equal(sys_file_unlink(t, dir, PATH(name), 0), 0);
}

static void test_all_steps(void **state) {
  (void)state;
  for (unsigned i = 0; i < 20; i++)
    add(root, i);
  for (unsigned step = 1; step < 30; step++) {
    rewind_reader();
    while (read_some(root, step)) {
    }
    assert_int_equal(r.dots, 2);
    assert_int_equal(r.count, 20);
    for (unsigned i = 0; i < 20; i++)
      assert_int_equal(r.seen[i], 1);
    assert_false(read_some(root, step)); /* the end stays the end */
  }
}

static void test_numbers(void **state) {
  (void)state;
  struct dirent d;
  char buf[60];
  size_t n;
  make_dir("sub");
  fd_t sub = open_dir("sub");
  assert_int_equal(sys_file_readdir(t, sub, buf, sizeof buf, 0, &n), 0);
  assert_int_equal(n, 2 * sizeof d + 3);
  memcpy(&d, buf, sizeof d);
  assert_int_equal(d.d_ino, stat_fd(sub).st_ino);
  memcpy(&d, buf + sizeof d + 1, sizeof d);
  assert_int_equal(d.d_ino, stat_fd(root).st_ino);
  /* Never given out. */
  static const dircookie_t bad[] = {3, 4, 1000, 1ull << 32, UINT64_MAX};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    n = 77;
    assert_int_equal(sys_file_readdir(t, sub, buf, sizeof buf, bad[i], &n), EINVAL);
    assert_int_equal(n, 77);
  }
  add(sub, 1);
  assert_int_equal(sys_file_readdir(t, sub, buf, sizeof buf, 3, &n), 0);
  assert_int_equal(sys_file_readdir(t, sub, buf, sizeof buf, 4, &n), EINVAL);
  struct filestat before = stat_fd(sub);
  assert_int_equal(sys_file_readdir(t, sub, buf, sizeof buf, 0, &n), 0);
  assert_true(stat_fd(sub).st_atim > before.st_atim);
  assert_int_equal(stat_fd(sub).st_mtim, before.st_mtim);
}

/* Names that are there all the time are seen exactly once, whatever happens to others. */
static void test_changes_meanwhile(void **state) {
  (void)state;
  enum { STAY = 300 };
  unsigned fresh = 10000;
  uint32_t random = 1;
  for (unsigned i = 0; i < STAY; i++) {
    add(root, i);
    add(root, 1000 + i);
  }
  for (unsigned round = 0; round < 10; round++) {
    rewind_reader();
    do {
      random = random * 1664525 + 1013904223;
      unsigned some = 1000 + random % STAY;
      char name[16], other[16];
      snprintf(name, sizeof name, "%u", some);
      snprintf(other, sizeof other, "%u", fresh++);
      switch (random >> 28) {
        case 0 ... 3:
          add(root, fresh++);
          break;
        case 4 ... 6: /* the one that was just read, if it may go */
          if (atoi(r.last) >= 1000)
            remove_file(r.last);
          break;
        case 7 ... 9: /* goes and comes again */
          if (sys_file_unlink(t, root, PATH(name), 0) == 0)
            add(root, some);
          break;
        case 10 ... 12:
          rename_to(name, other);
          break;
        default:
          break;
      }
    } while (read_some(root, 1 + random % 4));
    assert_int_equal(r.dots, 2);
    for (unsigned i = 0; i < STAY; i++)
      assert_int_equal(r.seen[i], 1);
    for (unsigned i = STAY; i < sizeof r.seen / sizeof r.seen[0]; i++)
      assert_in_range(r.seen[i], 0, 1);
  }
}

/* Whoever renames what it reads comes to an end, and so does who removes it. */
static void test_rename_and_remove_all(void **state) {
  (void)state;
  unsigned next = 1000;
  for (unsigned i = 0; i < 500; i++)
    add(root, i);
  rewind_reader();
  while (read_some(root, 1)) {
    char name[16];
    snprintf(name, sizeof name, "%u", next++);
    if (r.last[0] != '.')
      assert_int_equal(rename_to(r.last, name), 0);
    assert_in_range(next, 1000, 2000);
  }
  assert_int_equal(r.count, 500);
  rewind_reader();
  while (read_some(root, 1)) {
    if (r.last[0] != '.')
      assert_int_equal(remove_file(r.last), 0);
  }
  assert_int_equal(r.count, 500);
  assert_int_equal(used(), 0);
}

/* What a search or a step costs does not grow with the directory, or the test would not end. */
static void test_large(void **state) {
  (void)state;
  enum { MANY = 150000 };
  for (unsigned i = 0; i < MANY; i++)
    add(root, i);
  assert_true(used() < MANY * 250ull);
  rewind_reader();
  while (read_some(root, 3)) {
  }
  assert_int_equal(r.count, MANY);
  for (unsigned i = 0; i < MANY; i += 2)
    take_away(root, i);
  rewind_reader();
  while (read_some(root, 100)) {
  }
  assert_int_equal(r.count, MANY / 2);
  for (unsigned i = 0; i < MANY; i++)
    assert_int_equal(r.seen[i], i % 2);
  for (unsigned i = 1; i < MANY; i += 2)
    take_away(root, i);
  assert_int_equal(used(), 0);
}

/* Somebody removes everything while an entry is handed over. */
struct vandal {
  struct dir_sink sink;
  fd_t dir;
  unsigned calls;
};

static bool wreck(struct dir_sink *sink, const struct dir_entry *e) {
  struct vandal *v = (struct vandal *)sink;
  char name[NAME_BYTES_MAX + 1];
  if (v->calls++ == 4) {
    for (unsigned i = 0; i < 20; i++)
      take_away(v->dir, i);
  }
  memcpy(name, e->name, e->name_len); /* still there */
  return true;
}

static void test_removed_while_read(void **state) {
  (void)state;
  make_dir("d");
  struct vandal v = {.sink = {wreck}, .dir = open_dir("d")};
  for (unsigned i = 0; i < 20; i++)
    add(v.dir, i);
  struct vnode *dir = vnode_of(v.dir);
  assert_int_equal(dir->ops->readdir(dir, 0, &v.sink), 0);
  assert_int_equal(v.calls, 5);
  assert_int_equal(remove_dir("d"), 0);
}

int main(void) {
#define UNIT(test) cmocka_unit_test_setup_teardown(test, begin, end)
  const struct CMUnitTest tests[] = {
      UNIT(test_all_steps),
      UNIT(test_numbers),
      UNIT(test_changes_meanwhile),
      UNIT(test_rename_and_remove_all),
      UNIT(test_large),
      UNIT(test_removed_while_read),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
