/*
 * A program of today that becomes one of v0.1: {out: fd, v01: its file}. That one gets the
 * descriptor that it writes its checks to.
 */
#include <program.h>

#include "abi/raw.h"
#include "args.h"

void program_main(const argdata_t *ad) {
  cloudabi_fd_t out = (cloudabi_fd_t)arg_fd(ad, "out");
  exit(100 + cloudabi_sys_proc_exec((cloudabi_fd_t)arg_fd(ad, "v01"), "\6", 1, &out, 1));
}
