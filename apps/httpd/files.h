/*
 * The files behind the paths of requests.
 */
#ifndef HTTPD_FILES_H
#define HTTPD_FILES_H

#include <sys/types.h>
#include <time.h>

struct file {
  int fd;
  off_t size;
  time_t modified;
  const char *type; /* its media type */
};

/*
 * Opens what is served for a path: the file, or the index.html of a directory. Returns
 * 200, and then the caller closes the descriptor; or 301 for a directory without a slash at
 * the end, 404, 503 when there is no more memory or descriptors, 500.
 */
int file_open(int root, const char *path, struct file *file);

#endif
