/*
 * ext4tool: looks into a disk's ext4 file system, changes it and checks it with the kernel's own
 * code. What it is told to do stands in usage().
 *
 * Exit status: 0; 1 something went wrong; 2 wrong use; 3 `check` found damage; 4 no file system
 * that can be mounted.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "arch/host/blkfile.h"
#include "fs/partition.h"
#include "tools/ext4tool/machine.h"
#include "tools/ext4tool/tool.h"

enum { STATUS_OK, STATUS_FAILED, STATUS_USAGE, STATUS_DAMAGE, STATUS_NO_FS };

static void usage(FILE *out) {
  fputs(
      "usage: ext4tool [-p N] COMMAND [OPTION] IMAGE [ARGUMENT]...\n"
      "\n"
      "  list [-r] IMAGE [PATH]      what is in a directory, with -r in all below it:\n"
      "                              inode, mode, links, uid, gid, size, time (UTC), path\n"
      "  read IMAGE PATH             a file's contents to standard output\n"
      "  read IMAGE PATH TO          a file or tree to a new file or directory\n"
      "  write IMAGE FROM... PATH    files and trees to PATH, or into it if it is a directory\n"
      "  mkdir [-p] IMAGE PATH...    -p: also the directories above it\n"
      "  rm [-r] IMAGE PATH...       -r: with all that is in it\n"
      "  mv IMAGE FROM TO\n"
      "  ln [-s] IMAGE TARGET PATH   -s: a symbolic link\n"
      "  check [-w] IMAGE            looks at every structure; -w: replays the journal before\n"
      "\n"
      "IMAGE is a file or a block device, and nobody else has it mounted; with -p N its\n"
      "partition N. Paths begin at the root directory, and symbolic links on the way are not\n"
      "followed.\n"
      "Exit status: 0; 1 something went wrong; 2 wrong use; 3 check found damage; 4 there is no\n"
      "file system that can be mounted.\n",
      out);
}

void complain(const char *format, ...) {
  va_list ap;
  fflush(stdout);
  fputs("ext4tool: ", stderr);
  va_start(ap, format);
  vfprintf(stderr, format, ap);
  va_end(ap);
  fputc('\n', stderr);
}

static const char *error_text(errno_t e) {
  switch (e) {
    case ENOENT:
      return "there is nothing of that name";
    case EEXIST:
      return "there is something of that name";
    case ENOTDIR:
      return "a name on the way is no directory";
    case EISDIR:
      return "it is a directory";
    case ENOTEMPTY:
      return "the directory is not empty";
    case ENOSPC:
      return "no room is left on the disk";
    case EIO:
      return "it is damaged, or the disk fails";
    case EROFS:
      return "it can't be written";
    case ENAMETOOLONG:
      return "the name is too long";
    case EMLINK:
      return "it has as many names as can be";
    case EFBIG:
      return "the file would be too large";
    case ENOMEM:
      return "there is not enough memory";
    case EINVAL:
      return "that can't be";
    default:
      return "an error";
  }
}

bool complain_error(const char *path, errno_t e) {
  complain("%s: %s", path, error_text(e));
  return false;
}

/* ---- Arguments ------------------------------------------------------------------------------- */

struct arguments {
  unsigned partition; /* 0: the whole disk */
  const char *command;
  bool option; /* the command's letter was given */
  const char *image;
  int count; /* of what comes behind the image */
  char **rest;
};

static const struct command {
  const char *name;
  char letter; /* its option; 0: it has none */
  int least, most;
  bool writes;
} commands[] = {
    {"list", 'r', 0, 1, false},       {"read", 0, 1, 2, false},      {"write", 0, 2, 1000000, true},
    {"mkdir", 'p', 1, 1000000, true}, {"rm", 'r', 1, 1000000, true}, {"mv", 0, 2, 2, true},
    {"ln", 's', 2, 2, true},          {"check", 'w', 0, 0, false},
};

static const struct command *command_find(const char *name) {
  for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
    if (strcmp(commands[i].name, name) == 0)
      return &commands[i];
  return NULL;
}

