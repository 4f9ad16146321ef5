/*
 * The image builder behind its command line: what it is asked for, and doing it.
 */
#ifndef IMAGES_BUILDER_H
#define IMAGES_BUILDER_H

#include <stdbool.h>
#include <stdio.h>

#include "images/report.h"

/* Names of files, and what to do with them. NULL: not given. */
struct build_request {
  const char *config;
  const char *program;
  const char *kernel;
  const char *symbols;
  const char *output;
  const char *machine; /* of the program, when no kernel says it */
  bool dump;
  bool list_ports;
  bool payload_only;
  bool strip;
};

/*
 * Does what is asked; what is to be printed goes to `stream`. False with a report: then no output
 * file was made, and one that was there before is as it was.
 */
bool build(const struct build_request *request, FILE *stream, struct report *report);

#endif
