/*
 * The names in a directory of tmpfs: two trees, by name and by age.
 *
 * A directory is read from its youngest name to its oldest, and a cookie is an age: "what is older
 * than this". So names that come while somebody reads are not seen and never repeat or hide
 * others (a program that renames each file as it finds it comes to an end), names that go are just
 * not there any more, and going on takes the time of one search.
 *
 * Kernel lock; nothing here sleeps, but whoever receives the entries may run the fault handler.
 * Reference 3.2, file_readdir.
 */
#include "fs/tmpfs_node.h"
#include "kernel/string.h"

/* Cookies: 0 is ".", 1 is "..", 2 + age what is older than that. */
enum { COOKIE_DOT, COOKIE_DOTDOT, COOKIE_NAMES };

/* ---- By name --------------------------------------------------------------------------------- */

static uint32_t hash_of(const char *name, size_t len) {
  uint32_t hash = 2166136261u; /* FNV-1a; the tree keeps its depth even where many are the same */
  for (size_t i = 0; i < len; i++)
    hash = (hash ^ (uint8_t)name[i]) * 16777619u;
  return hash;
}

/* Negative: the name comes before the entry. */
static int compare(uint32_t hash, const char *name, size_t len, const struct tmpfs_entry *e) {
  if (hash != e->hash)
    return hash < e->hash ? -1 : 1;
  if (len != e->len)
    return len < e->len ? -1 : 1;
  return memcmp(name, e->name, len);
}

struct tmpfs_entry *tmpfs_find(const struct tmpfs_node *dir, const char *name, size_t len) {
  uint32_t hash = hash_of(name, len);
  for (struct avl *at = dir->dir.by_name; at != NULL;) {
    struct tmpfs_entry *e = container_of(at, struct tmpfs_entry, by_name);
    int order = compare(hash, name, len, e);
    if (order == 0)
      return e;
    at = at->child[order > 0];
  }
  return NULL;
}

static void insert_by_name(struct tmpfs_dir *dir, struct tmpfs_entry *entry) {
  struct avl **link = &dir->by_name, *parent = NULL;
  while (*link != NULL) {
    parent = *link;
    const struct tmpfs_entry *e = container_of(parent, struct tmpfs_entry, by_name);
    link = &parent->child[compare(entry->hash, entry->name, entry->len, e) > 0];
  }
  avl_insert(&dir->by_name, parent, link, &entry->by_name);
}

/* ---- By age ---------------------------------------------------------------------------------- */

/* The youngest that is older than `age`. */
static struct tmpfs_entry *find_older(const struct tmpfs_dir *dir, uint64_t age) {
  struct tmpfs_entry *found = NULL;
  for (struct avl *at = dir->by_age; at != NULL;) {
    struct tmpfs_entry *e = container_of(at, struct tmpfs_entry, by_age);
    if (e->age < age)
      found = e;
    at = at->child[e->age < age];
  }
  return found;
}

static void insert_by_age(struct tmpfs_dir *dir, struct tmpfs_entry *entry) {
  struct avl **link = &dir->by_age, *parent = NULL;
  entry->age = dir->next_age++;
  while (*link != NULL) { /* behind all others */
    parent = *link;
    link = &parent->child[1];
  }
  avl_insert(&dir->by_age, parent, link, &entry->by_age);
}

struct tmpfs_entry *tmpfs_any_entry(const struct tmpfs_node *dir) {
  struct avl *at = dir->dir.by_age;
  return at != NULL ? container_of(at, struct tmpfs_entry, by_age) : NULL;
}

/* ---- Entries --------------------------------------------------------------------------------- */

static size_t entry_bytes(const struct tmpfs_entry *entry) {
  return offsetof(struct tmpfs_entry, name) + entry->len;
}

errno_t tmpfs_entry_create(struct tmpfs *fs, const char *name, size_t len,
                           const struct tmpfs_entry *instead_of, struct tmpfs_entry **entry) {
  void *block;
  errno_t e = tmpfs_alloc(fs, offsetof(struct tmpfs_entry, name) + len,
                          instead_of != NULL ? entry_bytes(instead_of) : 0, &block);
  if (e != 0)
    return e;
  struct tmpfs_entry *new = block;
  new->node = NULL;
  new->hash = hash_of(name, len);
  new->len = (uint8_t)len;
  memcpy(new->name, name, len);
  *entry = new;
  return 0;
}