/* NULL: wrong use, which was told. */
static const struct command *parse(int argc, char **argv, struct arguments *a) {
  int at = 1;
  *a = (struct arguments){0};
  if (at + 1 < argc && strcmp(argv[at], "-p") == 0) {
    a->partition = (unsigned)strtoul(argv[at + 1], NULL, 10);
    at += 2;
    if (a->partition == 0) {
      complain("-p %s: expected the number of a partition, from 1", argv[at - 1]);
      return NULL;
    }
  }
  const struct command *c = at < argc ? command_find(argv[at]) : NULL;
  if (c == NULL) {
    complain("%s: expected a command; ext4tool --help lists them",
             at < argc ? argv[at] : "no arguments");
    return NULL;
  }
  a->command = argv[at++];
  while (at < argc && argv[at][0] == '-' && argv[at][1] != '\0') {
    if (strlen(argv[at]) != 2 || c->letter == 0 || argv[at][1] != c->letter) {
      complain("%s: %s has no such option", argv[at], c->name);
      return NULL;
    }
    a->option = true;
    at++;
  }
  a->image = at < argc ? argv[at++] : NULL;
  a->count = argc - at;
  a->rest = argv + at;
  if (a->image != NULL && a->count >= c->least && a->count <= c->most)
    return c;
  complain("%s: too %s arguments; see ext4tool --help", c->name,
           a->image == NULL || a->count < c->least ? "few" : "many");
  return NULL;
}

/* ---- Commands -------------------------------------------------------------------------------- */

static bool for_each(struct vnode *root, const struct arguments *a,
                     bool (*command)(struct vnode *root, const char *path, bool option)) {
  bool ok = true;
  for (int i = 0; i < a->count; i++)
    ok = command(root, a->rest[i], a->option) && ok;
  return ok;
}

static bool write_all(struct vnode *root, const struct arguments *a) {
  bool ok = true;
  for (int i = 0; i + 1 < a->count; i++)
    ok = write_command(root, a->rest[i], a->rest[a->count - 1]) && ok;
  return ok;
}

static int check(struct vnode *root) {
  unsigned long damages = 0;
  if (!check_command(root, &damages))
    return STATUS_FAILED;
  if (damages == 0)
    return STATUS_OK;
  printf("%lu damages\n", damages);
  return STATUS_DAMAGE;
}

static int run(const struct arguments *a, struct vnode *root) {
  const char *name = a->command;
  bool ok;
  if (strcmp(name, "check") == 0)
    return check(root);
  if (strcmp(name, "list") == 0)
    ok = list_command(root, a->count > 0 ? a->rest[0] : "/", a->option);
  else if (strcmp(name, "read") == 0)
    ok = a->count == 1 ? read_command(root, a->rest[0])
                       : extract_command(root, a->rest[0], a->rest[1]);
  else if (strcmp(name, "write") == 0)
    ok = write_all(root, a);
  else if (strcmp(name, "mkdir") == 0)
    ok = for_each(root, a, mkdir_command);
  else if (strcmp(name, "rm") == 0)
    ok = for_each(root, a, remove_command);
  else if (strcmp(name, "mv") == 0)
    ok = move_command(root, a->rest[0], a->rest[1]);
  else
    ok = link_command(root, a->rest[0], a->rest[1], a->option);
  return ok ? STATUS_OK : STATUS_FAILED;
}

/* ---- The disk -------------------------------------------------------------------------------- */

/* The disk itself or the partition that was asked for; NULL: it was told why not. */
static struct blkdev *choose(struct blkfile *disk, const struct arguments *a,
                             struct partition_table **table) {
  if (a->partition == 0)
    return &disk->disk;
  if (partition_scan(&disk->disk, table) != 0)
    return NULL;
  struct partition *p = partition_by_number(*table, a->partition);
  if (p == NULL) {
    complain("%s: it has no partition %u", a->image, a->partition);
    return NULL;
  }
  return &p->dev;
}

static int with_disk(const struct arguments *a, const struct command *c, struct blkdev *dev) {
  struct vnode *root;
  const char *why = "";
  bool writable = !dev->disk->read_only;
  if (ext4_mount(dev, !c->writes, &root, &why) != 0) {
    complain(
        "%s: %s%s", a->image, why,
        !writable && strstr(why, "journal has changes") != NULL ? "; check -w replays it" : "");
    return STATUS_NO_FS;
  }
  int status = run(a, root);
  if (ext4_unmount(root) != 0) {
    complain("%s: not everything could be written", a->image);
    return STATUS_FAILED;
  }
  return status;
}

int main(int argc, char **argv) {
  struct arguments a;
  struct blkfile disk;
  struct partition_table *table = NULL;
  if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
    usage(stdout);
    return STATUS_OK;
  }
  const struct command *c = parse(argc, argv, &a);
  if (c == NULL)
    return STATUS_USAGE;
  if (!machine_init()) {
    complain("there is not enough memory");
    return STATUS_FAILED;
  }
  bool writable = c->writes || (strcmp(c->name, "check") == 0 && a.option);
  if (!blkfile_open(&disk, a.image, writable)) {
    complain("%s: it can't be opened", a.image);
    return STATUS_NO_FS;
  }
  blkdev_register(&disk.disk);
  struct blkdev *dev = choose(&disk, &a, &table);
  int status = dev != NULL ? with_disk(&a, c, dev) : STATUS_NO_FS;
  partition_table_free(table);
  blkfile_close(&disk);
  return status;
}
