/*
 * Processes: an address space, a descriptor table and threads. The image starts one, and the
 * machine ends with it.
 */
#ifndef KERNEL_PROCESS_H
#define KERNEL_PROCESS_H

#include "kernel/abi.h"
#include "kernel/aspace.h"
#include "kernel/fdtable.h"
#include "kernel/list.h"
#include "kernel/waitq.h"

struct process {
  struct aspace *aspace;
  struct fdtable fds;
  struct list threads;
  uint8_t uuid[16];    /* AT_PID */
  uint64_t cpu_ns;     /* of threads that ended */
  bool retired_rights; /* its program is of the time of calls that were retired: what it gets has
                        * their rights, too (elf_era.h) */
  bool exiting;
  bool stopped;    /* by a signal: its threads return to user mode no more */
  signal_t signal; /* 0: exited by itself */
  exitcode_t exitcode;
  const void *program; /* its ELF file in memory, for symbols; NULL: none */
  size_t program_bytes;
  uintptr_t load_bias;
};

extern struct process *process_first; /* the image's program */

/* An empty process, with a fresh UUID. ENOMEM. */
errno_t process_create(struct process **p);
/* Frees a process without threads: its descriptors and its memory. Takes NULL. */
void process_destroy(struct process *p);
/* Marks every thread of p as dying and wakes them; the status counts if it is the first. Returns;
 * the current thread dies on its way to user mode. */
void process_kill(struct process *p, signal_t signal, exitcode_t exitcode);
/* thread.c: the last thread of p is gone. For the first process: ends the machine. */
void process_ended(struct process *p);
uint64_t process_cpu_ns(struct process *p);

/* kernel/exec.c: loads an ELF file that lies in memory (page aligned if it is to be mapped in
 * place), argdata, stack, auxv, TCB and vDSO into p, and creates its first thread, not yet ready.
 * ENOEXEC with `why`; ENOMEM. Reference section 1. */
errno_t exec_load(struct process *p, const void *elf, size_t elf_bytes, const void *argdata,
                  size_t argdata_bytes, struct thread **thread, const char **why);

#endif
