// sources: $(EXT4_HOST)
/* A full file system: what was deleted is room at once, though its blocks wait for a commit; and
 * where there is no room nothing is left half done. */
#include "tests/host/ext4_fixture.h"

#define KIB 1024u

static struct vnode *root;

static void begin(const char *options) {
  const char *why = "";
  fixture_mkfs(8, options);
  if (ext4_mount(&disk.dev, false, &root, &why) != 0)
    fail_msg("it can't be mounted: %s", why);
}

static void end(void) {
  assert_int_equal(ext4_unmount(root), 0);
  fixture_fsck("a full file system");
  disk_free(&disk);
}

static struct vnode *create(const char *name) {
  struct vnode *v;
  assert_int_equal(root->ops->create(root, name, strlen(name), FILETYPE_REGULAR_FILE, &v), 0);
  return v;
}

static void unlink_of(const char *name) {
  struct vnode *v;
  assert_int_equal(root->ops->lookup(root, name, strlen(name), &v), 0);
  assert_int_equal(root->ops->unlink(root, name, strlen(name), v), 0);
  vnode_unref(v);
}

/* Appends n bytes; how many found room. */
static size_t append(struct vnode *v, size_t n, errno_t *e) {
  static uint8_t bytes[64 * KIB];
  struct uio uio;
  filesize_t at;
  uio_init_kernel(&uio, bytes, n);
  *e = v->ops->pwrite(v, &uio, 0, true, &at);
  return n - uio.resid;
}

/* A file that takes all there is. */
static void fill_up(const char *name) {
  struct vnode *v = create(name);
  errno_t e = 0;
  size_t total = 0;
  for (size_t part = 64 * KIB; e == 0;)
    total += append(v, part, &e);
  assert_int_equal(e, ENOSPC);
  assert_true(total > KIB * KIB);
  vnode_unref(v);
}

static const char *const kinds[] = {"-t ext4", "-t ext4 -b 4096", "-t ext3", "-t ext2"};

/* Full, and what filled it deleted: there is room, but not before a commit. */
static void begin_deleted(const char *options, bool on_disk) {
  begin(options);
  fill_up("filler");
  struct vnode *v;
  assert_int_equal(root->ops->lookup(root, "filler", 6, &v), 0);
  if (on_disk)
    assert_int_equal(v->ops->sync(v, false), 0);
  vnode_unref(v);
  unlink_of("filler");
}

static void write_data(void) {
  struct vnode *v = create("again");
  errno_t e = 0;
  for (size_t at = 0; at < 3 * KIB * KIB && e == 0;)
    at += append(v, 64 * KIB, &e);
  assert_int_equal(e, 0);
  vnode_unref(v);
}

static void create_many(void) {
  char name[200];
  for (unsigned i = 0; i < 100; i++) {
    snprintf(name, sizeof name, "%0150u", i);
    vnode_unref(create(name));
  }
}

static void make_directory(void) {
  struct vnode *v;
  assert_int_equal(root->ops->create(root, "d", 1, FILETYPE_DIRECTORY, &v), 0);
  vnode_unref(v);
}

static void make_symlink(void) {
  char long_path[300];
  memset(long_path, 'x', sizeof long_path);
  assert_int_equal(root->ops->symlink(root, "s", 1, long_path, sizeof long_path), 0);
}

static void link_and_rename(void) {
  char name[200], other[200];
  vnode_unref(create("one"));
  struct vnode *v;
  assert_int_equal(root->ops->lookup(root, "one", 3, &v), 0);
  for (unsigned i = 0; i < 60; i++) {
    snprintf(name, sizeof name, "%0150u", i);
    snprintf(other, sizeof other, "%0180u", i);
    assert_int_equal(root->ops->link(root, name, strlen(name), v), 0);
    assert_int_equal(
        root->ops->rename(root, name, strlen(name), v, root, other, strlen(other), NULL), 0);
  }
  vnode_unref(v);
}

