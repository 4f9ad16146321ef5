/*
 * Locks on databases, between the connections of this process.
 *
 * A node stands for a file, found by its device and inode. Many may read it (SHARED); one of them
 * may prepare to write (RESERVED), keep new readers out (PENDING), and write when it is alone
 * (EXCLUSIVE). Journals and temporary files belong to one connection and have no node. One mutex is
 * around all nodes; it is held for moments and never while waiting.
 */
#include <pthread.h>
#include <stdlib.h>

#include "dirvfs_private.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct node *nodes;

void nodes_enter(void) {
  pthread_mutex_lock(&mutex);
}

void nodes_leave(void) {
  pthread_mutex_unlock(&mutex);
}

static struct node *node_find(const struct stat *st) {
  struct node *n = nodes;
  while (n != NULL && (n->dev != st->st_dev || n->ino != st->st_ino))
    n = n->next;
  return n;
}

int node_get(struct dirfile *f) {
  struct stat st;
  if (fstat(f->fd, &st) != 0)
    return dirvfs_failed(f->vfs, SQLITE_IOERR_FSTAT);
  nodes_enter();
  struct node *n = node_find(&st);
  if (n == NULL && (n = calloc(1, sizeof *n)) != NULL) {
    n->dev = st.st_dev;
    n->ino = st.st_ino;
    n->next = nodes;
    nodes = n;
  }
  if (n != NULL)
    n->refs++;
  nodes_leave();
  f->node = n;
  return n == NULL ? SQLITE_NOMEM : SQLITE_OK;
}

void node_put(struct dirfile *f) {
  struct node *n = f->node;
  dirfile_shm_unmap(&f->file, 0);
  dirfile_unlock(&f->file, SQLITE_LOCK_NONE);
  nodes_enter();
  if (--n->refs == 0) {
    struct node **link = &nodes;
    while (*link != n)
      link = &(*link)->next;
    *link = n->next;
    free(n);
  }
  nodes_leave();
  f->node = NULL;
}

static int lock_shared(struct dirfile *f) {
  struct node *n = f->node;
  if (n->writer != NULL && n->writer->level >= SQLITE_LOCK_PENDING)
    return SQLITE_BUSY;
  n->readers++;
  f->level = SQLITE_LOCK_SHARED;
  return SQLITE_OK;
}

/* RESERVED, or EXCLUSIVE, which is PENDING until the other readers are gone. */
static int lock_more(struct dirfile *f, int level) {
  struct node *n = f->node;
  if (n->writer != NULL && n->writer != f)
    return SQLITE_BUSY;
  n->writer = f;
  if (level == SQLITE_LOCK_EXCLUSIVE && n->readers > 1) {
    f->level = SQLITE_LOCK_PENDING;
    return SQLITE_BUSY;
  }
  f->level = level;
  return SQLITE_OK;
}

int dirfile_lock(sqlite3_file *file, int level) {
  struct dirfile *f = (struct dirfile *)file;
  int code = SQLITE_OK;
  if (f->node == NULL)
    return SQLITE_OK;
  nodes_enter();
  if (f->level < level)
    code = level == SQLITE_LOCK_SHARED ? lock_shared(f) : lock_more(f, level);
  nodes_leave();
  return code;
}

int dirfile_unlock(sqlite3_file *file, int level) {
  struct dirfile *f = (struct dirfile *)file;
  if (f->node == NULL)
    return SQLITE_OK;
  nodes_enter();
  if (f->level > level) {
    if (f->node->writer == f)
      f->node->writer = NULL;
    if (level == SQLITE_LOCK_NONE)
      f->node->readers--;
    f->level = level;
  }
  nodes_leave();
  return SQLITE_OK;
}

int dirfile_check_reserved(sqlite3_file *file, int *reserved) {
  struct dirfile *f = (struct dirfile *)file;
  nodes_enter();
  *reserved = f->node != NULL && f->node->writer != NULL;
  nodes_leave();
  return SQLITE_OK;
}
