/*
 * Channels: one direction of a local socket or a FIFO. Bytes, or messages with their borders, and
 * descriptors that travel with them, wait here from the write until the read.
 *
 * A channel lies in what owns it, and holds memory only for what waits in it: in chunks of up to a
 * page, CHANNEL_BYTES at most and never more than a share of the machine's memory in all channels.
 *
 * Kernel lock. Reading and writing may sleep: for the other side, and while the program's memory is
 * brought in. During a copy the channel is marked (`reading`, `writing`) and new bytes are in no
 * queue yet, so that whatever happens meanwhile, the end of the other side included, finds it
 * whole. The caller holds what the channel lies in.
 */
#ifndef IPC_CHANNEL_H
#define IPC_CHANNEL_H

#include "kernel/file.h"
#include "kernel/page.h"

#define CHANNEL_BYTES 65536u     /* that wait in one channel; and the longest message */
#define CHANNEL_FDS 1000u        /* descriptors that wait in one channel */
#define CHANNEL_MESSAGE_COST 64u /* of CHANNEL_BYTES for each message beside its bytes */
#define CHANNEL_MEMORY_SHARE 4   /* all channels hold at most this part of all memory */

struct chunk;

struct channel {
  struct chunk *head, *tail; /* what waits; NULL: nothing */
  uint32_t bytes;            /* of it */
  uint32_t used;             /* of CHANNEL_BYTES */
  uint16_t fds;              /* descriptors that wait */
  bool messages;             /* a read takes one message as it was sent */
  bool no_reader, no_writer; /* nobody will read, or write, any more */
  bool reading, writing;     /* somebody is in the midst of it */
  struct waitq readers, writers;
};

void channel_init(struct channel *c, bool messages);

/* ---- channel.c: ends. None of them sleeps. --------------------------------------------------- */

/* Nobody will read: what waits is dropped, and whoever writes is told (EPIPE). Doing it twice is
 * harmless. Frees all memory; whoever sleeps at the channel is taken off it. */
void channel_end_reading(struct channel *c);
/* Nobody will write: who reads gets what waits, then the end. */
void channel_end_writing(struct channel *c);
/* Drops what waits, or lets the one who is reading drop it. */
void channel_discard(struct channel *c);

/* The descriptors that wait behind those at `*at` (NULL: the first of all); NULL: no more. */
struct fd_bundle *channel_next_fds(const struct channel *c, const struct chunk **at);
/* Puts all of them on a list, by `next`; they count as in flight until flight_drop_all(). */
void channel_take_fds(struct channel *c, struct fd_bundle **list);

/* ---- channel_read.c -------------------------------------------------------------------------- */

/* sock_recv. A stream gives what there is, up to the border of a message that came with descriptors
 * (SOCK_RECV_WAITALL: waits until the buffer is full, or for such a border); a channel of messages
 * gives one, cut if need be. msg->fds becomes what came along, unless this is a peek. 0 bytes: the
 * end. EAGAIN; EFAULT, and then nothing is lost; ECANCELED. */
errno_t channel_read(struct channel *c, struct sockmsg *msg, bool nonblock);
/* What poll tells to a reader. */
void channel_poll_read(const struct channel *c, struct poll_state *st);

/* ---- channel_write.c ------------------------------------------------------------------------- */

/* Into a stream: all of it, or as much as there is room for if nonblock; up to `atomic` bytes all
 * or none. No other write comes between the parts of one. EPIPE; EAGAIN; ENOBUFS: no memory;
 * ENFILE: too many descriptors are in flight; EFAULT; EINVAL: descriptors without a byte;
 * ECANCELED. These are told if nothing was written. */
errno_t channel_write(struct channel *c, struct sockmsg *msg, bool nonblock, size_t atomic);

/* A message for a channel of messages, copied from the program: made first, since that may sleep.
 * EMSGSIZE; EFAULT; ENOBUFS. */
errno_t channel_message_create(struct uio *uio, struct chunk **message);
void channel_message_free(struct chunk *message); /* takes NULL */
/* Puts it in, with *fds (may be NULL), and takes both over; never sleeps. EPIPE; EAGAIN: there is
 * no room yet; ENFILE. */
errno_t channel_message_put(struct channel *c, struct chunk *message, struct fd_bundle **fds);
/* Whether a message of so many bytes and descriptors has room now. */
bool channel_message_fits(const struct channel *c, size_t bytes, size_t fds);

/* What poll tells to a writer: ready when a write of `least` bytes would not wait. */
void channel_poll_write(const struct channel *c, size_t least, struct poll_state *st);

/* Whether a write fails at once. */
static inline bool channel_closed(const struct channel *c) {
  return c->no_reader || c->no_writer;
}

static inline size_t channel_room(const struct channel *c) {
  return c->used < CHANNEL_BYTES ? CHANNEL_BYTES - c->used : 0;
}

/* ---- Among the channel_*.c ------------------------------------------------------------------- */

struct chunk {
  struct chunk *next;
  struct fd_bundle *fds;     /* that come with its first byte */
  uint32_t message_bytes;    /* of the message that begins here */
  uint16_t start, end, size; /* data[start] to data[end] wait; data[size] is the end of the room */
  bool first, last;          /* of a message: no read goes across its borders */
  _Alignas(8) char data[];
};
_Static_assert(sizeof(struct chunk) == offsetof(struct chunk, data), "it is cleared as a whole");

#define CHUNK_DATA_MAX (PAGE_SIZE - sizeof(struct chunk))

/* An empty chunk; NULL: no memory, or the channels' share is used up. */
struct chunk *chunk_create(size_t size);
void chunk_free(struct chunk *k);
/* Removes the first chunk, whose descriptors have been taken. */
void chunk_pop(struct channel *c);
/* Appends a chunk, or a message of several. */
void chunk_push(struct channel *c, struct chunk *k);

#endif
