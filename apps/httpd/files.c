/*
 * Files and their types. The kernel lets no path out of the root directory: "..", links
 * and all that need no thought here.
 */
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct {
  const char *suffix;
  const char *type;
} types[] = {
    {"css", "text/css; charset=utf-8"},
    {"gif", "image/gif"},
    {"htm", "text/html; charset=utf-8"},
    {"html", "text/html; charset=utf-8"},
    {"ico", "image/x-icon"},
    {"jpeg", "image/jpeg"},
    {"jpg", "image/jpeg"},
    {"js", "text/javascript; charset=utf-8"},
    {"json", "application/json"},
    {"md", "text/markdown; charset=utf-8"},
    {"mp4", "video/mp4"},
    {"pdf", "application/pdf"},
    {"png", "image/png"},
    {"svg", "image/svg+xml"},
    {"txt", "text/plain; charset=utf-8"},
    {"wasm", "application/wasm"},
    {"webp", "image/webp"},
    {"woff2", "font/woff2"},
    {"xml", "application/xml"},
};

static const char *type_of(const char *path) {
  const char *dot = strrchr(path, '.');

  for (size_t i = 0; dot != NULL && i < sizeof(types) / sizeof(types[0]); ++i)
    if (strcasecmp(dot + 1, types[i].suffix) == 0)
      return types[i].type;
  return "application/octet-stream";
}

static int status_of(int error) {
  switch (error) {
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOBUFS:
      return 503;
    case EIO:
    case EBADF:
      return 500;
    default: /* it is not there, or not to be had */
      return 404;
  }
}

static int open_at(int directory, const char *name, struct file *file, bool *is_directory) {
  struct stat stat;

  file->fd = openat(directory, name, O_RDONLY);
  if (file->fd < 0)
    return status_of(errno);
  if (fstat(file->fd, &stat) != 0) {
    int status = status_of(errno);
    close(file->fd);
    return status;
  }
  *is_directory = S_ISDIR(stat.st_mode);
  if (!*is_directory && !S_ISREG(stat.st_mode)) {
    close(file->fd);
    return 404;
  }
  file->size = stat.st_size;
  file->modified = stat.st_mtim.tv_sec;
  file->type = type_of(name);
  return 200;
}

int file_open(int root, const char *path, struct file *file) {
  bool ends_with_slash = path[strlen(path) - 1] == '/';
  bool is_directory = false;

  path += strspn(path, "/");
  int status = open_at(root, *path == '\0' ? "." : path, file, &is_directory);
  if (status != 200 || !is_directory)
    return status;
  int directory = file->fd;
  status = 301;
  if (ends_with_slash) {
    status = open_at(directory, "index.html", file, &is_directory);
    if (status == 200 && is_directory) {
      close(file->fd);
      status = 404;
    }
  }
  close(directory);
  return status;
}
