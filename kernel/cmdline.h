/*
 * The machine's command line: words `name=value` or `name`, separated by blanks; double quotes
 * protect blanks. Unknown names, repeated ones and malformed values are told on the console and
 * fail the boot. Set once.
 */
#ifndef KERNEL_CMDLINE_H
#define KERNEL_CMDLINE_H

#include <stdbool.h>
#include <stddef.h>

/* Parses; keeps a copy. boot_fail() if the text is malformed. */
void cmdline_init(const char *text);
/* The value of `name` ("" for a bare word), or NULL. Marks it as known; boot_fail() if it is given
 * twice. */
const char *cmdline_get(const char *name);
/* The i-th value of a name that may be given several times (virtio_mmio.device), or NULL. */
const char *cmdline_get_nth(const char *name, size_t i);
/* After all have asked: boot_fail() naming the first word that nobody knew. */
void cmdline_check_unknown(void);

#endif
