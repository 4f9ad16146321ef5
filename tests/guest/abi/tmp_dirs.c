/*
 * file_readdir while a directory changes, large directories, and removed ones that somebody holds,
 * from inside: {out: fd, tmp: a temporary directory}. Reference 3.2.
 */
#include <program.h>

#include "tmp.h"

#define MANY 1000

/* A reader: entries are taken one by one, each by a call of its own. */
static cloudabi_dircookie_t cookie;
static char last[256];
static uint64_t last_ino;
static cloudabi_filetype_t last_type;

/* The next entry; false: the end, or an error. */
static bool next(cloudabi_fd_t dir) {
  static uint8_t buf[sizeof(struct cloudabi_dirent) + 255];
  struct cloudabi_dirent d;
  size_t used = 0;
  if (cloudabi_sys_file_readdir(dir, buf, sizeof(buf), cookie, &used) != 0 || used < sizeof(d))
    return false;
  memcpy(&d, buf, sizeof(d));
  memcpy(last, buf + sizeof(d), d.d_namlen);
  last[d.d_namlen] = '\0';
  last_ino = d.d_ino;
  last_type = d.d_type;
  cookie = d.d_next;
  return true;
}

static void rewind_dir(void) {
  cookie = CLOUDABI_DIRCOOKIE_START;
}

static unsigned count(cloudabi_fd_t dir) {
  unsigned n = 0;
  for (rewind_dir(); next(dir);)
    n++;
  return n;
}

static void check_entries(void) {
  tmp_mkdir("d"), tmp_mkdir("d/sub"), tmp_make("d/file"), tmp_symlink("x", "d/link");
  cloudabi_fd_t d = tmp_open_dir("d");
  unsigned right = 0;
  for (rewind_dir(); next(d);) {
    char path[300];
    snprintf(path, sizeof(path), "d/%s", last);
    struct cloudabi_filestat st = tmp_stat_of(path);
    right += st.st_ino == last_ino && st.st_filetype == last_type;
  }
  check_eq("file_readdir", "numbers and types as file_stat_get tells them, `..` too", right, 5);
  check_eq("file_readdir", "with a cookie of its own for each", count(d), 5);
  tmp_rmdir("d/sub"), tmp_unlink("d/file"), tmp_unlink("d/link");
  check_eq("file_readdir", "of an empty directory", count(d), 2);
  cloudabi_sys_fd_close(d);
  tmp_rmdir("d");
}

static void check_cookies(void) {
  static const cloudabi_dircookie_t bad[] = {100, 1ull << 32, 1ull << 63, UINT64_MAX};
  uint8_t buf[100];
  size_t used = 99;
  cloudabi_dircookie_t given[16];
  unsigned n = 0;
  char what[60];
  for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
    snprintf(what, sizeof(what), "a cookie that was never given: %#llx",
             (unsigned long long)bad[i]);
    cloudabi_errno_t e = cloudabi_sys_file_readdir(tmp, buf, sizeof(buf), bad[i], &used);
    if (tmp_on_disk) /* there they are places, where names may be or not */
      check_either("file_readdir", what, e, CLOUDABI_EINVAL, 0);
    else
      check_err("file_readdir", what, e, CLOUDABI_EINVAL);
  }
  if (!tmp_on_disk)
    check_eq("file_readdir", "a bad cookie: the result is left alone", used, 99);
  tmp_make("a"), tmp_make("b"), tmp_make("c"), tmp_make("d");
  for (rewind_dir(); next(tmp);)
    given[n++] = cookie;
  tmp_unlink("b"), tmp_unlink("c");
  check_eq("file_readdir", "six entries", n, 6);
  for (unsigned i = 0; i < n; i++) {
    snprintf(what, sizeof(what), "when names are gone, the cookie behind entry %u", i);
    check_err("file_readdir", what,
              cloudabi_sys_file_readdir(tmp, buf, sizeof(buf), given[i], &used), 0);
  }
  cookie = given[n - 1];
  check("file_readdir", "the end stays the end", !next(tmp));
  tmp_unlink("a"), tmp_unlink("d");
}

static void number(char name[16], unsigned n) {
  snprintf(name, 16, "%u", n);
}

