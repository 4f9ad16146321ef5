/*
 * Between grants.c and the tags that have a file of their own.
 */
#ifndef IMAGES_GRANT_KINDS_H
#define IMAGES_GRANT_KINDS_H

#include "images/grants.h"

/* Each fills `grant`, which has its position, from the node behind its tag. False with a report. */
bool grant_file(struct grants *grants, struct node *node, struct grant *grant);
/* The attributes of !file that speak of a disk; NULL: not given, which `disk` isn't. */
struct disk_nodes {
  const struct node *disk, *partition, *path, *writable;
};
bool grant_disk(struct grants *grants, const struct disk_nodes *nodes, struct grant *grant);
bool grant_socket(struct grants *grants, struct node *node, struct grant *grant);

/* Takes away what the attributes `rights` and `inheriting` (NULL: not given) don't leave, of a
 * grant that is complete otherwise. False with a report. */
bool grant_rights(struct grants *grants, const struct node *rights, const struct node *inheriting,
                  struct grant *grant);

#endif
