/*
 * Reading a database through a mapping of its file (PRAGMA mmap_size). Writes go by pwrite() all
 * the same; the mapping shows them, for both are the same pages of the page cache.
 */
#include <stddef.h>
#include <sys/mman.h>

#include "dirvfs_private.h"

static void map_remove(struct dirfile *f) {
  if (f->map != NULL)
    munmap(f->map, (size_t)f->map_bytes);
  f->map = NULL;
  f->map_bytes = f->map_valid = 0;
}

/* Maps the file anew, as long as it is now, while nobody looks at the old mapping. Without success
 * there is none, and SQLite reads. */
static void map_make(struct dirfile *f) {
  struct stat st;
  map_remove(f);
  if (fstat(f->fd, &st) != 0)
    return;
  sqlite3_int64 bytes = st.st_size < f->map_limit ? st.st_size : f->map_limit;
  if (bytes <= 0)
    return;
  void *map = mmap(NULL, (size_t)bytes, PROT_READ, MAP_SHARED, f->fd, 0);
  if (map == MAP_FAILED)
    return;
  f->map = map;
  f->map_bytes = f->map_valid = bytes;
}

int dirfile_fetch(sqlite3_file *file, sqlite3_int64 offset, int bytes, void **out) {
  struct dirfile *f = (struct dirfile *)file;
  *out = NULL;
  if (f->map_valid < offset + bytes && f->fetched == 0 && f->map_limit > 0)
    map_make(f);
  if (f->map_valid < offset + bytes)
    return SQLITE_OK;
  f->fetched++;
  *out = f->map + offset;
  return SQLITE_OK;
}

/* Without a page: the file is not what it was when it was mapped. */
int dirfile_unfetch(sqlite3_file *file, sqlite3_int64 offset, void *page) {
  struct dirfile *f = (struct dirfile *)file;
  if (page != NULL)
    f->fetched--;
  else
    map_remove(f);
  return SQLITE_OK;
}

void dirfile_map_limit(struct dirfile *f, sqlite3_int64 *limit) {
  sqlite3_int64 wanted = *limit;
  *limit = f->map_limit;
  if (wanted < 0 || f->fetched > 0)
    return;
  f->map_limit = wanted;
  map_remove(f);
}

void dirfile_map_truncated(struct dirfile *f, sqlite3_int64 size) {
  if (size < f->map_valid)
    f->map_valid = size;
}

void dirfile_map_close(struct dirfile *f) {
  map_remove(f);
}
