/*
 * Local sockets and FIFOs: what kernel/sys makes them by. What can be done with them afterwards is
 * told by struct file_ops. Kernel lock. Reference section 7, and 9.2 for what was retired.
 */
#ifndef IPC_IPC_H
#define IPC_IPC_H

#include <stdbool.h>

#include "kernel/abi.h"

struct file;
struct vnode;

/* ---- Sockets (socket.c, local.c). Types: stream, datagram, or, retired, seqpacket. ----------- */

/* Two sockets connected to each other. ENOMEM. */
errno_t ipc_pair(filetype_t type, struct file *ends[2]);
/* An unconnected one. ENOMEM. */
errno_t ipc_socket(filetype_t type, struct file **f);

/* Whether the file is a local socket: what the following calls take. */
bool ipc_is_socket(const struct file *f);
/* 0 if the socket may be bound; EINVAL: it has a name. */
errno_t ipc_can_bind(struct file *f);
/* Binds it to the new node of its type; takes a reference. ENOTSUP: the file system can't. */
errno_t ipc_bind(struct file *f, struct vnode *node);
/* Lets it take connections, up to so many that wait; again to change their number. ENOTSUP:
 * datagram sockets don't; EINVAL: it is connected; EDESTADDRREQ: it has no name. */
errno_t ipc_listen(struct file *f, backlog_t backlog);
/* Connects to the socket that is bound to the node; sets where datagrams go. EISCONN; ENOTSUP: it
 * listens itself; ENOTSOCK; ECONNREFUSED; EPROTOTYPE; ENOMEM; ENFILE. */
errno_t ipc_connect(struct file *f, struct vnode *node);

/* ---- FIFOs (fifo.c) -------------------------------------------------------------------------- */

#define FIFO_ATOMIC_BYTES 512u /* a write of up to so many is never mixed with another */

/* A FIFO without a name: its read end, its write end. ENOMEM. */
errno_t ipc_fifo(struct file *ends[2]);
/* Opens the FIFO that the node stands for, by POSIX's rules: one direction waits for somebody at
 * the other end, unless `flags` have NONBLOCK; then writing without a reader is ENXIO. ENOMEM;
 * ENOTSUP: the file system can't; ECANCELED. */
errno_t ipc_fifo_open(struct vnode *node, fdflags_t flags, bool read, bool write, struct file **f);

#endif
