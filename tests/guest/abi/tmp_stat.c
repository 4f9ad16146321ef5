/*
 * What files and directories tell of themselves, and their times, from inside: file_stat_get,
 * file_stat_put, file_stat_fget, file_stat_fput: {out: fd, tmp: a temporary directory, other:
 * another}. Reference 3.2; when a call sets which time: POSIX.
 */
#include <program.h>

#include "tmp.h"

#define ATIM CLOUDABI_FILESTAT_ATIM
#define ATIM_NOW CLOUDABI_FILESTAT_ATIM_NOW
#define MTIM CLOUDABI_FILESTAT_MTIM
#define MTIM_NOW CLOUDABI_FILESTAT_MTIM_NOW
#define SIZE CLOUDABI_FILESTAT_SIZE

static struct cloudabi_filestat before, after;

static void remember(const char *path) {
  before = tmp_stat_of(path);
}

/* Which of the times have moved since remember(): a string like "am". */
/* A disk is not written to because somebody read, and its times end in 2446. */
#define ACCESSED (tmp_on_disk ? "" : "a")
#define LATEST (tmp_on_disk ? 15032385535ull * 1000000000 : UINT64_MAX)

static bool moved(const char *path, const char *want) {
  char got[4], *s = got;
  after = tmp_stat_of(path);
  if (after.st_atim != before.st_atim)
    *s++ = 'a';
  if (after.st_mtim != before.st_mtim)
    *s++ = 'm';
  if (after.st_ctim != before.st_ctim)
    *s++ = 'c';
  *s = '\0';
  return strcmp(got, want) == 0;
}

static uint64_t now(void) {
  uint64_t ns = 0;
  cloudabi_sys_clock_time_get(CLOUDABI_CLOCK_REALTIME, 0, &ns);
  return ns;
}

static bool between(uint64_t t, uint64_t from, uint64_t to) {
  return from <= t && t <= to;
}

static void check_numbers(void) {
  uint64_t start = now();
  tmp_make("f");
  tmp_mkdir("d");
  tmp_symlink("target", "l");
  uint64_t end = now();
  struct cloudabi_filestat f = tmp_stat_of("f"), d = tmp_stat_of("d"), l = tmp_stat_of("l"),
                           root = tmp_stat_of(".");
  check_eq("file_stat_get", "a new file's type", f.st_filetype, CLOUDABI_FILETYPE_REGULAR_FILE);
  check_eq("file_stat_get", "a new file's links", f.st_nlink, 1);
  check_eq("file_stat_get", "a new file's size", f.st_size, 0);
  check("file_stat_get", "a new file's times are now",
        between(f.st_atim, start, end) && between(f.st_mtim, start, end) &&
            between(f.st_ctim, start, end));
  check_eq("file_stat_get", "a new directory's type", d.st_filetype, CLOUDABI_FILETYPE_DIRECTORY);
  check_eq("file_stat_get", "a new directory's links", d.st_nlink, 2);
  check_eq("file_stat_get", "a new link's type", l.st_filetype, CLOUDABI_FILETYPE_SYMBOLIC_LINK);
  check_eq("file_stat_get", "a new link's size", l.st_size, 6);
  check_eq("file_stat_get", "the directory's links", root.st_nlink, 3);
  check("file_stat_get", "one file system, one st_dev",
        f.st_dev == d.st_dev && f.st_dev == l.st_dev && f.st_dev == root.st_dev);
  check("file_stat_get", "every node its own st_ino",
        f.st_ino != d.st_ino && f.st_ino != l.st_ino && d.st_ino != l.st_ino &&
            root.st_ino != f.st_ino && root.st_ino != d.st_ino && root.st_ino != l.st_ino);
  cloudabi_fd_t fd = tmp_open("f", 0);
  struct cloudabi_filestat o = tmp_stat_fd(fd);
  check("file_stat_fget", "the same as by the path", memcmp(&f, &o, sizeof(o)) == 0);
  o = tmp_stat_fd(tmp);
  remember(".");
  check("file_stat_fget", "the directory's, the same as by `.`",
        memcmp(&before, &o, sizeof(o)) == 0);
  cloudabi_sys_fd_close(fd);
}

