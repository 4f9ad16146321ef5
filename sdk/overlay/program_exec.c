/*
 * Running other programs: program_exec() and program_spawn() (program.h). Semantics 8.1, 8.2.
 */
#include <argdata.h>
#include <stdlib.h>

#include <program.h>

#include "sdk/overlay/overlay.h"

/* Argument data as the new program gets it. */
struct encoded {
  int *fds; /* one block with data */
  size_t fds_count;
  void *data;
  size_t length;
};

static bool encode(const argdata_t *value, struct encoded *e) {
  argdata_serialized_length(value, &e->length, &e->fds_count);
  e->fds = malloc(e->fds_count * sizeof(int) + e->length + 1);
  if (e->fds == NULL)
    return false;
  e->data = &e->fds[e->fds_count];
  e->fds_count = argdata_serialize(value, e->data, e->fds);
  return true;
}

static cloudabi_errno_t execute(int fd, const struct encoded *e) {
  return cloudabi_sys_proc_exec(fd, e->data, e->length, (const cloudabi_fd_t *)e->fds,
                                e->fds_count);
}

/* A regular file that lacks the right was not opened to be executed. */
static int error_of(int fd, cloudabi_errno_t error) {
  struct cloudabi_fdstat stat;

  if (error == CLOUDABI_ENOTCAPABLE && cloudabi_sys_fd_stat_get(fd, &stat) == 0 &&
      stat.fs_filetype == CLOUDABI_FILETYPE_REGULAR_FILE)
    return EBADF;
  return -__error(error);
}

int program_exec(int fd, const argdata_t *value) {
  struct encoded e;

  if (!encode(value, &e))
    return ENOMEM;
  int error = error_of(fd, execute(fd, &e));
  free(e.fds);
  return error;
}

/* In the child, which shares nothing with other threads and so makes system calls only. The other
 * end of the pair sees an error, or with the new program its end. */
static _Noreturn void run_child(int fd, const struct encoded *e, cloudabi_fd_t report) {
  cloudabi_errno_t error = execute(fd, e);
  struct cloudabi_iovec bytes = {&error, sizeof(error)};
  size_t written;

  cloudabi_sys_fd_write(report, &bytes, 1, &written);
  cloudabi_sys_proc_exit(127);
}

/* 0, or why the child could not run the program. */
static cloudabi_errno_t read_report(cloudabi_fd_t report) {
  cloudabi_errno_t error = 0;
  struct cloudabi_iovec bytes = {&error, sizeof(error)};
  size_t count = 0;

  if (cloudabi_sys_fd_read(report, &bytes, 1, &count) != 0 || count != sizeof(error))
    return 0;
  return error;
}

static cloudabi_errno_t spawn(int fd, const struct encoded *e, cloudabi_fd_t *process) {
  cloudabi_fd_t ours, report;
  cloudabi_tid_t tid;
  cloudabi_errno_t error = cloudabi_sys_fd_create2(CLOUDABI_FILETYPE_SOCKET_STREAM, &ours, &report);

  if (error != 0)
    return error;
  error = cloudabi_sys_proc_fork(process, &tid);
  if (error == 0 && *process == CLOUDABI_PROCESS_CHILD)
    run_child(fd, e, report);
  cloudabi_sys_fd_close(report);
  if (error == 0) {
    error = read_report(ours);
    if (error != 0)
      cloudabi_sys_fd_close(*process);
  }
  cloudabi_sys_fd_close(ours);
  return error;
}

int program_spawn(int fd, const argdata_t *value) {
  struct encoded e;
  cloudabi_fd_t process;

  if (!encode(value, &e)) {
    errno = ENOMEM;
    return -1;
  }
  int error = error_of(fd, spawn(fd, &e, &process));
  free(e.fds);
  if (error == 0)
    return process;
  errno = error;
  return -1;
}