/* Names that stay are seen once each, whatever happens to the others meanwhile. */
static void check_changes(void) {
  static uint8_t seen[MANY];
  char name[16], other[16];
  unsigned fresh = 2 * MANY, steps = 0;
  for (unsigned i = 0; i < MANY; i++) {
    number(name, i);
    tmp_make(name);
  }
  check_eq("file_readdir", "1000 files", count(tmp), MANY + 2);
  for (rewind_dir(); next(tmp); steps++) {
    unsigned n = last[0] == '.' ? MANY : (unsigned)atoi(last);
    if (n < MANY)
      seen[n]++;
    number(name, steps * 7 % MANY / 2 * 2 + 1); /* odd ones go and come again */
    if (tmp_unlink(name) == 0 && steps % 3 == 0)
      tmp_make(name);
    number(other, fresh++);
    if (steps % 2 == 0)
      tmp_make(other);
    else if (n < MANY && n % 2 == 1)
      tmp_rename(last, other);
    if (steps > 3 * MANY)
      break;
  }
  bool once = true;
  for (unsigned i = 0; i < MANY; i += 2)
    once = once && seen[i] == 1;
  check("file_readdir", "while names come and go: each that stays is seen once", once);
  check("file_readdir", "while names come and go: it comes to an end", steps <= 3 * MANY);
  for (steps = 0, rewind_dir(); next(tmp) && steps < 3 * MANY; steps++) {
    number(other, fresh++);
    if (last[0] != '.')
      tmp_rename(last, other);
  }
  check("file_rename", "of every name as it is read comes to an end", steps < 3 * MANY);
  for (rewind_dir(); next(tmp);) {
    if (last[0] != '.')
      tmp_unlink(last);
  }
  check_eq("file_unlink", "of every name as it is read: all are gone", count(tmp), 2);
}

static void check_removed(void) {
  uint8_t buf[64];
  size_t used = 99;
  cloudabi_fd_t fd;
  tmp_mkdir("d"), tmp_make("f");
  cloudabi_fd_t d = tmp_open_dir("d");
  check_err("file_unlink", "a directory that somebody holds", tmp_rmdir("d"), 0);
  check_eq("file_stat_fget", "a removed directory has no links", tmp_stat_fd(d).st_nlink, 0);
  check_err("file_open", "a new file in a removed directory",
            tmp_open_from(d, "x", 0, CLOUDABI_O_CREAT, 0, R(FD_READ), &fd), CLOUDABI_ENOENT);
  check_err("file_create", "in a removed directory",
            cloudabi_sys_file_create(d, "x", 1, CLOUDABI_FILETYPE_DIRECTORY), CLOUDABI_ENOENT);
  check_err("file_symlink", "in a removed directory", cloudabi_sys_file_symlink("x", 1, d, "x", 1),
            CLOUDABI_ENOENT);
  check_err("file_link", "into a removed directory",
            cloudabi_sys_file_link(tmp_at(tmp, 0), "f", 1, d, "x", 1), CLOUDABI_ENOENT);
  check_err("file_rename", "into a removed directory",
            cloudabi_sys_file_rename(tmp, "f", 1, d, "x", 1), CLOUDABI_ENOENT);
  check_err("file_stat_get", "in a removed directory",
            cloudabi_sys_file_stat_get(tmp_at(d, 0), "x", 1, &(struct cloudabi_filestat){0}),
            CLOUDABI_ENOENT);
  check_err("file_stat_get", "a removed directory by `.`",
            cloudabi_sys_file_stat_get(tmp_at(d, 0), ".", 1, &(struct cloudabi_filestat){0}), 0);
  check_err("file_readdir", "a removed directory",
            cloudabi_sys_file_readdir(d, buf, sizeof(buf), 0, &used), 0);
  check_eq("file_readdir", "a removed directory: has no entries", used, 0);
  check_err("file_create", "the same name again", tmp_mkdir("d"), 0);
  check("file_create", "the same name again: another directory",
        tmp_stat_of("d").st_ino != tmp_stat_fd(d).st_ino);
  cloudabi_sys_fd_close(d);
  tmp_rmdir("d"), tmp_unlink("f");
}

/* Far deeper than a path can be. */
static void check_deep(void) {
  cloudabi_fd_t at = RAW_BAD_FD, below;
  unsigned depth = 0;
  cloudabi_sys_fd_dup(tmp, &at);
  for (; depth < 1000; depth++) {
    if (cloudabi_sys_file_create(at, "d", 1, CLOUDABI_FILETYPE_DIRECTORY) != 0 ||
        tmp_open_from(at, "d", 0, CLOUDABI_O_DIRECTORY, 0, TMP_INHERITING & ~TMP_WRITING, &below))
      break;
    cloudabi_sys_fd_close(at);
    at = below;
  }
  check_eq("file_create", "1000 directories in each other", depth, 1000);
  check_err("file_rename", "the first into the last",
            cloudabi_sys_file_rename(tmp, "d", 1, at, "d", 1), CLOUDABI_EINVAL);
  check_err("file_stat_get", "above where it starts",
            cloudabi_sys_file_stat_get(tmp_at(at, 0), "..", 2, &(struct cloudabi_filestat){0}),
            CLOUDABI_ENOTCAPABLE);
  cloudabi_sys_fd_close(at);
  /* From the top: what is below comes up, until nothing is left. */
  while (tmp_rename("d/d", "e") == 0 && tmp_rmdir("d") == 0 && tmp_rename("e", "d") == 0)
    depth--;
  check_eq("file_rename", "999 directories come up in turn", depth, 1);
  check_err("file_unlink", "the last of them", tmp_rmdir("d"), 0);
}

void program_main(const argdata_t *ad) {
  check_begin(ad);
  tmp_begin(ad);
  check_entries();
  check_cookies();
  check_changes();
  check_removed();
  check_deep();
  check_end();
}
