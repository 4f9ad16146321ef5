/*
 * What the files of the VFS share: an open file, and the node that stands for the file itself.
 */
#ifndef TESTS_GUEST_SQLITE_DIRVFS_PRIVATE_H
#define TESTS_GUEST_SQLITE_DIRVFS_PRIVATE_H

#include <stdbool.h>
#include <sys/stat.h>

#include "sqlite3.h"

struct dirvfs {
  sqlite3_vfs vfs; /* first: SQLite's view */
  int dir;
  int error; /* the last call's errno, for xGetLastError */
};

/* A file of the file system, however many connections have it open: its locks, and the memory that
 * they share. dirvfs_lock.c and dirvfs_shm.c. */
struct node {
  dev_t dev;
  ino_t ino;
  int refs;
  int readers;            /* files with SHARED or more */
  struct dirfile *writer; /* the one that has more than SHARED */
  void **regions;         /* of the WAL index */
  int region_count;
  int mapped;                         /* files that have it */
  int slot_readers[SQLITE_SHM_NLOCK]; /* of the WAL index's locks */
  struct dirfile *slot_writer[SQLITE_SHM_NLOCK];
  struct node *next;
};

/* An open file: SQLite allocates szOsFile bytes for one. */
struct dirfile {
  sqlite3_file file; /* first: SQLite's view */
  struct dirvfs *vfs;
  const char *name; /* SQLite's, as long as the file is open; NULL for a temporary file */
  int fd;
  bool new_name;                          /* was created, and its directory not synced since */
  int level;                              /* SQLITE_LOCK_NONE to SQLITE_LOCK_EXCLUSIVE */
  struct node *node;                      /* of a database; NULL for all others */
  bool shm;                               /* is counted in node->mapped */
  unsigned slots_shared, slots_exclusive; /* bits: what it holds of the WAL index's locks */
  char *map;                              /* the file's beginning, to read; or NULL */
  sqlite3_int64 map_bytes, map_valid;     /* mapped; and of that, not behind the file's end */
  sqlite3_int64 map_limit;                /* as much of the file may be mapped */
  int fetched;                            /* pages of it that SQLite looks at */
};

/* dirvfs_io.c: the methods of an open file. */
extern const sqlite3_io_methods dirfile_methods;

/* dirvfs.c: remembers errno and passes `code` on; waits until the directory that has this name is
 * on the medium (an SQLite code). */
int dirvfs_failed(struct dirvfs *vfs, int code);
int dirvfs_sync_parent(struct dirvfs *vfs, const char *name);

/* dirvfs_lock.c: finds or makes the node of an open file; lets go of it and of all locks. */
int node_get(struct dirfile *f);
void node_put(struct dirfile *f);
/* Around everything that looks at a node. */
void nodes_enter(void);
void nodes_leave(void);

int dirfile_lock(sqlite3_file *file, int level);
int dirfile_unlock(sqlite3_file *file, int level);
int dirfile_check_reserved(sqlite3_file *file, int *reserved);

/* dirvfs_shm.c */
int dirfile_shm_map(sqlite3_file *file, int region, int bytes, int extend, void volatile **out);
int dirfile_shm_lock(sqlite3_file *file, int first, int count, int flags);
void dirfile_shm_barrier(sqlite3_file *file);
int dirfile_shm_unmap(sqlite3_file *file, int remove);

/* dirvfs_map.c. The limit that was, for the wanted one (-1: none is wanted); the file was cut to
 * this size; it is closed. */
int dirfile_fetch(sqlite3_file *file, sqlite3_int64 offset, int bytes, void **out);
int dirfile_unfetch(sqlite3_file *file, sqlite3_int64 offset, void *page);
void dirfile_map_limit(struct dirfile *f, sqlite3_int64 *limit);
void dirfile_map_truncated(struct dirfile *f, sqlite3_int64 size);
void dirfile_map_close(struct dirfile *f);

/* mutex.c */
extern const sqlite3_mutex_methods dirvfs_mutexes;

#endif
