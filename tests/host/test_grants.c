// sources: kernel/grants.c kernel/fdtable.c kernel/file.c kernel/rights.c
/*
 * Grants: each line's descriptor and rights, and the message for each line that can't be had.
 */
#include "tests/host/world.h"

#include "fs/bootfs.h"
#include "fs/disks.h"
#include "fs/tmpfs.h"
#include "fs/vfile.h"
#include "kernel/console.h"
#include "kernel/grants.h"
#include "kernel/rights.h"
#include "net/net.h"

/* ---- What grants are made of ----------------------------------------------------------------- */

static void release(struct file *f) {
  kfree(f);
}

static const struct file_ops ops = {.close = release};
static errno_t next_error;
static char opened[64];
static uint16_t listening_port;

static errno_t make(filetype_t type, struct file **f) {
  if (next_error != 0)
    return next_error;
  *f = kmalloc(sizeof **f);
  if (*f == NULL)
    return ENOMEM;
  file_init(*f, &ops, type, 0);
  return 0;
}

errno_t console_open(struct file **f) {
  return make(FILETYPE_CHARACTER_DEVICE, f);
}

errno_t bootfs_open(const char *name, struct file **f) {
  snprintf(opened, sizeof opened, "%s", name);
  if (strcmp(name, "files/0") == 0)
    return make(FILETYPE_DIRECTORY, f);
  if (strcmp(name, "files/1") == 0 || strcmp(name, "program") == 0)
    return make(FILETYPE_REGULAR_FILE, f);
  return ENOENT;
}

static uint64_t tmpfs_limit;
static unsigned roots;

static void root_released(struct vnode *v) {
  roots--;
}

errno_t tmpfs_create(uint64_t limit_bytes, struct vnode **root) {
  static const struct vnode_ops root_ops = {.release = root_released};
  static struct vnode v;
  v = (struct vnode){.ops = &root_ops, .refs = 1, .type = FILETYPE_DIRECTORY};
  tmpfs_limit = limit_bytes;
  roots++;
  *root = &v;
  return next_error;
}

errno_t vfile_create(struct vnode *v, fdflags_t flags, struct file **f) {
  assert_int_equal(flags, 0);
  return make(v->type, f);
}

static struct disk_place disk_place;
static bool disk_writable;
static char disk_path[64];

struct disk_mount *disk_claim(const struct disk_place *place, bool writable) {
  disk_place = *place;
  disk_writable |= writable;
  return (struct disk_mount *)&disk_place;
}

/* What begins with a d is a directory. */
void disk_open(struct disk_mount *m, const char *path, size_t len, struct file **f) {
  assert_ptr_equal(m, &disk_place);
  snprintf(disk_path, sizeof disk_path, "%.*s", (int)len, path);
  assert_int_equal(make(path[0] == 'd' ? FILETYPE_DIRECTORY : FILETYPE_REGULAR_FILE, f), 0);
}

bool net_address_parse(const char *text, size_t len, struct net_address *out) {
  const char *good = "0.0.0.0:80";
  *out = (struct net_address){.port = 80};
  return len == strlen(good) && memcmp(text, good, len) == 0;
}

errno_t net_listen(const struct net_address *a, struct file **f) {
  listening_port = a->port;
  return make(FILETYPE_SOCKET_STREAM, f);
}

/* ---- Tests ----------------------------------------------------------------------------------- */

static struct process process;
#define fds process.fds

static void install(const char *text, bool have_network) {
  fdtable_destroy(&fds);
  grants_install(&process, text, strlen(text), have_network);
}

static void test_rights(void **state) {
  static const struct {
    filetype_t type;
    rights_t base, inheriting;
  } expected[] = {
      {FILETYPE_CHARACTER_DEVICE, 0x1008004a & ~0x2, 0},
      {FILETYPE_CHARACTER_DEVICE, 0x10080048, 0},
      {FILETYPE_DIRECTORY, 0x13eff698, 0x11ffff7ff},
      {FILETYPE_REGULAR_FILE, 0x11c3801ff & ~0x40, 0},
      {FILETYPE_SOCKET_STREAM, 0x1ea1008004a, 0x1ffffffffff},
      {FILETYPE_REGULAR_FILE, 0x11c3801ff & ~0x40, 0},
      {FILETYPE_DIRECTORY, 0x13eff698, 0x11ffff7ff},
  };
  install(
      "fd stdout\nfd stderr\nfile files/0 directory\nfile files/1 file\n"
      "socket stream listen 0.0.0.0:80\nexecutable\ntmpfs 16777216\n",
      true);
  assert_int_equal(fds.count, 7);
  for (fd_t i = 0; i < 7; i++) {
    struct fd_entry *entry;
    assert_int_equal(fd_lookup(&fds, i, &entry), 0);
    assert_int_equal(entry->file->type, expected[i].type);
    assert_int_equal(entry->base, expected[i].base);
    assert_int_equal(entry->inheriting, expected[i].inheriting);
    assert_int_equal(entry->file->refs, 1);
  }
  assert_string_equal(opened, "program");
  assert_int_equal(listening_port, 80);
  assert_int_equal(tmpfs_limit, 16777216);
  assert_int_equal(roots, 0); /* the open directory refers to it by itself */
  fdtable_destroy(&fds);
  assert_int_equal(world_live, 0);
}

