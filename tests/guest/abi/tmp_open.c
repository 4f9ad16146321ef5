/*
 * file_open where something can change, from inside: {out: fd, tmp: a temporary directory}.
 * Reference 2.6 and 3.2.
 */
#include <program.h>

#include "tmp.h"

#define FOLLOW CLOUDABI_LOOKUP_SYMLINK_FOLLOW
#define CREAT CLOUDABI_O_CREAT
#define EXCL CLOUDABI_O_EXCL
#define TRUNC CLOUDABI_O_TRUNC
#define DIRECTORY CLOUDABI_O_DIRECTORY
#define ALL TMP_INHERITING
#define WRONLY (ALL & ~TMP_READING)
#define RDONLY (ALL & ~TMP_WRITING)

static const struct {
  const char *path;
  cloudabi_lookupflags_t lookup;
  cloudabi_oflags_t oflags;
  cloudabi_rights_t base;
  cloudabi_errno_t want;
} cases[] = {
    {"new", FOLLOW, 0, ALL, CLOUDABI_ENOENT},
    {"new", FOLLOW, TRUNC, ALL, CLOUDABI_ENOENT},
    {"new", FOLLOW, EXCL, ALL, CLOUDABI_ENOENT},
    {"new/", FOLLOW, CREAT, ALL, CLOUDABI_ENOENT},
    {"no/new", FOLLOW, CREAT, ALL, CLOUDABI_ENOENT},
    {"file/new", FOLLOW, CREAT, ALL, CLOUDABI_ENOTDIR},
    {"../new", FOLLOW, CREAT, ALL, CLOUDABI_ENOTCAPABLE},
    {"/new", FOLLOW, CREAT, ALL, CLOUDABI_ENOTCAPABLE},
    {"absolute", FOLLOW, CREAT, ALL, CLOUDABI_ENOTCAPABLE},
    {"outside", FOLLOW, CREAT, ALL, CLOUDABI_ENOTCAPABLE},
    {"", FOLLOW, CREAT, ALL, CLOUDABI_ENOENT},
    {"new", FOLLOW, CREAT | DIRECTORY, RDONLY, CLOUDABI_EINVAL},
    {"new", FOLLOW, 0x10, RDONLY, CLOUDABI_EINVAL},
    {"file", FOLLOW, 0, ALL, 0},
    {"file", FOLLOW, CREAT, ALL, 0},
    {"file", FOLLOW, EXCL, ALL, 0},
    {"file", FOLLOW, CREAT | EXCL, ALL, CLOUDABI_EEXIST},
    {"file", FOLLOW, DIRECTORY, RDONLY, CLOUDABI_ENOTDIR},
    {"file/", FOLLOW, 0, ALL, CLOUDABI_ENOTDIR},
    {"file/", FOLLOW, CREAT, ALL, CLOUDABI_ENOTDIR},
    {"dir", FOLLOW, 0, ALL, CLOUDABI_EISDIR},
    {"dir", FOLLOW, DIRECTORY, ALL, CLOUDABI_EISDIR},
    {"dir", FOLLOW, 0, WRONLY, CLOUDABI_EISDIR},
    {"dir", FOLLOW, TRUNC, RDONLY, CLOUDABI_EISDIR},
    {"dir", FOLLOW, CREAT, RDONLY, CLOUDABI_EISDIR},
    {"dir", FOLLOW, CREAT | EXCL, RDONLY, CLOUDABI_EEXIST},
    {"dir", FOLLOW, 0, RDONLY, 0},
    {"dir/", FOLLOW, DIRECTORY, RDONLY, 0},
    {".", FOLLOW, 0, RDONLY, 0},
    {"link", FOLLOW, 0, ALL, 0},
    {"link", 0, 0, ALL, CLOUDABI_ELOOP},
    {"link", 0, CREAT, ALL, CLOUDABI_ELOOP},
    {"link", FOLLOW, CREAT, ALL, 0},
    {"link", FOLLOW, CREAT | EXCL, ALL, CLOUDABI_EEXIST},
    {"link/", 0, 0, ALL, CLOUDABI_ENOTDIR},
    {"dirlink", 0, DIRECTORY, RDONLY, CLOUDABI_ELOOP},
    {"dirlink/", 0, DIRECTORY, RDONLY, 0},
    {"dangling", FOLLOW, 0, ALL, CLOUDABI_ENOENT},
    {"dangling", 0, CREAT, ALL, CLOUDABI_ELOOP},
    {"dangling", FOLLOW, CREAT | EXCL, ALL, CLOUDABI_EEXIST},
    {"farlink", FOLLOW, CREAT, ALL, CLOUDABI_ENOENT},
    {"loop", FOLLOW, CREAT, ALL, CLOUDABI_ELOOP},
};

