/*
 * The disks that the configuration names: found, mounted once each, and what is granted of them
 * opened. At boot, on a thread; each call ends it by boot_fail() with a message that says which
 * disk and what to do.
 */
#ifndef FS_DISKS_H
#define FS_DISKS_H

#include <stdbool.h>
#include <stddef.h>

#include "fs/partition.h"

struct disk_mount;
struct file;

/* Which disk, as docs/configuration.md has it. */
struct disk_place {
  enum { DISK_BY_ORDER, DISK_BY_SERIAL, DISK_BY_LABEL } by;
  unsigned order;                     /* DISK_BY_ORDER */
  char name[PARTITION_LABEL_MAX + 1]; /* else */
  unsigned partition;                 /* 0: the whole disk; not DISK_BY_LABEL */
};

/* Finds it, and notes how it is to be mounted: writable, if one of the claims wants that. Equal
 * places give the same mount. */
struct disk_mount *disk_claim(const struct disk_place *place, bool writable);
/* Opens a path, relative to the file system's root or beginning there; after all claims. */
void disk_open(struct disk_mount *m, const char *path, size_t len, struct file **f);

#endif
