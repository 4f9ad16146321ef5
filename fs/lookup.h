/*
 * Path lookup by the rules of a capability system (reference 3.1): a path starts at a directory
 * that the program holds, and never leaves it.
 *
 * Kernel lock; may sleep in the file system. Memory is bounded by the constants here, whatever the
 * links contain, and there is no recursion.
 */
#ifndef FS_LOOKUP_H
#define FS_LOOKUP_H

#include "fs/vnode.h"

#define PATH_DEPTH_MAX 128    /* directories below the start; then ENAMETOOLONG */
#define PATH_SYMLINKS_MAX 128 /* expansions; then ELOOP */

/* Where a path led. The pointers live, with a reference each, until path_free(). */
struct path {
  struct vnode *dir;  /* the directory of the last name */
  struct vnode *node; /* what the last name stands for; NULL: nothing */
  const char *name;   /* the last name, not NUL-terminated */
  size_t name_len;    /* 0: the path ends in "." or "..", and node is dir */
  bool slash;         /* slashes behind the last name: a directory is meant */

  /* private */
  unsigned depth;
  unsigned expansions;
  size_t at; /* text[at…] is still to walk */
  struct vnode *stack[PATH_DEPTH_MAX + 1];
  char text[PATH_BYTES_MAX + 1];
};

/* Walks a path of the program from `start`. The last name may be missing: node is NULL then. A
 * symbolic link as the last name is followed if `follow` or if slashes stand behind it. ENOENT;
 * ENOTDIR; ENOTCAPABLE: it would leave `start`; ELOOP; ENAMETOOLONG; EINVAL: a NUL in it; EFAULT;
 * ENOMEM. */
errno_t path_lookup_user(struct vnode *start, const char *user_path, size_t len, bool follow,
                         struct path **out);
/* The same with a path in the kernel's memory. */
errno_t path_lookup(struct vnode *start, const char *path, size_t len, bool follow,
                    struct path **out);
/* Takes NULL. */
void path_free(struct path *p);

#endif
