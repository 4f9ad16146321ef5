// sources: $(filter-out kernel/heap.c,$(EXT4_HOST))
// libs: -lcmocka
// fuzz: -runs=1200 -max_len=120 -len_control=0
/*
 * Damaged file systems: mounting, reading and changing one ends, leaves no memory behind, and says
 * on the console what it found; after that nothing is changed any more.
 *
 * Inputs: two bytes choose a good image (ext4_base.h) and say whether checksums are made right
 * again (else that is what is wrong) and whether it is mounted read-only; then changes, eight bytes
 * each: a block of metadata, an offset in it, what to do there, and with what.
 */
#include "tests/host/ext4_fixture.h"

#include "tests/host/ext4_base.h"

#define HELD_MAX 40
#define NAMES_MAX 30
#define CHANGES_MAX 24

static struct base bases[] = {
    {.options = "-t ext4 -b 1024 -J size=1 -N 128", .kib = 2560, .long_names = 40},
    {.options = "-t ext4 -b 1024 -J size=1 -N 128", .kib = 2560, .long_names = 40, .crashed = true},
    {.options = "-t ext4 -b 1024 -O ^has_journal -N 640", .kib = 2560, .long_names = 500},
    {.options = "-t ext2 -b 1024 -N 128", .kib = 1536, .long_names = 40},
    {.options = "-t ext3 -b 1024 -J size=1 -N 128", .kib = 2560, .long_names = 40, .crashed = true},
    {.options = "-t ext4 -b 1024 -O ^has_journal,^64bit,^flex_bg -g 512 -N 128 -I 128",
     .kib = 1536,
     .long_names = 40},
    {.options = "-t ext4 -b 4096 -O ^has_journal,^metadata_csum,uninit_bg -N 128",
     .kib = 1536,
     .long_names = 50},
    {.options = "-t ext2 -b 1024 -O ^dir_index,^filetype -N 128", .kib = 1536, .long_names = 40},
};
#define BASES (sizeof bases / sizeof bases[0])

/* ---- Memory: the host's, which tells of every mistake ---------------------------------------- */

static size_t blocks_held;

void *kmalloc(size_t size) {
  void *p = malloc(size > 0 ? size : 1);
  blocks_held += p != NULL;
  return p;
}

void *kzalloc(size_t size) {
  void *p = calloc(1, size > 0 ? size : 1);
  blocks_held += p != NULL;
  return p;
}

void kfree(void *p) {
  blocks_held -= p != NULL;
  free(p);
}

/* ---- Changes --------------------------------------------------------------------------------- */

static uint16_t get16(const uint8_t *p) {
  uint16_t x;
  memcpy(&x, p, sizeof x);
  return x;
}

static void put32(uint8_t *p, uint32_t x) {
  memcpy(p, &x, sizeof x);
}

/* One change: of a byte, a word, an entry or a block. */
static void change(const struct base *b, uint8_t *image, const uint8_t c[8]) {
  const uint32_t block_bytes = b->seal.fs.block_bytes, shift = b->seal.fs.block_shift;
  uint8_t *block = image + (b->blocks[get16(c) % b->block_count] << shift);
  unsigned at = get16(c + 2) % block_bytes, word = at & ~3u;
  uint32_t old;
  memcpy(&old, block + word, sizeof old);
  switch (c[4] % 8) {
    case 0:
      block[at] = c[5];
      break;
    case 1:
      memcpy(block + (at & ~1u), c + 5, 2);
      break;
    case 2:
      put32(block + word, get16(c + 5) | (uint32_t)c[7] << 16);
      break;
    case 3:
      put32(block + word, old + (uint32_t)(int8_t)c[5]);
      break;
    case 4: /* an entry of a directory, an index or an extent tree in place of another */
      if (word + 12 <= block_bytes && (get16(c + 5) & ~3u) % block_bytes + 12 <= block_bytes)
        memmove(block + word, block + (get16(c + 5) & ~3u) % block_bytes, 12);
      break;
    case 5:
      memcpy(block, image + (b->blocks[get16(c + 5) % b->block_count] << shift), block_bytes);
      break;
    case 6: /* a word that may be the number of another block of metadata */
      put32(block + word, (uint32_t)b->blocks[get16(c + 5) % b->block_count]);
      break;
    default:
      put32(block + word, (uint32_t)(int8_t)c[5]);
  }
}

