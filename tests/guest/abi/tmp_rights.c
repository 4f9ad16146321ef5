/*
 * The rights that calls need where something can change, from inside: without each of them nothing
 * happens, with them alone it does: {out: fd, tmp: a temporary directory}. Reference 2.4.
 */
#include <program.h>

#include "tmp.h"

/* What is tried: calls on one or two descriptors of the directory, or on one of the file `f`. */
static cloudabi_fd_t a, b;

static cloudabi_errno_t do_create(void) {
  return cloudabi_sys_file_create(a, "new", 3, CLOUDABI_FILETYPE_DIRECTORY);
}
static cloudabi_errno_t do_link(void) {
  return cloudabi_sys_file_link(tmp_at(a, 0), "f", 1, b, "new", 3);
}
static cloudabi_errno_t do_readdir(void) {
  char buf[100];
  size_t n;
  return cloudabi_sys_file_readdir(a, buf, sizeof(buf), 0, &n);
}
static cloudabi_errno_t do_readlink(void) {
  char buf[100];
  size_t n;
  return cloudabi_sys_file_readlink(a, "l", 1, buf, sizeof(buf), &n);
}
static cloudabi_errno_t do_rename(void) {
  return cloudabi_sys_file_rename(a, "f", 1, b, "new", 3);
}
static cloudabi_errno_t do_stat_get(void) {
  struct cloudabi_filestat st;
  return cloudabi_sys_file_stat_get(tmp_at(a, 0), "f", 1, &st);
}
static cloudabi_errno_t do_stat_put(void) {
  struct cloudabi_filestat st;
  memset(&st, 0, sizeof(st));
  return cloudabi_sys_file_stat_put(tmp_at(a, 0), "f", 1, &st, CLOUDABI_FILESTAT_MTIM_NOW);
}
static cloudabi_errno_t do_symlink(void) {
  return cloudabi_sys_file_symlink("x", 1, a, "new", 3);
}
static cloudabi_errno_t do_unlink(void) {
  return cloudabi_sys_file_unlink(a, "f", 1, 0);
}
static cloudabi_errno_t do_sync(void) {
  return cloudabi_sys_fd_sync(a);
}
static cloudabi_errno_t do_datasync(void) {
  return cloudabi_sys_fd_datasync(a);
}
static cloudabi_errno_t do_read(void) {
  char buf[4];
  size_t n;
  return raw_read(a, buf, 4, &n);
}
static cloudabi_errno_t do_write(void) {
  return raw_write(a, "abc", 3);
}
static cloudabi_errno_t do_pread(void) {
  char buf[4];
  size_t n;
  return tmp_pread(a, buf, 4, 0, &n);
}
static cloudabi_errno_t do_pwrite(void) {
  size_t n;
  return tmp_pwrite(a, "abc", 3, 0, &n);
}
static cloudabi_errno_t do_tell(void) {
  uint64_t at;
  return cloudabi_sys_fd_seek(a, 0, CLOUDABI_WHENCE_CUR, &at);
}
static cloudabi_errno_t do_seek(void) {
  uint64_t at;
  return cloudabi_sys_fd_seek(a, 0, CLOUDABI_WHENCE_END, &at);
}
static cloudabi_errno_t do_flags(void) {
  struct cloudabi_fdstat st;
  memset(&st, 0, sizeof(st));
  return cloudabi_sys_fd_stat_put(a, &st, CLOUDABI_FDSTAT_FLAGS);
}
static cloudabi_errno_t do_advise(void) {
  return cloudabi_sys_file_advise(a, 0, 1, CLOUDABI_ADVICE_NORMAL);
}
static cloudabi_errno_t do_allocate(void) {
  return cloudabi_sys_file_allocate(a, 0, 10);
}
static cloudabi_errno_t do_stat_fget(void) {
  struct cloudabi_filestat st;
  return cloudabi_sys_file_stat_fget(a, &st);
}
static cloudabi_errno_t do_size(void) {
  return tmp_resize(a, 10);
}
static cloudabi_errno_t do_times(void) {
  struct cloudabi_filestat st;
  memset(&st, 0, sizeof(st));
  return cloudabi_sys_file_stat_fput(a, &st, CLOUDABI_FILESTAT_ATIM);
}

enum kind { DIR = 1, FILE_F = 2, BOTH = DIR | FILE_F };

static const struct {
  const char *call;
  cloudabi_errno_t (*make)(void);
  enum kind kind;
  cloudabi_rights_t first, second;
} cases[] = {
    {"file_create", do_create, DIR, R(FILE_CREATE_DIRECTORY), 0},
    {"file_link", do_link, DIR, R(FILE_LINK_SOURCE), R(FILE_LINK_TARGET)},
    {"file_readdir", do_readdir, DIR, R(FILE_READDIR), 0},
    {"file_readlink", do_readlink, DIR, R(FILE_READLINK), 0},
    {"file_rename", do_rename, DIR, R(FILE_RENAME_SOURCE), R(FILE_RENAME_TARGET)},
    {"file_stat_get", do_stat_get, DIR, R(FILE_STAT_GET), 0},
    {"file_stat_put", do_stat_put, DIR, R(FILE_STAT_PUT_TIMES), 0},
    {"file_symlink", do_symlink, DIR, R(FILE_SYMLINK), 0},
    {"file_unlink", do_unlink, DIR, R(FILE_UNLINK), 0},
    {"fd_sync", do_sync, BOTH, R(FD_SYNC), 0},
    {"fd_datasync", do_datasync, FILE_F, R(FD_DATASYNC), 0},
    {"fd_read", do_read, FILE_F, R(FD_READ), 0},
    {"fd_write", do_write, FILE_F, R(FD_WRITE), 0},
    {"fd_pread", do_pread, FILE_F, R(FD_READ) | R(FD_SEEK), 0},
    {"fd_pwrite", do_pwrite, FILE_F, R(FD_WRITE) | R(FD_SEEK), 0},
    {"fd_seek", do_tell, FILE_F, R(FD_TELL), 0},
    {"fd_seek", do_seek, FILE_F, R(FD_SEEK) | R(FD_TELL), 0},
    {"fd_stat_put", do_flags, BOTH, R(FD_STAT_PUT_FLAGS), 0},
    {"file_advise", do_advise, BOTH, R(FILE_ADVISE), 0},
    {"file_allocate", do_allocate, FILE_F, R(FILE_ALLOCATE), 0},
    {"file_stat_fget", do_stat_fget, BOTH, R(FILE_STAT_FGET), 0},
    {"file_stat_fput", do_size, FILE_F, R(FILE_STAT_FPUT_SIZE), 0},
    {"file_stat_fput", do_times, BOTH, R(FILE_STAT_FPUT_TIMES), 0},
};

