// sources: fs/tmpfs.c fs/tmpfs_dir.c fs/tmpfs_file.c fs/tmpfs_names.c fs/vfile.c fs/lookup.c
// sources: kernel/pagecache_room.c
// sources: kernel/avl.c kernel/pagecache.c kernel/memobj.c kernel/uio.c kernel/file.c
// sources: kernel/pagetree.c
// sources: kernel/fdtable.c kernel/rights.c kernel/sys/fd.c kernel/sys/file.c
// sources: kernel/sys/file_names.c
/*
 * A tmpfs that is full, and a machine without memory: what fails, fails with the right error and
 * changes nothing, and what is removed gives its room back.
 */
#include "tests/host/tmpfs_fixture.h"

static char bytes[64 * PAGE_SIZE];

/* Replaces the file system by one of this limit. */
static void limit_to(uint64_t limit_bytes) {
  close_fd(root);
  root = add_tmpfs(limit_bytes);
}

/* ---- Limits ---------------------------------------------------------------------------------- */

static void test_full_of_bytes(void **state) {
  (void)state;
  size_t n = 77;
  limit_to(10 * PAGE_SIZE);
  fd_t fd = open_file("f", O_CREAT, 0);
  assert_int_equal(pwrite_fd(fd, bytes, sizeof bytes, 5, &n), 0); /* as much as fits */
  assert_int_equal(n, 9 * PAGE_SIZE - 5);
  assert_int_equal(stat_fd(fd).st_size, 9 * PAGE_SIZE);
  assert_in_range(used(), 9 * PAGE_SIZE, 10 * PAGE_SIZE);
  assert_int_equal(pwrite_fd(fd, bytes, 1, 9 * PAGE_SIZE, &n), ENOSPC);
  assert_int_equal(pwrite_fd(fd, bytes, 1, 1ull << 40, &n), ENOSPC);
  assert_int_equal(stat_fd(fd).st_size, 9 * PAGE_SIZE);
  assert_int_equal(pwrite_fd(fd, bytes, 10, 100, &n), 0); /* where there are pages */
  assert_int_equal(set_size(fd, 1ull << 40), 0);
  assert_int_equal(sys_file_allocate(t, fd, 0, 10 * PAGE_SIZE), ENOSPC);
  assert_int_equal(set_size(fd, 8 * PAGE_SIZE), 0);
  assert_int_equal(sys_file_allocate(t, fd, 20 * PAGE_SIZE, 2 * PAGE_SIZE), ENOSPC);
  assert_int_equal(stat_fd(fd).st_size, 8 * PAGE_SIZE);
  assert_in_range(used(), 8 * PAGE_SIZE, 9 * PAGE_SIZE);
  assert_int_equal(sys_file_allocate(t, fd, 20 * PAGE_SIZE, PAGE_SIZE), 0);
  assert_int_equal(remove_file("f"), 0);
  assert_true(used() > 0);
  close_fd(fd);
  assert_int_equal(used(), 0);
}

/* Empty files can't eat the kernel. */
static void test_full_of_files(void **state) {
  (void)state;
  char name[32];
  unsigned count = 0;
  limit_to(1 << 20);
  errno_t e;
  do {
    snprintf(name, sizeof name, "%u", count++);
    e = count % 3 == 0 ? make_dir(name) : count % 3 == 1 ? make_link("x", name) : make_file(name);
  } while (e == 0);
  assert_int_equal(e, ENOSPC);
  assert_in_range(count, 3000, 8000);
  assert_true(used() > (1 << 20) - 1000 && used() <= 1 << 20);
  assert_int_equal(stat_path(name, &(struct filestat){0}), ENOENT);
  assert_int_equal(make_link("", "x"), ENOSPC);
  assert_int_equal(link_to("1", "a-name-that-is-quite-long-and-so-takes-more-room"), ENOSPC);
  /* Other names for what is there need no room unless they are longer. */
  assert_int_equal(rename_to("1", "a"), 0);
  assert_int_equal(rename_to("a", "4"), 0);
  fd_t fd = open_file("7", 0, 0);
  assert_int_equal(write_fd(fd, "x", 1, &(size_t){0}), ENOSPC);
  assert_int_equal(remove_file("7"), 0);
  close_fd(fd);
  assert_int_equal(make_file("again"), 0);
}

