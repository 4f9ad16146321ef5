/*
 * Raw traps: the first number table, and its convention (reference 1.7, 9.3).
 *
 * A program of v0.1 to v0.3 traps by itself. Its inputs are those of today's calls, but results
 * come back in two registers, and the carry flag tells an error. So every raw call is today's call,
 * given USER_RESULT() where the program would have named memory: an address that no memory can
 * have. user_put() finds out where it refuses bad addresses anyway, which costs other calls
 * nothing; no pointer of the kernel's ever stands where a program's should, and what a hostile
 * program could reach by naming such an address itself is its own two registers.
 *
 * (Memory of the program's for the results to pass through was the alternative. It would have to be
 * mapped for each thread, and could be unmapped or read by others in between.)
 *
 * Called by arch for every number that is none of the vDSO's; kernel lock held, may sleep.
 */
#include "arch/arch.h"
#include "kernel/string.h"
#include "kernel/thread.h"
#include "kernel/user.h"

enum {
#define SYSCALL(name, count, ...) COUNT_##name = count,
#include "abi/syscalls.def"
};

static const struct {
  uint16_t number; /* of today's */
  uint8_t inputs, results;
} calls[] = {
#define RAW(name, results) {SYSCALL_##name, COUNT_##name - (results), results},
#include "abi/raw.def"
};

#define COUNT (sizeof calls / sizeof calls[0])
_Static_assert(COUNT == 58, "the first table's size");

errno_t syscall_raw_entry(struct thread *t, uint64_t number, const uint64_t args[7],
                          uint64_t results[2]) {
  uint64_t all[7];
  if (number >= COUNT)
    return ENOSYS;
  unsigned inputs = calls[number].inputs;
  memcpy(all, args, sizeof all);
  for (unsigned i = 0; i < calls[number].results; i++)
    all[inputs + i] = USER_RESULT(i);
  memcpy(t->raw_results, results, sizeof t->raw_results);
  t->raw = true;
  errno_t e = syscall_entry(t, calls[number].number, all);
  t->raw = false;
  if (e == 0)
    memcpy(results, t->raw_results, sizeof t->raw_results);
  return e;
}
