/*
 * Descriptors in flight: sent and not yet received.
 *
 * Their number is bounded. A socket that is in flight and referred to by nothing else, over a chain
 * of other such sockets or in a ring, can never be received again: such sockets are found and
 * released. That happens before the return to user mode, or a little later if there are many in
 * flight and few changes.
 *
 * Kernel lock; nothing here sleeps.
 */
#ifndef IPC_FLIGHT_H
#define IPC_FLIGHT_H

#include "kernel/file.h"

#define FLIGHT_MAX 131072 /* descriptors in flight in the whole machine */

/* The bundle goes into a channel. ENFILE: too many. */
errno_t flight_enter(struct fd_bundle *b);
/* The bundle came out of a channel; its references are the caller's. */
void flight_leave(struct fd_bundle *b);
/* The same where nobody will have them, for a bundle or a list of them: they are dropped. Closing
 * one may drop the next ones, to any depth, without recursion. */
void flight_drop(struct fd_bundle *b);
void flight_drop_all(struct fd_bundle *list);

/* A socket's references are all in flight now: look for what can't be received any more. */
void flight_stranded(struct file *f);
/* Does so at once; called where the caller has no pointers to sockets that it doesn't hold. */
void flight_collect(void);

size_t flight_count(void);

#endif
