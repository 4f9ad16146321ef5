/*
 * From `disk: 0`, `disk: serial=NAME` and `disk: label=NAME` to a mounted file system: disks.h.
 *
 * What was found stays until the machine ends.
 */
#include "fs/disks.h"

#include "fs/ext4/fs.h"
#include "fs/lookup.h"
#include "fs/vfile.h"
#include "kernel/end.h"
#include "kernel/heap.h"
#include "kernel/log.h"
#include "kernel/printf.h"
#include "kernel/string.h"

struct disk_mount {
  struct disk_mount *next;
  struct blkdev *dev;
  bool writable;
  struct vnode *root; /* NULL: not mounted yet */
};

/* A disk whose partitions somebody asked for. */
struct scanned {
  struct scanned *next;
  struct blkdev *disk;
  struct partition_table *table;
};

static struct disk_mount *mounts;
static struct scanned *all_scanned;

static _Noreturn void out_of_memory(void) {
  boot_fail("not enough memory for disks; give the machine more (-m)");
}

/* ---- Finding --------------------------------------------------------------------------------- */

static const struct partition_table *partitions_of(struct blkdev *disk) {
  struct scanned *s = all_scanned;
  while (s != NULL && s->disk != disk)
    s = s->next;
  if (s != NULL)
    return s->table;
  s = kzalloc(sizeof *s);
  if (s == NULL)
    out_of_memory();
  errno_t e = partition_scan(disk, &s->table);
  if (e == ENOMEM)
    out_of_memory();
  if (e != 0)
    boot_fail("the partition table of %s %s", disk->name,
              e == EINVAL ? "is damaged" : "can't be read");
  s->disk = disk;
  s->next = all_scanned;
  all_scanned = s;
  return s->table;
}

static bool has_volume(struct blkdev *dev, const char *label) {
  char volume[17];
  uint8_t uuid[16];
  return ext4_probe(dev, volume, uuid) == 0 && strcmp(volume, label) == 0;
}

/* The file system or the partition of that name. */
static struct blkdev *by_label(struct blkdev *disk, const char *label) {
  if (has_volume(disk, label))
    return disk;
  const struct partition_table *table = partitions_of(disk);
  struct partition *p = partition_by_label(table, label);
  for (unsigned i = 0; p == NULL && i < table->count; i++) {
    if (has_volume(&table->partitions[i]->dev, label))
      p = table->partitions[i];
  }
  return p != NULL ? &p->dev : NULL;
}

static const char how_to_add[] =
    "add: -drive if=none,id=d0,format=raw,file=disk.img -device virtio-blk-pci,drive=d0";

static struct blkdev *find_disk(const struct disk_place *place) {
  struct blkdev *found = NULL;
  unsigned count = 0;
  for (struct blkdev *d = blkdev_first(); d != NULL; d = d->next)
    count++;
  if (place->by == DISK_BY_ORDER) {
    found = blkdev_by_order(place->order);
    if (found == NULL)
      boot_fail("the configuration names disk %u, and the machine has %u disks; %s", place->order,
                count, how_to_add);
  } else if (place->by == DISK_BY_SERIAL) {
    found = blkdev_by_serial(place->name);
    if (found == NULL)
      boot_fail("none of the machine's %u disks has the serial %s; %s,serial=%s", count,
                place->name, how_to_add, place->name);
  } else {
    for (struct blkdev *d = blkdev_first(); d != NULL && found == NULL; d = d->next)
      found = by_label(d, place->name);
    if (found == NULL)
      boot_fail(
          "none of the machine's %u disks has a file system or partition with the label %s; "
          "`mkfs.ext4 -L %s disk.img` makes one, then %s",
          count, place->name, place->name, how_to_add);
  }
  return found;
}

static struct blkdev *find(const struct disk_place *place) {
  struct blkdev *disk = find_disk(place);
  if (place->partition == 0)
    return disk;
  struct partition *p = partition_by_number(partitions_of(disk), place->partition);
  if (p == NULL)
    boot_fail("%s has no partition %u, but %u others", disk->name, place->partition,
              partitions_of(disk)->count);
  return &p->dev;
}

struct disk_mount *disk_claim(const struct disk_place *place, bool writable) {
  struct blkdev *dev = find(place);
  struct disk_mount *m = mounts;
  while (m != NULL && m->dev != dev)
    m = m->next;
  if (m == NULL) {
    m = kzalloc(sizeof *m);
    if (m == NULL)
      out_of_memory();
    m->dev = dev;
    m->next = mounts;
    mounts = m;
  }
  m->writable |= writable;
  return m;
}

/* ---- Mounting -------------------------------------------------------------------------------- */

/* There is no ext4 on it: whether something else is. */
static void explain_no_ext4(struct blkdev *dev) {
  char label[17];
  uint8_t uuid[16];
  if (ext4_probe(dev, label, uuid) != EINVAL)
    return;
  if (dev->disk == dev && partitions_of(dev)->count > 0)
    boot_fail("%s has %u partitions; say which: `partition: %u`", dev->name,
              partitions_of(dev)->count, partitions_of(dev)->partitions[0]->number);
  boot_fail("%s has no ext4 file system; make one: mkfs.ext4 disk.img", dev->name);
}

static void begin_writing(void) {
  static struct last_work sync = {.run = ext4_sync_all};
  static bool begun;
  if (begun)
    return;
  if (ext4_flush_start() != 0)
    out_of_memory();
  machine_end_does(&sync);
  begun = true;
}

static void mount(struct disk_mount *m) {
  const char *why = "";
  explain_no_ext4(m->dev);
  if (m->writable)
    begin_writing();
  errno_t e = ext4_mount(m->dev, !m->writable, &m->root, &why);
  if (e != 0)
    boot_fail("%s can't be mounted: %s", m->dev->name, why);
}

void disk_open(struct disk_mount *m, const char *path, size_t len, struct file **f) {
  struct path *p;
  if (m->root == NULL)
    mount(m);
  const char *from = path, *end = path + len;
  while (from < end && *from == '/')
    from++;
  if (from == end)
    from = ".", end = from + 1;
  errno_t e = path_lookup(m->root, from, (size_t)(end - from), true, &p);
  if (e == ENOMEM)
    out_of_memory();
  if (e == 0 && p->node == NULL)
    e = ENOENT;
  if (e != 0)
    boot_fail("%s has no %.*s: %s", m->dev->name, (int)len, path,
              e == ENOENT || e == ENOTDIR ? "make it on Linux, or with `mkfs.ext4 -d DIRECTORY`"
              : e == EIO                  ? "it can't be read"
                                          : "a symbolic link on the way leads nowhere");
  filetype_t type = p->node->type;
  if (type != FILETYPE_DIRECTORY && type != FILETYPE_REGULAR_FILE)
    boot_fail("%s: %.*s is neither a file nor a directory", m->dev->name, (int)len, path);
  if (vfile_create(p->node, 0, f) != 0)
    out_of_memory();
  path_free(p);
}
