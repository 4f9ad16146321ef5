/*
 * A granted file or directory of the host, copied into the archive with all that is in it.
 */
#ifndef IMAGES_HOSTTREE_H
#define IMAGES_HOSTTREE_H

#include "images/cpio_write.h"
#include "images/report.h"

struct hosttree {
  struct cpio_writer *writer;
  struct arena *arena;
  struct report *report;
  struct position at; /* of the path in the configuration, for messages */
};

/*
 * Adds the file or directory at `path` under `name`, following a symlink at path itself only.
 * Directories are walked in the byte order of their names. Permissions and modification times are
 * kept; owners are not. Devices, pipes and sockets are refused. False with a report.
 */
bool hosttree_put(struct hosttree *tree, const char *path, const char *name);

#endif
