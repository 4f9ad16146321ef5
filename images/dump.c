/* Printing a configuration: dump.h. */
#include "images/dump.h"

#include <stdlib.h>
#include <string.h>

#include "argdata/argdata.h"

static void print_grant(const struct config *config, size_t fd, FILE *stream) {
  const struct grant *grant = &config->grants.list[fd];
  fprintf(stream, "# %3zu  %s", fd, grant->line);
  if (grant->path != NULL) {
    fprintf(stream, "  (%s)", grant->path);
  }
  fprintf(stream, "  %s:%u:%u\n", config->grants.report->config, grant->at.line, grant->at.column);
  rights_print(&grant->rights, stream);
}

void dump_config(const struct config *config, FILE *stream) {
  argdata_t *argdata = argdata_create_buffer(config->argdata.bytes, config->argdata.length);
  if (argdata == NULL) {
    fputs("mkimage: out of memory\n", stderr);
    exit(1);
  }
  argdata_print_yaml(argdata, stream);
  argdata_free(argdata);
  fprintf(stream, "# %zu bytes of argdata, %zu file descriptors\n", config->argdata.length,
          config->grants.count);
  for (size_t i = 0; i < config->grants.count; i++) {
    print_grant(config, i, stream);
  }
}

void dump_ports(const struct config *config, FILE *stream) {
  for (size_t i = 0; i < config->grants.count; i++) {
    const struct grant *grant = &config->grants.list[i];
    if (grant->kind == GRANT_SOCKET && !grant->connect) {
      const char *colon = strrchr(grant->address.text, ':');
      fprintf(stream, "%s %u %.*s\n", grant->dgram ? "udp" : "tcp", grant->address.port,
              (int)(colon - grant->address.text), grant->address.text);
    }
  }
}
