/*
 * The image's files: the payload archive as a read-only file system, mapped in place.
 */
#ifndef FS_BOOTFS_H
#define FS_BOOTFS_H

#include <stddef.h>

#include "kernel/abi.h"

struct file;

/* Indexes the archive, which stays where it is; boot_fail() naming the entry if it is malformed.
 * `bytes` is an upper bound: the archive's trailer ends it. */
void bootfs_init(const void *archive, size_t bytes);
/* The contents of one entry, for the kernel's own use (program, argdata, grants, symbols). ENOENT.
 */
errno_t bootfs_find(const char *name, const void **data, size_t *bytes);
/* Opens a grant's file or directory ("files/3"). ENOENT, ENOMEM. */
errno_t bootfs_open(const char *name, struct file **f);

#endif
