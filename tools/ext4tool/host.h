/*
 * The files of the machine that the tool runs on. host.c alone includes the C library's headers for
 * them: their names of errors and modes are the ABI's, with other values.
 */
#ifndef TOOLS_EXT4TOOL_HOST_H
#define TOOLS_EXT4TOOL_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What lstat() tells; the mode as ext4 has it. */
struct host_file {
  uint32_t mode;
  uint32_t links;
  uint64_t device, inode;
  uint64_t size_bytes;
  uint64_t mtime_ns, atime_ns;
};

/* All return false on an error, which host_error() puts into words. */
bool host_stat(const char *path, struct host_file *st);
bool host_readlink(const char *path, char *contents, size_t room, size_t *len);
/* Tells the names in a directory, sorted and without the dots, until one of the calls is false;
 * that is *all false. */
bool host_each(const char *path, bool (*name)(void *arg, const char *name), void *arg, bool *all);
bool host_mkdir(const char *path);
bool host_symlink(const char *contents, const char *path);
bool host_link(const char *path, const char *name);
bool host_mkfifo(const char *path);
/* Mode (0: a symbolic link, which keeps its own) and times. */
bool host_set(const char *path, uint32_t mode, uint64_t atime_ns, uint64_t mtime_ns);
bool host_truncate(const char *path, uint64_t size_bytes);
const char *host_error(void);
/* Nanoseconds since 1970. */
uint64_t host_now_ns(void);
/* "2026-11-22T03:04:05.000000006Z" */
#define HOST_TIME_BYTES 40
void host_time(uint64_t ns, char text[HOST_TIME_BYTES]);

#endif