/* ---- Which calls set which times ------------------------------------------------------------- */

static void check_times_of_files(void) {
  char buf[8];
  size_t n;
  cloudabi_fd_t fd = tmp_open("f", 0);
  remember("f");
  tmp_pread(fd, buf, 8, 0, &n);
  check("fd_pread", "sets the time of access", moved("f", ACCESSED));
  remember("f");
  tmp_pread(fd, buf, 0, 0, &n);
  check("fd_pread", "of nothing sets no time", moved("f", ""));
  raw_write(fd, "abc", 3);
  check("fd_write", "sets the times of modification and change", moved("f", "mc"));
  remember("f");
  tmp_pwrite(fd, "abc", 3, 0, &n);
  check("fd_pwrite", "sets the times of modification and change", moved("f", "mc"));
  remember("f");
  raw_write(fd, "", 0);
  cloudabi_sys_fd_sync(fd);
  check("fd_write", "of nothing sets no time", moved("f", ""));
  tmp_resize(fd, 100);
  check("file_stat_fput", "the size sets the times of modification and change", moved("f", "mc"));
  remember("f");
  cloudabi_sys_file_allocate(fd, 0, 200);
  check("file_allocate", "sets the times of modification and change", moved("f", "mc"));
  remember("f");
  tmp_link("f", 0, "g");
  check("file_link", "sets the file's time of change", moved("f", "c"));
  remember("f");
  tmp_unlink("g");
  check("file_unlink", "sets the time of change of what is left", moved("f", "c"));
  remember("l");
  cloudabi_sys_file_readlink(tmp, "l", 1, buf, 8, &n);
  check("file_readlink", "sets the time of access", moved("l", ACCESSED));
  cloudabi_sys_fd_close(fd);
}

static void check_times_of_directories(void) {
  char buf[64];
  size_t n;
  cloudabi_fd_t d = tmp_open_dir("d");
  remember("d");
  cloudabi_sys_file_readdir(d, buf, sizeof(buf), 0, &n);
  check("file_readdir", "sets the time of access", moved("d", ACCESSED));
  remember("d");
  tmp_make("d/x");
  check("file_open", "a new file sets the directory's times", moved("d", "mc"));
  remember("d");
  cloudabi_sys_fd_close(tmp_open("d/x", CLOUDABI_O_CREAT));
  check("file_open", "an old file does not", moved("d", ""));
  tmp_mkdir("d/y");
  check("file_create", "sets the directory's times", moved("d", "mc"));
  remember("d");
  tmp_symlink("x", "d/z");
  check("file_symlink", "sets the directory's times", moved("d", "mc"));
  remember("d");
  tmp_link("f", 0, "d/f");
  check("file_link", "sets the directory's times", moved("d", "mc"));
  remember("d");
  tmp_rename("d/f", "g");
  check("file_rename", "sets the times of the directory it leaves", moved("d", "mc"));
  remember("d");
  tmp_rename("g", "d/z");
  check("file_rename", "sets the times of the directory it comes to", moved("d", "mc"));
  remember("d");
  tmp_unlink("d/z");
  check("file_unlink", "sets the directory's times", moved("d", "mc"));
  remember("d");
  tmp_rmdir("d/y");
  check("file_unlink", "of a directory sets the directory's times", moved("d", "mc"));
  remember("d");
  tmp_mkdir("d"), tmp_make("d/x"), tmp_unlink("d/no"), tmp_rename("d/no", "d/x"), tmp_rmdir("d");
  check("file_create", "failures set no time", moved("d", ""));
  cloudabi_sys_fd_close(d);
  tmp_unlink("d/x");
}

/* ---- Setting them ---------------------------------------------------------------------------- */

