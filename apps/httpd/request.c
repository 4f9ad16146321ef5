/*
 * The head of an HTTP/1.x request (RFC 9112), as far as a server of files needs it.
 */
#define _GNU_SOURCE /* strlcpy */
#include "request.h"

#include <string.h>
#include <strings.h>

#include "date.h"

size_t request_head_length(const char *text, size_t length) {
  const char *from = text, *end = text + length;

  for (const char *line; (line = memchr(from, '\n', end - from)) != NULL; from = line + 1) {
    size_t used = line - from;
    bool blank = used == 0 || (used == 1 && from[0] == '\r');
    if (blank && from != text)
      return line + 1 - text;
  }
  return 0;
}

static int hex_digit(char c) {
  if (c >= '0' && c <= '9')
    return c - '0';
  c |= 0x20;
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Undoes %xx up to a query. False for a malformed escape, a NUL, or too long a path. */
static bool decode_path(char *to, const char *from) {
  char *end = to + PATH_BYTES - 1;

  for (; *from != '\0' && *from != '?' && *from != '#'; ++from) {
    int c = (unsigned char)*from;
    if (c == '%') {
      int high = hex_digit(from[1]);
      int low = high < 0 ? -1 : hex_digit(from[2]);
      c = high * 16 + low;
      if (low < 0 || c == 0)
        return false;
      from += 2;
    }
    if (to == end)
      return false;
    *to++ = (char)c;
  }
  *to = '\0';
  return true;
}

/* The path in a target: itself, or what follows the host of http://host/path. */
static const char *target_path(const char *target) {
  if (strncasecmp(target, "http://", 7) != 0)
    return target;
  const char *path = strchr(target + 7, '/');
  return path == NULL ? "/" : path;
}

/* METHOD TARGET HTTP/1.x; returns the status to go on with. */
static int parse_line(struct request *request, char *line) {
  char *target = strchr(line, ' ');
  char *version = target == NULL ? NULL : strchr(target + 1, ' ');

  if (version == NULL)
    return 400;
  *target++ = '\0';
  *version++ = '\0';
  strlcpy(request->method, line, sizeof(request->method));
  if (strncmp(version, "HTTP/1.", 7) != 0 || version[7] < '0' || version[7] > '9')
    return strncmp(version, "HTTP/", 5) == 0 ? 505 : 400;
  request->keep_alive = version[7] != '0';
  const char *path = target_path(target);
  if (path[0] != '/' || !decode_path(request->path, path)) {
    request->path[0] = '\0';
    return 400;
  }
  request->head = strcmp(line, "HEAD") == 0;
  return request->head || strcmp(line, "GET") == 0 ? 200 : 405;
}

struct headers {
  bool host;
  bool body;
};

static void parse_header(struct request *request, struct headers *seen, const char *name,
                         const char *value) {
  if (strcasecmp(name, "Host") == 0) {
    seen->host = true;
  } else if (strcasecmp(name, "Connection") == 0) {
    if (strcasecmp(value, "close") == 0)
      request->keep_alive = false;
    else if (strcasecmp(value, "keep-alive") == 0)
      request->keep_alive = true;
  } else if (strcasecmp(name, "If-Modified-Since") == 0) {
    request->has_since = date_parse(value, &request->since);
  } else if (strcasecmp(name, "Content-Length") == 0) {
    seen->body |= strcmp(value, "0") != 0;
  } else if (strcasecmp(name, "Transfer-Encoding") == 0) {
    seen->body = true;
  }
}

/* The value without blanks around it. */
static char *trim(char *value) {
  value += strspn(value, " \t");
  size_t length = strlen(value);
  while (length > 0 && (value[length - 1] == ' ' || value[length - 1] == '\t'))
    --length;
  value[length] = '\0';
  return value;
}

/* Cuts the line at its end, and returns where the next begins. */
static char *cut_line(char *line, char *end) {
  char *newline = memchr(line, '\n', end - line);

  if (newline == NULL)
    return end;
  *newline = '\0';
  if (newline > line && newline[-1] == '\r')
    newline[-1] = '\0';
  return newline + 1;
}

void request_parse(struct request *request, char *head, size_t length) {
  struct headers seen = {0};
  char *end = head + length;
  bool http10;

  memset(request, 0, offsetof(struct request, path) + 1);
  if (memchr(head, '\0', length) != NULL) {
    request->status = 400;
    return;
  }
  char *line = cut_line(head, end);
  request->status = parse_line(request, head);
  http10 = !request->keep_alive;
  while (line < end) {
    char *next = cut_line(line, end);
    char *colon = strchr(line, ':');
    if (colon != NULL) {
      *colon = '\0';
      parse_header(request, &seen, line, trim(colon + 1));
    } else if (*line != '\0') {
      request->status = 400;
    }
    line = next;
  }
  if (request->status == 200 && !http10 && !seen.host)
    request->status = 400;
  /* A body that nobody reads would be taken for the next request. */
  if (seen.body || request->status == 400 || request->status == 505)
    request->keep_alive = false;
}
