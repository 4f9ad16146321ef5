// sources: kernel/fdtable.c kernel/file.c
/*
 * Descriptor tables: numbers, rights, references, and the order of errors.
 */
#include "tests/host/world.h"

#include "kernel/fdtable.h"

static int closed;

static void count_close(struct file *f) {
  closed++;
}

static const struct file_ops ops = {.close = count_close};

static struct fdtable table;

static void begin(void) {
  fdtable_init(&table);
  closed = 0;
}

static void end(void) {
  fdtable_destroy(&table);
  assert_int_equal(world_live, 0);
}

static fd_t add(struct file *f, rights_t base) {
  fd_t fd = 12345;
  file_init(f, &ops, FILETYPE_REGULAR_FILE, 0);
  assert_int_equal(fd_install(&table, f, base, 0x77, &fd), 0);
  return fd;
}

static void test_lowest_number(void **state) {
  static struct file files[100];
  begin();
  for (fd_t i = 0; i < 100; i++)
    assert_int_equal(add(&files[i], 0), i);
  assert_int_equal(table.count, 100);
  assert_int_equal(fd_close(&table, 70), 0);
  assert_int_equal(fd_close(&table, 3), 0);
  assert_int_equal(fd_close(&table, 50), 0);
  assert_int_equal(closed, 3);
  assert_int_equal(add(&files[3], 0), 3);
  assert_int_equal(add(&files[50], 0), 50);
  assert_int_equal(add(&files[70], 0), 70);
  struct file last;
  assert_int_equal(add(&last, 0), 100);
  end();
  assert_int_equal(closed, 3 + 101);
}

static fd_t told[4];
static unsigned told_count;

static void note_closed(struct fd_watcher *w, fd_t fd) {
  struct fd_entry *entry;
  assert_int_equal(fd_lookup(&table, fd, &entry), 0); /* it is still what it was */
  told[told_count++] = fd;
}

static void test_watchers(void **state) {
  struct fd_watcher one = {.closed = note_closed}, two = {.closed = note_closed};
  struct file f[3];
  begin();
  told_count = 0;
  for (int i = 0; i < 3; i++)
    add(&f[i], 0);
  fd_watch(&table, &one);
  fd_watch(&table, &two);
  assert_int_equal(fd_close(&table, 7), EBADF);
  assert_int_equal(told_count, 0);
  assert_int_equal(fd_close(&table, 1), 0);
  assert_int_equal(told_count, 2);
  assert_int_equal(told[0], 1);
  fd_unwatch(&table, &one);
  assert_int_equal(fd_replace(&table, 2, 2), 0);
  assert_int_equal(told_count, 2);
  assert_int_equal(fd_replace(&table, 2, 0), 0);
  assert_int_equal(told_count, 3);
  assert_int_equal(told[2], 0);
  fd_unwatch(&table, &two);
  end();
  assert_int_equal(told_count, 3);
}

static void test_errors(void **state) {
  struct file f, *got = NULL;
  struct fd_entry *entry;
  begin();
  assert_int_equal(fd_get(&table, 0, 0, &got), EBADF);
  fd_t fd = add(&f, RIGHT_FD_READ | RIGHT_FD_SEEK);
  assert_int_equal(fd_get(&table, 1, RIGHT_FD_WRITE, &got), EBADF);
  assert_int_equal(fd_get(&table, 0xffffffff, 0, &got), EBADF);
  assert_int_equal(fd_get(&table, 0x80000000, 0, &got), EBADF);
  assert_int_equal(fd_get(&table, fd, RIGHT_FD_READ | RIGHT_FD_WRITE, &got), ENOTCAPABLE);
  assert_null(got);
  assert_int_equal(f.refs, 1);
  assert_int_equal(fd_get(&table, fd, RIGHT_FD_READ | RIGHT_FD_SEEK, &got), 0);
  assert_ptr_equal(got, &f);
  assert_int_equal(f.refs, 2);
  assert_int_equal(fd_lookup(&table, fd, &entry), 0);
  assert_int_equal(entry->inheriting, 0x77);
  assert_int_equal(fd_lookup(&table, 1, &entry), EBADF);
  assert_int_equal(fd_close(&table, fd), 0);
  assert_int_equal(closed, 0); /* a call still uses it */
  assert_int_equal(fd_close(&table, fd), EBADF);
  file_unref(got);
  assert_int_equal(closed, 1);
  end();
}

