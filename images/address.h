/*
 * Socket addresses of the configuration: `a.b.c.d:port` and `[v6]:port`, numbers only, because
 * there is nobody to resolve names when an image is built.
 */
#ifndef IMAGES_ADDRESS_H
#define IMAGES_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

struct address {
  char text[64]; /* the canonical form: lower case, shortest, brackets around v6 */
  unsigned port; /* 1 to 65535 */
  bool any;      /* 0.0.0.0 or [::] */
};

#define ADDRESS_FORMS "a.b.c.d:port, [v6]:port"

/* Returns NULL, or what is wrong and what is accepted: a sentence to follow the quoted text. */
const char *address_parse(const char *text, size_t length, struct address *address);

#endif
