/*
 * proc_raise as far as a program survives it, and proc_fork and proc_exec, from inside: {out: fd,
 * dir: fd, file: fd}. Reference 8. How a program ends is tests/vm/test_end.py's.
 */
#include <program.h>

#include "../check.h"
#include "raw.h"

void program_main(const argdata_t *ad) {
  check_begin(ad);
  cloudabi_fd_t dir = arg_fd(ad, "dir"), file = arg_fd(ad, "file");
  static const cloudabi_signal_t ignored[] = {CLOUDABI_SIGCHLD, CLOUDABI_SIGCONT, CLOUDABI_SIGPIPE,
                                              CLOUDABI_SIGURG};
  char what[40];
  for (size_t i = 0; i < sizeof(ignored); i++) {
    snprintf(what, sizeof(what), "signal %u is ignored", ignored[i]);
    check_err("proc_raise", what, cloudabi_sys_proc_raise(ignored[i]), 0);
  }
  static const cloudabi_signal_t bad[] = {0, 27, 28, 127, 128, 255};
  for (size_t i = 0; i < sizeof(bad); i++) {
    snprintf(what, sizeof(what), "signal %u is none", bad[i]);
    check_err("proc_raise", what, cloudabi_sys_proc_raise(bad[i]), CLOUDABI_EINVAL);
  }
  check_err("proc_exec", "a closed number", cloudabi_sys_proc_exec(RAW_BAD_FD, "", 0, NULL, 0),
            CLOUDABI_EBADF);
  check_err("proc_exec", "a directory", cloudabi_sys_proc_exec(dir, "", 0, NULL, 0),
            CLOUDABI_ENOTCAPABLE);
  check_err("proc_exec", "a file that is no program", cloudabi_sys_proc_exec(file, "", 0, NULL, 0),
            CLOUDABI_ENOEXEC);
  cloudabi_fd_t child = 77;
  cloudabi_tid_t tid = 77;
  cloudabi_errno_t e = cloudabi_sys_proc_fork(&child, &tid);
  if (e == 0 && child == CLOUDABI_PROCESS_CHILD)
    cloudabi_sys_proc_exit(0);
  check_err("proc_fork", "a child", e, 0);
  check_end();
}
