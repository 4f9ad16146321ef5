/*
 * The system call fuzzer: threads that make random calls, and a model of the descriptors that each
 * thread has, which knows what may succeed.
 *
 * A worker touches its own descriptors and memory alone, so that its model is exact; the exceptions
 * are the arenas, which every worker hands to the kernel while their owners map and unmap them.
 * Lengths lead out of a worker's memory only into what is never mapped, so that the program
 * survives what the kernel writes.
 */
#ifndef TESTS_GUEST_FUZZ_H
#define TESTS_GUEST_FUZZ_H

#include <stdatomic.h>

#include "../abi/raw.h"
#include "../abi/table.h"

#define FUZZ_FDS 24
#define FUZZ_CALLS_MAX 100
#define FUZZ_FILETYPE_FIFO 0x30 /* retired, as are the next two */
#define FUZZ_FILETYPE_POLL 0x40
#define FUZZ_FILETYPE_SOCKET_SEQPACKET 0x81
#define FUZZ_GRANTED 4
#define FUZZ_TMP 3 /* which of the granted ones is the temporary directory */
#define FUZZ_WORKERS_MAX 16
#define FUZZ_STACKS 16
#define FUZZ_AREA_BYTES 16384u
#define FUZZ_ARENA_PAGES 64u
#define FUZZ_WORDS 4 /* locks and condition variables that all share */

struct fuzz_fd { /* the model of a descriptor */
  bool open;
  cloudabi_fd_t fd;
  bool tmp; /* of the temporary directory, shared memory, a local socket: it can be changed */
  cloudabi_filetype_t type;
  cloudabi_rights_t base, inheriting;
};

struct fuzz_stack { /* of a thread that a worker starts */
  char *low;
  _Atomic cloudabi_lock_t lock; /* 0: free */
};

struct fuzz_worker {
  unsigned left; /* calls until the end, of a worker in a child process; 0: it is in no child */
  struct raw_thread thread;
  uint64_t random;
  struct fuzz_fd fds[FUZZ_FDS];
  char *in, *out; /* FUZZ_AREA_BYTES each, unmapped memory behind */
  char *arena;    /* FUZZ_ARENA_PAGES */
  _Atomic cloudabi_lock_t own_lock;
  struct fuzz_stack stacks[FUZZ_STACKS];
};

/* A call as it was made. */
struct fuzz_call {
  const struct table_call *call;
  uint64_t args[TABLE_ARGS_MAX];
  struct fuzz_fd *fd[2]; /* of its descriptors in order; NULL: not open */
  unsigned fds;
  struct fuzz_stack *stack;              /* of thread_create */
  const struct cloudabi_fdstat *request; /* of file_open and fd_stat_put; NULL: no address */
};

struct fuzz_shared {
  cloudabi_fd_t out, granted[FUZZ_GRANTED];
  uint64_t limit;
  unsigned workers;
  _Atomic bool ready, speaking;
  _Atomic uint64_t made, succeeded;
  _Atomic uint64_t successes[FUZZ_CALLS_MAX]; /* by place in the table of calls */
  _Atomic uint32_t words[FUZZ_WORDS];
  struct fuzz_worker worker[FUZZ_WORKERS_MAX];
};

extern struct fuzz_shared fuzz;

static inline uint64_t fuzz_random(struct fuzz_worker *w) {
  w->random ^= w->random << 13;
  w->random ^= w->random >> 7;
  w->random ^= w->random << 17;
  return w->random * 0x2545f4914f6cdd1d >> 16;
}

static inline unsigned fuzz_below(struct fuzz_worker *w, unsigned n) {
  return (unsigned)(fuzz_random(w) % n);
}

/* Chooses a call and its arguments. */
void fuzz_generate(struct fuzz_worker *w, struct fuzz_call *c);

/* Compares a result with the model and brings the model up to date. NULL, or what must not be. */
const char *fuzz_judge(struct fuzz_worker *w, const struct fuzz_call *c, cloudabi_errno_t result);

/* Whether a call may well succeed with this as its first or second descriptor. */
bool fuzz_fits(const struct fuzz_call *c, unsigned which, const struct fuzz_fd *fd);

/* Whether this is the child that a call has made. */
bool fuzz_is_child(const struct fuzz_call *c, cloudabi_errno_t result);

/* A copy of one of the granted descriptors enters the model. */
void fuzz_adopt(struct fuzz_worker *w);

#endif
