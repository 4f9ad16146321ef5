/*
 * One connection: from the bytes of a request to the bytes of the answer, without ever
 * blocking. It belongs to one worker.
 */
#ifndef HTTPD_CONNECTION_H
#define HTTPD_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
  REQUEST_BYTES = 4096, /* the longest head of a request */
  HEADER_BYTES = 1536,  /* the longest head of an answer; the path of a redirection fits */
};

struct connection {
  int fd;
  int64_t deadline_ms; /* it is closed when nothing happened by then */
  size_t received;     /* bytes of requests in `request` */

  bool answering;
  bool closing;  /* after this answer */
  bool draining; /* answered and ended; only waits for the client to end as well */
  int status;    /* of this answer, for the log */
  size_t header_length, header_sent;
  int file; /* −1 without a body from a file */
  off_t file_offset, file_end;

  char request[REQUEST_BYTES];
  char header[HEADER_BYTES];
};

/* What the connection is waiting for. */
enum wish { WANTS_READ, WANTS_WRITE, WANTS_CLOSE };

/* NULL if there is no memory; the descriptor, non-blocking, is then still the caller's. */
struct connection *connection_new(int fd, int64_t now_ms);

/* Does all that can be done now; the files are those below root. */
enum wish connection_run(struct connection *connection, int root, int64_t now_ms);

/* Closes and frees it. */
void connection_free(struct connection *connection);

#endif
