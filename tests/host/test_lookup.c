// sources: fs/lookup.c kernel/uio.c
/*
 * Path lookup: where each path of a table leads, or why it does not, over a tree with links, loops
 * and attempts to leave it.
 */
#include "tests/host/tree.h"

#include "fs/lookup.h"

#define DIR FILETYPE_DIRECTORY
#define REG FILETYPE_REGULAR_FILE
#define LINK FILETYPE_SYMBOLIC_LINK

static const struct {
  const char *path;
  filetype_t type;
  const char *contents;
} tree[] = {
    {"", DIR, ""},
    {"file", REG, "hello"},
    {"dir", DIR, ""},
    {"dir/file", REG, ""},
    {"dir/sub", DIR, ""},
    {"dir/sub/deep", REG, ""},
    {"...", DIR, ""},
    {".../x", REG, ""},
    {"a b", REG, ""},
    {"to-file", LINK, "file"},
    {"to-dir", LINK, "dir"},
    {"to-dir-slash", LINK, "dir//"},
    {"to-file-slash", LINK, "file/"},
    {"to-sub", LINK, "dir/sub"},
    {"to-dot", LINK, "."},
    {"to-dir-dot", LINK, "dir/."},
    {"to-updown", LINK, "dir/sub/../../file"},
    {"dangling", LINK, "nowhere"},
    {"dangling-deep", LINK, "dir/new"},
    {"dangling-far", LINK, "nowhere/x"},
    {"chain1", LINK, "chain2"},
    {"chain2", LINK, "chain3"},
    {"chain3", LINK, "file"},
    {"self", LINK, "self"},
    {"ping", LINK, "pong"},
    {"pong", LINK, "ping"},
    {"grow", LINK, "grow/x"},
    {"out", LINK, ".."},
    {"out-file", LINK, "../secret"},
    {"out-late", LINK, "dir/../../secret"},
    {"abs", LINK, "/etc/passwd"},
    {"abs-root", LINK, "/"},
    {"empty", LINK, ""},
    {"dir/up", LINK, ".."},
    {"dir/up-file", LINK, "../file"},
    {"dir/up-out", LINK, "../.."},
    {"dir/sub/up2", LINK, "../../file"},
    {"to-chain", LINK, "to-dir/up/to-sub/deep"},
};

enum { FOLLOW = 1, MISSING = 2 };