static void allocate(void) {
  struct vnode *v = create("allocated");
  assert_int_equal(v->ops->allocate(v, 0, 2 * KIB * KIB), 0);
  vnode_unref(v);
}

static void write_mapped(void) {
  struct vnode *v = create("mapped");
  struct filestat st = {.st_size = 512 * KIB};
  struct memobj *obj;
  assert_int_equal(v->ops->set_stat(v, &st, FILESTAT_SIZE), 0);
  assert_int_equal(v->ops->memobj(v, &obj), 0);
  vnode_unref(v); /* the mapping keeps the file */
  for (uint64_t at = 0; at < 512 * KIB; at += PAGE_SIZE) {
    pa_t pa;
    assert_int_equal(obj->ops->get_page(obj, at, true, &pa), 0);
    memset(pa_to_va(pa), 'm', PAGE_SIZE);
  }
  memobj_unref(obj);
}

static void test_deleted_is_room(void **state) {
  static void (*const works[])(void) = {write_data,      create_many, make_directory, make_symlink,
                                        link_and_rename, allocate,    write_mapped};
  (void)state;
  for (unsigned kind = 0; kind < sizeof kinds / sizeof kinds[0]; kind++)
    for (unsigned i = 0; i < sizeof works / sizeof works[0]; i++) {
      begin_deleted(kinds[kind], i % 2 == 0);
      works[i]();
      end();
    }
}

/* Deleting and writing in turn. */
static void test_room_again_and_again(void **state) {
  (void)state;
  begin_deleted(kinds[0], false);
  for (unsigned round = 0; round < 6; round++) {
    write_data();
    unlink_of("again");
  }
  end();
}

static char mapped_byte(struct memobj *obj, bool write) {
  pa_t pa;
  assert_int_equal(obj->ops->get_page(obj, 0, write, &pa), 0);
  return *(char *)pa_to_va(pa);
}

static void test_a_mapping_keeps_the_file(void **state) {
  errno_t e;
  struct memobj *obj, *again;
  (void)state;
  begin(kinds[0]);
  struct vnode *v = create("mapped");
  assert_int_equal(append(v, 5000, &e), 5000);
  assert_int_equal(v->ops->memobj(v, &obj), 0);
  assert_int_equal(v->ops->sync(v, false), 0);
  vnode_unref(v);
  assert_int_equal(root->ops->lookup(root, "mapped", 6, &v), 0);
  assert_int_equal(v->ops->memobj(v, &again), 0);
  assert_ptr_equal(obj, again); /* one file, one page cache */
  vnode_unref(v);
  memobj_unref(again);
  unlink_of("mapped");
  fill_up("filler"); /* its blocks are not among those */
  assert_int_equal(mapped_byte(obj, true), 0);
  memobj_unref(obj);
  end();
}

/* Cut shorter without a name, it is still one that a crash has to delete. */
static void test_a_cut_file_without_names(void **state) {
  struct filestat st = {.st_size = 1000};
  errno_t e;
  (void)state;
  begin(kinds[0]);
  struct vnode *v = create("gone");
  assert_int_equal(append(v, 50000, &e), 50000);
  unlink_of("gone");
  assert_int_equal(v->ops->set_stat(v, &st, FILESTAT_SIZE), 0);
  assert_int_equal(v->ops->sync(v, false), 0);
  bool words;
  assert_int_equal(fixture_e2fsck("-p", &words), 0); /* the journal and orphans are no damage */
  assert_non_null(strstr(fixture_words, "orphaned inode"));
  vnode_unref(v);
  end();
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_deleted_is_room),
      cmocka_unit_test(test_room_again_and_again),
      cmocka_unit_test(test_a_mapping_keeps_the_file),
      cmocka_unit_test(test_a_cut_file_without_names),
  };
  ram_init(60000);
  return cmocka_run_group_tests(tests, NULL, fixture_remove);
}
