/*
 * A temporary directory that is full, from inside: {out: fd, tmp: a temporary directory of 64 KiB,
 * large: one that is larger than the machine}. What is removed gives its room back. Reference 3.2.
 */
#include <program.h>

#include "tmp.h"

#define LIMIT 65536u

static char block[16384];

/* Writes until there is no more room; how much. */
static uint64_t fill(cloudabi_fd_t fd, cloudabi_errno_t *e) {
  uint64_t total = 0;
  size_t n = 0;
  struct cloudabi_iovec iov = {block, sizeof(block)};
  while ((*e = cloudabi_sys_fd_write(fd, &iov, 1, &n)) == 0)
    total += n;
  return total;
}

static void check_bytes(void) {
  size_t n = 99;
  cloudabi_errno_t e;
  cloudabi_fd_t fd = tmp_open("f", CLOUDABI_O_CREAT);
  uint64_t total = fill(fd, &e);
  check_err("fd_write", "when there is no room", e, CLOUDABI_ENOSPC);
  check("fd_write", "what there is room for", total > LIMIT * 7 / 8 && total <= LIMIT);
  check_eq("fd_write", "and no more", tmp_stat_fd(fd).st_size, total);
  check_err("fd_pwrite", "where nothing was", tmp_pwrite(fd, "x", 1, 1 << 20, &n), CLOUDABI_ENOSPC);
  check_eq("fd_pwrite", "where nothing was: the size stays", tmp_stat_fd(fd).st_size, total);
  check_err("fd_pwrite", "where something was", tmp_pwrite(fd, "x", 1, 5, &n), 0);
  check_err("file_stat_fput", "a size without room", tmp_resize(fd, 1 << 30), 0);
  check_err("file_allocate", "without room", cloudabi_sys_file_allocate(fd, 0, 1 << 30),
            CLOUDABI_ENOSPC);
  check_err("file_stat_fput", "half of the size", tmp_resize(fd, total / 2), 0);
  check_err("file_allocate", "in part without room",
            cloudabi_sys_file_allocate(fd, total, LIMIT * 3 / 4), CLOUDABI_ENOSPC);
  check_eq("file_allocate", "in part without room: the size stays", tmp_stat_fd(fd).st_size,
           total / 2);
  check_err("file_allocate", "with room again", cloudabi_sys_file_allocate(fd, total, 4096), 0);
  tmp_unlink("f");
  cloudabi_fd_t second = tmp_open("g", CLOUDABI_O_CREAT);
  check("fd_write", "an open file without a name keeps its room", fill(second, &e) < LIMIT / 2);
  cloudabi_sys_fd_close(fd);
  check("fd_write", "it is there again when that is closed", fill(second, &e) > LIMIT / 3);
  tmp_unlink("g");
  cloudabi_sys_fd_close(second);
}

static void check_files(void) {
  char name[32];
  unsigned count = 0;
  cloudabi_errno_t e;
  do {
    snprintf(name, sizeof(name), "%u", count);
    e = count % 2 == 0 ? tmp_make(name) : tmp_mkdir(name);
  } while (e == 0 && ++count < LIMIT);
  check_err("file_create", "as many files as there can be", e, CLOUDABI_ENOSPC);
  check("file_create", "empty files take room", count > 100 && count < 1000);
  check("file_create", "the last one is not there", !tmp_exists(name));
  check_err("file_symlink", "without room", cloudabi_sys_file_symlink(block, 1000, tmp, "x", 1),
            CLOUDABI_ENOSPC);
  while (tmp_symlink("", name) == 0) /* what is left */
    snprintf(name, sizeof(name), "%u", ++count);
  memset(block, 'n', 255);
  check_err("file_link", "without room",
            cloudabi_sys_file_link(tmp_at(tmp, 0), "0", 1, tmp, block, 255), CLOUDABI_ENOSPC);
  check_err("file_rename", "without room, to a name as long", tmp_rename("0", "x"), 0);
  check_err("file_rename", "without room, over another", tmp_rename("x", "2"), 0);
  cloudabi_fd_t fd = tmp_open("4", 0);
  check_err("fd_write", "without room", raw_write(fd, "x", 1), CLOUDABI_ENOSPC);
  cloudabi_sys_fd_close(fd);
  for (unsigned i = 0; i < count; i++) {
    snprintf(name, sizeof(name), "%u", i);
    if (tmp_unlink(name) != 0)
      tmp_rmdir(name);
  }
  fd = tmp_open("f", CLOUDABI_O_CREAT);
  check("fd_write", "all room is there again", fill(fd, &e) > LIMIT * 7 / 8);
  tmp_unlink("f");
  cloudabi_sys_fd_close(fd);
}

/* A limit that the machine can't keep: the kernel keeps what it needs. */
static void check_machine(cloudabi_fd_t large) {
  cloudabi_errno_t e;
  cloudabi_fd_t fd = 0;
  tmp_open_from(large, "f", 0, CLOUDABI_O_CREAT, 0, TMP_INHERITING, &fd);
  uint64_t total = fill(fd, &e);
  check_err("fd_write", "when the machine has no room", e, CLOUDABI_ENOSPC);
  check("fd_write", "the machine's memory is what there is room for", total > 1 << 24);
  char name[32];
  unsigned count = 0;
  do {
    snprintf(name, sizeof(name), "%u", count);
    e = cloudabi_sys_file_symlink("", 0, large, name, strlen(name));
  } while (e == 0 && ++count < 100000);
  check_err("file_symlink", "when the machine has no room", e, CLOUDABI_ENOSPC);
  check_err("file_stat_fput", "gives all of it back", tmp_resize(fd, 0), 0);
  check_err("file_create", "with room again",
            cloudabi_sys_file_create(large, "d", 1, CLOUDABI_FILETYPE_DIRECTORY), 0);
  cloudabi_sys_fd_close(fd);
}

void program_main(const argdata_t *ad) {
  check_begin(ad);
  tmp = arg_fd(ad, "tmp");
  check_bytes();
  check_files();
  check_machine(arg_fd(ad, "large"));
  check_end();
}