static const struct {
  const char *path;
  int flags;
  errno_t error;
  const char *result; /* the tree's name of the node; MISSING: of its directory */
  const char *name;   /* the last name; "": the path ends in dots */
} cases[] = {
    /* Plain names. */
    {"file", 0, 0, "file", "file"},
    {"dir", 0, 0, "dir", "dir"},
    {"dir/file", 0, 0, "dir/file", "file"},
    {"dir/sub/deep", 0, 0, "dir/sub/deep", "deep"},
    {"a b", 0, 0, "a b", "a b"},
    {"...", 0, 0, "...", "..."},
    {".../x", 0, 0, ".../x", "x"},
    /* Slashes. */
    {"dir/", 0, 0, "dir", "dir"},
    {"dir///", 0, 0, "dir", "dir"},
    {"dir//file", 0, 0, "dir/file", "file"},
    {"dir////sub///deep", 0, 0, "dir/sub/deep", "deep"},
    {"file/", 0, ENOTDIR, NULL, NULL},
    {"dir/file//", 0, ENOTDIR, NULL, NULL},
    {"/", 0, ENOTCAPABLE, NULL, NULL},
    {"//", 0, ENOTCAPABLE, NULL, NULL},
    {"/file", 0, ENOTCAPABLE, NULL, NULL},
    {"/etc/passwd", 0, ENOTCAPABLE, NULL, NULL},
    {"//file", FOLLOW, ENOTCAPABLE, NULL, NULL},
    {"", 0, ENOENT, NULL, NULL},
    /* Dots. */
    {".", 0, 0, "", ""},
    {"./", 0, 0, "", ""},
    {"./.", 0, 0, "", ""},
    {".//./", 0, 0, "", ""},
    {"./file", 0, 0, "file", "file"},
    {"dir/.", 0, 0, "dir", ""},
    {"dir/./file", 0, 0, "dir/file", "file"},
    {"dir/..", 0, 0, "", ""},
    {"dir/../", 0, 0, "", ""},
    {"dir/../file", 0, 0, "file", "file"},
    {"dir/sub/..", 0, 0, "dir", ""},
    {"dir/sub/../../dir/file", 0, 0, "dir/file", "file"},
    {"..", 0, ENOTCAPABLE, NULL, NULL},
    {"../", 0, ENOTCAPABLE, NULL, NULL},
    {"../file", 0, ENOTCAPABLE, NULL, NULL},
    {"./..", 0, ENOTCAPABLE, NULL, NULL},
    {"dir/../..", 0, ENOTCAPABLE, NULL, NULL},
    {"dir/../../file", 0, ENOTCAPABLE, NULL, NULL},
    {"dir/sub/../../../x", 0, ENOTCAPABLE, NULL, NULL},
    {"file/..", 0, ENOTDIR, NULL, NULL},
    {"file/.", 0, ENOTDIR, NULL, NULL},
    {"nowhere/..", 0, ENOENT, NULL, NULL},
    /* Missing names. */
    {"new", MISSING, 0, "", "new"},
    {"new/", MISSING, 0, "", "new"},
    {"dir/new", MISSING, 0, "dir", "new"},
    {"dir/sub/../new", MISSING, 0, "dir", "new"},
    {"nowhere/x", 0, ENOENT, NULL, NULL},
    {"dir/nowhere/x", 0, ENOENT, NULL, NULL},
    {"file/x", 0, ENOTDIR, NULL, NULL},
    {"dir/file/x", 0, ENOTDIR, NULL, NULL},
    /* Links as the last name. */
    {"to-file", 0, 0, "to-file", "to-file"},
    {"to-file", FOLLOW, 0, "file", "file"},
    {"to-dir", 0, 0, "to-dir", "to-dir"},
    {"to-dir", FOLLOW, 0, "dir", "dir"},
    {"to-dir/", 0, 0, "dir", "dir"},
    {"to-sub/", 0, 0, "dir/sub", "sub"},
    {"to-dir-slash", FOLLOW, 0, "dir", "dir"},
    {"to-file/", 0, ENOTDIR, NULL, NULL},
    {"to-file/", FOLLOW, ENOTDIR, NULL, NULL},
    {"to-file-slash", FOLLOW, ENOTDIR, NULL, NULL},
    {"to-dot", FOLLOW, 0, "", ""},
    {"to-dir-dot", FOLLOW, 0, "dir", ""},
    {"to-updown", FOLLOW, 0, "file", "file"},
    {"chain1", FOLLOW, 0, "file", "file"},
    {"dangling", 0, 0, "dangling", "dangling"},
    {"dangling", FOLLOW | MISSING, 0, "", "nowhere"},
    {"dangling/", MISSING, 0, "", "nowhere"},
    {"dangling-deep", FOLLOW | MISSING, 0, "dir", "new"},
    {"dangling-far", FOLLOW, ENOENT, NULL, NULL},
    {"empty", 0, 0, "empty", "empty"},
    {"empty", FOLLOW, ENOENT, NULL, NULL},
    {"empty/file", 0, ENOENT, NULL, NULL},
    /* Links on the way. */
    {"to-dir/file", 0, 0, "dir/file", "file"},
    {"to-dir/sub/deep", 0, 0, "dir/sub/deep", "deep"},
    {"to-dir-slash/sub", 0, 0, "dir/sub", "sub"},
    {"to-sub/deep", 0, 0, "dir/sub/deep", "deep"},
    {"to-sub/..", 0, 0, "dir", ""},
    {"to-sub/../file", 0, 0, "dir/file", "file"},
    {"to-dot/file", 0, 0, "file", "file"},
    {"to-dot/to-dot/to-dir/new", MISSING, 0, "dir", "new"},
    {"to-file/x", 0, ENOTDIR, NULL, NULL},
    {"dangling/x", 0, ENOENT, NULL, NULL},
    {"dir/up/file", 0, 0, "file", "file"},
    {"dir/up/dir/up/file", 0, 0, "file", "file"},
    {"dir/up-file", FOLLOW, 0, "file", "file"},
    {"dir/sub/up2", FOLLOW, 0, "file", "file"},
    {"to-dir/up", FOLLOW, 0, "", ""},
    {"to-chain", FOLLOW, 0, "dir/sub/deep", "deep"},
    /* Loops. */
    {"self", 0, 0, "self", "self"},
    {"self", FOLLOW, ELOOP, NULL, NULL},
    {"self/", 0, ELOOP, NULL, NULL},
    {"self/x", 0, ELOOP, NULL, NULL},
    {"ping", FOLLOW, ELOOP, NULL, NULL},
    {"dir/../ping/x", 0, ELOOP, NULL, NULL},
    {"grow", FOLLOW, ELOOP, NULL, NULL},
    /* Attempts to leave. */
    {"out", 0, 0, "out", "out"},
    {"out", FOLLOW, ENOTCAPABLE, NULL, NULL},
    {"out/", 0, ENOTCAPABLE, NULL, NULL},
    {"out/x", 0, ENOTCAPABLE, NULL, NULL},
    {"out-file", FOLLOW, ENOTCAPABLE, NULL, NULL},
    {"out-late", FOLLOW, ENOTCAPABLE, NULL, NULL},
    {"abs", FOLLOW, ENOTCAPABLE, NULL, NULL},
    {"abs/x", 0, ENOTCAPABLE, NULL, NULL},
    {"abs-root", FOLLOW, ENOTCAPABLE, NULL, NULL},
    {"abs-root/file", 0, ENOTCAPABLE, NULL, NULL},
    {"dir/up-out", FOLLOW, ENOTCAPABLE, NULL, NULL},
    {"dir/up-out/x", 0, ENOTCAPABLE, NULL, NULL},
    {"dir/up/..", 0, ENOTCAPABLE, NULL, NULL},
    {"to-dot/..", 0, ENOTCAPABLE, NULL, NULL},
    {"to-sub/../../..", 0, ENOTCAPABLE, NULL, NULL},
};