/* A program of the time of retired calls gets theirs. */
static void test_retired_rights(void **state) {
  static const struct {
    const char *line;
    rights_t base, inheriting;
  } table[] = {
      {"fd stdout", 0x10080048, 0},
      {"file files/0 directory", 0x1413effe98, 0x151fffffff},
      {"file files/1 file", 0x11c3801ff & ~0x40, 0},
      {"tmpfs 16777216", 0x1413effe98, 0x151fffffff},
      {"socket stream listen 0.0.0.0:80", 0x1ea1008004a, 0x1ffffffffff},
  };
  process.retired_rights = true;
  for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
    struct fd_entry *entry;
    install(table[i].line, true);
    assert_int_equal(fd_lookup(&fds, 0, &entry), 0);
    assert_int_equal(entry->base, table[i].base);
    assert_int_equal(entry->inheriting, table[i].inheriting);
  }
  fdtable_destroy(&fds);
  process.retired_rights = false;
}

/* What a line leaves of the rights; none that the descriptor would not have. */
static void test_rights_taken_away(void **state) {
  static const struct {
    const char *line;
    rights_t base, inheriting;
  } table[] = {
      {"fd stdout rights=40", 0x40, 0},
      {"fd stdout rights=1ffffffffff inheriting=1ffffffffff", 0x10080048, 0},
      {"file files/0 directory rights=c002 inheriting=2", 0xc000, 2},
      {"file files/0 directory inheriting=c002 rights=ffffffffffffffff", 0x13eff698, 0xc002},
      {"file files/0 directory inheriting=0", 0x13eff698, 0},
      {"file files/1 file rights=42", 2, 0},
      {"socket stream listen 0.0.0.0:80 rights=200000000", 0x200000000, 0x1ffffffffff},
      {"executable rights=0", 0, 0},
  };
  for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
    struct fd_entry *entry;
    install(table[i].line, true);
    assert_int_equal(fd_lookup(&fds, 0, &entry), 0);
    assert_int_equal(entry->base, table[i].base);
    assert_int_equal(entry->inheriting, table[i].inheriting);
  }
  fdtable_destroy(&fds);
}

static void test_empty_and_last_line(void **state) {
  install("", false);
  assert_int_equal(fds.count, 0);
  install("fd stdout\nfd stdout", false); /* the last newline may be missing */
  assert_int_equal(fds.count, 2);
  fdtable_destroy(&fds);
}

