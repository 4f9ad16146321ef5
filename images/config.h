/*
 * The configuration as a whole: a YAML file becomes argdata and grants.
 *
 * docs/configuration.md says what is accepted.
 */
#ifndef IMAGES_CONFIG_H
#define IMAGES_CONFIG_H

#include "images/grants.h"

struct config {
  struct node *root;
  struct grants grants;
  struct ad_value argdata;
};

/*
 * Reads a configuration from the file report->config, or from a text. What it makes lives in the
 * arena. False with a report.
 */
bool config_load(struct config *config, struct arena *arena, struct report *report);
bool config_parse(struct config *config, struct arena *arena, struct report *report,
                  const char *text, size_t length);

#endif
