/*
 * Local sockets to their limits, from inside: {out: fd}. Everything runs out with an error, nothing
 * is lost afterwards. Run in a small machine, and against a kernel that checks itself.
 */
#include <program.h>

#include "ipc.h"

#define FDS_MAX 65536
#define PAIRS 400
#define MESSAGE_FDS 500

static char data[65536];
static cloudabi_fd_t many[MESSAGE_FDS];
static struct pair pairs[PAIRS];

static bool no_memory(cloudabi_errno_t e) {
  return e == CLOUDABI_ENOMEM || e == CLOUDABI_ENOBUFS || e == CLOUDABI_ENFILE;
}

static void close_all(cloudabi_fd_t first) {
  for (cloudabi_fd_t fd = first; fd < FDS_MAX; fd++)
    cloudabi_sys_fd_close(fd);
}

/* The lowest number that is free. */
static cloudabi_fd_t lowest(void) {
  cloudabi_fd_t fd = RAW_BAD_FD;
  cloudabi_sys_fd_dup(check_fd, &fd);
  cloudabi_sys_fd_close(fd);
  return fd;
}

/* ---- Numbers --------------------------------------------------------------------------------- */

static unsigned open_pairs(cloudabi_filetype_t type, cloudabi_errno_t *e) {
  struct pair p;
  unsigned count = 0;
  while ((*e = cloudabi_sys_fd_create2(type, &p.a, &p.b)) == 0)
    count++;
  return count;
}

static void check_numbers(void) {
  cloudabi_fd_t first = lowest();
  cloudabi_errno_t e;
  unsigned count = open_pairs(STREAM, &e);
  check_err("fd_create2", "one pair too many", e, CLOUDABI_EMFILE);
  check_eq("fd_create2", "pairs in all", count, (FDS_MAX - first) / 2);
  cloudabi_sys_fd_close(FDS_MAX - 1);
  check_err("fd_create2", "room for one number alone",
            cloudabi_sys_fd_create2(STREAM, &pairs[0].a, &pairs[0].b), CLOUDABI_EMFILE);
  check("fd_create2", "then neither stays", lowest() == FDS_MAX - 1);
  close_all(first);
  check_eq("fd_create2", "as many again, of another type", open_pairs(DGRAM, &e), count);
  close_all(first);
}

/* ---- Buffers --------------------------------------------------------------------------------- */

/* Sends as much as goes; returns how much, and the last error but EAGAIN. */
static uint64_t fill_all(cloudabi_errno_t *last) {
  uint64_t total = 0;
  *last = 0;
  for (unsigned i = 0; i < 2 * PAIRS; i++) {
    cloudabi_fd_t fd = i % 2 ? pairs[i / 2].b : pairs[i / 2].a;
    cloudabi_errno_t e;
    size_t n = 0;
    ipc_flags(fd, CLOUDABI_FDFLAG_NONBLOCK);
    while ((e = ipc_send(fd, data, i % 3 ? 4000 : 60000, NULL, 0, &n)) == 0)
      total += n;
    if (e != CLOUDABI_EAGAIN)
      *last = e;
  }
  return total;
}

static void open_some(cloudabi_filetype_t type) {
  for (unsigned i = 0; i < PAIRS; i++)
    pairs[i] = ipc_pair(type);
}

static void close_some(void) {
  for (unsigned i = 0; i < PAIRS; i++)
    ipc_close(pairs[i]);
}

static void check_buffers(cloudabi_filetype_t type, const char *name) {
  cloudabi_errno_t e;
  char what[80];
  size_t n = 0;
  open_some(type);
  uint64_t total = fill_all(&e);
  snprintf(what, sizeof(what), "%s: all buffers together are bounded", name);
  check_err("sock_send", what, e, CLOUDABI_ENOBUFS);
  void *mem = raw_memory(1 << 20);
  snprintf(what, sizeof(what), "%s: there is memory left for the program", name);
  check("mem_map", what, mem != NULL);
  memset(mem, 1, 1 << 20);
  cloudabi_sys_mem_unmap(mem, 1 << 20);
  snprintf(what, sizeof(what), "%s: what was sent can be read", name);
  check("sock_recv", what, raw_read(pairs[0].b, data, sizeof(data), &n) == 0 && n > 0);
  close_some();
  open_some(type);
  uint64_t again = fill_all(&e);
  snprintf(what, sizeof(what), "%s: as much again after all were closed", name);
  check("sock_send", what, again > total / 100 * 95);
  close_some();
}

