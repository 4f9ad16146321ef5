/*
 * The VFS: names below a directory, and what else SQLite wants from a system. See dirvfs.h.
 */
#include "dirvfs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "dirvfs_private.h"

#define NAME_MAX_BYTES 512

static struct dirvfs *first; /* the default one */

int dirvfs_failed(struct dirvfs *vfs, int code) {
  vfs->error = errno;
  return code;
}

int dirvfs_sync_parent(struct dirvfs *vfs, const char *name) {
  const char *slash = strrchr(name, '/');
  char parent[NAME_MAX_BYTES + 1];
  int dir = vfs->dir;
  if (slash != NULL) {
    size_t len = (size_t)(slash - name);
    memcpy(parent, name, len);
    parent[len] = '\0';
    dir = openat(vfs->dir, parent, O_RDONLY | O_DIRECTORY);
  }
  int code = SQLITE_OK;
  if (dir < 0 || fsync(dir) != 0)
    code = dirvfs_failed(vfs, SQLITE_IOERR_DIR_FSYNC);
  if (slash != NULL && dir >= 0)
    close(dir);
  return code;
}

/* A file without a name: nobody else finds it, and it ends with its descriptor. */
static int open_temporary(struct dirvfs *vfs) {
  char name[40];
  unsigned long long number;
  int fd;
  do {
    sqlite3_randomness(sizeof number, &number);
    sqlite3_snprintf(sizeof name, name, "sqlite-temporary-%016llx", number);
    fd = openat(vfs->dir, name, O_RDWR | O_CREAT | O_EXCL, 0666);
  } while (fd < 0 && errno == EEXIST);
  if (fd >= 0)
    unlinkat(vfs->dir, name, 0);
  return fd;
}

/* Opens it as SQLite's flags say, or only for reading, and says so, where it can't be written. */
static int open_named(struct dirvfs *vfs, const char *name, int *flags, bool *made) {
  int how = *flags & SQLITE_OPEN_READWRITE ? O_RDWR : O_RDONLY;
  *made = false;
  int fd = *flags & SQLITE_OPEN_EXCLUSIVE ? -1 : openat(vfs->dir, name, how);
  if (fd < 0 && *flags & SQLITE_OPEN_CREATE) {
    int exclusive = *flags & SQLITE_OPEN_EXCLUSIVE ? O_EXCL : 0;
    fd = openat(vfs->dir, name, how | O_CREAT | exclusive, 0666);
    *made = fd >= 0;
  }
  if (fd < 0 && how == O_RDWR && (errno == EACCES || errno == EROFS)) {
    fd = openat(vfs->dir, name, O_RDONLY);
    *flags &= ~(SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
    *flags |= SQLITE_OPEN_READONLY;
  }
  return fd;
}

static int vfs_open(sqlite3_vfs *v, const char *name, sqlite3_file *file, int flags, int *out) {
  struct dirvfs *vfs = (struct dirvfs *)v;
  struct dirfile *f = (struct dirfile *)file;
  memset(f, 0, sizeof *f);
  f->vfs = vfs;
  f->name = name;
  f->fd = name == NULL ? open_temporary(vfs) : open_named(vfs, name, &flags, &f->new_name);
  if (f->fd < 0)
    return dirvfs_failed(vfs, SQLITE_CANTOPEN);
  int code = flags & SQLITE_OPEN_MAIN_DB ? node_get(f) : SQLITE_OK;
  if (code != SQLITE_OK) {
    close(f->fd);
    return code;
  }
  if (name != NULL && flags & SQLITE_OPEN_DELETEONCLOSE)
    unlinkat(vfs->dir, name, 0);
  f->file.pMethods = &dirfile_methods;
  if (out != NULL)
    *out = flags;
  return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *v, const char *name, int sync) {
  struct dirvfs *vfs = (struct dirvfs *)v;
  if (unlinkat(vfs->dir, name, 0) != 0)
    return dirvfs_failed(vfs, errno == ENOENT ? SQLITE_IOERR_DELETE_NOENT : SQLITE_IOERR_DELETE);
  return sync ? dirvfs_sync_parent(vfs, name) : SQLITE_OK;
}

/* To SQLite an empty file is none: a journal that was begun says nothing. */
static int vfs_access(sqlite3_vfs *v, const char *name, int how, int *result) {
  struct dirvfs *vfs = (struct dirvfs *)v;
  struct stat st;
  if (fstatat(vfs->dir, name, &st, 0) != 0) {
    *result = 0;
    return errno == ENOENT ? SQLITE_OK : dirvfs_failed(vfs, SQLITE_IOERR_ACCESS);
  }
  *result = how != SQLITE_ACCESS_EXISTS || !S_ISREG(st.st_mode) || st.st_size > 0;
  return SQLITE_OK;
}

static int vfs_full_name(sqlite3_vfs *v, const char *name, int bytes, char *out) {
  size_t len = strlen(name);
  if (len >= (size_t)bytes)
    return SQLITE_CANTOPEN;
  memcpy(out, name, len + 1);
  return SQLITE_OK;
}

static int vfs_randomness(sqlite3_vfs *v, int bytes, char *out) {
  int done = 0;
  while (done < bytes) {
    int part = bytes - done < 256 ? bytes - done : 256;
    if (getentropy(out + done, (size_t)part) != 0)
      break;
    done += part;
  }
  return done;
}

static int vfs_sleep(sqlite3_vfs *v, int us) {
  struct timespec time = {us / 1000000, us % 1000000 * 1000L};
  nanosleep(&time, NULL);
  return us;
}

/* Milliseconds by the Julian calendar, which began 210866760000 seconds before 1970. */
static int vfs_time(sqlite3_vfs *v, sqlite3_int64 *ms) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  *ms = 210866760000000 + (sqlite3_int64)now.tv_sec * 1000 + now.tv_nsec / 1000000;
  return SQLITE_OK;
}

static int vfs_time_days(sqlite3_vfs *v, double *days) {
  sqlite3_int64 ms;
  vfs_time(v, &ms);
  *days = (double)ms / 86400000.0;
  return SQLITE_OK;
}

static int vfs_last_error(sqlite3_vfs *v, int bytes, char *out) {
  return ((struct dirvfs *)v)->error;
}

int dirvfs_register(const char *name, int dir) {
  struct dirvfs *vfs = calloc(1, sizeof *vfs);
  if (vfs == NULL)
    return SQLITE_NOMEM;
  vfs->dir = dir;
  vfs->vfs = (sqlite3_vfs){
      .iVersion = 2,
      .szOsFile = sizeof(struct dirfile),
      .mxPathname = NAME_MAX_BYTES,
      .zName = name,
      .xOpen = vfs_open,
      .xDelete = vfs_delete,
      .xAccess = vfs_access,
      .xFullPathname = vfs_full_name,
      .xRandomness = vfs_randomness,
      .xSleep = vfs_sleep,
      .xCurrentTime = vfs_time_days,
      .xGetLastError = vfs_last_error,
      .xCurrentTimeInt64 = vfs_time,
  };
  if (first != NULL)
    return sqlite3_vfs_register(&vfs->vfs, 0);
  first = vfs;
  if (sqlite3_threadsafe())
    sqlite3_config(SQLITE_CONFIG_MUTEX, &dirvfs_mutexes);
  return sqlite3_initialize();
}

/* SQLite calls these two when it starts and stops, as it does with the systems that it knows. */
int sqlite3_os_init(void) {
  return first == NULL ? SQLITE_ERROR : sqlite3_vfs_register(&first->vfs, 1);
}

int sqlite3_os_end(void) {
  return SQLITE_OK;
}
