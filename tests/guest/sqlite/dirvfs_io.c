/*
 * An open file of the VFS: reading, writing, and seeing to it that what was written lasts.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "dirvfs_private.h"

#define SECTOR_BYTES 4096 /* what the file system writes at a time */

static int file_close(sqlite3_file *file) {
  struct dirfile *f = (struct dirfile *)file;
  if (f->node != NULL)
    node_put(f);
  dirfile_map_close(f);
  close(f->fd);
  return SQLITE_OK;
}

/* What lies behind the end reads as zeroes, and SQLite is told that it is not there. */
static int file_read(sqlite3_file *file, void *buf, int bytes, sqlite3_int64 offset) {
  struct dirfile *f = (struct dirfile *)file;
  int done = 0;
  while (done < bytes) {
    ssize_t n = pread(f->fd, (char *)buf + done, (size_t)(bytes - done), offset + done);
    if (n < 0)
      return dirvfs_failed(f->vfs, SQLITE_IOERR_READ);
    if (n == 0) {
      memset((char *)buf + done, 0, (size_t)(bytes - done));
      return SQLITE_IOERR_SHORT_READ;
    }
    done += (int)n;
  }
  return SQLITE_OK;
}

static int file_write(sqlite3_file *file, const void *buf, int bytes, sqlite3_int64 offset) {
  struct dirfile *f = (struct dirfile *)file;
  int done = 0;
  while (done < bytes) {
    ssize_t n = pwrite(f->fd, (const char *)buf + done, (size_t)(bytes - done), offset + done);
    if (n < 0)
      return dirvfs_failed(f->vfs, errno == ENOSPC ? SQLITE_FULL : SQLITE_IOERR_WRITE);
    done += (int)n;
  }
  return SQLITE_OK;
}

static int file_truncate(sqlite3_file *file, sqlite3_int64 size) {
  struct dirfile *f = (struct dirfile *)file;
  if (ftruncate(f->fd, size) != 0)
    return dirvfs_failed(f->vfs, SQLITE_IOERR_TRUNCATE);
  dirfile_map_truncated(f, size);
  return SQLITE_OK;
}

/* A new file's name is made durable with its first contents: a journal that can't be found after a
 * power cut is none. */
static int file_sync(sqlite3_file *file, int flags) {
  struct dirfile *f = (struct dirfile *)file;
  int error = flags & SQLITE_SYNC_DATAONLY ? fdatasync(f->fd) : fsync(f->fd);
  if (error != 0)
    return dirvfs_failed(f->vfs, SQLITE_IOERR_FSYNC);
  if (!f->new_name)
    return SQLITE_OK;
  int code = dirvfs_sync_parent(f->vfs, f->name);
  f->new_name = code != SQLITE_OK;
  return code;
}

static int file_size(sqlite3_file *file, sqlite3_int64 *size) {
  struct dirfile *f = (struct dirfile *)file;
  struct stat st;
  if (fstat(f->fd, &st) != 0)
    return dirvfs_failed(f->vfs, SQLITE_IOERR_FSTAT);
  *size = st.st_size;
  return SQLITE_OK;
}

static int file_control(sqlite3_file *file, int op, void *arg) {
  struct dirfile *f = (struct dirfile *)file;
  switch (op) {
    case SQLITE_FCNTL_LOCKSTATE:
      *(int *)arg = f->level;
      return SQLITE_OK;
    case SQLITE_FCNTL_LAST_ERRNO:
      *(int *)arg = f->vfs->error;
      return SQLITE_OK;
    case SQLITE_FCNTL_VFSNAME:
      *(char **)arg = sqlite3_mprintf("%s", f->vfs->vfs.zName);
      return SQLITE_OK;
    case SQLITE_FCNTL_MMAP_SIZE:
      dirfile_map_limit(f, arg);
      return SQLITE_OK;
    default:
      return SQLITE_NOTFOUND;
  }
}

static int file_sector_size(sqlite3_file *file) {
  return SECTOR_BYTES;
}

/* A power cut leaves alone the bytes beside those that were being written: the file system writes
 * the others as they were. */
static int file_device(sqlite3_file *file) {
  return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

const sqlite3_io_methods dirfile_methods = {
    .iVersion = 3,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = dirfile_lock,
    .xUnlock = dirfile_unlock,
    .xCheckReservedLock = dirfile_check_reserved,
    .xFileControl = file_control,
    .xSectorSize = file_sector_size,
    .xDeviceCharacteristics = file_device,
    .xShmMap = dirfile_shm_map,
    .xShmLock = dirfile_shm_lock,
    .xShmBarrier = dirfile_shm_barrier,
    .xShmUnmap = dirfile_shm_unmap,
    .xFetch = dirfile_fetch,
    .xUnfetch = dirfile_unfetch,
};
