/*
 * For every system call that can be made again and again: arguments with which it works, or ends
 * with an error that comes after everything that the arguments can say by themselves.
 *
 * Used by order.c and pointers.c, which change one thing at a time.
 */
#ifndef TESTS_GUEST_ABI_CASES_H
#define TESTS_GUEST_ABI_CASES_H

#include "raw.h"
#include "table.h"

/* Places of arguments that cases_init() fills in. */
enum cases_fd { NO_FD_NEEDED, DIR, REGULAR, CONSOLE };

struct call_case {
  const char *name;
  cloudabi_errno_t result; /* with these arguments */
  enum cases_fd kind;      /* of its descriptors */
  /* Which arguments are descriptors, and one a flag or an enumeration: counted from 1; 0 is none.
   */
  uint8_t fd_at, fd2_at, flag_at;
  bool reads_first;          /* its input structure holds flags, which are checked before the fd */
  cloudabi_rights_t rights;  /* all of which it needs of the fd */
  cloudabi_rights_t rights2; /* of fd2 */
  uint64_t args[TABLE_ARGS_MAX];
  uint64_t bad_flag;
  cloudabi_errno_t flag_error; /* what a bad flag gives */
};

#define CASES_OUT_BYTES 4096

extern struct call_case cases[];
extern const size_t case_count;
extern uint8_t cases_out[CASES_OUT_BYTES]; /* where all outputs go */

/* dir has a.txt, a link `link`, and a directory `sub`; file has ten bytes. */
void cases_init(cloudabi_fd_t dir, cloudabi_fd_t file, cloudabi_fd_t console);

#endif
