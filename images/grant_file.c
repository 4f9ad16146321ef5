/* The tag !file: a file or directory of the host, an empty directory in memory, or what is on
 * a disk (grant_disk.c). */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "images/attributes.h"
#include "images/grant_kinds.h"
#include "images/scalars.h"

#define TMPFS_BYTES_MIN 4096

/* Looks at the host's file: it must be there, readable, and a file or a directory. */
static bool check_file(struct grants *grants, const struct node *path, struct grant *grant) {
  struct stat status;
  if (stat(grant->path, &status) != 0 || access(grant->path, R_OK) != 0) {
    return report_at(grants->report, path->at, "cannot open %s: %s; accepted: a file or directory",
                     grant->path, strerror(errno));
  }
  if (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode)) {
    return report_at(grants->report, path->at,
                     "%s is a device, pipe or socket; accepted: a file "
                     "or directory",
                     grant->path);
  }
  grant->directory = S_ISDIR(status.st_mode);
  return true;
}

/* A file or directory of the host that goes into the image. */
static bool grant_path(struct grants *grants, const struct node *path, struct grant *grant) {
  grant->kind = GRANT_FILE;
  if (path->length == 0 || strlen(path->text) != path->length) {
    return report_at(grants->report, path->at,
                     "a path that is empty or contains a NUL; accepted: the name of a file or "
                     "directory");
  }
  grant->path = arena_printf(grants->arena, "%s%s", path->text[0] == '/' ? "" : grants->directory,
                             path->text);
  if (!check_file(grants, path, grant)) {
    return false;
  }
  grant->line = arena_printf(grants->arena, "file files/%zu %s", grants->count,
                             grant->directory ? "directory" : "file");
  return true;
}

/* An empty directory in the machine's memory that holds so much at most. */
static bool grant_tmpfs(struct grants *grants, const struct node *size, struct grant *grant) {
  uint64_t bytes = 0;
  grant->kind = GRANT_TMPFS;
  grant->directory = true;
  enum parsed parsed = scalar_size(size->text, size->length, &bytes);
  if (parsed != PARSED || bytes < TMPFS_BYTES_MIN) {
    return report_at(grants->report, size->at,
                     "size %s%s; accepted: 4K or more, such as 512K, 16M, 1G",
                     report_quote(size->text, size->length).text,
                     parsed == TOO_LARGE ? " is too large"
                     : parsed == PARSED  ? " is too small"
                                         : "");
  }
  grant->line = arena_printf(grants->arena, "tmpfs %llu", (unsigned long long)bytes);
  return true;
}

bool grant_file(struct grants *grants, struct node *node, struct grant *grant) {
  struct attributes attributes = {
      .tag = "!file",
      .names = {"path", "tmpfs", "disk", "rights", "inheriting", "partition", "writable"},
      .accepted = "path, tmpfs, disk, partition, writable, rights, inheriting",
      .may_list = {false, false, false, true, true},
  };
  if (!attributes_read(grants->report, node, &attributes)) {
    return false;
  }
  const struct node *path = attributes.values[0], *tmpfs = attributes.values[1];
  const struct node *disk = attributes.values[2], *rights = attributes.values[3];
  const struct node *partition = attributes.values[5], *writable = attributes.values[6];
  const struct node *stray = partition != NULL ? partition : writable;
  if (path == NULL && tmpfs == NULL && disk == NULL) {
    return report_at(grants->report, node->at,
                     "!file without its attribute path; accepted: path with the name of a file or "
                     "directory, tmpfs with a size, or disk");
  }
  if (tmpfs != NULL && (path != NULL || disk != NULL)) {
    return report_at(grants->report, node->at,
                     "!file with both %s and tmpfs; accepted: one of them",
                     path != NULL ? "path" : "disk");
  }
  if (disk == NULL && stray != NULL) {
    return report_at(grants->report, stray->at, "!file with %s, but without disk; accepted: disk",
                     partition != NULL ? "partition" : "writable");
  }
  bool made;
  grant->where = disk != NULL ? disk->at : path != NULL ? path->at : tmpfs->at;
  if (disk != NULL) {
    made = grant_disk(grants, &(struct disk_nodes){disk, partition, path, writable}, grant);
  } else {
    made = path != NULL ? grant_path(grants, path, grant) : grant_tmpfs(grants, tmpfs, grant);
    grant->rights.kind = grant->directory ? RIGHTS_DIRECTORY : RIGHTS_FILE;
  }
  return made && grant_rights(grants, rights, attributes.values[4], grant);
}
