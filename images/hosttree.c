/* Copying the host's files: hosttree.h. */
#include "images/hosttree.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fs/cpio.h"
#include "images/hostfile.h"

#define PATH_BYTES_MAX 4096 /* what the host can open; it also ends the recursion */

static bool unreadable(struct hosttree *tree, const char *path, const char *error) {
  return report_at(tree->report, tree->at, "cannot read %s: %s; accepted: files and directories",
                   path, error);
}

/* What all kinds of entries have in common. Times outside the format's range are clamped. */
static struct cpio_file describe(const struct stat *status, const char *name, uint32_t type) {
  int64_t mtime = status->st_mtime;
  return (struct cpio_file){
      .name = name,
      .mode = type | (status->st_mode & 07777),
      .mtime_s = mtime < 0            ? 0
                 : mtime > UINT32_MAX ? UINT32_MAX
                                      : (uint32_t)mtime,
  };
}

static bool put(struct hosttree *tree, const struct cpio_file *file, const char *path) {
  if (!cpio_put(tree->writer, file)) {
    return report_at(tree->report, tree->at, "%s is larger than 4 GiB; accepted: smaller files",
                     path);
  }
  return true;
}

static bool put_regular(struct hosttree *tree, const char *path, const char *name,
                        const struct stat *status) {
  struct buffer contents = {0};
  const char *error = hostfile_read(path, &contents);
  bool done;
  if (error != NULL) {
    done = unreadable(tree, path, error);
  } else {
    struct cpio_file file = describe(status, name, CPIO_REGULAR);
    file.data = contents.bytes;
    file.size = contents.length;
    file.page_aligned = contents.length >= CPIO_PAGE_BYTES;
    done = put(tree, &file, path);
  }
  buffer_free(&contents);
  return done;
}

static bool put_symlink(struct hosttree *tree, const char *path, const char *name,
                        const struct stat *status) {
  char target[PATH_BYTES_MAX];
  ssize_t length = readlink(path, target, sizeof(target));
  if (length < 0) {
    return unreadable(tree, path, strerror(errno));
  }
  struct cpio_file file = describe(status, name, CPIO_SYMLINK);
  file.data = target;
  file.size = (size_t)length;
  return put(tree, &file, path);
}

static bool put_entry(struct hosttree *tree, const char *path, const char *name, bool follow);

static int not_dots(const struct dirent *entry) {
  return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

static int by_bytes(const struct dirent **a, const struct dirent **b) {
  return strcmp((*a)->d_name, (*b)->d_name);
}

static bool put_children(struct hosttree *tree, const char *path, const char *name) {
  struct dirent **entries;
  int count = scandir(path, &entries, not_dots, by_bytes);
  if (count < 0) {
    return unreadable(tree, path, strerror(errno));
  }
  bool done = true;
  for (int i = 0; i < count; i++) {
    const char *child = entries[i]->d_name;
    done = done && put_entry(tree, arena_printf(tree->arena, "%s/%s", path, child),
                             arena_printf(tree->arena, "%s/%s", name, child), false);
    free(entries[i]);
  }
  free(entries);
  return done;
}

static bool put_entry(struct hosttree *tree, const char *path, const char *name, bool follow) {
  struct stat status;
  if (strlen(path) >= PATH_BYTES_MAX) {
    return unreadable(tree, path, strerror(ENAMETOOLONG));
  }
  if ((follow ? stat(path, &status) : lstat(path, &status)) != 0) {
    return unreadable(tree, path, strerror(errno));
  }
  switch (status.st_mode & S_IFMT) {
    case S_IFREG:
      return put_regular(tree, path, name, &status);
    case S_IFLNK:
      return put_symlink(tree, path, name, &status);
    case S_IFDIR: {
      struct cpio_file file = describe(&status, name, CPIO_DIRECTORY);
      return put(tree, &file, path) && put_children(tree, path, name);
    }
    default:
      return report_at(tree->report, tree->at,
                       "%s is a device, pipe or socket; accepted: files, directories and symlinks",
                       path);
  }
}

bool hosttree_put(struct hosttree *tree, const char *path, const char *name) {
  return put_entry(tree, path, name, true);
}