static void check_cases(void) {
  char what[120];
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    cloudabi_fd_t fd = 77;
    cloudabi_oflags_t o = cases[i].oflags;
    snprintf(what, sizeof(what), "in a temporary directory: `%s`%s%s%s%s%s%s%s", cases[i].path,
             cases[i].lookup != 0 ? "" : " not followed", o & CREAT ? " CREAT" : "",
             o & EXCL ? " EXCL" : "", o & TRUNC ? " TRUNC" : "", o & DIRECTORY ? " DIRECTORY" : "",
             cases[i].base == RDONLY ? " read-only" : "",
             cases[i].base == WRONLY ? " write-only" : "");
    cloudabi_errno_t e =
        tmp_open_from(tmp, cases[i].path, cases[i].lookup, o, 0, cases[i].base, &fd);
    check_err("file_open", what, e, cases[i].want);
    if (e == 0)
      cloudabi_sys_fd_close(fd);
    else if (fd != 77)
      check("file_open", "a refusal leaves the result alone", false);
  }
  check("file_open", "no refusal has made anything", !tmp_exists("new") && !tmp_exists("target"));
}

/* Exactly the rights that apply to the type. */
static void opened(const char *what, const char *path, cloudabi_oflags_t oflags,
                   cloudabi_rights_t base, cloudabi_rights_t want,
                   cloudabi_rights_t want_inheriting) {
  struct cloudabi_fdstat st;
  cloudabi_fd_t fd = 0;
  char text[100];
  memset(&st, 0xee, sizeof(st));
  if (!check_err("file_open", what, tmp_open_from(tmp, path, FOLLOW, oflags, 0, base, &fd), 0))
    return;
  cloudabi_sys_fd_stat_get(fd, &st);
  snprintf(text, sizeof(text), "%s: exactly its rights", what);
  check_eq("file_open", text, st.fs_rights_base, want);
  snprintf(text, sizeof(text), "%s: exactly its inheriting rights", what);
  check_eq("file_open", text, st.fs_rights_inheriting, want_inheriting);
  snprintf(text, sizeof(text), "%s: no flags", what);
  check_eq("file_open", text, st.fs_flags, 0);
  cloudabi_sys_fd_close(fd);
}

static void check_rights(void) {
  opened("a new file for reading and writing", "new1", CREAT, ALL, TMP_FILE_BASE, 0);
  opened("a new file for writing", "new2", CREAT | EXCL, WRONLY, TMP_FILE_BASE & ~TMP_READING, 0);
  opened("a new file for reading", "new3", CREAT, RDONLY, TMP_FILE_BASE & ~TMP_WRITING, 0);
  opened("a new file with no right", "new4", CREAT, 0, 0, 0);
  opened("a directory for reading", "dir", DIRECTORY, RDONLY, TMP_DIR_BASE, TMP_INHERITING);
  opened("a directory with one right", "dir", DIRECTORY, R(FILE_UNLINK), R(FILE_UNLINK),
         TMP_INHERITING);
  tmp_unlink("new1"), tmp_unlink("new2"), tmp_unlink("new3"), tmp_unlink("new4");
}

/* What the directory must have: with exactly that it works, without one bit of it it doesn't. */
static void check_needs(const char *what, cloudabi_oflags_t oflags, cloudabi_fdflags_t flags,
                        cloudabi_rights_t request, cloudabi_rights_t base,
                        cloudabi_rights_t inheriting) {
  char text[120];
  for (int bit = -1; bit < 41; bit++) {
    cloudabi_rights_t missing = bit < 0 ? 0 : 1ull << bit;
    if (bit >= 0 && ((base | inheriting) & missing) == 0)
      continue;
    cloudabi_fd_t less = RAW_BAD_FD, fd = 77;
    struct cloudabi_fdstat st;
    memset(&st, 0, sizeof(st));
    st.fs_flags = flags;
    st.fs_rights_base = request;
    cloudabi_sys_fd_dup(tmp, &less);
    raw_set_rights(less, base & ~missing, inheriting & ~missing);
    cloudabi_errno_t e = cloudabi_sys_file_open(tmp_at(less, 0), "made", 4, oflags, &st, &fd);
    snprintf(text, sizeof(text), "%s, without right %#llx", what, (unsigned long long)missing);
    check_err("file_open", text, e, bit < 0 ? 0 : CLOUDABI_ENOTCAPABLE);
    if (e == 0)
      cloudabi_sys_fd_close(fd);
    cloudabi_sys_fd_close(less);
    if (oflags & CREAT)
      check("file_open", bit < 0 ? "it makes the file" : "a refusal makes no file",
            (tmp_unlink("made") == 0) == (bit < 0));
  }
}

