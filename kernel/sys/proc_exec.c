/*
 * proc_exec: another program in the place of the one that calls. Reference section 8.2.
 *
 * The new address space and the new descriptor table are complete before anything of the old
 * program is touched; after that, only the process's death can come between.
 */
#include "kernel/exec.h"
#include "kernel/process.h"
#include "kernel/sys/sys.h"
#include "kernel/thread.h"
#include "kernel/user.h"

#define ARGDATA_BYTES_MAX (1ul << 20) /* then E2BIG */
#define BATCH 64                      /* descriptor numbers read at once */

/* The table that the new program finds: exactly the descriptors listed, in order. */
static errno_t select_fds(struct fdtable *to, struct fdtable *from, const fd_t *list, size_t n) {
  fd_t batch[BATCH];
  errno_t e = 0;
  for (size_t at = 0; e == 0 && at < n; at += BATCH) {
    size_t some = n - at < BATCH ? n - at : BATCH;
    uintptr_t place = (uintptr_t)list + at * sizeof batch[0];
    e = user_copy_in(batch, (const void *)place, some * sizeof batch[0]);
    for (size_t i = 0; e == 0 && i < some; i++)
      e = fd_copy(to, from, batch[i]);
  }
  return e;
}

/* The file that is to be executed: not through a descriptor that can write to it, as little as in
 * the reference kernel; cloudlibc tells its callers so by this error. */
static errno_t get_program(struct fdtable *fds, fd_t fd, struct file **program) {
  struct fd_entry *entry;
  errno_t e = fd_get(fds, fd, RIGHT_PROC_EXEC, program);
  if (e != 0)
    return e;
  e = fd_lookup(fds, fd, &entry);
  if (e == 0 && (entry->base & RIGHT_FD_WRITE) != 0)
    e = EBADF;
  if (e != 0)
    file_unref(*program);
  return e;
}

/* All that may fail. On success `image`, `retired` and `fds` are the caller's. */
static errno_t prepare(struct thread *t, fd_t fd, struct uio *argdata, const fd_t *list, size_t n,
                       struct exec_image *image, bool *retired, struct fdtable *fds) {
  struct process *p = t->process;
  struct file *program;
  errno_t e = get_program(&p->fds, fd, &program);
  if (e != 0)
    return e;
  fdtable_init(fds);
  if (argdata->resid > ARGDATA_BYTES_MAX || n > FD_MAX)
    e = E2BIG;
  if (e == 0)
    e = select_fds(fds, &p->fds, list, n);
  if (e == 0)
    e = exec_load(program, argdata, p->uuid, t->tid, image, retired, NULL);
  file_unref(program);
  if (e != 0)
    fdtable_destroy(fds);
  return e;
}

errno_t sys_proc_exec(struct thread *t, fd_t fd, const void *data, size_t data_len, const fd_t *fds,
                      size_t fds_len) {
  struct process *p = t->process;
  struct exec_image image;
  struct fdtable table;
  struct uio argdata;
  bool retired;
  uio_init_user_buffer(&argdata, (void *)(uintptr_t)data, data_len);
  errno_t e = prepare(t, fd, &argdata, fds, fds_len, &image, &retired, &table);
  if (e != 0)
    return e;
  e = thread_end_others();
  if (e != 0) { /* killed meanwhile */
    exec_image_destroy(&image);
    fdtable_destroy(&table);
    return e;
  }
  process_become(p, &image);
  p->retired_rights = retired;
  fdtable_destroy(&p->fds);
  p->fds = table;
  t->raw = false;          /* whatever the call was that does not return */
  thread_return_to_user(); /* what every way out of the kernel does */
  arch_user_enter(&image.start);
}
