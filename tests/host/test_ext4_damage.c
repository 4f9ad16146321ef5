// sources: $(EXT4_HOST)
/*
 * What a damaged file system does: whoever meets the damage gets EIO and one line on the console
 * says inode and block; from then on nothing is changed any more (EROFS), what is sound can still
 * be read, and nothing more is said.
 */
#include "tests/host/ext4_fixture.h"

#include "tests/host/ext4_base.h"

static struct base ext4 = {
    .options = "-t ext4 -b 1024 -J size=1 -N 128", .kib = 4096, .long_names = 80};
static struct base ext2 = {.options = "-t ext2 -b 1024 -N 128", .kib = 1536, .long_names = 40};
static struct base many = {.options = "-t ext4 -b 1024 -O ^has_journal -N 640",
                           .kib = 2560,
                           .long_names = 500}; /* an index of two levels */

/* ---- Places in the image --------------------------------------------------------------------- */

static struct base *base;

/* An inode's number, and its block's, by its path in the good image. */
struct place {
  uint32_t ino;
  uint64_t block; /* of the inode table */
  struct ext4_inode *inode;
};

static struct vnode *find(struct vnode *root, const char *path) {
  struct vnode *v = vnode_ref(root), *next;
  for (const char *p = path; v != NULL && *p != '\0';) {
    size_t n = strcspn(p, "/");
    if (v->ops->lookup(v, p, n, &next) != 0)
      next = NULL;
    vnode_unref(v);
    v = next;
    p += n + (p[n] == '/');
  }
  return v;
}

static struct place place_of(const char *path) {
  struct vnode *root, *v;
  const char *why;
  struct place p;
  assert_int_equal(ext4_mount(&disk.dev, true, &root, &why), 0);
  v = find(root, path);
  p.ino = einode_of(v)->number;
  vnode_unref(v);
  assert_int_equal(ext4_unmount(root), 0);
  p.inode = seal_inode(&base->seal, disk.bytes, p.ino);
  p.block = (uint64_t)((uint8_t *)p.inode - disk.bytes) >> base->seal.fs.block_shift;
  return p;
}

/* The n-th block of an inode that is of a kind. */
static uint64_t owned(uint32_t ino, enum seal_kind kind, unsigned n) {
  for (unsigned i = 0; i < base->seal.owned_count; i++) {
    const struct seal_block *o = &base->seal.owned[i];
    if (o->ino == ino && o->kind == kind && n-- == 0)
      return o->block;
  }
  fail_msg("no such block of inode %u", ino);
  return 0;
}

static uint8_t *bytes_of(uint64_t block) {
  return disk.bytes + (block << base->seal.fs.block_shift);
}

/* ---- What is damaged, and who meets it ------------------------------------------------------- */

/* Where the damage is told to be. */
struct expected {
  uint32_t ino;
  uint64_t block;
};

static struct expected inode_at(const char *path) {
  struct place p = place_of(path);
  return (struct expected){p.ino, p.block};
}

static struct expected inode_csum(void) {
  struct expected x = inode_at("d/file");
  place_of("d/file").inode->i_uid ^= 1;
  return x;
}

static struct expected inode_type(void) {
  struct expected x = inode_at("d/file");
  place_of("d/file").inode->i_mode = 0x3000;
  return x;
}

static struct expected inode_extra(void) {
  struct expected x = inode_at("d/file");
  place_of("d/file").inode->i_extra_isize = 30;
  return x;
}

static struct expected inode_inline(void) {
  struct expected x = inode_at("d/file");
  place_of("d/file").inode->i_flags |= EXT4_INLINE_DATA_FL;
  return x;
}

static struct expected inode_unused(void) {
  struct expected x = inode_at("d/file");
  place_of("d/file").inode->i_links_count = 0;
  x.block = 0;
  return x;
}

static struct expected dir_size(void) {
  struct expected x = inode_at("d");
  place_of("d").inode->i_size_lo = 1000;
  return x;
}

static struct expected dir_huge(void) {
  struct expected x = inode_at("d");
  place_of("d").inode->i_size_lo = 64u << 20;
  return x;
}

/* The leaf of "d", which is small. */
static struct expected leaf_of_d(void) {
  uint32_t ino = place_of("d").ino;
  return (struct expected){ino, owned(ino, SEAL_LEAF, 0)};
}

static struct expected leaf_csum(void) {
  struct expected x = leaf_of_d();
  bytes_of(x.block)[30] ^= 1;
  return x;
}

