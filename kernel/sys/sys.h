/*
 * The system calls: prototypes made from the one list. Each is implemented in the file of its
 * prefix: clock.c fd.c file.c lock.c mem.c poll.c proc.c random.c sock.c thread.c.
 *
 * Shape: check flags; get the object with the needed rights in one call; call its operation; store
 * the results; return an errno. Pointers are the program's: kernel/user.h alone touches them.
 * Outputs stay untouched on error. Called by dispatch.c, kernel lock held, may sleep.
 */
#ifndef KERNEL_SYS_SYS_H
#define KERNEL_SYS_SYS_H

#include "kernel/abi.h"

struct thread;

#define SYSCALL0(name, ...) errno_t sys_##name(struct thread *t);
#define SYSCALL1(name, t1, a1) errno_t sys_##name(struct thread *t, t1 a1);
#define SYSCALL2(name, t1, a1, t2, a2) errno_t sys_##name(struct thread *t, t1 a1, t2 a2);
#define SYSCALL3(name, t1, a1, t2, a2, t3, a3) \
  errno_t sys_##name(struct thread *t, t1 a1, t2 a2, t3 a3);
#define SYSCALL4(name, t1, a1, t2, a2, t3, a3, t4, a4) \
  errno_t sys_##name(struct thread *t, t1 a1, t2 a2, t3 a3, t4 a4);
#define SYSCALL5(name, t1, a1, t2, a2, t3, a3, t4, a4, t5, a5) \
  errno_t sys_##name(struct thread *t, t1 a1, t2 a2, t3 a3, t4 a4, t5 a5);
#define SYSCALL6(name, t1, a1, t2, a2, t3, a3, t4, a4, t5, a5, t6, a6) \
  errno_t sys_##name(struct thread *t, t1 a1, t2 a2, t3 a3, t4 a4, t5 a5, t6 a6);
#define SYSCALL7(name, t1, a1, t2, a2, t3, a3, t4, a4, t5, a5, t6, a6, t7, a7) \
  errno_t sys_##name(struct thread *t, t1 a1, t2 a2, t3 a3, t4 a4, t5 a5, t6 a6, t7 a7);
#include "abi/syscalls.def"

#endif
