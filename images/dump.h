/*
 * What --dump and --list-ports print: a configuration as the builder understood it.
 */
#ifndef IMAGES_DUMP_H
#define IMAGES_DUMP_H

#include <stdio.h>

#include "images/config.h"

/* The argdata as YAML, and the grants as a table in comments behind it. */
void dump_config(const struct config *config, FILE *stream);

/*
 * The ports that the program listens on, a line each in the order of the grants: `tcp 8080 [::]`,
 * `udp 53 0.0.0.0`.
 */
void dump_ports(const struct config *config, FILE *stream);

#endif
