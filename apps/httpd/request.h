/*
 * Understanding the head of an HTTP request: text in, facts out, nothing else touched.
 */
#ifndef HTTPD_REQUEST_H
#define HTTPD_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

enum { PATH_BYTES = 1024 };

struct request {
  int status;      /* 200, or the error that answers the request */
  bool head;       /* HEAD: the answer has no body */
  bool keep_alive; /* the connection may serve another request */
  bool has_since;
  time_t since;          /* If-Modified-Since */
  char method[8];        /* for the log; cut if it is longer */
  char path[PATH_BYTES]; /* decoded, begins with '/', without the query */
};

/* The length of the head at the start of the text, its blank line included; 0 if it is not
 * all there yet. */
size_t request_head_length(const char *text, size_t length);

/* Reads a complete head. Changes the text. */
void request_parse(struct request *request, char *head, size_t length);

#endif
