/* One small static server for every guest: server MODE [ARGS]
 *   conn          accept, read one request, answer, close
 *   keep          epoll, keep-alive
 *   bulk BYTES    accept, read one request, send BYTES, close
 *   disk DIRECT   what files on /dev/vda cost, an ext4 file system (apps/bench/disk.c);
 *                 DIRECT 1: with O_DIRECT
 * Marker numbers: 1 first line of main, 2 listening, 3 one request done,
 * 4 bulk or blk begins, 5 bulk or blk done, 6 and 7 around a calibration loop.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <marker.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include "apps/bench/disk.h"

static uint64_t tsc(void) {
  uint32_t a, d;
  __asm__ volatile("rdtsc" : "=a"(a), "=d"(d));
  return (uint64_t)d << 32 | a;
}

static const char answer[] =
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
    "Content-Length: 13\r\n\r\nHello, world\n";
static char buf[65536];

static void die(const char *what) {
  printf("server: %s: %s\n", what, strerror(errno));
  fflush(stdout);
  _exit(1);
}

static int listen_on(int port) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
  int one = 1, s = socket(AF_INET, SOCK_STREAM, 0);
  if (s < 0)
    die("socket");
  setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(s, (struct sockaddr *)&a, sizeof a) < 0)
    die("bind");
  if (listen(s, 128) < 0)
    die("listen");
  MARK(2);
  printf("listening, tsc %llu\n", (unsigned long long)tsc());
  fflush(stdout);
  return s;
}

static void serve_conn(int s) {
  for (;;) {
    int c = accept(s, NULL, NULL);
    if (c < 0)
      die("accept");
    if (read(c, buf, sizeof buf) > 0 && write(c, answer, sizeof answer - 1) < 0)
      printf("write: %s\n", strerror(errno));
    close(c);
    MARK(3);
  }
}

static void serve_keep(int s) {
  int e = epoll_create1(0), one = 1;
  struct epoll_event ev = {.events = EPOLLIN, .data.fd = s}, got[64];
  if (e < 0)
    die("epoll_create1");
  if (epoll_ctl(e, EPOLL_CTL_ADD, s, &ev) < 0)
    die("epoll_ctl");
  for (;;) {
    int n = epoll_wait(e, got, 64, -1);
    for (int i = 0; i < n; i++) {
      int fd = got[i].data.fd;
      if (fd == s) {
        int c = accept(s, NULL, NULL);
        if (c < 0)
          continue;
        setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        ev.data.fd = c;
        epoll_ctl(e, EPOLL_CTL_ADD, c, &ev);
        continue;
      }
      if (read(fd, buf, sizeof buf) <= 0) {
        close(fd);
        continue;
      }
      if (write(fd, answer, sizeof answer - 1) < 0)
        printf("write: %s\n", strerror(errno));
      MARK(3);
    }
  }
}

static void serve_bulk(int s, uint64_t total) {
  for (;;) {
    int c = accept(s, NULL, NULL);
    if (c < 0)
      die("accept");
    if (read(c, buf, sizeof buf) <= 0) {
      close(c);
      continue;
    }
    MARK(4);
    for (uint64_t done = 0; done < total;) {
      uint64_t want = total - done < sizeof buf ? total - done : sizeof buf;
      ssize_t n = write(c, buf, want);
      if (n <= 0) {
        printf("write: %s\n", strerror(errno));
        break;
      }
      done += n;
    }
    shutdown(c, SHUT_WR);
    while (read(c, buf, sizeof buf) > 0)
      ;
    MARK(5);
    close(c);
  }
}

static void measure_disk(int direct) {
  if (mount("/dev/vda", "/data", "ext4", 0, NULL) < 0)
    die("mount");
  int dir = open("/data", O_RDONLY | O_DIRECTORY);
  if (dir < 0)
    die("/data");
  disk_measure(dir, direct ? O_DIRECT : 0);
  puts("measured");
  fflush(stdout);
}

int main(int argc, char **argv) {
  MARK(1);
  printf("main, tsc %llu\n", (unsigned long long)tsc());
  fflush(stdout);
  MARK(6); /* one million times two instructions */
  __asm__ volatile("mov $1000000,%%ecx\n1: dec %%ecx\njnz 1b" ::: "ecx");
  MARK(7);
  const char *mode = argc > 1 ? argv[1] : "keep";
  if (!strcmp(mode, "conn"))
    serve_conn(listen_on(8080));
  if (!strcmp(mode, "keep"))
    serve_keep(listen_on(8080));
  if (!strcmp(mode, "bulk"))
    serve_bulk(listen_on(8080), argc > 2 ? strtoull(argv[2], 0, 0) : 1 << 24);
  if (!strcmp(mode, "disk")) {
    measure_disk(argc > 2 && atoi(argv[2]));
    for (;;)
      pause();
  }
  return 2;
}
