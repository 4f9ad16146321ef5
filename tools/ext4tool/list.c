/*
 * ext4tool list: inode, mode, links, owner, size or device, time and path, a line each.
 */
#include <stdlib.h>
#include <string.h>

#include "tools/ext4tool/host.h"
#include "tools/ext4tool/tool.h"

static void mode_text(uint16_t mode, char text[11]) {
  static const struct {
    uint16_t type;
    char letter;
  } types[] = {{EXT4_S_IFREG, '-'}, {EXT4_S_IFDIR, 'd'}, {EXT4_S_IFLNK, 'l'}, {EXT4_S_IFCHR, 'c'},
               {EXT4_S_IFBLK, 'b'}, {EXT4_S_IFIFO, 'p'}, {EXT4_S_IFSOCK, 's'}};
  memcpy(text, "?rwxrwxrwx", 11);
  for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
    if ((mode & EXT4_S_IFMT) == types[i].type)
      text[0] = types[i].letter;
  for (unsigned i = 0; i < 9; i++)
    if ((mode >> (8 - i) & 1) == 0)
      text[1 + i] = '-';
  if ((mode & 04000) != 0)
    text[3] = text[3] == 'x' ? 's' : 'S';
  if ((mode & 02000) != 0)
    text[6] = text[6] == 'x' ? 's' : 'S';
  if ((mode & 01000) != 0)
    text[9] = text[9] == 'x' ? 't' : 'T';
}

/* The size of a file, or what a device's inode has in its place: an old number or a new one. */
static void size_text(const struct einode *ino, char text[24]) {
  const uint32_t *d = ino->disk.i_block;
  bool device =
      ino->vnode.type == FILETYPE_CHARACTER_DEVICE || ino->vnode.type == FILETYPE_BLOCK_DEVICE;
  if (!device)
    snprintf(text, 24, "%llu", (unsigned long long)ino->size_bytes);
  else if (d[0] != 0)
    snprintf(text, 24, "%u,%u", d[0] >> 8 & 0xff, d[0] & 0xff);
  else
    snprintf(text, 24, "%u,%u", d[1] >> 8 & 0xfff, (d[1] & 0xff) | (d[1] >> 12 & 0xfff00));
}

static bool print_target(struct vnode *link, const char *path) {
  char contents[4097];
  struct uio uio;
  uio_init_kernel(&uio, contents, sizeof contents - 1);
  errno_t e = link->ops->readlink(link, &uio);
  if (e != 0) {
    printf("\n");
    return complain_error(path, e);
  }
  contents[sizeof contents - 1 - uio.resid] = '\0';
  printf(" -> ");
  path_print(stdout, contents);
  return true;
}

static bool print_line(struct vnode *node, const char *path) {
  const struct einode *ino = einode_of(node);
  char mode[11], size[24], when[HOST_TIME_BYTES];
  struct filestat st;
  errno_t e = node->ops->stat(node, &st);
  if (e != 0)
    return complain_error(path, e);
  mode_text(ino->disk.i_mode, mode);
  size_text(ino, size);
  host_time(st.st_mtim, when);
  printf("%8u %s %3u %4u %4u %12s %s ", ino->number, mode, ino->links,
         ino->disk.i_uid | (unsigned)ino->disk.i_uid_high << 16,
         ino->disk.i_gid | (unsigned)ino->disk.i_gid_high << 16, size, when);
  path_print(stdout, path);
  bool ok = node->type != FILETYPE_SYMBOLIC_LINK || print_target(node, path);
  printf("\n");
  return ok;
}

static bool list_directory(struct vnode *dir, const char *path, bool recursive);

static bool list_entry(struct vnode *dir, const char *path, const char *name, bool recursive) {
  struct vnode *child;
  char *full = path_join(path, name);
  errno_t e = dir->ops->lookup(dir, name, strlen(name), &child);
  bool ok = e == 0 ? print_line(child, full) : complain_error(full, e);
  if (e == 0 && recursive && child->type == FILETYPE_DIRECTORY)
    ok = list_directory(child, full, true) && ok;
  if (e == 0)
    vnode_unref(child);
  free(full);
  return ok;
}

static bool list_directory(struct vnode *dir, const char *path, bool recursive) {
  struct names names;
  bool ok = true;
  errno_t e = names_read(dir, &names);
  if (e != 0)
    return complain_error(path, e);
  names_sort(&names);
  for (size_t i = 0; i < names.count; i++)
    ok = list_entry(dir, path, names.name[i], recursive) && ok;
  names_free(&names);
  return ok;
}

bool list_command(struct vnode *root, const char *path, bool recursive) {
  struct vnode *node;
  errno_t e = path_lookup(root, path, &node);
  if (e != 0)
    return complain_error(path, e);
  bool ok = node->type == FILETYPE_DIRECTORY ? list_directory(node, path, recursive)
                                             : print_line(node, path);
  vnode_unref(node);
  return ok;
}
