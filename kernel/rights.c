/*
 * Rights: the maximum by type of descriptor, and what file_open asks of a directory.
 *
 * Pure functions, called from anywhere. Reference sections 2.3 (the sets) and 2.6 (file_open).
 */
#include "kernel/rights.h"

#include <stddef.h>

/* The sets, spelled out where the ABI's description spells them out. */
#define DIRECTORY_BASE                                                                          \
  (RIGHT_FD_STAT_PUT_FLAGS | RIGHT_FD_SYNC | RIGHT_FILE_ADVISE | RIGHT_FILE_CREATE_DIRECTORY |  \
   RIGHT_FILE_CREATE_FILE | RIGHT_FILE_LINK_SOURCE | RIGHT_FILE_LINK_TARGET | RIGHT_FILE_OPEN | \
   RIGHT_FILE_READDIR | RIGHT_FILE_READLINK | RIGHT_FILE_RENAME_SOURCE |                        \
   RIGHT_FILE_RENAME_TARGET | RIGHT_FILE_STAT_FGET | RIGHT_FILE_STAT_FPUT_TIMES |               \
   RIGHT_FILE_STAT_GET | RIGHT_FILE_STAT_PUT_TIMES | RIGHT_FILE_SYMLINK | RIGHT_FILE_UNLINK |   \
   RIGHT_POLL_FD_READWRITE)
#define REGULAR_BASE                                                                               \
  (RIGHT_FD_DATASYNC | RIGHT_FD_READ | RIGHT_FD_SEEK | RIGHT_FD_STAT_PUT_FLAGS | RIGHT_FD_SYNC |   \
   RIGHT_FD_TELL | RIGHT_FD_WRITE | RIGHT_FILE_ADVISE | RIGHT_FILE_ALLOCATE |                      \
   RIGHT_FILE_STAT_FGET | RIGHT_FILE_STAT_FPUT_SIZE | RIGHT_FILE_STAT_FPUT_TIMES | RIGHT_MEM_MAP | \
   RIGHT_MEM_MAP_EXEC | RIGHT_POLL_FD_READWRITE | RIGHT_PROC_EXEC)
#define SHM_BASE                                                                       \
  (RIGHT_FD_READ | RIGHT_FD_WRITE | RIGHT_FILE_STAT_FGET | RIGHT_FILE_STAT_FPUT_SIZE | \
   RIGHT_MEM_MAP | RIGHT_MEM_MAP_EXEC)
#define TTY_BASE                                                                     \
  (RIGHT_FD_READ | RIGHT_FD_STAT_PUT_FLAGS | RIGHT_FD_WRITE | RIGHT_FILE_STAT_FGET | \
   RIGHT_POLL_FD_READWRITE)
#define SOCKET_BASE (TTY_BASE | RIGHT_SOCK_SHUTDOWN)
#define PROCESS_BASE (RIGHT_FILE_STAT_FGET | RIGHT_POLL_PROC_TERMINATE)

/* What retired calls add. */
#define DIRECTORY_RETIRED \
  (RIGHT_FILE_CREATE_FIFO | RIGHT_SOCK_BIND_DIRECTORY | RIGHT_SOCK_CONNECT_DIRECTORY)
#define SOCKET_RETIRED                                                                          \
  (RIGHT_SOCK_ACCEPT | RIGHT_SOCK_BIND_SOCKET | RIGHT_SOCK_CONNECT_SOCKET | RIGHT_SOCK_LISTEN | \
   RIGHT_SOCK_STAT_GET)
#define POLL_BASE (RIGHT_FILE_STAT_FGET | RIGHT_POLL_MODIFY | RIGHT_POLL_WAIT)
#define FIFO_BASE TTY_BASE