void tmpfs_entry_destroy(struct tmpfs *fs, struct tmpfs_entry *entry) {
  tmpfs_free(fs, entry, entry_bytes(entry));
}

void tmpfs_entry_insert(struct tmpfs_node *dir, struct tmpfs_entry *entry) {
  insert_by_name(&dir->dir, entry);
  insert_by_age(&dir->dir, entry);
  tmpfs_touch(dir, TMPFS_MTIM | TMPFS_CTIM);
}

void tmpfs_entry_remove(struct tmpfs_node *dir, struct tmpfs_entry *entry) {
  avl_remove(&dir->dir.by_name, &entry->by_name);
  avl_remove(&dir->dir.by_age, &entry->by_age);
  tmpfs_touch(dir, TMPFS_MTIM | TMPFS_CTIM);
}

void tmpfs_entry_turn(struct tmpfs_node *dir, struct tmpfs_entry *entry, struct tmpfs_node *node) {
  struct tmpfs_node *old = entry->node;
  entry->node = node;
  tmpfs_touch(dir, TMPFS_MTIM | TMPFS_CTIM);
  if (node != NULL && node->names++ > 0) /* a first name is no change */
    tmpfs_touch(node, TMPFS_CTIM);
  if (node != NULL && tmpfs_is_dir(node)) {
    node->dir.parent = dir;
    dir->dir.directories++;
  }
  if (old == NULL)
    return;
  if (tmpfs_is_dir(old))
    dir->dir.directories--;
  old->names--;
  tmpfs_touch(old, TMPFS_CTIM);
  tmpfs_node_drop(old);
}

/* ---- Operations ------------------------------------------------------------------------------ */

errno_t tmpfs_lookup(struct vnode *dir, const char *name, size_t len, struct vnode **child) {
  const struct tmpfs_entry *entry = tmpfs_find(tmpfs_node_of(dir), name, len);
  if (entry == NULL)
    return ENOENT;
  *child = tmpfs_node_hold(entry->node);
  return 0;
}

static bool put(struct dir_sink *sink, const struct tmpfs_node *n, const char *name, size_t len,
                dircookie_t next) {
  struct dir_entry e = {
      .name = name, .name_len = len, .ino = n->ino, .type = n->vnode.type, .next = next};
  return sink->put(sink, &e);
}

/* The sink is called with a copy of the name, and the next one is searched for afterwards: whatever
 * happens to the directory meanwhile, nothing here refers to it. */
static void put_names(const struct tmpfs_dir *dir, uint64_t age, struct dir_sink *sink) {
  char name[NAME_BYTES_MAX];
  const struct tmpfs_entry *entry;
  bool more = true;
  while (more && (entry = find_older(dir, age)) != NULL) {
    age = entry->age;
    memcpy(name, entry->name, entry->len);
    more = put(sink, entry->node, name, entry->len, COOKIE_NAMES + age);
  }
}

errno_t tmpfs_readdir(struct vnode *v, dircookie_t cookie, struct dir_sink *sink) {
  struct tmpfs_node *n = tmpfs_node_of(v);
  if (cookie > COOKIE_NAMES + n->dir.next_age)
    return EINVAL;
  tmpfs_touch(n, TMPFS_ATIM);
  if (n->names == 0) /* removed */
    return 0;
  if (cookie == COOKIE_DOT) {
    if (!put(sink, n, ".", 1, COOKIE_DOTDOT))
      return 0;
    cookie = COOKIE_DOTDOT;
  }
  if (cookie == COOKIE_DOTDOT) {
    cookie = COOKIE_NAMES + n->dir.next_age;
    if (!put(sink, n->dir.parent, "..", 2, cookie))
      return 0;
  }
  put_names(&n->dir, cookie - COOKIE_NAMES, sink);
  return 0;
}
