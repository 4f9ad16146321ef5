/*
 * The answers to what CloudABI has not got.
 *
 * `none` is a call without counterpart; `nowhere` names a file by an absolute path or from
 * a working directory, `refused` makes a socket or gives it an address: these would need
 * a right that no program has, so the error is the one of a missing right.
 */
#include "sdk/overlay/overlay.h"

CALL0(none) {
  return -ENOSYS;
}

CALL0(nowhere) {
  return -EACCES;
}

CALL0(refused) {
  return -EACCES;
}

/* Addresses of sockets are not known to the program. */
CALL0(unnamed) {
  return -EOPNOTSUPP;
}

/* Success without effect. */
CALL0(zero) {
  return 0;
}

/* The number of this process, as far as there are numbers. */
CALL0(one) {
  return 1;
}
