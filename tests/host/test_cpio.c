// sources: fs/cpio.c
/* The cpio reader: a well-formed archive entry by entry, and every way of being broken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fs/cpio.h"

struct archive {
  char bytes[4096];
  size_t size;
};

static void align(struct archive *archive) {
  while (archive->size % 4 != 0) {
    archive->bytes[archive->size++] = '\0';
  }
}

/* Adds an entry as another tool would; `name_size` counts the NULs behind the name. */
static void add(struct archive *archive, const char *name, size_t name_size, unsigned mode,
                const char *data) {
  archive->size +=
      (size_t)sprintf(archive->bytes + archive->size,
                      "070701%08X%08x%08x%08x%08X%08x%08zx%08x%08x%08x%08x%08zx%08x", 0xAB, mode, 0,
                      0, 2, 0x5594c5e0, strlen(data), 0, 0, 0, 0, name_size, 0);
  memset(archive->bytes + archive->size, 0, name_size);
  memcpy(archive->bytes + archive->size, name, strlen(name));
  archive->size += name_size;
  align(archive);
  memcpy(archive->bytes + archive->size, data, strlen(data));
  archive->size += strlen(data);
  align(archive);
}

static void add_trailer(struct archive *archive) {
  add(archive, CPIO_TRAILER, sizeof(CPIO_TRAILER), 0, "");
}

/* Reads an exact copy; stops at the end or at what is broken. */
static enum cpio_step read_all(const struct archive *archive, struct cpio_reader *reader,
                               int *entries) {
  char *copy = malloc(archive->size);
  memcpy(copy, archive->bytes, archive->size);
  struct cpio_entry entry;
  enum cpio_step step;
  *entries = 0;
  cpio_begin(reader, copy, archive->size);
  while ((step = cpio_next(reader, &entry)) == CPIO_ENTRY) {
    assert_true(strlen(entry.name) == entry.name_length);
    for (size_t i = 0; i < entry.size; i++) {
      assert_int_not_equal(entry.data[i], 0xff); /* every byte can be read */
    }
    (*entries)++;
  }
  assert_int_equal(cpio_next(reader, &entry) == CPIO_ENTRY, false);
  free(copy);
  return step;
}

static void good_archive(void **state) {
  (void)state;
  struct archive archive = {0};
  struct cpio_reader reader;
  struct cpio_entry entry;
  add(&archive, "dir", 4, CPIO_DIRECTORY | 0755, "");
  add(&archive, "dir/file", 9 + 40, CPIO_REGULAR | 0644, "hello"); /* padded name */
  add(&archive, "dir/link", 9, CPIO_SYMLINK | 0777, "file");
  add_trailer(&archive);
  size_t end = archive.size;
  memset(archive.bytes + end, 0, 100); /* what follows the trailer does not count */
  archive.size += 100;

  cpio_begin(&reader, archive.bytes, archive.size);
  assert_int_equal(cpio_next(&reader, &entry), CPIO_ENTRY);
  assert_string_equal(entry.name, "dir");
  assert_int_equal(entry.mode, 0040755);
  assert_int_equal(entry.ino, 0xab);
  assert_int_equal(entry.nlink, 2);
  assert_int_equal(entry.mtime_s, 0x5594c5e0);
  assert_int_equal(entry.size, 0);
  assert_int_equal(cpio_next(&reader, &entry), CPIO_ENTRY);
  assert_string_equal(entry.name, "dir/file");
  assert_int_equal(entry.name_length, 8);
  assert_int_equal(entry.size, 5);
  assert_memory_equal(entry.data, "hello", 5);
  assert_int_equal(cpio_next(&reader, &entry), CPIO_ENTRY);
  assert_int_equal(entry.mode & CPIO_TYPE, CPIO_SYMLINK);
  assert_int_equal(cpio_next(&reader, &entry), CPIO_END);
  assert_int_equal(reader.offset, end);
}

static void cut_off(void **state) {
  (void)state;
  struct archive archive = {0};
  add(&archive, "a", 2, CPIO_REGULAR, "12345");
  add(&archive, "b", 2, CPIO_REGULAR, "");
  add_trailer(&archive);
  size_t whole = archive.size;
  struct cpio_reader reader;
  int entries;
  assert_int_equal(read_all(&archive, &reader, &entries), CPIO_END);
  assert_int_equal(entries, 2);
  for (archive.size = 0; archive.size < whole; archive.size++) {
    assert_int_equal(read_all(&archive, &reader, &entries), CPIO_BROKEN);
    assert_non_null(reader.error);
  }
}

static void broken_archives(void **state) {
  (void)state;
  static const struct {
    size_t at;
    const char *bytes;
    const char *error;
  } changes[] = {
      {0, "0707", "the archive ends without a trailer"}, /* no change: it has no trailer */
      {5, "2", "no cpio header where one must be"},
      {0, "\xc7\x71", "no cpio header where one must be"},
      {6, "g", "a header field is not a hexadecimal number"},
      {14, "-", "a header field is not a hexadecimal number"},
      {54, "FFFFFFFF", "a file reaches past the archive's end"},
      {54, "00000009", "a file reaches past the archive's end"},
      {94, "FFFFFFFF", "a name reaches past the archive's end"},
      {94, "00001000", "a name reaches past the archive's end"},
      {94, "00000000", "a name is empty or has no end"},
      {94, "00000001", "a name is empty or has no end"},
      {94, "00000003", "a name is empty or has no end"},
      {111, "x", "a name is empty or has no end"},
  };
  for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
    struct archive archive = {0};
    struct cpio_reader reader;
    int entries;
    add(&archive, "a", 2, CPIO_REGULAR, "12345678");
    memcpy(archive.bytes + changes[i].at, changes[i].bytes, strlen(changes[i].bytes));
    assert_int_equal(read_all(&archive, &reader, &entries), CPIO_BROKEN);
    assert_string_equal(reader.error, changes[i].error);
  }
}

static void empty_name(void **state) {
  (void)state;
  struct archive archive = {0};
  struct cpio_reader reader;
  int entries;
  add(&archive, "", 5, CPIO_REGULAR, "");
  assert_int_equal(read_all(&archive, &reader, &entries), CPIO_BROKEN);
  assert_string_equal(reader.error, "a name is empty or has no end");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(good_archive),
      cmocka_unit_test(cut_off),
      cmocka_unit_test(broken_archives),
      cmocka_unit_test(empty_name),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