static void check_all_needs(void) {
  const cloudabi_rights_t open = R(FILE_OPEN);
  check_needs("creating", CREAT, 0, R(FD_READ), open | R(FILE_CREATE_FILE), R(FD_READ));
  check_needs("creating for writing", CREAT, 0, R(FD_WRITE), open | R(FILE_CREATE_FILE),
              R(FD_WRITE) | R(FD_SEEK));
  check_needs("creating for appending", CREAT, CLOUDABI_FDFLAG_APPEND, R(FD_WRITE),
              open | R(FILE_CREATE_FILE), R(FD_WRITE));
  tmp_make("made");
  check_needs("truncating", TRUNC, 0, R(FD_WRITE), open, R(FD_WRITE) | R(FILE_STAT_FPUT_SIZE));
  check_needs("with DSYNC", 0, CLOUDABI_FDFLAG_DSYNC, R(FD_READ), open,
              R(FD_READ) | R(FD_DATASYNC));
  check_needs("with SYNC", 0, CLOUDABI_FDFLAG_SYNC, R(FD_READ), open, R(FD_READ) | R(FD_SYNC));
  check_needs("with RSYNC", 0, CLOUDABI_FDFLAG_RSYNC, R(FD_READ), open, R(FD_READ) | R(FD_SYNC));
  tmp_unlink("made");
}

static void check_create(void) {
  cloudabi_fd_t fd = 0;
  check_err("file_open", "CREAT through a dangling link",
            tmp_open_from(tmp, "dangling", FOLLOW, CREAT, 0, ALL, &fd), 0);
  check("file_open", "CREAT through a dangling link: makes what it names",
        tmp_stat_fd(fd).st_ino == tmp_stat_of("dir/target").st_ino &&
            tmp_stat_of("dir/target").st_filetype == CLOUDABI_FILETYPE_REGULAR_FILE);
  cloudabi_sys_fd_close(fd);
  tmp_unlink("dir/target");
  struct cloudabi_filestat before = tmp_stat_of("file");
  fd = tmp_open("file", TRUNC);
  check("file_open", "TRUNC empties", tmp_stat_of("file").st_size == 0 && before.st_size == 5);
  check("file_open", "TRUNC is a modification", tmp_stat_of("file").st_mtim > before.st_mtim);
  check_eq("file_open", "TRUNC keeps the file", tmp_stat_of("file").st_ino, before.st_ino);
  cloudabi_sys_fd_close(fd);
}

static void check_order(void) {
  struct cloudabi_fdstat bad;
  cloudabi_fd_t fd = 77;
  memset(&bad, 0, sizeof(bad));
  bad.fs_flags = 0x20;
  check_err("file_open", "a bad flag in the request, and a closed number",
            cloudabi_sys_file_open(tmp_at(RAW_BAD_FD, 0), "x", 1, CREAT, &bad, &fd),
            CLOUDABI_EBADF);
  check_err("file_open", "a bad flag in the request",
            cloudabi_sys_file_open(tmp_at(tmp, 0), "x", 1, CREAT, &bad, &fd), CLOUDABI_EINVAL);
  check_err("file_open", "a request that is not there",
            cloudabi_sys_file_open(tmp_at(tmp, 0), "x", 1, CREAT, (void *)8, &fd), CLOUDABI_EFAULT);
  bad.fs_flags = 0;
  check_err("file_open", "a path that is not there",
            cloudabi_sys_file_open(tmp_at(tmp, 0), (char *)8, 1, CREAT, &bad, &fd),
            CLOUDABI_EFAULT);
  check("file_open", "nothing of it made a file", !tmp_exists("x"));
}

void program_main(const argdata_t *ad) {
  check_begin(ad);
  tmp_begin(ad);
  tmp_mkdir("dir");
  tmp_symlink("file", "link");
  tmp_symlink("dir", "dirlink");
  tmp_symlink("dir/target", "dangling");
  tmp_symlink("no/target", "farlink");
  tmp_symlink("loop", "loop");
  tmp_symlink("/tmp/x", "absolute");
  tmp_symlink("dir/../../x", "outside");
  cloudabi_fd_t fd = tmp_open("file", CREAT);
  raw_write(fd, "hello", 5);
  cloudabi_sys_fd_close(fd);
  check_cases();
  check_rights();
  check_all_needs();
  check_create();
  check_order();
  check_end();
}
