/*
 * The head of an answer (answer.h), and the short texts that stand for a file when there
 * is none.
 */
#include "answer.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "date.h"

static const struct {
  int status;
  const char *reason;
} reasons[] = {
    {200, "OK"},
    {301, "Moved Permanently"},
    {304, "Not Modified"},
    {400, "Bad Request"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {503, "Service Unavailable"},
    {505, "HTTP Version Not Supported"},
};

static const char *reason_of(int status) {
  for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); ++i)
    if (reasons[i].status == status)
      return reasons[i].reason;
  return "Unknown";
}

/* Adds a line, or as much of it as there is room for. */
__attribute__((format(printf, 2, 3))) static void add(struct connection *c, const char *format,
                                                      ...) {
  size_t room = sizeof(c->header) - c->header_length;
  va_list arguments;

  va_start(arguments, format);
  int length = vsnprintf(c->header + c->header_length, room, format, arguments);
  va_end(arguments);
  if (length > 0)
    c->header_length += (size_t)length < room ? (size_t)length : room - 1;
}

static void add_date(struct connection *c, const char *name, time_t time) {
  char text[DATE_BYTES];

  date_format(text, time);
  add(c, "%s: %s\r\n", name, text);
}

/* The path back in the form that a header may carry. */
static void add_location(struct connection *c, const char *path) {
  add(c, "Location: ");
  for (; *path != '\0'; ++path) {
    bool plain = (*path >= 'a' && *path <= 'z') || (*path >= '0' && *path <= '9') ||
                 (*path >= 'A' && *path <= 'Z') || strchr("/-._~", *path) != NULL;
    if (c->header_length > sizeof(c->header) - 512)
      break;
    add(c, plain ? "%c" : "%%%02X", (unsigned char)*path);
  }
  add(c, "/\r\n");
}

/* An answer without a file: the status as a line of text. */
static void add_text(struct connection *c, bool head) {
  const char *reason = reason_of(c->status);

  if (c->status == 304) {
    add(c, "\r\n");
    return;
  }
  add(c, "Content-Type: text/plain; charset=utf-8\r\nContent-Length: %zu\r\n\r\n",
      strlen(reason) + 5);
  if (!head)
    add(c, "%d %s\n", c->status, reason);
}

static void add_file(struct connection *c, const struct file *file, bool head) {
  add(c, "Content-Type: %s\r\nContent-Length: %lld\r\n\r\n", file->type, (long long)file->size);
  if (head || file->size == 0) {
    close(file->fd);
    return;
  }
  c->file = file->fd;
  c->file_offset = 0;
  c->file_end = file->size;
}

void answer_begin(struct connection *c, const struct request *request, int root) {
  struct file file = {.fd = -1};
  bool found = false;

  c->status = request->status;
  if (c->status == 200) {
    c->status = file_open(root, request->path, &file);
    found = c->status == 200;
  }
  if (found && request->has_since && file.modified <= request->since)
    c->status = 304;
  c->answering = true;
  c->closing = !request->keep_alive;
  c->header_length = c->header_sent = 0;

  add(c, "HTTP/1.1 %d %s\r\n", c->status, reason_of(c->status));
  add_date(c, "Date", time(NULL));
  if (found)
    add_date(c, "Last-Modified", file.modified);
  if (c->status == 301)
    add_location(c, request->path);
  if (c->status == 405)
    add(c, "Allow: GET, HEAD\r\n");
  if (c->status == 503)
    add(c, "Retry-After: 1\r\n");
  add(c, "Connection: %s\r\n", c->closing ? "close" : "keep-alive");
  if (c->status == 200) {
    add_file(c, &file, request->head);
    return;
  }
  if (found)
    close(file.fd);
  add_text(c, request->head);
}