static struct expected leaf_length(void) {
  struct expected x = leaf_of_d();
  ((struct ext4_dir_entry *)(bytes_of(x.block) + 12))->rec_len = 0;
  return x;
}

static struct expected leaf_inode(void) {
  struct expected x = leaf_of_d();
  ((struct ext4_dir_entry *)(bytes_of(x.block) + 24))->inode = 0xffffff;
  return x;
}

static struct expected leaf_dotdot(void) {
  struct expected x = leaf_of_d();
  ((struct ext4_dir_entry *)(bytes_of(x.block) + 12))->name[1] = 'x';
  return x;
}

static struct expected dir_hole(void) {
  struct place p = place_of("d");
  struct ext4_extent_header *h = (void *)p.inode->i_block;
  h->eh_entries = 0;
  return (struct expected){p.ino, 0};
}

static struct expected dir_outside(void) {
  struct place p = place_of("d");
  extent_first((struct ext4_extent_header *)p.inode->i_block)->ee_start_lo = 0xfffff0;
  return (struct expected){p.ino, 0};
}

/* The directory's block is one of the inode table, which is in use as such. */
static struct expected dir_is_inodes(void) {
  struct place p = place_of("d");
  extent_first((struct ext4_extent_header *)p.inode->i_block)->ee_start_lo = (uint32_t)p.block;
  return (struct expected){p.ino, p.block};
}

static struct expected index_of_many(enum seal_kind kind, unsigned n) {
  uint32_t ino = place_of("d/many").ino;
  return (struct expected){ino, owned(ino, kind, n)};
}

static struct expected index_limit(void) {
  struct expected x = index_of_many(SEAL_INDEX_ROOT, 0);
  bytes_of(x.block)[32] ^= 4;
  return x;
}

static struct expected index_version(void) {
  struct expected x = index_of_many(SEAL_INDEX_ROOT, 0);
  bytes_of(x.block)[28] = 99;
  return x;
}

static struct expected index_csum(void) {
  struct expected x = index_of_many(SEAL_INDEX_ROOT, 0);
  bytes_of(x.block)[45] ^= 1;
  return x;
}

static struct expected index_outside(void) {
  struct expected x = index_of_many(SEAL_INDEX_ROOT, 0);
  ((struct ext4_dx_entry *)(bytes_of(x.block) + 32))[1].block = 5000;
  return x;
}

static struct expected index_order(void) {
  struct expected x = index_of_many(SEAL_INDEX_ROOT, 0);
  ((struct ext4_dx_entry *)(bytes_of(x.block) + 32))[1].hash = 0xfffffff0;
  return x;
}

static struct expected index_node(void) {
  struct expected x = index_of_many(SEAL_INDEX, 0);
  bytes_of(x.block)[10] = 0;
  bytes_of(x.block)[11] = 0;
  return x;
}

static struct expected extent_root_magic(void) {
  struct place p = place_of("pieces");
  p.inode->i_block[0] ^= 1;
  return (struct expected){p.ino, 0};
}

/* The first node below the root of "pieces". */
static struct expected node_of_pieces(void) {
  uint32_t ino = place_of("pieces").ino;
  return (struct expected){ino, owned(ino, SEAL_EXTENTS, 0)};
}

static struct expected extent_csum(void) {
  struct expected x = node_of_pieces();
  bytes_of(x.block)[20] ^= 1;
  return x;
}

static struct expected extent_order(void) {
  struct expected x = node_of_pieces();
  extent_first((void *)bytes_of(x.block))[1].ee_block = 0;
  return x;
}

static struct expected extent_outside(void) {
  struct expected x = node_of_pieces();
  extent_first((void *)bytes_of(x.block))[0].ee_start_lo = 0xfffff0;
  return x;
}

static struct expected extent_depth(void) {
  struct expected x = node_of_pieces();
  ((struct ext4_extent_header *)bytes_of(x.block))->eh_depth = 3;
  return x;
}

static struct expected numbers_outside(void) {
  struct place p = place_of("pieces");
  p.inode->i_block[0] = 0xfffff0;
  return (struct expected){p.ino, 0xfffff0};
}

static struct expected numbers_block_outside(void) {
  struct place p = place_of("pieces");
  p.inode->i_block[12] = 0xfffff1;
  return (struct expected){p.ino, 0xfffff1};
}

static struct expected symlink_long(void) {
  struct place p = place_of("fast");
  p.inode->i_size_lo = 3000;
  return (struct expected){p.ino, 0};
}

