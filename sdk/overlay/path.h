/*
 * Names of files. A program reaches files below a directory that it holds and nowhere
 * else: there is no working directory and no root.
 */
#ifndef SDK_OVERLAY_PATH_H
#define SDK_OVERLAY_PATH_H

#include <fcntl.h>

#include "sdk/overlay/overlay.h"

/* Whether the name is absolute or starts from a working directory. */
static inline bool path_is_nowhere(int dir, const char *path) {
  return dir == AT_FDCWD || path[0] == '/';
}

static inline struct cloudabi_lookup path_lookup(int dir, bool follow) {
  return (struct cloudabi_lookup){
      .fd = dir,
      .flags = follow ? CLOUDABI_LOOKUP_SYMLINK_FOLLOW : 0,
  };
}

#endif
