/*
 * The server that the measurements use. Its argument data is a map:
 *
 *   mode      conn: accept, read one request, answer, close
 *             keep: poll, many requests on a connection (the default)
 *             idle: accept, read one request, answer, and leave the connection open
 *             bulk: accept, read one request, send `bytes` bytes, close
 *   listener  the socket
 *             disk: what files cost (disk.c), in the directory `data`
 *   log       where it says what it does
 *   bytes     for bulk (default 16 MiB)
 *
 * Markers that the counting emulator sees: 1 first line of the program, 2 serving, 3 one
 * request done, 4 bulk begins, 5 bulk done, 6 and 7 around the calibration loop.
 */
#include <argdata.h>
#include <errno.h>
#include <marker.h>
#include <poll.h>
#include <program.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "disk.h"

enum { FDS_MAX = 1024 };

static const char answer[] =
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
    "Content-Length: 13\r\n\r\nHello, world\n";
static char buf[65536];

static struct {
  const char *mode;
  int listener;
  int log;
  int data;
  uint64_t bytes;
} options = {.mode = "keep", .listener = -1, .log = -1, .data = -1, .bytes = 1 << 24};

static void say(const char *what) {
  dprintf(options.log, "%s\n", what);
}

static _Noreturn void die(const char *what) {
  dprintf(options.log, "bench: %s: %s\n", what, strerror(errno));
  exit(1);
}

static void answer_to(int fd) {
  if (write(fd, answer, sizeof(answer) - 1) < 0)
    say("bench: an answer was not sent");
}

static _Noreturn void serve_conn(int listener, bool closing) {
  for (;;) {
    int fd = accept(listener, NULL, NULL);
    if (fd < 0)
      die("accept");
    if (read(fd, buf, sizeof(buf)) > 0)
      answer_to(fd);
    if (closing)
      close(fd);
    MARK(3);
  }
}

static _Noreturn void serve_keep(int listener) {
  static struct pollfd fds[FDS_MAX];
  int count = 1;

  fds[0] = (struct pollfd){.fd = listener, .events = POLLIN};
  for (;;) {
    if (poll(fds, count, -1) < 0)
      die("poll");
    for (int i = count - 1; i > 0; --i) {
      if (fds[i].revents == 0)
        continue;
      if (read(fds[i].fd, buf, sizeof(buf)) <= 0) {
        close(fds[i].fd);
        fds[i] = fds[--count];
        continue;
      }
      answer_to(fds[i].fd);
      MARK(3);
    }
    if (fds[0].revents == 0)
      continue;
    int fd = accept(listener, NULL, NULL);
    if (fd >= 0 && count == FDS_MAX)
      close(fd);
    else if (fd >= 0)
      fds[count++] = (struct pollfd){.fd = fd, .events = POLLIN};
  }
}

static void send_bulk(int fd) {
  for (uint64_t left = options.bytes; left > 0;) {
    ssize_t n = write(fd, buf, left < sizeof(buf) ? left : sizeof(buf));
    if (n <= 0) {
      say("bench: the bytes were not sent");
      return;
    }
    left -= n;
  }
}

static _Noreturn void serve_bulk(int listener) {
  for (;;) {
    int fd = accept(listener, NULL, NULL);
    if (fd < 0)
      die("accept");
    if (read(fd, buf, sizeof(buf)) > 0) {
      MARK(4);
      send_bulk(fd);
      shutdown(fd, SHUT_WR);
      while (read(fd, buf, sizeof(buf)) > 0)
        ;
      MARK(5);
    }
    close(fd);
  }
}

static void read_option(const char *key, const argdata_t *value) {
  if (strcmp(key, "mode") == 0)
    argdata_get_str_c(value, &options.mode);
  else if (strcmp(key, "listener") == 0)
    argdata_get_fd(value, &options.listener);
  else if (strcmp(key, "log") == 0)
    argdata_get_fd(value, &options.log);
  else if (strcmp(key, "data") == 0)
    argdata_get_fd(value, &options.data);
  else if (strcmp(key, "bytes") == 0)
    argdata_get_int(value, &options.bytes);
}

static void read_options(const argdata_t *ad) {
  argdata_map_iterator_t it;
  const argdata_t *key, *value;

  argdata_map_iterate(ad, &it);
  while (argdata_map_get(&it, &key, &value)) {
    const char *name;
    if (argdata_get_str_c(key, &name) == 0)
      read_option(name, value);
    argdata_map_next(&it);
  }
}

void program_main(const argdata_t *ad) {
  MARK(1);
  read_options(ad);
  say("main");
  MARK(6);
  CALIBRATE();
  MARK(7);
  if (strcmp(options.mode, "disk") == 0) {
    disk_measure(options.data, 0);
    say("measured");
    exit(0);
  }
  MARK(2);
  say("listening");
  if (strcmp(options.mode, "conn") == 0)
    serve_conn(options.listener, true);
  if (strcmp(options.mode, "idle") == 0)
    serve_conn(options.listener, false);
  if (strcmp(options.mode, "keep") == 0)
    serve_keep(options.listener);
  if (strcmp(options.mode, "bulk") == 0)
    serve_bulk(options.listener);
  say("bench: no such mode");
  exit(2);
}