static struct expected block_bitmap_csum(void) {
  uint64_t block = base->seal.groups[0].bg_block_bitmap_lo;
  bytes_of(block)[1000] ^= 1;
  return (struct expected){0, block};
}

static struct expected inode_bitmap_csum(void) {
  uint64_t block = base->seal.groups[0].bg_inode_bitmap_lo;
  bytes_of(block)[10] ^= 1;
  return (struct expected){0, block};
}

/* More free inodes than the bitmap has. */
static struct expected inode_bitmap_full(void) {
  uint64_t block = base->seal.groups[0].bg_inode_bitmap_lo;
  memset(bytes_of(block), 0xff, 1024);
  return (struct expected){0, block};
}

/* ---- Meeting it ------------------------------------------------------------------------------ */

static errno_t read_file(struct vnode *v) {
  static char bytes[100000];
  struct uio uio;
  uio_init_kernel(&uio, bytes, sizeof bytes);
  return v->type == FILETYPE_SYMBOLIC_LINK ? v->ops->readlink(v, &uio) : v->ops->pread(v, &uio, 0);
}

static errno_t look_up(struct vnode *root, const char *path) {
  char above[40] = "";
  const char *slash = strrchr(path, '/'), *name = slash != NULL ? slash + 1 : path;
  if (slash != NULL)
    snprintf(above, sizeof above, "%.*s", (int)(slash - path), path);
  struct vnode *dir = find(root, above), *v;
  if (dir == NULL)
    return EIO;
  errno_t e = dir->ops->lookup(dir, name, strlen(name), &v);
  if (e == 0) {
    e = v->type == FILETYPE_DIRECTORY ? 0 : read_file(v);
    vnode_unref(v);
  }
  vnode_unref(dir);
  return e;
}

static bool count_name(struct dir_sink *sink, const struct dir_entry *e) {
  (void)sink;
  (void)e;
  return true;
}

static errno_t list(struct vnode *root, const char *path) {
  struct dir_sink sink = {count_name};
  struct vnode *dir = find(root, path);
  if (dir == NULL)
    return EIO;
  errno_t e = dir->ops->readdir(dir, DIRCOOKIE_START, &sink);
  vnode_unref(dir);
  return e;
}

static errno_t create(struct vnode *root, const char *name) {
  struct vnode *v;
  errno_t e = root->ops->create(root, name, strlen(name), FILETYPE_REGULAR_FILE, &v);
  if (e == 0)
    vnode_unref(v);
  return e;
}

/* Gets blocks for what was a hole. */
static errno_t write_new(struct vnode *root, const char *path) {
  static char bytes[3000];
  struct vnode *v = find(root, path);
  struct uio uio;
  filesize_t end;
  uio_init_kernel(&uio, bytes, sizeof bytes);
  errno_t e = v->ops->pwrite(v, &uio, 500000, false, &end);
  vnode_unref(v);
  return e;
}

/* ---- The cases ------------------------------------------------------------------------------- */

static const struct damage {
  const char *name;
  struct base *base;
  struct expected (*make)(void);
  bool sealed; /* checksums are right */
  errno_t (*meet)(struct vnode *root, const char *path);
  const char *path;
} damages[] = {
    {"an inode's checksum", &ext4, inode_csum, false, look_up, "d/file"},
    {"an inode's type", &ext4, inode_type, true, look_up, "d/file"},
    {"an inode's size", &ext4, inode_extra, true, look_up, "d/file"},
    {"inline data", &ext4, inode_inline, true, look_up, "d/file"},
    {"a name of an inode without links", &ext4, inode_unused, true, look_up, "d/file"},
    {"a directory's size", &ext4, dir_size, true, look_up, "d"},
    {"a directory larger than the disk", &ext4, dir_huge, true, look_up, "d"},
    {"a directory's checksum", &ext4, leaf_csum, false, look_up, "d/file"},
    {"an entry without length", &ext4, leaf_length, true, look_up, "d/file"},
    {"an entry of an inode that can't be", &ext4, leaf_inode, true, look_up, "d/file"},
    {"a directory without \"..\"", &ext4, leaf_dotdot, true, list, "d"},
    {"a hole in a directory", &ext4, dir_hole, true, look_up, "d/file"},
    {"a directory outside", &ext4, dir_outside, true, look_up, "d/file"},
    {"a directory in the inode table", &ext4, dir_is_inodes, true, list, "d"},
    {"an index's limit", &ext4, index_limit, true, look_up, "d/many/x"},
    {"an index's version", &ext4, index_version, true, look_up, "d/many/x"},
    {"an index's checksum", &ext4, index_csum, false, list, "d/many"},
    {"an index that leads outside", &ext4, index_outside, true, list, "d/many"},
    {"an index out of order", &ext4, index_order, true, look_up, "d/many/x"},
    {"an index's second level", &many, index_node, true, list, "d/many"},
    {"an extent tree's root", &ext4, extent_root_magic, true, look_up, "pieces"},
    {"an extent tree's checksum", &ext4, extent_csum, false, look_up, "pieces"},
    {"extents out of order", &ext4, extent_order, true, look_up, "pieces"},
    {"an extent outside", &ext4, extent_outside, true, look_up, "pieces"},
    {"an extent tree's depth", &ext4, extent_depth, true, look_up, "pieces"},
    {"a block map that leads outside", &ext2, numbers_outside, true, look_up, "pieces"},
    {"a block of numbers outside", &ext2, numbers_block_outside, true, look_up, "pieces"},
    {"a symbolic link's length", &ext4, symlink_long, true, look_up, "fast"},
    {"a block bitmap's checksum", &ext4, block_bitmap_csum, false, write_new, "pieces"},
    {"an inode bitmap's checksum", &ext4, inode_bitmap_csum, false, create, "new"},
    {"an inode bitmap without room", &ext4, inode_bitmap_full, true, create, "new"},
};