_Static_assert(DIRECTORY_BASE == 0x13eff698, "reference 2.3");
_Static_assert((DIRECTORY_BASE | DIRECTORY_RETIRED) == 0x1413effe98, "reference 2.3");
_Static_assert(REGULAR_BASE == 0x11c3801ff, "reference 2.3");
_Static_assert(SHM_BASE == 0xc180042, "reference 2.3");
_Static_assert(TTY_BASE == 0x1008004a, "reference 2.3");
_Static_assert(SOCKET_BASE == 0x801008004a, "reference 2.3");
_Static_assert((SOCKET_BASE | SOCKET_RETIRED) == 0x1ea1008004a, "reference 2.3");
_Static_assert(PROCESS_BASE == 0x40080000, "reference 2.3");
_Static_assert(POLL_BASE == 0xa0080000, "reference 2.3");
_Static_assert((FIFO_BASE & ~RIGHT_FD_WRITE) == 0x1008000a, "reference 2.3");
_Static_assert((FIFO_BASE & ~RIGHT_FD_READ) == 0x10080048, "reference 2.3");

void rights_max(filetype_t type, bool superset, rights_t *base, rights_t *inheriting) {
  rights_t all = superset ? RIGHTS_ALL_EVER : RIGHTS_ALL_CURRENT;
  *inheriting = 0;
  switch (type) {
    case FILETYPE_DIRECTORY:
      *base = superset ? DIRECTORY_BASE | DIRECTORY_RETIRED : DIRECTORY_BASE;
      *inheriting = *base | REGULAR_BASE;
      break;
    case FILETYPE_REGULAR_FILE:
      *base = REGULAR_BASE;
      break;
    case FILETYPE_SHARED_MEMORY:
      *base = SHM_BASE;
      break;
    case FILETYPE_SOCKET_STREAM:
    case FILETYPE_SOCKET_DGRAM:
    case FILETYPE_SOCKET_SEQPACKET:
      *base = superset ? SOCKET_BASE | SOCKET_RETIRED : SOCKET_BASE;
      *inheriting = all;
      break;
    case FILETYPE_CHARACTER_DEVICE: /* the console is the only one, and a terminal */
      *base = TTY_BASE;
      break;
    case FILETYPE_BLOCK_DEVICE:
      *base = *inheriting = all;
      break;
    case FILETYPE_PROCESS:
      *base = PROCESS_BASE;
      break;
    case FILETYPE_POLL:
      *base = POLL_BASE;
      break;
    case FILETYPE_FIFO: /* both directions: the maker of the ends takes one away */
      *base = FIFO_BASE;
      break;
    default:
      *base = 0;
      break;
  }
}

rights_t rights_to_open(oflags_t oflags) {
  return RIGHT_FILE_OPEN | (oflags & O_CREAT ? RIGHT_FILE_CREATE_FILE : 0);
}

void rights_for_open(oflags_t oflags, const struct fdstat *request, struct rights_open *out) {
  rights_t wanted = request->fs_rights_base;
  out->read = (wanted & (RIGHT_FD_READ | RIGHT_FILE_READDIR | RIGHT_MEM_MAP_EXEC)) != 0;
  out->write = (wanted & (RIGHT_FD_DATASYNC | RIGHT_FD_WRITE | RIGHT_FILE_ALLOCATE |
                          RIGHT_FILE_STAT_FPUT_SIZE)) != 0;

  out->base = rights_to_open(oflags);
  out->inheriting = wanted | request->fs_rights_inheriting;
  if (oflags & O_TRUNC)
    out->inheriting |= RIGHT_FILE_STAT_FPUT_SIZE;
  if (request->fs_flags & FDFLAG_DSYNC)
    out->inheriting |= RIGHT_FD_DATASYNC;
  if (request->fs_flags & (FDFLAG_RSYNC | FDFLAG_SYNC))
    out->inheriting |= RIGHT_FD_SYNC;
  if (out->write && !(request->fs_flags & FDFLAG_APPEND) && !(oflags & O_TRUNC))
    out->inheriting |= RIGHT_FD_SEEK;
}