static struct tree_node *node_named(const char *name) {
  struct vnode *at = &tree_nodes[0].vnode;
  while (*name != '\0') {
    size_t len = strcspn(name, "/");
    at = &tree_find(at, name, len)->node->vnode;
    name += len + (name[len] == '/');
  }
  return tree_of(at);
}

static void make_tree(void) {
  for (size_t i = 0; i < sizeof tree / sizeof tree[0]; i++)
    tree_add(tree[i].path, tree[i].type, tree[i].contents);
}

static errno_t look(const char *path, size_t len, bool follow, struct path **p) {
  return path_lookup_user(&tree_nodes[0].vnode, path, len, follow, p);
}

static void test_table(void **state) {
  make_tree();
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    const char *path = cases[i].path;
    struct path *p = NULL;
    errno_t e = look(path, strlen(path), cases[i].flags & FOLLOW, &p);
    if (e != cases[i].error)
      fail_msg("%s: error %u, not %u", path, e, cases[i].error);
    if (e == 0) {
      bool missing = cases[i].flags & MISSING;
      struct vnode *expected = &node_named(cases[i].result)->vnode;
      if (missing != (p->node == NULL) || (missing ? p->dir : p->node) != expected)
        fail_msg("%s: not %s", path, cases[i].result);
      if (p->name_len != strlen(cases[i].name) || memcmp(p->name, cases[i].name, p->name_len))
        fail_msg("%s: last name %.*s", path, (int)p->name_len, p->name);
      if (p->name_len != 0 && p->node != NULL &&
          p->node != &tree_find(p->dir, p->name, p->name_len)->node->vnode)
        fail_msg("%s: the name does not stand in the directory told", path);
      if (p->name_len != 0 && p->slash != (path[strlen(path) - 1] == '/') &&
          !(cases[i].flags & FOLLOW))
        fail_msg("%s: slash", path);
      path_free(p);
    }
    tree_check_refs(path);
    assert_int_equal(world_live, 0);
  }
}