static void check_line(const struct damage *d, struct expected x) {
  unsigned ino;
  unsigned long block;
  const char *from = strstr(fixture_line, "inode ");
  if (from == NULL || sscanf(from, "inode %u, block %lu: ", &ino, &block) != 2)
    fail_msg("%s: \"%s\"", d->name, fixture_line);
  bool either = d->make == dir_is_inodes; /* it depends on who holds the block */
  if (!either && (ino != x.ino || block != x.block))
    fail_msg("%s: expected inode %u, block %lu: \"%s\"", d->name, x.ino, (unsigned long)x.block,
             fixture_line);
}

/* The disk says so, too, and can still be mounted; e2fsck looks at all of it without being told. */
static void check_recorded(struct expected x) {
  const struct ext4_super *s = (void *)(disk.bytes + EXT4_SUPER_OFFSET);
  struct vnode *root;
  const char *why = "";
  bool words;
  assert_true((s->s_state & EXT4_STATE_ERROR) != 0);
  assert_int_equal(s->s_error_count, 1);
  assert_int_equal(s->s_last_error_ino, x.ino);
  assert_int_equal(s->s_last_error_block, x.block);
  assert_int_equal(ext4_mount(&disk.dev, true, &root, &why), 0);
  assert_non_null(strstr(fixture_line, "damaged before"));
  assert_int_equal(ext4_unmount(root), 0);
  fixture_e2fsck("-p", &words);
  assert_non_null(strstr(fixture_words, "with errors, check forced"));
}

static void check_damage(const struct damage *d) {
  struct vnode *root;
  const char *why = "";
  base = d->base;
  disk_init(&disk, base->bytes);
  memcpy(disk.bytes, base->image, base->bytes);
  struct expected x = d->make();
  if (d->sealed)
    seal_all(&base->seal, disk.bytes);
  fixture_errors = 0;
  if (ext4_mount(&disk.dev, false, &root, &why) != 0)
    fail_msg("%s: it can't be mounted: %s", d->name, why);
  errno_t e = d->meet(root, d->path);
  if (e != EIO || fixture_errors != 1)
    fail_msg("%s: error %u and %u lines", d->name, e, fixture_errors);
  check_line(d, x);
  assert_int_equal(create(root, "late"), EROFS);
  assert_int_not_equal(d->meet(root, d->path), 0);
  if (strcmp(d->path, "fast") != 0)
    assert_int_equal(look_up(root, "fast"), 0);
  assert_int_equal(fixture_errors, 1);
  assert_int_equal(ext4_unmount(root), 0);
  check_recorded(x);
  disk_free(&disk);
}

static void test_damage(void **state) {
  (void)state;
  base_make(&ext4);
  base_make(&ext2);
  base_make(&many);
  fixture_quiet = true;
  size_t before = heap_used_bytes(), pages = page_free_count();
  for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
    check_damage(&damages[i]);
    assert_int_equal(heap_used_bytes(), before);
  }
  assert_true(page_free_count() + 8 > pages);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_damage)};
  ram_init(20000);
  return cmocka_run_group_tests(tests, NULL, fixture_remove);
}
