/*
 * Reading YAML into a tree of nodes that know their position.
 *
 * The first document only, as cloudabi-run reads it; an empty file is a null. Tags are resolved
 * by the %TAG directives. Aliases are refused, anchors ignored, and the depth is limited, so that
 * whoever walks the tree may recurse.
 */
#ifndef IMAGES_YAML_H
#define IMAGES_YAML_H

#include "argdata/codec.h"
#include "images/arena.h"
#include "images/report.h"

#define YAML_DEPTH_MAX 100 /* containers within containers */

enum node_kind {
  NODE_SCALAR,
  NODE_SEQ,
  NODE_MAP,
};

struct node {
  enum node_kind kind;
  struct position at;
  const char *tag;  /* in full; NULL: none; "!": the non-specific one */
  bool plain;       /* a scalar without quotes, not a block */
  const char *text; /* of a scalar, NUL-terminated; may contain more NULs */
  size_t length;
  struct node *first;    /* the elements, or alternately keys and values */
  struct node *next;     /* in its container */
  struct ad_value value; /* a scalar's or grant's argdata, once config.c has resolved it */
};

/* Whether the scalar's text is exactly this. */
bool node_is(const struct node *node, const char *text);

/* NULL: the report has the message. */
struct node *yaml_read(struct arena *arena, struct report *report, const char *text, size_t length);

#endif
