/*
 * SQLite's mutexes, by pthread's: what SQLite has for Unix alone.
 */
#include <pthread.h>
#include <stdlib.h>

#include "dirvfs_private.h"

struct sqlite3_mutex {
  pthread_mutex_t mutex;
};

#define STATIC_COUNT (SQLITE_MUTEX_STATIC_VFS3 + 1)

static sqlite3_mutex statics[STATIC_COUNT] = {
    [0 ... STATIC_COUNT - 1] = {PTHREAD_MUTEX_INITIALIZER},
};

static int mutex_start(void) {
  return SQLITE_OK;
}

static int mutex_stop(void) {
  return SQLITE_OK;
}

static sqlite3_mutex *mutex_alloc(int id) {
  if (id != SQLITE_MUTEX_FAST && id != SQLITE_MUTEX_RECURSIVE)
    return id < STATIC_COUNT ? &statics[id] : NULL;
  sqlite3_mutex *m = malloc(sizeof *m);
  if (m == NULL)
    return NULL;
  pthread_mutexattr_t attr;
  pthread_mutexattr_init(&attr);
  pthread_mutexattr_settype(
      &attr, id == SQLITE_MUTEX_RECURSIVE ? PTHREAD_MUTEX_RECURSIVE : PTHREAD_MUTEX_NORMAL);
  pthread_mutex_init(&m->mutex, &attr);
  pthread_mutexattr_destroy(&attr);
  return m;
}

static void mutex_free(sqlite3_mutex *m) {
  pthread_mutex_destroy(&m->mutex);
  free(m);
}

static void mutex_enter(sqlite3_mutex *m) {
  pthread_mutex_lock(&m->mutex);
}

static int mutex_try(sqlite3_mutex *m) {
  return pthread_mutex_trylock(&m->mutex) == 0 ? SQLITE_OK : SQLITE_BUSY;
}

static void mutex_leave(sqlite3_mutex *m) {
  pthread_mutex_unlock(&m->mutex);
}

const sqlite3_mutex_methods dirvfs_mutexes = {
    .xMutexInit = mutex_start,
    .xMutexEnd = mutex_stop,
    .xMutexAlloc = mutex_alloc,
    .xMutexFree = mutex_free,
    .xMutexEnter = mutex_enter,
    .xMutexTry = mutex_try,
    .xMutexLeave = mutex_leave,
};
