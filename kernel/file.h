/*
 * Open file descriptions: what a descriptor refers to, whatever lies behind it.
 *
 * kernel/sys sees files, sockets, the console and processes through these operations
 * alone. An object embeds struct file as its first member. All calls hold the kernel
 * lock and may sleep, except where noted. Flags have been checked, the descriptor looked up and its
 * rights compared before an operation runs.
 */
#ifndef KERNEL_FILE_H
#define KERNEL_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "kernel/abi.h"
#include "kernel/uio.h"
#include "kernel/waitq.h"

struct file;
struct memobj;
struct vnode;

/* The answer of a poll operation; reference section 5. */
struct poll_state {
  bool ready;
  errno_t error;
  eventrwflags_t flags;
  union {
    filesize_t nbytes;
    struct { /* of a process that ended */
      signal_t signal;
      exitcode_t exitcode;
    };
  };
};

/* A descriptor in flight, and one element of an fd table. */
struct fd_entry {
  struct file *file; /* a reference is held; NULL: free */
  rights_t base, inheriting;
};

/* Descriptors that travel together, in one block from kmalloc. */
struct fd_bundle {
  struct fd_bundle *next; /* for whoever keeps several */
  size_t len;
  struct fd_entry entries[];
};

/* sock_recv and sock_send; reference 7.1, 7.2. */
struct sockmsg {
  struct uio *uio;
  uint16_t flags; /* riflags or siflags */
  roflags_t out_flags;
  struct fd_bundle *fds; /* NULL: none. To send: who takes it over leaves NULL; received: the
                          * caller's, perhaps more than it has room for */
  size_t fds_max;        /* the receiver's room; 0: what comes along is dropped unseen */
};

/* NULL stands for ENOTSUP unless noted. */
struct file_ops {
  /* The last reference went. Does not sleep. */
  void (*close)(struct file *f);
  /* All references that are left are in flight (in_flight). Does not sleep. NULL: never mind. */
  void (*stranded)(struct file *f);

  /* Streams define read and write, which honour f->flags & FDFLAG_NONBLOCK (EAGAIN) and move as
   * much as the reference says; 0 bytes is end of file. Seekable objects define pread and pwrite:
   * fd_read then uses and advances f->offset, FDFLAG_APPEND included. */
  errno_t (*read)(struct file *f, struct uio *uio);
  errno_t (*write)(struct file *f, struct uio *uio);
  errno_t (*pread)(struct file *f, struct uio *uio, filesize_t offset);
  errno_t (*pwrite)(struct file *f, struct uio *uio, filesize_t offset, bool append,
                    filesize_t *end);

  /* Fills all but what it does not know (zeroed). NULL: only st_filetype is filled. */
  errno_t (*stat)(struct file *f, struct filestat *st);
  errno_t (*set_stat)(struct file *f, const struct filestat *st, fsflags_t flags);
  errno_t (*sync)(struct file *f, bool data_only);
  errno_t (*allocate)(struct file *f, filesize_t offset, filesize_t len);
  /* How [offset, offset + len) will be used; len 0: to the end. NULL: that makes no difference. */
  void (*advise)(struct file *f, filesize_t offset, filesize_t len, advice_t advice);

  /* Tells the state for EVENTTYPE_FD_READ or _WRITE, or _PROC_TERMINATE of a process; ends with
   * waitq_leave() of w on the queue whose wake may change it, unless it never changes. Does not
   * sleep. NULL: always ready. */
  void (*poll)(struct file *f, eventtype_t type, struct poll_state *st, struct waiter *w);

  errno_t (*recv)(struct file *f, struct sockmsg *msg);
  errno_t (*send)(struct file *f, struct sockmsg *msg);
  errno_t (*shutdown)(struct file *f, sdflags_t how);
  errno_t (*accept)(struct file *f, struct file **conn); /* a new reference */
  /* What sock_stat_get tells, into zeroes; reference 9.2. NULL: neither names nor state. */
  errno_t (*sockstat)(struct file *f, struct sockstat *st, ssflags_t flags);

  /* For mem_map: the pages of the file; a new reference. NULL: ENODEV. */
  errno_t (*memobj)(struct file *f, struct memobj **obj);

  /* For file_* calls on a directory, and proc_exec: the node behind it. NULL: none. */
  struct vnode *(*vnode)(struct file *f);
};

struct file {
  const struct file_ops *ops;
  uint32_t refs;
  uint32_t in_flight; /* of them, held by messages that nobody has received yet */
  filetype_t type;
  fdflags_t flags;
  filesize_t offset;
};

/* refs = 1, offset 0. */
void file_init(struct file *f, const struct file_ops *ops, filetype_t type, fdflags_t flags);

static inline struct file *file_ref(struct file *f) {
  f->refs++;
  return f;
}

void file_unref(struct file *f);

/* Drops the references of a bundle, and the block. Takes NULL. */
void fd_bundle_free(struct fd_bundle *b);

#endif