/* The directory has `f` with five bytes and the link `l`, and nothing else. */
static void prepare(void) {
  tmp_rmdir("new"), tmp_unlink("new"), tmp_unlink("f");
  cloudabi_fd_t fd = tmp_open("f", CLOUDABI_O_CREAT);
  raw_write(fd, "hello", 5);
  cloudabi_sys_fd_close(fd);
}

static bool as_prepared(void) {
  struct cloudabi_filestat f = tmp_stat_of("f");
  return !tmp_exists("new") && f.st_size == 5 && f.st_nlink == 1 && f.st_atim != 0;
}

static cloudabi_fd_t with(cloudabi_fd_t fd, cloudabi_rights_t rights) {
  cloudabi_fd_t copy = RAW_BAD_FD;
  cloudabi_sys_fd_dup(fd, &copy);
  raw_set_rights(copy, rights, 0);
  return copy;
}

static cloudabi_errno_t try(size_t i, cloudabi_fd_t fd, cloudabi_rights_t first,
                            cloudabi_rights_t second) {
  a = with(fd, first);
  b = with(fd, second);
  cloudabi_errno_t e = cases[i].make();
  cloudabi_sys_fd_close(a);
  cloudabi_sys_fd_close(b);
  return e;
}

static void check_case(size_t i, bool dir) {
  const cloudabi_rights_t all = dir ? TMP_DIR_BASE : TMP_FILE_BASE;
  const cloudabi_rights_t first = cases[i].first, second = cases[i].second;
  char what[100];
  prepare();
  cloudabi_fd_t fd = dir ? tmp_open_dir(".") : tmp_open("f", 0);
  for (cloudabi_rights_t right = 1; right <= (first | second); right <<= 1) {
    if ((right & (first | second)) == 0)
      continue;
    snprintf(what, sizeof(what), "in a temporary directory, %s: with all rights but %#llx",
             dir ? "a directory" : "a file", (unsigned long long)right);
    check_err(cases[i].call, what,
              try(i, fd, first & right ? all & ~right : all, second & right ? all & ~right : all),
              CLOUDABI_ENOTCAPABLE);
  }
  snprintf(what, sizeof(what), "in a temporary directory, %s: refusals change nothing",
           dir ? "a directory" : "a file");
  check(cases[i].call, what, as_prepared());
  snprintf(what, sizeof(what), "in a temporary directory, %s: with rights %#llx and %#llx alone",
           dir ? "a directory" : "a file", (unsigned long long)first, (unsigned long long)second);
  check_err(cases[i].call, what, try(i, fd, first, second), 0);
  cloudabi_sys_fd_close(fd);
}

/* What a file opened for less can't do, and what of a directory is not handed on. */
static void check_access_mode(void) {
  cloudabi_fd_t fd = 0, d = 0;
  size_t n;
  prepare();
  tmp_open_from(tmp, "f", 0, 0, 0, TMP_INHERITING & ~TMP_WRITING, &fd);
  check_err("fd_write", "a file opened for reading", raw_write(fd, "x", 1), CLOUDABI_ENOTCAPABLE);
  check_err("file_stat_fput", "the size of a file opened for reading", tmp_resize(fd, 0),
            CLOUDABI_ENOTCAPABLE);
  check_err("file_allocate", "a file opened for reading", cloudabi_sys_file_allocate(fd, 0, 9),
            CLOUDABI_ENOTCAPABLE);
  cloudabi_sys_fd_close(fd);
  tmp_open_from(tmp, "f", 0, 0, 0, TMP_INHERITING & ~TMP_READING, &fd);
  check_err("fd_read", "a file opened for writing", raw_read(fd, &n, 1, &n), CLOUDABI_ENOTCAPABLE);
  cloudabi_sys_fd_close(fd);
  check("fd_write", "nothing was written", as_prepared());

  cloudabi_sys_fd_dup(tmp, &d);
  raw_set_rights(d, R(FILE_OPEN), R(FD_READ) | R(FILE_OPEN));
  check_err("file_open", "asking for what the directory does not hand on",
            tmp_open_from(d, "f", 0, 0, 0, R(FD_WRITE), &fd), CLOUDABI_ENOTCAPABLE);
  cloudabi_sys_fd_close(d);
}

void program_main(const argdata_t *ad) {
  check_begin(ad);
  tmp_begin(ad);
  tmp_symlink("f", "l");
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    if (cases[i].kind & DIR)
      check_case(i, true);
    if (cases[i].kind & FILE_F)
      check_case(i, false);
  }
  check_access_mode();
  check_end();
}
