/*
 * The attributes `rights` and `inheriting` of a grant: what of its rights the program gets.
 *
 * docs/configuration.md has their form. The sets are those of the ABI, including what only programs
 * of old versions know; the kernel cuts them to what its descriptor can have.
 */
#ifndef IMAGES_RIGHTS_H
#define IMAGES_RIGHTS_H

#include <stdio.h>

#include "images/arena.h"
#include "images/report.h"
#include "images/yaml.h"

/* What a grant is, as far as rights go. */
enum rights_kind {
  RIGHTS_CONSOLE,
  RIGHTS_FILE,
  RIGHTS_DIRECTORY,
  RIGHTS_DISK, /* a file or a directory: the builder does not see the disk */
  RIGHTS_DISK_READ_ONLY,
  RIGHTS_SOCKET,
};

struct rights {
  enum rights_kind kind;
  bool base_given, inheriting_given; /* otherwise the kind's maximum */
  uint64_t base, inheriting;         /* at most the kind's maximum */
};

/* Reads the two attributes' values (NULL: not given) for a grant of rights->kind. False with a
 * report. */
bool rights_read(struct report *report, const struct node *base, const struct node *inheriting,
                 struct rights *rights);

/* The words that the payload's line gets: " rights=40", or nothing. */
const char *rights_words(struct arena *arena, const struct rights *rights);

/* For --dump: a line in a comment for each set that was given. */
void rights_print(const struct rights *rights, FILE *stream);

#endif