static void test_names_of_any_length(void **state) {
  char text[2000];
  struct path *p;
  make_tree();
  memset(text, 'n', sizeof text);
  assert_int_equal(look(text, 255, false, &p), 0);
  assert_int_equal(p->name_len, 255);
  path_free(p);
  assert_int_equal(look(text, 256, false, &p), ENAMETOOLONG);
  memcpy(text, "dir/", 4);
  assert_int_equal(look(text, 4 + 256, false, &p), ENAMETOOLONG);
  memset(text, '/', sizeof text);
  text[0] = '.';
  assert_int_equal(look(text, 1023, false, &p), 0);
  path_free(p);
  assert_int_equal(look(text, 1024, false, &p), ENAMETOOLONG);
  assert_int_equal(look(text, SIZE_MAX, false, &p), ENAMETOOLONG);
}

static void test_bad_text(void **state) {
  struct path *p;
  make_tree();
  assert_int_equal(look("file\0x", 6, false, &p), EINVAL);
  assert_int_equal(look("\0", 1, false, &p), EINVAL);
  assert_int_equal(look(world_hole, 4, false, &p), EFAULT);
  assert_int_equal(look(NULL, 4, false, &p), EFAULT);
  assert_int_equal(look(NULL, 0, false, &p), ENOENT);
  assert_int_equal(look((char *)(uintptr_t)-4, 8, false, &p), EFAULT);
  tree_add("nul", LINK, "x");
  node_named("nul")->bytes[0] = '\0';
  assert_int_equal(look("nul", 3, true, &p), EINVAL);
  world_allocations_left = 0;
  assert_int_equal(look("file", 4, false, &p), ENOMEM);
  world_allocations_left = -1;
  tree_check_refs("bad text");
}

/* A path as deep as it may be, and one deeper; the same by links. */
static void test_depth(void **state) {
  char path[1024];
  struct path *p;
  struct vnode *dir = &tree_add("", DIR, "")->vnode;
  for (int i = 0; i < 140; i++) {
    struct tree_node *n = tree_node(DIR);
    tree_bind(dir, "d", 1, n);
    dir = &n->vnode;
  }
  for (size_t i = 0; i < sizeof path; i += 2)
    memcpy(path + i, "d/", 2);
  assert_int_equal(look(path, 2 * PATH_DEPTH_MAX, false, &p), 0);
  path_free(p);
  assert_int_equal(look(path, 2 * PATH_DEPTH_MAX + 1, false, &p), 0);
  path_free(p);
  assert_int_equal(look(path, 2 * PATH_DEPTH_MAX + 3, false, &p), ENAMETOOLONG);
  tree_check_refs("depth");
}

/* 128 expansions are fine, one more is a loop; contents that don't fit are a long name. */
static void test_expansions(void **state) {
  char name[8], target[8], text[1024];
  struct path *p;
  tree_add("", DIR, "");
  tree_add("l0", REG, "");
  for (int i = 1; i <= PATH_SYMLINKS_MAX + 1; i++) {
    snprintf(name, sizeof name, "l%d", i);
    snprintf(target, sizeof target, "l%d", i - 1);
    tree_add(name, LINK, target);
  }
  assert_int_equal(look("l128", 4, true, &p), 0);
  assert_ptr_equal(p->node, &node_named("l0")->vnode);
  path_free(p);
  assert_int_equal(look("l129", 4, true, &p), ELOOP);

  memset(text, '/', sizeof text);
  text[0] = '.';
  text[1023] = '\0';
  tree_add("long", LINK, text);
  assert_int_equal(look("long", 4, true, &p), 0);
  path_free(p);
  assert_int_equal(look("long/x", 6, true, &p), ENAMETOOLONG);
  memset(node_named("long")->bytes, '.', TREE_BYTES);
  node_named("long")->size = TREE_BYTES;
  assert_int_equal(look("long", 4, true, &p), ENAMETOOLONG);
  tree_check_refs("expansions");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_table),      cmocka_unit_test(test_names_of_any_length),
      cmocka_unit_test(test_bad_text),   cmocka_unit_test(test_depth),
      cmocka_unit_test(test_expansions),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
