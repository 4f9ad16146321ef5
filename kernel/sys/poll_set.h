/*
 * Poll sets: descriptors of type POLL, which remember what their program waits for (up to v0.15;
 * reference 9.2). Made by fd_create1, used by poll_fd.
 *
 * A set belongs to the process that made it: its members are numbers of that process's table, and
 * leave it when the number is closed. So it is never sent, inherited or kept by an exec (sock.c,
 * fdtable.c). All calls hold the kernel lock.
 */
#ifndef KERNEL_SYS_POLL_SET_H
#define KERNEL_SYS_POLL_SET_H

#include <stddef.h>
#include <stdint.h>

#include "kernel/abi.h"

struct fdtable;
struct file;

/* An empty set for one of the table's descriptors. ENOMEM. */
errno_t poll_set_create(struct fdtable *fds, struct file **set);

/* Does what a subscription's flags say. EINVAL: flags or type; EBADF, ENOTCAPABLE: its descriptor;
 * ENOENT: it is not in the set and is not to be added; ENOTSUP: such a clock; ENOMEM: no memory, or
 * POLL_SET_MAX members. */
errno_t poll_set_change(struct file *set, const struct subscription *s);
#define POLL_SET_MAX 65536

/* How many members have to be asked: `*left` of poll_set_collect() at first. */
size_t poll_set_pending(struct file *set);
/* Asks up to *left members, and counts them off, until it has `max` events; returns how many. */
size_t poll_set_collect(struct file *set, size_t *left, struct event *events, size_t max);

/* Sleeps until there is a member to be asked. Errors as waitq_sleep(). */
errno_t poll_set_wait(struct file *set, uint64_t deadline_ns);

#endif
