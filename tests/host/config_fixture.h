/*
 * What tests of the configuration share: a directory with something to grant, and parsing a text.
 */
#ifndef TESTS_HOST_CONFIG_FIXTURE_H
#define TESTS_HOST_CONFIG_FIXTURE_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "images/config.h"

#define TAGS "%TAG ! tag:nuxi.nl,2015:cloudabi/\n---\n"

static struct report report;

/* The same for every test: a directory with a page, a folder and a pipe, and it is the current one.
 */
static inline int enter_directory(void **state) {
  static char template[] = "/tmp/test_config.XXXXXX";
  *state = mkdtemp(template);
  FILE *page = NULL;
  bool made = *state != NULL && chdir(*state) == 0 && mkdir("htdocs", 0755) == 0 &&
              mkfifo("pipe", 0644) == 0 && (page = fopen("page.html", "w")) != NULL;
  if (page != NULL) {
    fputs("hello", page);
    fclose(page);
  }
  return made ? 0 : -1;
}

static inline int leave_directory(void **state) {
  bool left = unlink("page.html") == 0 && rmdir("htdocs") == 0 && unlink("pipe") == 0 &&
              chdir("/") == 0 && rmdir(*state) == 0;
  return left ? 0 : -1;
}

static inline bool parse(struct config *config, struct arena *arena, const char *text,
                         size_t length) {
  /* A copy of the exact size, freed at once: nothing may be read past it or kept. */
  char *copy = malloc(length);
  memcpy(copy, text, length);
  report = (struct report){.config = "web.yaml"};
  bool parsed = config_parse(config, arena, &report, copy, length);
  free(copy);
  return parsed;
}

#endif
