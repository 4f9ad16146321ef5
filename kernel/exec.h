/*
 * Loading a program: from an executable file to an address space that it can start in.
 *
 * Kernel lock; may sleep where the file does. Reference sections 1.1 to 1.4.
 */
#ifndef KERNEL_EXEC_H
#define KERNEL_EXEC_H

#include "arch/arch.h"
#include "kernel/uio.h"

struct aspace;
struct file;

/* A loaded program, of no process yet. */
struct exec_image {
  struct aspace *aspace;
  struct file *program; /* a reference, for symbols */
  uintptr_t load_bias;
  struct arch_user_start start; /* of the first thread */
};

/* Makes an address space with the program's segments, argument data (all of `argdata`), stack,
 * auxiliary vector, TCB and vDSO. `tid` is the number of the thread that will run it. `retired`,
 * if it is not NULL, is told whether the program expects the rights of retired calls (elf_era.h),
 * for which most of the file is read. EACCES: it is
 * no regular file; ENOEXEC: no program for this machine (`why` for a person if it is not NULL; it
 * stays valid until the next call); ENOMEM; EFAULT: argdata; EIO. */
errno_t exec_load(struct file *program, struct uio *argdata, const uint8_t uuid[16], tid_t tid,
                  struct exec_image *image, bool *retired, const char **why);
/* Frees an image that no process took over (process_become()). */
void exec_image_destroy(struct exec_image *image);

#endif
