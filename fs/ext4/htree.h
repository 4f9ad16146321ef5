/*
 * The index of a directory: a tree of two levels at most over its leaves, sorted by a hash of the
 * names. What htree.c, which looks, htree_change.c and readdir.c share.
 */
#ifndef FS_EXT4_HTREE_H
#define FS_EXT4_HTREE_H

#include "fs/ext4/dir.h"

#define HTREE_LEVELS_MAX 2                /* of index blocks; more is large_dir's */
#define HTREE_HASH_END (0x7fffffffu << 1) /* no name has it: the end of a directory */
#define HTREE_CONTINUED \
  1u /* in an index entry's hash: the leaf before has names of the same hash */

struct htree_hash {
  uint32_t major, minor; /* the index has the major one alone */
};

/* The version that a new index gets, and names are told by before there is one. */
unsigned htree_default_version(const struct ext4 *fs);
/* The hash of a name by one of the versions of format.h. */
struct htree_hash htree_hash(const struct ext4 *fs, unsigned version, const char *name, size_t len);

/* A block of the index: entries[0] has the limit and the count in its hash's place. */
struct htree_node {
  struct buf *b;
  struct ext4_dx_entry *entries;
  unsigned count, limit;
  unsigned at; /* the entry that the walk took */
};

/* The way from the root to a leaf. */
struct htree_path {
  unsigned depth;  /* levels of nodes that the index has */
  unsigned levels; /* of them read, from the root on */
  unsigned version;
  struct htree_node node[HTREE_LEVELS_MAX];
};

/* The root alone, which tells the version of the hash; the way to the leaf where a hash belongs.
 * EIO: nothing is held. */
errno_t htree_root(struct einode *dir, struct htree_path *p);
errno_t htree_walk(struct einode *dir, uint32_t hash, struct htree_path *p);
/* Goes on to the next leaf; `*hash` is what its entry in the index says, HTREE_CONTINUED included.
 * ENOENT: it was the last one; EIO. */
errno_t htree_next(struct einode *dir, struct htree_path *p, uint32_t *hash);
/* The block of the directory that the path's leaf is. */
uint32_t htree_leaf(const struct htree_path *p);
void htree_put(struct htree_path *p);

/* For htree_change.c: a node's count and limit into its block; an empty block of the second level;
 * a root over one leaf, in the directory's first block; how many levels the root says there are. */
void htree_count_store(struct htree_node *n);
void htree_node_init(const struct ext4 *fs, struct htree_node *n);
void htree_root_init(struct einode *dir, struct htree_node *n, uint32_t parent, uint32_t leaf);
void htree_depth_store(struct htree_node *root, unsigned depth);

/* dir_find() with an index. */
errno_t htree_find(struct einode *dir, const char *name, size_t len, struct dir_place *place);

#endif
