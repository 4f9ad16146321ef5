/*
 * Between grants.c and the tags that have a file of their own.
 */
#ifndef IMAGES_GRANT_KINDS_H
#define IMAGES_GRANT_KINDS_H

#include "images/grants.h"

/* Each fills `grant`, which has its position, from the node behind its tag. False with a report. */
bool grant_file(struct grants *grants, struct node *node, struct grant *grant);
bool grant_socket(struct grants *grants, struct node *node, struct grant *grant);

#endif
