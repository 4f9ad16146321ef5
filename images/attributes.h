/*
 * The map behind a tag: its attributes by name.
 *
 * Unknown attributes, names given twice, names that are not strings and values that are not
 * strings are refused with what is accepted.
 */
#ifndef IMAGES_ATTRIBUTES_H
#define IMAGES_ATTRIBUTES_H

#include "images/report.h"
#include "images/yaml.h"

#define ATTRIBUTES_MAX 8

struct attributes {
  const char *tag;                           /* for messages: "!file" */
  const char *names[ATTRIBUTES_MAX];         /* what is accepted; the rest NULL */
  const char *accepted;                      /* the same as a text */
  bool may_list[ATTRIBUTES_MAX];             /* the value may also be a sequence */
  const struct node *values[ATTRIBUTES_MAX]; /* filled in; NULL: not given */
};

/* A scalar that is a text by its tag, or has none. */
bool attributes_is_text(const struct node *node);

/* Sorts the map's values into `attributes`. False with a report. */
bool attributes_read(struct report *report, const struct node *map, struct attributes *attributes);

#endif
