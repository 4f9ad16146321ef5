// sources: $(EXT4_HOST)
/*
 * Reading directories of ext4 by cookies: every name that stays is told exactly once, however few
 * of them a call takes, whatever comes and goes between two calls, and where names of one hash fill
 * several leaves.
 */
#include "tests/host/ext4_fixture.h"

#include "fs/ext4/htree.h"

#define NAMES_MAX 3000
#define LONG 240 /* bytes of a name of which few fit into a leaf */

/* A name: whether it is there, whether it stays, and how often it was told. */
struct entry {
  char name[256];
  bool there, stays;
  unsigned told;
};

static struct entry entries[NAMES_MAX];
static unsigned entry_count;
static struct vnode *root, *dir;

static void begin(const char *options, int hash) {
  const char *why = "";
  fixture_mkfs(16, options);
  if (ext4_mount(&disk.dev, false, &root, &why) != 0)
    fail_msg("%s", why);
  if (hash >= 0)
    einode_of(root)->fs->super.s_def_hash_version = (uint8_t)hash;
  assert_int_equal(root->ops->create(root, "dir", 3, FILETYPE_DIRECTORY, &dir), 0);
  entry_count = 0;
}

static void end(void) {
  vnode_unref(dir);
  assert_int_equal(ext4_unmount(root), 0);
  fixture_fsck("after names came and went");
  disk_free(&disk);
}

/* ---- Names ----------------------------------------------------------------------------------- */

static void enter(struct entry *e) {
  struct vnode *v;
  assert_int_equal(dir->ops->create(dir, e->name, strlen(e->name), FILETYPE_REGULAR_FILE, &v), 0);
  vnode_unref(v);
  e->there = true;
}

static void take_away(struct entry *e) {
  struct vnode *v;
  assert_int_equal(dir->ops->lookup(dir, e->name, strlen(e->name), &v), 0);
  assert_int_equal(dir->ops->unlink(dir, e->name, strlen(e->name), v), 0);
  vnode_unref(v);
  e->there = false;
}

static struct entry *entry_new(bool stays) {
  assert_true(entry_count < NAMES_MAX);
  struct entry *e = &entries[entry_count++];
  *e = (struct entry){.stays = stays};
  return e;
}

static void enter_plain(unsigned count, unsigned len, bool stays) {
  for (unsigned i = 0; i < count; i++) {
    struct entry *e = entry_new(stays);
    snprintf(e->name, sizeof e->name, "%0*u", (int)len, entry_count);
    enter(e);
  }
}

/* ---- Names of one hash ----------------------------------------------------------------------- */

#define FACTOR 7152373u
#define TARGET 0x12345678u /* 31 bits: the hash before it is shifted */

/* The legacy hash, byte by byte: what is ahead of the last byte can be completed if the byte that
 * is missing exists. */
struct legacy {
  uint32_t hash0, hash1;
};

static struct legacy legacy_step(struct legacy s, unsigned c) {
  uint32_t hash = s.hash1 + (s.hash0 ^ (c * FACTOR));
  if ((hash & 0x80000000u) != 0)
    hash -= 0x7fffffff;
  return (struct legacy){hash, s.hash0};
}

static unsigned last_byte(struct legacy s, uint32_t sum) {
  uint32_t x = (sum - s.hash1) ^ s.hash0;
  unsigned c = x % FACTOR == 0 ? x / FACTOR : 0;
  return c < 128 && c != '/' ? c : 0;
}

static bool complete(struct legacy s, char *to, unsigned depth) {
  if (depth == 0) {
    unsigned c = last_byte(s, TARGET);
    if (c == 0)
      c = last_byte(s, TARGET + 0x7fffffffu);
    *to = (char)c;
    return c != 0;
  }
  for (unsigned c = 1; c < 128; c++) {
    *to = (char)c;
    if (c != '/' && complete(legacy_step(s, c), to + 1, depth - 1))
      return true;
  }
  return false;
}

/* The n-th name of the hash TARGET << 1. */
static void collide(unsigned n, char *name) {
  struct legacy s = {0x12a3fe2d, 0x37abe8f9};
  memset(name, 'c', LONG);
  name[snprintf(name, 10, "%u", n)] = '-';
  for (unsigned i = 0; i < LONG; i++)
    s = legacy_step(s, (unsigned char)name[i]);
  memset(name + LONG, 0, 6);
  if (!complete(s, name + LONG, 4))
    fail_msg("no name of that hash");
  struct htree_hash h = htree_hash(einode_of(dir)->fs, EXT4_HASH_LEGACY, name, strlen(name));
  assert_int_equal(h.major, TARGET << 1);
}

static void enter_colliding(unsigned count, bool stays) {
  static unsigned n;
  for (unsigned i = 0; i < count; i++) {
    struct entry *e = entry_new(stays);
    collide(n++, e->name);
    enter(e);
  }
}

/* Leaves that go on with the hash of the one before. */
static unsigned continued_leaves(void) {
  struct htree_path p;
  uint32_t hash;
  unsigned count = 0;
  mutex_lock(&einode_of(dir)->fs->lock);
  assert_int_equal(htree_walk(einode_of(dir), 0, &p), 0);
  while (htree_next(einode_of(dir), &p, &hash) == 0)
    count += (hash & HTREE_CONTINUED) != 0;
  htree_put(&p);
  mutex_unlock(&einode_of(dir)->fs->lock);
  return count;
}

/* ---- Reading --------------------------------------------------------------------------------- */

struct sink {
  struct dir_sink sink;
  unsigned left; /* names that the call still takes */
  dircookie_t cookie;
  bool any;
};

