/*
 * Grants: what the program may touch, one file descriptor each, from the tags of the configuration.
 *
 * The tags are cloudabi-run's: section 12.1 of the semantics reference, and docs/configuration.md.
 * Descriptors are numbered in the order in which the grants are made.
 */
#ifndef IMAGES_GRANTS_H
#define IMAGES_GRANTS_H

#include "images/address.h"
#include "images/arena.h"
#include "images/report.h"
#include "images/rights.h"
#include "images/yaml.h"

#define TAG_CLOUDABI "tag:nuxi.nl,2015:cloudabi/"

enum grant_kind {
  GRANT_FD,    /* the console */
  GRANT_FILE,  /* a host file or directory that goes into the image */
  GRANT_TMPFS, /* an empty directory in memory */
  GRANT_DISK,  /* a file or directory of a disk */
  GRANT_SOCKET,
  GRANT_EXECUTABLE, /* the program's own file */
};

struct grant {
  enum grant_kind kind;
  struct position at;    /* of its tag */
  struct position where; /* of its path or address */
  const char *line;      /* as the payload's grant table has it; no newline */
  const char *path;      /* GRANT_FILE: where it is on the host */
  bool directory;        /* GRANT_FILE, GRANT_TMPFS */
  bool dgram;            /* GRANT_SOCKET: UDP, else TCP */
  bool connect;          /* GRANT_SOCKET: an outgoing connection, else bound (and listening) */
  struct address address;
  struct rights rights;
};

struct grants {
  struct arena *arena;
  struct report *report;
  const char *directory; /* that relative paths begin at; ends in a slash, or is empty */
  struct grant *list;
  size_t count;
  size_t capacity;
};

/*
 * Makes a grant of a node with a CloudABI tag, and the argdata value that stands for it. False
 * with a report.
 */
bool grants_add(struct grants *grants, struct node *node);

#endif
