/*
 * Stands for musl's __setxid, behind setuid() and its like: there are no users.
 */
#include "sdk/overlay/overlay.h"

HIDDEN int __setxid(int call, int id, int effective, int saved);

int __setxid(int call, int id, int effective, int saved) {
  (void)call, (void)id, (void)effective, (void)saved;
  errno = EPERM;
  return -1;
}