static void test_rename_when_full(void **state) {
  (void)state;
  char longer[256], shorter[2] = "A";
  memset(longer, 'n', sizeof longer);
  longer[255] = '\0';
  limit_to(4096);
  make_file("f");
  make_dir("d");
  while (make_link("", longer) == 0)
    longer[0]++;
  while (make_link("", shorter) == 0)
    shorter[0]++;
  assert_int_equal(rename_to("f", longer), ENOSPC);
  assert_int_equal(stat_of("f").st_nlink, 1);
  assert_int_equal(rename_to("f", "d/f"), 0);
  assert_int_equal(rename_to("d/f", "d/g"), 0);
  longer[0]--;
  assert_int_equal(rename_to("d/g", longer), 0); /* takes the place of a link */
}

static void test_small_limits(void **state) {
  (void)state;
  for (uint64_t limit = 0; limit < 300; limit += 16) {
    limit_to(limit);
    assert_in_range(make_file("f"), 0, ENOSPC);
    assert_true(used() <= limit);
  }
  limit_to(0);
  assert_int_equal(make_file("f"), ENOSPC);
  assert_int_equal(stat_of(".").st_nlink, 2);
  limit_to(UINT64_MAX);
  assert_int_equal(make_file("f"), 0);
  fd_t fd = open_file("f", 0, 0);
  assert_int_equal(write_fd(fd, bytes, sizeof bytes, &(size_t){0}), 0);
  assert_int_equal(sys_file_allocate(t, fd, 0, 1 << 20), 0);
}

static void test_machine_is_full(void **state) {
  (void)state;
  fd_t fd = open_file("f", O_CREAT, 0);
  pages_free = PAGE_RESERVE;
  assert_int_equal(make_file("g"), ENOSPC);
  assert_int_equal(make_dir("g"), ENOSPC);
  assert_int_equal(write_fd(fd, "x", 1, &(size_t){0}), ENOSPC);
  assert_int_equal(link_to("f", "g"), ENOSPC);
  assert_int_equal(remove_file("f"), 0);
  pages_free = 1000000;
}

/* ---- Allocations that fail ------------------------------------------------------------------- */

static void prepare(void) {
  make_dir("d");
  make_dir("d/sub");
  make_dir("empty");
  make_file("f");
  make_file("d/g");
  make_link("f", "link");
  make_link("new", "dangling");
  fd_t fd = open_file("f", 0, 0);
  assert_int_equal(write_fd(fd, bytes, 3 * PAGE_SIZE, &(size_t){0}), 0);
  close_fd(fd);
}

static errno_t open_new(oflags_t oflags, const char *path) {
  fd_t fd;
  errno_t e = open_from(root, path, oflags, 0, DIR_INHERITING, &fd);
  if (e == 0)
    close_fd(fd);
  return e;
}

static fd_t held; /* a descriptor of f */

static errno_t do_create(void) {
  return open_new(O_CREAT, "new");
}
static errno_t do_create_by_link(void) {
  return open_new(O_CREAT, "dangling");
}
static errno_t do_truncate(void) {
  return open_new(O_TRUNC, "f");
}
static errno_t do_mkdir(void) {
  return make_dir("d/new");
}
static errno_t do_symlink(void) {
  return make_link("anything", "d/new");
}
static errno_t do_link(void) {
  return link_to("f", "d/new");
}
static errno_t do_rename(void) {
  return rename_to("f", "d/new");
}
static errno_t do_rename_over(void) {
  return rename_to("f", "d/g");
}
static errno_t do_rename_dir(void) {
  return rename_to("d", "empty");
}
static errno_t do_unlink(void) {
  return remove_file("f");
}
static errno_t do_rmdir(void) {
  return remove_dir("empty");
}
static errno_t do_resize(void) {
  return set_size(held, 1ull << 50);
}
static errno_t do_allocate(void) {
  return sys_file_allocate(t, held, 2 * PAGE_SIZE, 4 * PAGE_SIZE);
}
static errno_t do_allocate_far(void) {
  return sys_file_allocate(t, held, 1ull << 60, 3 * PAGE_SIZE);
}
static errno_t do_write_far(void) {
  return pwrite_fd(held, "x", 1, 1ull << 60, &(size_t){0});
}

