/*
 * One connection (connection.h).
 *
 * It alternates between collecting the head of a request and sending the answer. What of a
 * file did not fit into the socket is read again later, so no file's bytes are kept.
 */
#include "connection.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "answer.h"
#include "log.h"

enum {
  CHUNK_BYTES = 16384,
  IDLE_MS = 15000,    /* between requests, and for the head of one */
  SENDING_MS = 30000, /* without progress */
  DRAINING_MS = 2000,
};

struct connection *connection_new(int fd, int64_t now_ms) {
  struct connection *c = malloc(sizeof(*c));

  if (c == NULL)
    return NULL;
  memset(c, 0, offsetof(struct connection, request));
  c->fd = fd;
  c->file = -1;
  c->deadline_ms = now_ms + IDLE_MS;
  return c;
}

void connection_free(struct connection *c) {
  if (c->file >= 0)
    close(c->file);
  close(c->fd);
  free(c);
}

/* Takes the next request out of what was received; false if it is not all there. */
static bool next_request(struct connection *c, int root) {
  struct request request;
  size_t length = request_head_length(c->request, c->received);

  if (length == 0 && c->received < sizeof(c->request))
    return false;
  if (length == 0) {
    request = (struct request){.status = 431};
    length = c->received;
  } else {
    request_parse(&request, c->request, length);
  }
  answer_begin(c, &request, root);
  log_line("%d %s %s", c->status, request.method, request.path);
  c->received -= length;
  memmove(c->request, c->request + length, c->received);
  return true;
}

enum progress { MOVED, BLOCKED, BROKEN };

/* The result of a read or write that did not do what was hoped for. */
static enum progress trouble(ssize_t result) {
  return result < 0 && (errno == EAGAIN || errno == EINTR) ? BLOCKED : BROKEN;
}

static enum progress receive(struct connection *c) {
  ssize_t n = read(c->fd, c->request + c->received, sizeof(c->request) - c->received);

  if (n <= 0)
    return trouble(n);
  c->received += n;
  return MOVED;
}

/* The next piece of the file; 0 bytes when it is shorter than it was. */
static ssize_t next_chunk(struct connection *c, char chunk[static CHUNK_BYTES]) {
  off_t left = c->file < 0 ? 0 : c->file_end - c->file_offset;
  size_t want = left < CHUNK_BYTES ? left : CHUNK_BYTES;

  return want == 0 ? 0 : pread(c->file, chunk, want, c->file_offset);
}

static bool answer_is_sent(const struct connection *c) {
  return c->header_sent == c->header_length && (c->file < 0 || c->file_offset == c->file_end);
}

static enum progress send_some(struct connection *c) {
  char chunk[CHUNK_BYTES];
  ssize_t length = next_chunk(c, chunk);

  if (length < 0 || (length == 0 && c->file >= 0))
    return BROKEN;
  size_t header_left = c->header_length - c->header_sent;
  struct iovec parts[2] = {
      {.iov_base = c->header + c->header_sent, .iov_len = header_left},
      {.iov_base = chunk, .iov_len = length},
  };
  ssize_t n =
      header_left > 0 ? writev(c->fd, parts, length > 0 ? 2 : 1) : write(c->fd, chunk, length);
  if (n <= 0)
    return trouble(n);
  size_t of_header = (size_t)n < header_left ? (size_t)n : header_left;
  c->header_sent += of_header;
  c->file_offset += n - of_header;
  return MOVED;
}

static void answer_end(struct connection *c) {
  if (c->file >= 0)
    close(c->file);
  c->file = -1;
  c->answering = false;
}

/* Sends as much of the answer as the socket takes. */
static enum progress send_answer(struct connection *c, int64_t now_ms) {
  while (!answer_is_sent(c)) {
    enum progress progress = send_some(c);
    if (progress != MOVED)
      return progress;
    c->deadline_ms = now_ms + SENDING_MS;
  }
  answer_end(c);
  c->deadline_ms = now_ms + IDLE_MS;
  return MOVED;
}

/*
 * After an error the client may still be sending: closing at once would reset the
 * connection and could take the answer with it. So the end is said, and the rest is read
 * and thrown away for a while.
 */
static enum wish finish(struct connection *c, int64_t now_ms) {
  if (c->status < 400 || c->draining || shutdown(c->fd, SHUT_WR) != 0)
    return WANTS_CLOSE;
  c->draining = true;
  c->deadline_ms = now_ms + DRAINING_MS;
  return WANTS_READ;
}

enum wish connection_run(struct connection *c, int root, int64_t now_ms) {
  if (c->draining)
    c->received = 0;
  if (!c->answering) {
    enum progress progress = receive(c);
    if (progress != MOVED || c->draining)
      return progress == BROKEN ? WANTS_CLOSE : WANTS_READ;
  }
  while (c->answering || next_request(c, root)) {
    enum progress progress = send_answer(c, now_ms);
    if (progress == BLOCKED)
      return WANTS_WRITE;
    if (progress == BROKEN)
      return WANTS_CLOSE;
    if (c->closing)
      return finish(c, now_ms);
  }
  return WANTS_READ;
}
