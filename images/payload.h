/*
 * The payload: the archive that travels inside the kernel file. docs/images.md has its layout.
 */
#ifndef IMAGES_PAYLOAD_H
#define IMAGES_PAYLOAD_H

#include "images/config.h"
#include "images/cpio_write.h"
#include "images/report.h"

struct payload_input {
  const struct config *config;
  const struct buffer *program;
  const struct buffer *symbols; /* the kernel's; NULL: none */
  bool retired;                 /* the program's era (kernel/elf_era.h) */
};

/* Makes the archive, reading the granted files. False with a report. The caller frees it. */
bool payload_make(struct buffer *payload, const struct payload_input *input, struct report *report);

#endif
