/*
 * ext4tool check: what its two files share.
 */
#ifndef TOOLS_EXT4TOOL_CHECK_H
#define TOOLS_EXT4TOOL_CHECK_H

#include "tools/ext4tool/tool.h"

/* What is known of an inode. */
struct known {
  bool used;   /* its bitmap says so */
  bool sound;  /* and it could be read */
  bool orphan; /* in the list of those without names */
  filetype_t type;
  uint32_t says;   /* names that it says it has */
  uint32_t has;    /* names that were found, "." and ".." included */
  uint32_t parent; /* of a directory: where its name is; 0: not found */
};

struct check {
  struct ext4 *fs;
  unsigned long damages;
  struct known *inodes; /* by number, from 1 */
  uint8_t *used;        /* a bit for each block that is somebody's */
  uint8_t *attributes;  /* those of attributes, which several inodes may share */
  unsigned long directories, files;
};

/* Tells of damage, as the kernel's code does. block 0: it is not about one. */
__attribute__((format(printf, 4, 5))) void damage(struct check *c, uint32_t ino, uint64_t block,
                                                  const char *format, ...);

/* ---- check_names.c --------------------------------------------------------------------------- */

/* Every entry of a directory, which is in use, and its index. */
void check_directory(struct check *c, struct einode *dir);
/* When all directories were seen: links, and the way of each directory to the root. */
void check_links(struct check *c);

#endif
