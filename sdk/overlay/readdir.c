/*
 * Reading directories: stands for musl's readdir, rewinddir and seekdir.
 *
 * The kernel keeps no position in a directory: each call says with a cookie where to go
 * on (semantics 3.2, file_readdir). The stream's `tell` is that cookie. Its buffer holds
 * the one entry that readdir returns and, behind it, entries as the kernel packs them.
 */
#include <dirent.h>
#include <string.h>

#include "src/dirent/__dirent.h"
#include "lock.h"
#include "sdk/overlay/overlay.h"

enum { ENTRY_BYTES = sizeof(struct dirent) };

static char *packed(DIR *dir) {
  return dir->buf + ENTRY_BYTES;
}

/* Stores the header of the next entry; false unless the buffer has all of the entry. */
static bool complete(DIR *dir, struct cloudabi_dirent *header) {
  size_t left = dir->buf_end - dir->buf_pos;

  if (left < sizeof(*header))
    return false;
  memcpy(header, packed(dir) + dir->buf_pos, sizeof(*header));
  return header->d_namlen <= left - sizeof(*header);
}

static cloudabi_errno_t refill(DIR *dir) {
  size_t used = 0;
  cloudabi_errno_t error = cloudabi_sys_file_readdir(
      dir->fd, packed(dir), sizeof(dir->buf) - ENTRY_BYTES, dir->tell, &used);

  dir->buf_pos = 0;
  dir->buf_end = error == 0 ? used : 0;
  return error;
}

static unsigned char type_of(cloudabi_filetype_t type) {
  switch (type) {
    case CLOUDABI_FILETYPE_BLOCK_DEVICE:
      return DT_BLK;
    case CLOUDABI_FILETYPE_CHARACTER_DEVICE:
      return DT_CHR;
    case CLOUDABI_FILETYPE_DIRECTORY:
      return DT_DIR;
    case CLOUDABI_FILETYPE_FIFO:
      return DT_FIFO;
    case CLOUDABI_FILETYPE_REGULAR_FILE:
      return DT_REG;
    case CLOUDABI_FILETYPE_SOCKET_DGRAM:
    case CLOUDABI_FILETYPE_SOCKET_STREAM:
      return DT_SOCK;
    case CLOUDABI_FILETYPE_SYMBOLIC_LINK:
      return DT_LNK;
    default:
      return DT_UNKNOWN;
  }
}

struct dirent *readdir(DIR *dir) {
  struct dirent *entry = (struct dirent *)dir->buf;
  struct cloudabi_dirent header;

  if (!complete(dir, &header)) {
    cloudabi_errno_t error = refill(dir);
    if (error != 0) {
      errno = -__error_directory(dir->fd, error);
      return NULL;
    }
    if (!complete(dir, &header))
      return NULL;
  }
  size_t length = header.d_namlen;
  if (length >= sizeof(entry->d_name))
    length = sizeof(entry->d_name) - 1;
  memcpy(entry->d_name, packed(dir) + dir->buf_pos + sizeof(header), length);
  entry->d_name[length] = '\0';
  entry->d_ino = header.d_ino;
  entry->d_off = header.d_next;
  entry->d_reclen = ENTRY_BYTES;
  entry->d_type = type_of(header.d_type);
  dir->tell = header.d_next;
  dir->buf_pos += sizeof(header) + header.d_namlen;
  return entry;
}

void seekdir(DIR *dir, long position) {
  LOCK(dir->lock);
  dir->tell = position;
  dir->buf_pos = dir->buf_end = 0;
  UNLOCK(dir->lock);
}

void rewinddir(DIR *dir) {
  seekdir(dir, CLOUDABI_DIRCOOKIE_START);
}