static cloudabi_errno_t put(const char *path, cloudabi_lookupflags_t lookup, uint64_t atim,
                            uint64_t mtim, cloudabi_fsflags_t flags) {
  struct cloudabi_filestat st;
  memset(&st, 0xee, sizeof(st));
  st.st_atim = atim;
  st.st_mtim = mtim;
  return cloudabi_sys_file_stat_put(tmp_at(tmp, lookup), path, strlen(path), &st, flags);
}

static void check_put(void) {
  const uint64_t a = 1234567890123456789, m = 987654321987654321;
  remember("f");
  check_err("file_stat_put", "both times", put("f", 0, a, m, ATIM | MTIM), 0);
  check("file_stat_put", "both times: to the nanosecond, and the time of change",
        moved("f", "amc") && after.st_atim == a && after.st_mtim == m);
  check("file_stat_put", "nothing else",
        after.st_size == before.st_size && after.st_ino == before.st_ino &&
            after.st_nlink == before.st_nlink);
  remember("f");
  check_err("file_stat_put", "the time of access", put("f", 0, 7, 8, ATIM), 0);
  check("file_stat_put", "the time of access alone", moved("f", "ac") && after.st_atim == 7);
  remember("f");
  check_err("file_stat_put", "the time of modification", put("f", 0, 9, 10, MTIM), 0);
  check("file_stat_put", "the time of modification alone", moved("f", "mc") && after.st_mtim == 10);
  remember("f");
  check_err("file_stat_put", "nothing", put("f", 0, 11, 12, 0), 0);
  check("file_stat_put", "nothing: changes nothing", moved("f", ""));
  uint64_t start = now();
  check_err("file_stat_put", "both to now", put("f", 0, 1, 1, ATIM_NOW | MTIM_NOW), 0);
  check("file_stat_put", "both to now: they are",
        moved("f", "amc") && between(after.st_atim, start, now()) &&
            between(after.st_mtim, start, now()));
  remember("f");
  check_err("file_stat_put", "a time and now", put("f", 0, 1, 1, ATIM | ATIM_NOW | MTIM), 0);
  check("file_stat_put", "a time and now: now wins",
        moved("f", "amc") && between(after.st_atim, start, now()) && after.st_mtim == 1);
  check_err("file_stat_put", "the smallest and the largest time",
            put("f", 0, 0, UINT64_MAX, ATIM | MTIM), 0);
  after = tmp_stat_of("f");
  check("file_stat_put", "the smallest and the largest time: kept",
        after.st_atim == 0 && after.st_mtim == LATEST);
  check_err("file_stat_put", "the size", put("f", 0, 0, 0, SIZE), CLOUDABI_EINVAL);
  check_err("file_stat_put", "flags that nobody knows", put("f", 0, 0, 0, 0x20), CLOUDABI_EINVAL);
  check_err("file_stat_put", "a missing file", put("no", 0, 0, 0, MTIM), CLOUDABI_ENOENT);

  check_err("file_stat_put", "a link itself", put("l", 0, 3, 4, ATIM | MTIM), 0);
  check_eq("file_stat_put", "a link itself: has it", tmp_stat_of("l").st_mtim, 4);
  check_err("file_stat_put", "a dangling link followed",
            put("l", CLOUDABI_LOOKUP_SYMLINK_FOLLOW, 3, 4, MTIM), CLOUDABI_ENOENT);
  tmp_symlink("f", "tof");
  check_err("file_stat_put", "a link followed",
            put("tof", CLOUDABI_LOOKUP_SYMLINK_FOLLOW, 5, 6, MTIM), 0);
  check("file_stat_put", "a link followed: the file has it",
        tmp_stat_of("f").st_mtim == 6 && tmp_stat_of("tof").st_mtim != 6);
  check_err("file_stat_put", "a directory", put("d", 0, 5, 6, MTIM), 0);
  check_eq("file_stat_put", "a directory: has it", tmp_stat_of("d").st_mtim, 6);
  check_err("file_stat_put", "`.`", put(".", 0, 5, 6, MTIM), 0);
  check_eq("file_stat_put", "`.`: has it", tmp_stat_of(".").st_mtim, 6);
  check_err("file_stat_put", "times that are not there",
            cloudabi_sys_file_stat_put(tmp_at(tmp, 0), "f", 1, (void *)8, MTIM), CLOUDABI_EFAULT);
}

