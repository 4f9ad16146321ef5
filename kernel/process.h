/*
 * Processes: an address space, a descriptor table and threads. The image starts one, and the
 * machine ends with it; others are made by fork.
 *
 * A process that was forked has a descriptor, an open file of its own: while anybody holds it, the
 * structure stays, so that the way the process ended can be asked for at any time. When nobody
 * does, a process that still runs is killed. Kernel lock.
 */
#ifndef KERNEL_PROCESS_H
#define KERNEL_PROCESS_H

#include "kernel/abi.h"
#include "kernel/aspace.h"
#include "kernel/fdtable.h"
#include "kernel/list.h"
#include "kernel/waitq.h"

#define PROCESSES_MAX 1024 /* alive, then ENFILE */

struct exec_image;

struct process {
  struct file descriptor; /* first: it is the open file; its references are those of descriptors */
  struct aspace *aspace;
  struct fdtable fds;
  struct list threads;
  struct list all_link; /* of those alive */
  struct thread *sole;  /* the others must end: an exec waits for it; NULL: none */
  struct waitq watchers;
  uint32_t number;     /* for messages; the first is 1 */
  uint8_t uuid[16];    /* AT_PID */
  uint64_t cpu_ns;     /* of threads that ended */
  bool retired_rights; /* its program is of the time of calls that were retired: what it gets has
                        * their rights, too (elf_era.h) */
  bool exiting;
  bool stopped;    /* by a signal: its threads return to user mode no more */
  bool ended;      /* no more than how it ended is left */
  bool watched;    /* somebody holds its descriptor */
  bool held;       /* by the fork that makes it: its thread must not run, not even to die */
  signal_t signal; /* 0: exited by itself */
  exitcode_t exitcode;
  struct file *program; /* what it runs, a reference; NULL: nothing yet */
  uintptr_t load_bias;
};

extern struct process *process_first; /* the image's program */

/* A process with nothing in it, not even an address space, and with a fresh UUID. ENOMEM; ENFILE:
 * there are too many. */
errno_t process_create(struct process **p);
/* Frees a process that never had a thread, or has none any more. Takes NULL. */
void process_destroy(struct process *p);
/* Gives p the image's address space and program, in the place of those that it has. */
void process_become(struct process *p, struct exec_image *image);
/* Marks every thread of p as dying and wakes them; the first status counts. Returns; the current
 * thread dies on its way to user mode. */
void process_kill(struct process *p, signal_t signal, exitcode_t exitcode);
/* Stops p for good: its threads go no further than to the edge of user mode. */
void process_stop(struct process *p);
/* thread.c: the last thread of p is gone. For the first process: ends the machine. */
void process_ended(struct process *p);
/* Memory is short, and it is the first process that needs some: kills the largest of the others,
 * whose pages are free at once. False: they have none. */
bool process_sacrifice(void);
uint64_t process_cpu_ns(struct process *p);
/* Those alive, and those of them that are about to end. */
size_t process_count(void);
size_t process_count_exiting(void);

/* kernel/fork.c, reference 8.1. A child of the current process, with one thread that will return
 * from the system call that the current thread is in, with the result 0. It does not run yet, not
 * even to die. EAGAIN, ENOMEM, ENFILE. */
errno_t process_fork(struct process **child);
/* The child's thread, before it runs. */
struct thread *process_fork_thread(struct process *child);
/* Lets the child run; its descriptor is now one of the parent's. EMFILE, ENOMEM: it is killed. */
errno_t process_fork_start(struct process *child, fd_t *fd);
/* Kills a child that was not started. */
void process_fork_abandon(struct process *child);

#endif
