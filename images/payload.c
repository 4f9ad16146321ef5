/* Putting the payload together: payload.h. */
#include "images/payload.h"

#include <string.h>

#include "fs/cpio.h"
#include "images/hosttree.h"

/* An entry that the builder makes up: no time, read-only. */
static bool put_generated(struct cpio_writer *writer, const char *name, const void *data,
                          size_t size, uint32_t permissions) {
  struct cpio_file file = {
      .name = name,
      .mode = CPIO_REGULAR | permissions,
      .data = data,
      .size = size,
      .page_aligned = size >= CPIO_PAGE_BYTES,
  };
  return cpio_put(writer, &file);
}

static bool put_program(struct cpio_writer *writer, const struct buffer *program) {
  struct cpio_file file = {
      .name = "program",
      .mode = CPIO_REGULAR | 0555,
      .data = program->bytes,
      .size = program->length,
      .page_aligned = true,
  };
  return cpio_put(writer, &file);
}

static bool put_grants(struct cpio_writer *writer, const struct grants *grants) {
  struct buffer table = {0};
  for (size_t i = 0; i < grants->count; i++) {
    buffer_append(&table, grants->list[i].line, strlen(grants->list[i].line));
    buffer_append(&table, "\n", 1);
  }
  bool put = put_generated(writer, "grants", table.bytes, table.length, 0444);
  buffer_free(&table);
  return put;
}

/* There is nothing in it: that it is there says all. */
static bool put_era(struct cpio_writer *writer, bool retired) {
  return !retired || put_generated(writer, "retired", NULL, 0, 0444);
}

static bool put_files(struct cpio_writer *writer, const struct grants *grants,
                      struct report *report) {
  for (size_t i = 0; i < grants->count; i++) {
    const struct grant *grant = &grants->list[i];
    if (grant->kind == GRANT_FILE) {
      const char *name = arena_printf(grants->arena, "files/%zu", i);
      struct hosttree tree = {
          .writer = writer, .arena = grants->arena, .report = report, .at = grant->where};
      if (!hosttree_put(&tree, grant->path, name)) {
        return false;
      }
    }
  }
  return true;
}

bool payload_make(struct buffer *payload, const struct payload_input *input,
                  struct report *report) {
  const struct config *config = input->config;
  struct cpio_writer writer = {0};
  bool made =
      put_program(&writer, input->program) &&
      put_generated(&writer, "argdata", config->argdata.bytes, config->argdata.length, 0444) &&
      put_grants(&writer, &config->grants) && put_era(&writer, input->retired) &&
      (input->symbols == NULL ||
       put_generated(&writer, "symbols", input->symbols->bytes, input->symbols->length, 0444));
  if (!made) {
    report_plain(report, "a file is larger than 4 GiB; accepted: smaller ones");
  } else {
    made = put_files(&writer, &config->grants, report);
  }
  if (!made) {
    buffer_free(&writer.archive);
    return false;
  }
  cpio_put_trailer(&writer);
  *payload = writer.archive;
  return true;
}