static void check_fput(void) {
  struct cloudabi_filestat st;
  cloudabi_fd_t fd = tmp_open("f", 0);
  memset(&st, 0, sizeof(st));
  st.st_atim = 21;
  st.st_mtim = 22;
  st.st_size = 3;
  remember("f");
  check_err("file_stat_fput", "both times", cloudabi_sys_file_stat_fput(fd, &st, ATIM | MTIM), 0);
  check("file_stat_fput", "both times: set, and the size is not",
        moved("f", "amc") && after.st_atim == 21 && after.st_mtim == 22 &&
            after.st_size == before.st_size);
  uint64_t start = now();
  check_err("file_stat_fput", "a time and now",
            cloudabi_sys_file_stat_fput(fd, &st, MTIM | MTIM_NOW), 0);
  after = tmp_stat_fd(fd);
  check("file_stat_fput", "a time and now: now wins",
        between(after.st_mtim, start, now()) && after.st_atim == 21);
  check_err("file_stat_fput", "the size", cloudabi_sys_file_stat_fput(fd, &st, SIZE), 0);
  after = tmp_stat_fd(fd);
  check("file_stat_fput", "the size: set, and the times are not what is given",
        after.st_size == 3 && after.st_atim == 21 && after.st_mtim != 22);
  static const cloudabi_fsflags_t bad[] = {0, SIZE | ATIM, SIZE | MTIM_NOW, 0x1f, 0x20, 0x30};
  for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
    char what[40];
    snprintf(what, sizeof(what), "of a file, flags %#x", bad[i]);
    check_err("file_stat_fput", what, cloudabi_sys_file_stat_fput(fd, &st, bad[i]),
              CLOUDABI_EINVAL);
  }
  check_err("file_stat_fput", "a directory's times", cloudabi_sys_file_stat_fput(tmp, &st, MTIM),
            0);
  check_eq("file_stat_fput", "a directory's times: set", tmp_stat_fd(tmp).st_mtim, 22);
  check_err("file_stat_fput", "a directory's size", cloudabi_sys_file_stat_fput(tmp, &st, SIZE),
            CLOUDABI_ENOTCAPABLE);
  cloudabi_fd_t less = raw_dup_with(fd, ~R(FILE_STAT_FPUT_SIZE));
  check_err("file_stat_fput", "the size without its right",
            cloudabi_sys_file_stat_fput(less, &st, SIZE), CLOUDABI_ENOTCAPABLE);
  check_err("file_stat_fput", "times without the size's right",
            cloudabi_sys_file_stat_fput(less, &st, MTIM), 0);
  cloudabi_sys_fd_close(less);
  less = raw_dup_with(fd, ~R(FILE_STAT_FPUT_TIMES));
  check_err("file_stat_fput", "times without their right",
            cloudabi_sys_file_stat_fput(less, &st, MTIM), CLOUDABI_ENOTCAPABLE);
  check_err("file_stat_fput", "the size without the times' right",
            cloudabi_sys_file_stat_fput(less, &st, SIZE), 0);
  cloudabi_sys_fd_close(less), cloudabi_sys_fd_close(fd);
}

void program_main(const argdata_t *ad) {
  struct cloudabi_filestat o;
  check_begin(ad);
  tmp_begin(ad);
  cloudabi_sys_file_stat_fget(arg_fd(ad, "other"), &o);
  check("file_stat_fget", "another file system has another st_dev",
        o.st_dev != tmp_stat_fd(tmp).st_dev);
  check_numbers();
  check_times_of_files();
  check_times_of_directories();
  check_put();
  check_fput();
  check_end();
}