static void test_refused(void **state) {
  static const char *const table[][2] = {
      {"fd", "grant `fd`: expected `fd stdout` or `fd stderr`"},
      {"fd stdin", "grant `fd stdin`: expected `fd stdout` or `fd stderr`"},
      {"fd stdout x", "grant `fd stdout x`: expected `fd stdout` or `fd stderr`"},
      {"executable x", "grant `executable x`: malformed"},
      {"", "grant ``: malformed"},
      {"fd  stdout", "grant `fd  stdout`: malformed"},
      {"fd stdout ", "grant `fd stdout `: malformed"},
      {"a b c d e f g", "grant `a b c d e f g`: malformed"},
      {"fd rights=40 stdout", "grant `fd rights=40 stdout`: malformed"},
      {"fd stdout rights=", "grant `fd stdout rights=`: malformed"},
      {"fd stdout rights=4G", "grant `fd stdout rights=4G`: malformed"},
      {"fd stdout rights=00000000000000000",
       "grant `fd stdout rights=00000000000000000`: malformed"},
      {"fd stdout right=40",
       "grant `fd stdout right=40`: of words with `=`, this kernel knows rights=… and "
       "inheriting=…"},
      {"fd stdout =",
       "grant `fd stdout =`: of words with `=`, this kernel knows rights=… and inheriting=…"},
      {"tmpfs 16M", "grant `tmpfs 16M`: expected `tmpfs BYTES`"},
      {"tmpfs", "grant `tmpfs`: expected `tmpfs BYTES`"},
      {"tmpfs 18446744073709551616", "grant `tmpfs 18446744073709551616`: expected `tmpfs BYTES`"},
      {"disc 16M",
       "grant `disc 16M`: this kernel has no such grant; expected fd, file, tmpfs, disk, socket or "
       "executable"},
      {"disk 16M", "grant `disk 16M`: expected `disk HOW WHICH PARTITION read PATH`, or `write`"},
      {"disk order x 0 read /",
       "grant `disk order x 0 read /`: expected `disk HOW WHICH PARTITION read PATH`, or `write`"},
      {"disk uuid x 0 read /",
       "grant `disk uuid x 0 read /`: of disks, this kernel finds those with order, serial or "
       "label"},
      {"disk label a%2 0 read /", "grant `disk label a%2 0 read /`: malformed"},
      {"disk label a%2x 0 read /", "grant `disk label a%2x 0 read /`: malformed"},
      {"file files/0", "grant `file files/0`: expected `file NAME file` or `file NAME directory`"},
      {"file files/0 link",
       "grant `file files/0 link`: expected `file NAME file` or `file NAME directory`"},
      {"file files/9 file", "grant `file files/9 file`: the payload has no such entry"},
      {"file files/0 file", "grant `file files/0 file`: the payload's entry is of another type"},
      {"file files/1 directory",
       "grant `file files/1 directory`: the payload's entry is of another type"},
      {"file nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn file",
       "grant `file nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn file`: the "
       "name is too long"},
      {"socket stream", "grant `socket stream`: expected `socket stream listen ADDRESS`"},
      {"socket raw listen 0.0.0.0:80",
       "grant `socket raw listen 0.0.0.0:80`: expected `socket stream listen ADDRESS`"},
      {"socket dgram bind 0.0.0.0:80",
       "grant `socket dgram bind 0.0.0.0:80`: of sockets, this kernel has only listening stream "
       "sockets (bind, type stream)"},
      {"socket stream connect 0.0.0.0:80",
       "grant `socket stream connect 0.0.0.0:80`: of sockets, this kernel has only listening "
       "stream sockets (bind, type stream)"},
      {"socket stream listen 0.0.0.0",
       "grant `socket stream listen 0.0.0.0`: expected an address and a port, like 0.0.0.0:80 or "
       "[::]:80"},
  };
  for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
    char text[256];
    snprintf(text, sizeof text, "%s\n", table[i][0]);
    assert_ends(install(text, true), table[i][1]);
    world_free_all(); /* the machine ended with a file open */
  }
}

/* All grants of a disk are looked at before the first one is opened. */
static void test_disk(void **state) {
  struct fd_entry *entry;
  (void)state;
  disk_writable = false;
  install("disk order 3 2 read d\n", true);
  assert_int_equal(disk_place.by, DISK_BY_ORDER);
  assert_int_equal(disk_place.order, 3);
  assert_int_equal(disk_place.partition, 2);
  assert_false(disk_writable);
  assert_int_equal(fd_lookup(&fds, 0, &entry), 0);
  assert_int_equal(entry->base, 0x13eff698 & ~RIGHTS_CHANGES);
  assert_int_equal(entry->inheriting, 0x11ffff7ff & ~RIGHTS_CHANGES);
  install("disk serial s%20%3d 0 read d%25x\ndisk label L 0 write f\n", true);
  assert_true(disk_writable);
  assert_int_equal(fd_lookup(&fds, 0, &entry), 0);
  assert_int_equal(entry->base, 0x13eff698 & ~RIGHTS_CHANGES);
  assert_int_equal(fd_lookup(&fds, 1, &entry), 0);
  assert_int_equal(entry->base, 0x11c3801ff);
  install("disk serial s%20%3d 0 write d%25x\n", true);
  assert_int_equal(disk_place.by, DISK_BY_SERIAL);
  assert_string_equal(disk_place.name, "s =");
  assert_string_equal(disk_path, "d%x");
}

static void test_not_to_be_had(void **state) {
  static const struct {
    errno_t error;
    const char *message;
  } table[] = {
      {EADDRINUSE, "grant `socket stream listen 0.0.0.0:80`: the address is in use"},
      {EADDRNOTAVAIL,
       "grant `socket stream listen 0.0.0.0:80`: the machine does not have this address"},
      {ENOMEM,
       "grant `socket stream listen 0.0.0.0:80`: not enough memory; give the machine more (-m)"},
      {EIO, "grant `socket stream listen 0.0.0.0:80`: error 29"},
  };
  const char *line = "socket stream listen 0.0.0.0:80\n";
  for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
    next_error = table[i].error;
    assert_ends(install(line, true), table[i].message);
  }
  next_error = 0;
  assert_ends(install(line, false),
              "the configuration asks for a socket on 0.0.0.0:80, but the machine has no network "
              "device; add: -netdev user,id=n0 -device virtio-net-pci,netdev=n0");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_rights),
      cmocka_unit_test(test_retired_rights),
      cmocka_unit_test(test_rights_taken_away),
      cmocka_unit_test(test_empty_and_last_line),
      cmocka_unit_test(test_refused),
      cmocka_unit_test(test_disk),
      cmocka_unit_test(test_not_to_be_had),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