static errno_t (*const changes[])(void) = {
    do_create,     do_create_by_link, do_truncate, do_mkdir,        do_symlink,
    do_link,       do_rename,         do_unlink,   do_rmdir,        do_rename_over,
    do_rename_dir, do_resize,         do_allocate, do_allocate_far, do_write_far,
};

/* All that a program can see, but when it was looked at. */
struct picture {
  size_t len;
  char text[4096];
};

static bool draw_name(struct dir_sink *sink, const struct dir_entry *e);

struct painter {
  struct dir_sink sink;
  struct vnode *dir;
  struct picture *picture;
};

static void draw_dir(struct vnode *dir, struct picture *p) {
  struct painter painter = {{draw_name}, dir, p};
  assert_int_equal(dir->ops->readdir(dir, 0, &painter.sink), 0);
}

static bool draw_name(struct dir_sink *sink, const struct dir_entry *e) {
  struct painter *painter = (struct painter *)sink;
  struct picture *p = painter->picture;
  struct vnode *v;
  struct filestat st;
  if (e->name[0] == '.')
    return true;
  assert_int_equal(painter->dir->ops->lookup(painter->dir, e->name, e->name_len, &v), 0);
  assert_int_equal(v->ops->stat(v, &st), 0);
  p->len += (size_t)snprintf(p->text + p->len, sizeof p->text - p->len,
                             "%.*s ino %lu links %u size %lu mtim %lu ctim %lu\n", (int)e->name_len,
                             e->name, st.st_ino, st.st_nlink, st.st_size, st.st_mtim, st.st_ctim);
  if (e->type == FILETYPE_DIRECTORY)
    draw_dir(v, p);
  vnode_unref(v);
  return true;
}

static void draw(struct picture *p) {
  memset(p, 0, sizeof *p);
  draw_dir(vnode_of(root), p);
  p->len += (size_t)snprintf(p->text + p->len, sizeof p->text - p->len, "used %lu fds %u\n", used(),
                             world_process.fds.count);
}

/* Every change, with every allocation failing in turn. */
static void test_allocations(void **state) {
  (void)state;
  static struct picture before, after;
  for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
    errno_t e = ENOMEM;
    for (long k = 0; e != 0; k++) {
      limit_to(LIMIT);
      prepare();
      held = open_file("f", 0, 0);
      draw(&before);
      world_allocations_left = k;
      e = changes[i]();
      world_allocations_left = -1;
      draw(&after);
      if (e != 0 && e != ENOMEM && e != ENOSPC)
        fail_msg("change %zu, allocation %ld: error %u", i, k, e);
      if (e != 0)
        assert_string_equal(after.text, before.text);
      close_fd(held);
      assert_in_range(k, 0, 40);
    }
  }
}

static void test_creation(void **state) {
  (void)state;
  struct vnode *v;
  size_t live = world_live;
  for (long k = 0; k < 2; k++) {
    world_allocations_left = k;
    assert_int_equal(tmpfs_create(LIMIT, &v), ENOMEM);
    assert_int_equal(world_live, live);
  }
  world_allocations_left = 2;
  assert_int_equal(tmpfs_create(LIMIT, &v), 0);
  vnode_unref(v);
  assert_int_equal(world_live, live);
}

int main(void) {
#define UNIT(test) cmocka_unit_test_setup_teardown(test, begin, end)
  const struct CMUnitTest tests[] = {
      UNIT(test_full_of_bytes), UNIT(test_full_of_files),   UNIT(test_rename_when_full),
      UNIT(test_small_limits),  UNIT(test_machine_is_full), UNIT(test_allocations),
      UNIT(test_creation),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