/* ---- In flight ------------------------------------------------------------------------------- */

/* As many as all sockets together hold. */
static uint64_t send_many(cloudabi_errno_t *last) {
  uint64_t total = 0;
  *last = 0;
  for (unsigned i = 0; i < PAIRS && *last == 0; i++) {
    cloudabi_errno_t e = 0;
    size_t n;
    ipc_flags(pairs[i].a, CLOUDABI_FDFLAG_NONBLOCK);
    while (e == 0) {
      e = ipc_send(pairs[i].a, "x", 1, many, MESSAGE_FDS, &n);
      total += e == 0 ? MESSAGE_FDS : 0;
    }
    if (e != CLOUDABI_EAGAIN)
      *last = e;
  }
  return total;
}

static void check_flight(void) {
  cloudabi_errno_t e;
  size_t n;
  for (unsigned i = 0; i < MESSAGE_FDS; i++)
    many[i] = check_fd;
  open_some(STREAM);
  uint64_t total = send_many(&e);
  check("sock_send", "descriptors in flight are bounded", no_memory(e));
  check("sock_send", "at least as many as a process may have", total > FDS_MAX);
  check_err("sock_send", "data go without them", ipc_send(pairs[PAIRS - 1].a, "x", 1, NULL, 0, &n),
            0);
  close_some();
  open_some(DGRAM);
  check_eq("sock_send", "as many again after all were closed", send_many(&e), total);
  close_some();
}

/* Each in the next one's queue, until something runs out. */
static unsigned nest(cloudabi_fd_t *outermost, cloudabi_errno_t *e) {
  unsigned depth = 0;
  size_t n;
  struct pair p;
  cloudabi_sys_fd_dup(check_fd, outermost);
  for (;; depth++) {
    *e = cloudabi_sys_fd_create2(STREAM, &p.a, &p.b);
    if (*e != 0)
      return depth;
    *e = ipc_send(p.a, "x", 1, outermost, 1, &n);
    if (*e != 0) {
      ipc_close(p);
      return depth;
    }
    cloudabi_sys_fd_close(p.a);
    cloudabi_sys_fd_close(*outermost);
    *outermost = p.b;
  }
}

static void check_nesting(void) {
  cloudabi_fd_t outermost;
  cloudabi_errno_t e;
  unsigned depth = nest(&outermost, &e);
  check("sock_send", "sockets in each other's queues are bounded", no_memory(e));
  check("sock_send", "there are at least 10000", depth > 10000);
  check_err("fd_close", "the outermost", cloudabi_sys_fd_close(outermost), 0);
  unsigned again = nest(&outermost, &e);
  check("sock_send", "as many again", again + 100 >= depth && again <= depth + 100);
  cloudabi_sys_fd_close(outermost);
}

/* Rings that nobody can receive, made for ever: they must be found, or memory would end. */
static void check_lost_rings(void) {
  cloudabi_errno_t e = 0;
  unsigned made = 0;
  size_t n;
  for (; e == 0 && made < 300000; made++) {
    struct pair p;
    e = cloudabi_sys_fd_create2(made % 2 ? STREAM : DGRAM, &p.a, &p.b);
    if (e != 0)
      break;
    e = ipc_send(p.b, data, 100, &p.a, 1, &n);
    ipc_close(p);
  }
  check_err("sock_send", "300000 sockets over themselves", e, 0);
  check_eq("sock_send", "300000 sockets over themselves: all were made", made, 300000);
}

void program_main(const argdata_t *ad) {
  check_begin(ad);
  memset(data, 1, sizeof(data));
  memset(pairs, 0, sizeof(pairs));
  check_numbers();
  check_buffers(STREAM, "stream");
  check_buffers(DGRAM, "dgram");
  check_flight();
  check_nesting();
  check_lost_rings();
  check_end();
}