/* ---- What is done with it -------------------------------------------------------------------- */

/* A node that was found, with its name. */
struct held {
  struct vnode *node, *dir;
  char name[EXT4_NAME_MAX];
  size_t len;
};

static struct held held[HELD_MAX];
static unsigned held_count;
static struct vnode *top;

/* An error says so: EIO means that a line was logged. */
static errno_t judge(errno_t e) {
  if (e == EIO && fixture_errors == 0) {
    fprintf(stderr, "EIO without a word on the console\n");
    abort();
  }
  return e;
}

struct names {
  struct dir_sink sink;
  unsigned told, kept;
  char name[NAMES_MAX][EXT4_NAME_MAX];
  size_t len[NAMES_MAX];
};

static bool take_name(struct dir_sink *sink, const struct dir_entry *e) {
  struct names *n = container_of(sink, struct names, sink);
  bool dots = e->name[0] == '.' && (e->name_len == 1 || (e->name_len == 2 && e->name[1] == '.'));
  if (!dots && n->kept < NAMES_MAX) {
    memcpy(n->name[n->kept], e->name, e->name_len);
    n->len[n->kept++] = e->name_len;
  }
  return n->told++ < 5000;
}

static void hold(struct vnode *node, struct vnode *dir, const char *name, size_t len) {
  if (held_count == HELD_MAX)
    return;
  struct held *h = &held[held_count++];
  *h = (struct held){vnode_ref(node), dir != NULL ? vnode_ref(dir) : NULL, "", len};
  memcpy(h->name, name, len);
}

static void look(struct vnode *node) {
  static char bytes[20000];
  struct filestat st;
  struct uio uio;
  judge(node->ops->stat(node, &st));
  uio_init_kernel(&uio, bytes, sizeof bytes);
  if (node->type == FILETYPE_SYMBOLIC_LINK)
    judge(node->ops->readlink(node, &uio));
  if (node->type != FILETYPE_REGULAR_FILE)
    return;
  judge(node->ops->pread(node, &uio, 0));
  uio_init_kernel(&uio, bytes, sizeof bytes);
  judge(node->ops->pread(node, &uio, st.st_size > 9000 ? st.st_size - 9000 : 0));
}

static void walk(struct vnode *dir, unsigned depth) {
  struct names *n = calloc(1, sizeof *n);
  n->sink.put = take_name;
  judge(dir->ops->readdir(dir, DIRCOOKIE_START, &n->sink));
  for (unsigned i = 0; i < n->kept; i++) {
    struct vnode *child;
    if (judge(dir->ops->lookup(dir, n->name[i], n->len[i], &child)) != 0)
      continue;
    look(child);
    hold(child, dir, n->name[i], n->len[i]);
    if (child->type == FILETYPE_DIRECTORY && depth < 4 && held_count < HELD_MAX)
      walk(child, depth + 1);
    vnode_unref(child);
  }
  free(n);
}

static void change_file(struct vnode *v) {
  static char bytes[6000] = "other contents";
  struct filestat st = {.st_size = 0};
  struct memobj *obj;
  struct uio uio;
  filesize_t end;
  pa_t pa;
  v->ops->stat(v, &st);
  const uint64_t places[] = {0, st.st_size, 100000};
  for (unsigned i = 0; i < 3; i++) {
    uio_init_kernel(&uio, bytes, sizeof bytes);
    judge(v->ops->pwrite(v, &uio, places[i], false, &end));
  }
  if (v->ops->memobj(v, &obj) == 0) {
    obj->ops->get_page(obj, 4096, true, &pa);
    memobj_unref(obj);
  }
  judge(v->ops->allocate(v, 2000, 30000));
  st.st_size /= 2;
  judge(v->ops->set_stat(v, &st, FILESTAT_SIZE));
  judge(v->ops->sync(v, false));
  st.st_size = 0;
  judge(v->ops->set_stat(v, &st, FILESTAT_SIZE));
}