static bool put(struct dir_sink *s, const struct dir_entry *e) {
  struct sink *sink = container_of(s, struct sink, sink);
  if (sink->left == 0)
    return false;
  sink->left--;
  sink->any = true;
  sink->cookie = e->next;
  for (unsigned i = 0; i < entry_count; i++)
    if (strlen(entries[i].name) == e->name_len &&
        memcmp(entries[i].name, e->name, e->name_len) == 0)
      entries[i].told++;
  return true;
}

/* The next names; false: that was all. */
static bool read_some(dircookie_t *cookie, unsigned count) {
  struct sink sink = {.sink.put = put, .left = count, .cookie = *cookie};
  assert_int_equal(dir->ops->readdir(dir, *cookie, &sink.sink), 0);
  *cookie = sink.cookie;
  return sink.any;
}

static void check_told(const char *when) {
  for (unsigned i = 0; i < entry_count; i++) {
    if (entries[i].stays && entries[i].told != 1)
      fail_msg("%s: \"%s\" was told %u times", when, entries[i].name, entries[i].told);
    entries[i].told = 0;
  }
}

static void read_all(unsigned count) {
  dircookie_t cookie = DIRCOOKIE_START;
  unsigned calls = 0;
  while (read_some(&cookie, count))
    assert_true(++calls < 2 * NAMES_MAX);
  check_told("while nothing changed");
}

/* Names come and go between the calls, so that leaves split. */
static void read_amid_changes(unsigned count, bool colliding) {
  dircookie_t cookie = DIRCOOKIE_START;
  unsigned first = entry_count, calls = 0;
  while (read_some(&cookie, count)) {
    assert_true(++calls < 2 * NAMES_MAX);
    for (unsigned i = 0; i < 3; i++) {
      struct entry *e = &entries[first + ram_random(entry_count - first + 1)];
      if (e < &entries[entry_count] && e->there)
        take_away(e);
      else if (e < &entries[entry_count])
        enter(e);
      else if (entry_count < first + 150 && (!colliding || i > 0))
        enter_plain(1, i == 0 ? 20 : LONG, false);
      else if (entry_count < first + 150 && ram_random(6) == 0)
        enter_colliding(1, false);
    }
  }
  check_told("while names came and went");
  for (unsigned i = first; i < entry_count; i++)
    if (entries[i].there)
      take_away(&entries[i]);
  entry_count = first;
}

/* What follows a cookie is the same whenever it is asked for. */
static void check_cookies(void) {
  static dircookie_t cookies[NAMES_MAX];
  dircookie_t cookie = DIRCOOKIE_START;
  unsigned n = 0;
  while (cookies[n] = cookie, read_some(&cookie, 1))
    n++;
  for (unsigned i = 0; i < n; i += 1 + n / 40) {
    for (unsigned k = 0; k < entry_count; k++)
      entries[k].told = 0;
    unsigned left = 0;
    for (cookie = cookies[i]; read_some(&cookie, 1); left++)
      assert_int_equal(cookie, cookies[i + left + 1]);
    assert_int_equal(left, n - i);
  }
  for (unsigned k = 0; k < entry_count; k++)
    entries[k].told = 0;
}

static void read_in_every_way(bool colliding) {
  static const unsigned counts[] = {1, 2, 3, 7, 31, 32, 33, 1000};
  for (unsigned i = 0; i < sizeof counts / sizeof counts[0]; i++)
    read_all(counts[i]);
  check_cookies();
  for (unsigned i = 0; i < 6; i++)
    read_amid_changes(counts[i], colliding);
}

/* ---- The tests ------------------------------------------------------------------------------- */

static void test_one_hash_in_many_leaves(void **state) {
  (void)state;
  begin("-t ext4 -b 1024", EXT4_HASH_LEGACY);
  enter_plain(200, 30, true);
  enter_colliding(24, true);
  enter_plain(100, LONG, true);
  assert_true(continued_leaves() >= 4);
  read_in_every_way(true);
  end();
}

static void test_nothing_but_one_hash(void **state) {
  (void)state;
  begin("-t ext4 -b 1024 -O ^metadata_csum", EXT4_HASH_LEGACY);
  enter_colliding(16, true);
  read_in_every_way(true);
  end();
}

static void test_kinds(void **state) {
  static const char *const kinds[] = {"-t ext4 -b 1024", "-t ext4 -b 4096", "-t ext2 -b 1024",
                                      "-t ext4 -b 1024 -O ^dir_index"};
  (void)state;
  for (unsigned i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
    begin(kinds[i], i == 1 ? EXT4_HASH_TEA : -1);
    enter_plain(300, 20, true);
    read_in_every_way(false);
    end();
  }
}

/* From a single block over an index to one of two levels, while it is read. */
static void test_while_it_grows(void **state) {
  (void)state;
  begin("-t ext4 -b 1024", -1);
  enter_plain(10, 10, true);
  for (unsigned round = 0; round < 2; round++) {
    dircookie_t cookie = DIRCOOKIE_START;
    unsigned first = entry_count;
    for (unsigned i = 0; read_some(&cookie, 1); i++)
      if (i < 12)
        enter_plain(60, LONG, false);
    check_told("while it grew");
    for (unsigned i = first; i < entry_count; i++)
      entries[i].stays = true;
  }
  assert_true(continued_leaves() == 0 && dir_blocks(einode_of(dir)) > 300);
  read_all(5);
  end();
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_one_hash_in_many_leaves), cmocka_unit_test(test_nothing_but_one_hash),
      cmocka_unit_test(test_kinds), cmocka_unit_test(test_while_it_grows)};
  ram_init(20000);
  return cmocka_run_group_tests(tests, NULL, fixture_remove);
}
