/*
 * What the file_* system calls share: from a directory's descriptor and a path to a place.
 */
#ifndef KERNEL_SYS_FILE_PATH_H
#define KERNEL_SYS_FILE_PATH_H

#include <stdbool.h>

#include "fs/lookup.h"

struct thread;

/* Walks a path of the program from directory fd, which must have all of `needed`. EBADF;
 * ENOTCAPABLE; ENOTDIR; those of path_lookup_user(). The caller frees the path. */
errno_t file_path(struct thread *t, fd_t fd, rights_t needed, const char *path, size_t path_len,
                  bool follow, struct path **p);

#endif