static void change_dir(struct vnode *dir, struct vnode *file) {
  static const char slow[] = "one/that/needs/a/block/for/itself/because/it/is/longer/than/sixty";
  struct vnode *made;
  for (unsigned i = 0; i < 6; i++) {
    char name[200];
    int len = snprintf(name, sizeof name, "new%0*u", 5 + 30 * (int)i, i);
    filetype_t type = i % 3 == 2 ? FILETYPE_DIRECTORY : FILETYPE_REGULAR_FILE;
    if (judge(dir->ops->create(dir, name, (size_t)len, type, &made)) != 0)
      continue;
    if (i % 2 == 0)
      judge(dir->ops->rename(dir, name, (size_t)len, made, top, "moved", 5, NULL));
    else if (i > 3)
      judge(dir->ops->unlink(dir, name, (size_t)len, made));
    vnode_unref(made);
  }
  judge(dir->ops->symlink(dir, "slow2", 5, slow, sizeof slow - 1));
  if (file != NULL)
    judge(dir->ops->link(dir, "link", 4, file));
}

/* Each is moved to the top, or loses its name. */
static void change_names(void) {
  for (unsigned i = 0; i < held_count; i++) {
    struct held *h = &held[i];
    char name[20];
    int len = snprintf(name, sizeof name, "h%u", i);
    if (i % 3 == 0)
      judge(h->dir->ops->rename(h->dir, h->name, h->len, h->node, top, name, (size_t)len, NULL));
    else
      judge(h->dir->ops->unlink(h->dir, h->name, h->len, h->node));
  }
}

static void work_on(void) {
  struct vnode *file = NULL;
  for (unsigned i = 0; i < held_count; i++) {
    if (held[i].node->type != FILETYPE_REGULAR_FILE)
      continue;
    if (file == NULL || i % 4 == 0)
      change_file(held[i].node);
    file = held[i].node;
  }
  change_dir(top, file);
  for (unsigned i = 0; i < held_count; i++)
    if (held[i].node->type == FILETYPE_DIRECTORY)
      change_dir(held[i].node, file);
  ext4_commit_all();
  change_names();
}

/* What was found makes it read-only. */
static void check_failed(void) {
  struct vnode *made;
  if (!einode_of(top)->fs->failed)
    return;
  errno_t e = top->ops->create(top, "late", 4, FILETYPE_REGULAR_FILE, &made);
  if (e != EROFS || fixture_errors == 0) {
    fprintf(stderr, "damaged, and a new file is error %u; %u lines\n", e, fixture_errors);
    abort();
  }
}

static void use(bool read_only) {
  const char *why = "";
  held_count = 0;
  if (ext4_mount(&disk.dev, read_only, &top, &why) != 0)
    return;
  walk(top, 0);
  if (!read_only)
    work_on();
  check_failed();
  while (held_count > 0) {
    struct held *h = &held[--held_count];
    vnode_unref(h->node);
    vnode_unref(h->dir);
  }
  ext4_unmount(top);
}

/* ---- The fuzzer ------------------------------------------------------------------------------ */

static void start(void) {
  ram_init(20000);
  for (size_t i = 0; i < BASES; i++)
    base_make(&bases[i]);
  fixture_remove(NULL);
  fixture_quiet = getenv("VIRGA_LOUD") == NULL;
  disk_init(&disk, 4u << 20);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static size_t blocks, pages;
  static bool started;
  if (!started)
    start();
  started = true;
  if (size < 2)
    return 0;
  struct base *b = &bases[data[0] % BASES];
  memcpy(disk.bytes, b->image, b->bytes);
  disk.dev.size_bytes = b->bytes;
  for (size_t i = 0; i < CHANGES_MAX && 2 + (i + 1) * 8 <= size; i++)
    change(b, disk.bytes, data + 2 + i * 8);
  if ((data[1] & 7) != 0)
    seal_all(&b->seal, disk.bytes);
  fixture_errors = 0;
  blocks = blocks_held;
  pages = page_free_count();
  use((data[1] & 0x18) == 0x18);
  if (size < 10 && fixture_errors > 0) {
    fprintf(stderr, "a good image is taken for a damaged one: %s\n", fixture_line);
    abort();
  }
  if (blocks_held != blocks || page_free_count() != pages) {
    fprintf(stderr, "%zd pieces of memory and %zd pages are left behind\n",
            (ssize_t)(blocks_held - blocks), (ssize_t)(pages - page_free_count()));
    abort();
  }
  return 0;
}
