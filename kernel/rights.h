/*
 * Which rights a descriptor of a type can have, and which a call needs (reference 2.3, 2.4, 2.6).
 */
#ifndef KERNEL_RIGHTS_H
#define KERNEL_RIGHTS_H

#include <stdbool.h>

#include "kernel/abi.h"

#define RIGHTS_ALL_CURRENT 0x815ffff7ffull /* v0.16 and later */
#define RIGHTS_ALL_EVER 0x1ffffffffffull

/* Those to change something that others can see. */
#define RIGHTS_CHANGES                                                                      \
  (RIGHT_FD_DATASYNC | RIGHT_FD_WRITE | RIGHT_FILE_ALLOCATE | RIGHT_FILE_CREATE_DIRECTORY | \
   RIGHT_FILE_CREATE_FILE | RIGHT_FILE_CREATE_FIFO | RIGHT_FILE_LINK_SOURCE |               \
   RIGHT_FILE_LINK_TARGET | RIGHT_FILE_RENAME_SOURCE | RIGHT_FILE_RENAME_TARGET |           \
   RIGHT_FILE_STAT_FPUT_SIZE | RIGHT_FILE_STAT_FPUT_TIMES | RIGHT_FILE_STAT_PUT_TIMES |     \
   RIGHT_FILE_SYMLINK | RIGHT_FILE_UNLINK | RIGHT_SOCK_BIND_DIRECTORY)

/* The maximum for a type; `superset`: with those of retired calls (listening sockets always). */
void rights_max(filetype_t type, bool superset, rights_t *base, rights_t *inheriting);

/* What file_open needs of the directory; reference 2.6. The base rights follow from its flags. */
rights_t rights_to_open(oflags_t oflags);
struct rights_open {
  rights_t base, inheriting; /* needed of the directory */
  bool read, write;          /* access mode */
};
void rights_for_open(oflags_t oflags, const struct fdstat *request, struct rights_open *out);

#endif