static void test_replace(void **state) {
  struct file a, b;
  struct fd_entry *entry;
  begin();
  fd_t from = add(&a, 0xabc), to = add(&b, 0xdef);
  assert_int_equal(fd_replace(&table, from, 7), EBADF);
  assert_int_equal(fd_replace(&table, 7, to), EBADF);
  assert_int_equal(fd_replace(&table, 7, 7), EBADF);
  assert_int_equal(fd_replace(&table, from, from), 0);
  assert_int_equal(a.refs, 1);
  assert_int_equal(fd_replace(&table, from, to), 0);
  assert_int_equal(closed, 1);
  assert_int_equal(a.refs, 2);
  fd_lookup(&table, to, &entry);
  assert_ptr_equal(entry->file, &a);
  assert_int_equal(entry->base, 0xabc);
  end();
  assert_int_equal(closed, 2);
}

static void test_full(void **state) {
  struct file f;
  fd_t fd;
  begin();
  file_init(&f, &ops, FILETYPE_REGULAR_FILE, 0);
  for (fd_t i = 0; i < FD_MAX; i++) {
    assert_int_equal(fd_install(&table, file_ref(&f), 0, 0, &fd), 0);
    assert_int_equal(fd, i);
  }
  assert_int_equal(fd_install(&table, &f, 0, 0, &fd), EMFILE);
  assert_int_equal(fd_close(&table, 40000), 0);
  assert_int_equal(fd_install(&table, file_ref(&f), 0, 0, &fd), 0);
  assert_int_equal(fd, 40000);
  assert_int_equal(fd_install(&table, &f, 0, 0, &fd), EMFILE);
  end();
  assert_int_equal(f.refs, 1);
}

static void test_no_memory(void **state) {
  struct file f[17];
  fd_t fd;
  begin();
  world_allocations_left = 1;
  for (int i = 0; i < 16; i++)
    add(&f[i], 0);
  file_init(&f[16], &ops, FILETYPE_REGULAR_FILE, 0);
  assert_int_equal(fd_install(&table, &f[16], 0, 0, &fd), ENOMEM);
  assert_int_equal(f[16].refs, 1); /* still the caller's */
  world_allocations_left = -1;
  assert_int_equal(fd_install(&table, &f[16], 0, 0, &fd), 0);
  assert_int_equal(fd, 16);
  end();
  assert_int_equal(closed, 17);
}

/* What a child gets: all but poll sets, which know the numbers of one table. */
static void test_copy_of_a_table(void **state) {
  static struct file files[40];
  struct fdtable copy;
  struct fd_entry *entry;
  begin();
  for (fd_t i = 0; i < 40; i++)
    add(&files[i], i);
  assert_int_equal(fd_close(&table, 7), 0);
  files[9].type = FILETYPE_POLL;
  fdtable_init(&copy);
  assert_int_equal(fdtable_copy(&copy, &table), 0);
  assert_int_equal(copy.count, 38);
  for (fd_t i = 0; i < 40; i++) {
    bool there = i != 7 && i != 9;
    assert_int_equal(fd_lookup(&copy, i, &entry), there ? 0 : EBADF);
    assert_true(!there || (entry->file == &files[i] && entry->base == i));
    assert_int_equal(files[i].refs, i == 7 ? 0 : there ? 2 : 1);
  }
  struct file first;
  fd_t fd;
  file_init(&first, &ops, FILETYPE_REGULAR_FILE, 0);
  assert_int_equal(fd_install(&copy, &first, 0, 0, &fd), 0);
  assert_int_equal(fd, 7);
  fdtable_destroy(&copy);
  assert_int_equal(closed, 1 + 1);
  end();
}

static void test_copies_of_entries(void **state) {
  static struct file files[2];
  struct fdtable copy;
  struct fd_entry *entry;
  begin();
  fd_t file = add(&files[0], 5), set = add(&files[1], 6);
  files[1].type = FILETYPE_POLL;
  fdtable_init(&copy);
  assert_int_equal(fd_copy(&copy, &table, 17), EBADF);
  assert_int_equal(fd_copy(&copy, &table, set), EINVAL);
  world_allocations_left = 0;
  assert_int_equal(fd_copy(&copy, &table, file), ENOMEM);
  assert_int_equal(fdtable_copy(&copy, &table), ENOMEM);
  world_allocations_left = -1;
  assert_int_equal(files[0].refs, 1);
  for (fd_t i = 0; i < 3; i++) {
    assert_int_equal(fd_copy(&copy, &table, file), 0);
    assert_int_equal(fd_lookup(&copy, i, &entry), 0);
    assert_true(entry->file == &files[0] && entry->base == 5 && entry->inheriting == 0x77);
  }
  assert_int_equal(files[0].refs, 4);
  fdtable_destroy(&copy);
  assert_int_equal(files[0].refs, 1);
  end();
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_lowest_number),
      cmocka_unit_test(test_errors),
      cmocka_unit_test(test_watchers),
      cmocka_unit_test(test_replace),
      cmocka_unit_test(test_full),
      cmocka_unit_test(test_no_memory),
      cmocka_unit_test(test_copy_of_a_table),
      cmocka_unit_test(test_copies_of_entries),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
