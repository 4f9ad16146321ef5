// sources: images/config.c images/yaml.c images/typing.c images/scalars.c images/timestamp.c
// sources: images/grants.c images/grant_disk.c images/grant_file.c images/grant_socket.c
// sources: images/rights.c kernel/rights.c images/attributes.c images/address.c images/hostfile.c images/report.c
// sources: images/arena.c images/dump.c argdata/codec_read.c argdata/codec_write.c
// sources: argdata/create.c argdata/get.c argdata/iterate.c argdata/print.c
// libs: -lyaml
/*
 * Configurations from anyone: a message or argdata; and argdata without descriptors, printed as
 * YAML and read again, is the same argdata.
 *
 * Inputs: an even first byte is followed by YAML. An odd one is followed by bytes that each stand
 * for a piece of YAML from the table below, so that tags, nesting and numbers come up at once.
 */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "images/config.h"
#include "images/dump.h"

static const char *const pieces[] = {
    "%TAG ! tag:nuxi.nl,2015:cloudabi/\n---\n",
    "\n",
    "\n  ",
    "\n    ",
    "- ",
    "a: ",
    "b: ",
    "? ",
    ": ",
    "[",
    "]",
    "{",
    "}",
    ", ",
    "\"",
    "'",
    "|\n  ",
    ">\n  ",
    "!fd ",
    "stdout",
    "stderr",
    "!socket\n  ",
    "!socket {bind: ",
    "bind: ",
    "connect: ",
    "type: ",
    "dgram",
    "0.0.0.0:80",
    "[::1]:80",
    "'[::]:8080'",
    "!file {path: ",
    "/",
    "!file {tmpfs: ",
    "16M",
    "KiB",
    "!fd {fd: ",
    "!executable {rights: ",
    "rights: ",
    "inheriting: ",
    "read-only",
    "-fd_write",
    "file_open",
    "sock_",
    "!executable ",
    "!flower_switchboard_handle ",
    "!!int ",
    "!!bool ",
    "!!float ",
    "!!str ",
    "!!null ",
    "!!binary ",
    "!!timestamp ",
    "!!seq ",
    "!!map ",
    "! ",
    "&x ",
    "*x ",
    "true",
    "~",
    "-1",
    "18446744073709551615",
    "0x10",
    "1e5",
    ".inf",
    "1.25",
    "2015-07-01T12:00:00.5+02:00",
    "0000-02-29",
    "3q2+7w==",
    "text",
    "# ",
    "\\x41",
    "\\u20ac",
    "\\0",
    "...\n",
    "---\n",
};

static struct report report;

static bool parse(struct config *config, struct arena *arena, const char *text, size_t size) {
  report.config = "x.yaml";
  report.failed = false;
  report.message[0] = '\0';
  bool parsed = config_parse(config, arena, &report, text, size);
  assert(parsed != report.failed);
  assert(parsed || strlen(report.message) > 0);
  return parsed;
}

static void check(const char *text, size_t size) {
  struct arena arena = {0};
  struct config config, again;
  if (parse(&config, &arena, text, size)) {
    char *dump;
    size_t dump_size;
    FILE *stream = open_memstream(&dump, &dump_size);
    dump_config(&config, stream);
    dump_ports(&config, stream);
    fclose(stream);
    if (config.grants.count == 0) {
      if (!parse(&again, &arena, dump, dump_size) ||
          again.argdata.length != config.argdata.length ||
          memcmp(again.argdata.bytes, config.argdata.bytes, config.argdata.length) != 0) {
        fprintf(stderr, "%s\n%s\n", dump, report.message);
        abort();
      }
    }
    free(dump);
  }
  arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0) {
    return 0;
  }
  struct buffer text = {0};
  if (data[0] % 2 == 0) {
    buffer_append(&text, data + 1, size - 1);
  } else {
    for (size_t i = 1; i < size; i++) {
      const char *piece = pieces[data[i] % (sizeof(pieces) / sizeof(pieces[0]))];
      buffer_append(&text, piece, strlen(piece));
    }
  }
  char *exact = malloc(text.length);
  if (text.length > 0) {
    memcpy(exact, text.bytes, text.length);
  }
  check(exact, text.length);
  free(exact);
  buffer_free(&text);
  return 0;
}
