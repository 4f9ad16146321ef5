/*
 * ext4tool: what its commands share.
 *
 * Each command is a function over the mounted file system; false: something went wrong, and
 * complain() has said what.
 */
#ifndef TOOLS_EXT4TOOL_TOOL_H
#define TOOLS_EXT4TOOL_TOOL_H

#include <stdio.h>

#include "fs/ext4/fs.h"

/* ---- main.c ---------------------------------------------------------------------------------- */

/* One line on stderr. */
__attribute__((format(printf, 1, 2))) void complain(const char *format, ...);
/* The same about a path in the image, with the error in words. Returns false. */
bool complain_error(const char *path, errno_t e);

/* Everything that the kernel's code logs goes here if it is set, a line without its newline. */
extern void (*tool_log)(const char *line);

/* ---- path.c ---------------------------------------------------------------------------------- */

/* A node by its path from the root, "/" or "" being the root; symbolic links are not followed. A
 * reference. ENOENT, ENOTDIR, EIO. */
errno_t path_lookup(struct vnode *root, const char *path, struct vnode **node);
/* The directory that a path's last name is in, and the name, in `path` itself. EINVAL: it has none.
 */
errno_t path_parent(struct vnode *root, const char *path, struct vnode **dir, const char **name,
                    size_t *len);

/* The names in a directory, without the dots, in the order of the directory. */
struct names {
  struct dir_sink sink;
  size_t count, room;
  char **name; /* NUL behind each */
};
errno_t names_read(struct vnode *dir, struct names *names);
/* For output: sorted by their bytes. */
void names_sort(struct names *names);
void names_free(struct names *names);

/* dir + "/" + name; the caller frees it. */
char *path_join(const char *dir, const char *name);
/* A path for a terminal: control characters and backslashes as \ooo. */
void path_print(FILE *out, const char *path);

/* ---- The commands ---------------------------------------------------------------------------- */

bool list_command(struct vnode *root, const char *path, bool recursive);
bool read_command(struct vnode *root, const char *path);
/* A file or a tree into the host's `to`, which must not exist. */
bool extract_command(struct vnode *root, const char *path, const char *to);
/* The host's file or tree `from` becomes `path`, or goes below it if that is a directory. */
bool write_command(struct vnode *root, const char *from, const char *path);
bool mkdir_command(struct vnode *root, const char *path, bool parents);
bool remove_command(struct vnode *root, const char *path, bool recursive);
bool move_command(struct vnode *root, const char *from, const char *to);
bool link_command(struct vnode *root, const char *target, const char *path, bool symbolic);
/* Looks at everything; *damages counts what it told of. False: it could not be done. */
bool check_command(struct vnode *root, unsigned long *damages);

#endif
