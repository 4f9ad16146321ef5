/*
 * Random calls: arguments by their types, most of them plausible, some hostile.
 *
 * Left out are calls that end the program or the thread, and what could wait for ever: poll always
 * has a limit, and a condition variable is waited for with a lock that no other thread takes.
 */
#include "fuzz.h"

static const char *const left_out[] = {"proc_exit", "thread_exit", "thread_tcb_set"};

static const char *const paths[] = {
    "a.txt",   "sub",      "sub/b.txt", "link", "dirlink/b.txt", "nothing", ".",
    "..",      "/",        "loop",      "",     "sub/../a.txt",  "many/x",  "a.txt/",
    "../../x", "absolute", "void/new",  "sub/", "dangling",      "chain1"};

/* In the temporary directory: few, so that they meet. */
static const char *const tmp_paths[] = {"a",      "b",
                                        "c",      "d",
                                        "e",      "f",
                                        "a/a",    "a/b",
                                        "b/a",    "b/b/a",
                                        "c/d",    "a/",
                                        "b/",     "c/..",
                                        "a/..",   "b/.",
                                        "a/../b", "e/f",
                                        "d/e/",   "a/b/c/d",
                                        ".",      "a name that is longer than most of them"};

#define PICK(w, list) (list)[fuzz_below(w, sizeof(list) / sizeof((list)[0]))]

static bool one_in(struct fuzz_worker *w, unsigned n) {
  return fuzz_below(w, n) == 0;
}

static bool is(const char *a, const char *b) {
  return strcmp(a, b) == 0;
}

/* ---- Numbers --------------------------------------------------------------------------------- */

static uint64_t hostile_address(struct fuzz_worker *w) {
  static const uint64_t addresses[] = {0,
                                       1,
                                       8,
                                       0xfff,
                                       0x10000,
                                       0xffffffff80100000,
                                       0xffffffff80000000,
                                       0xffff800000000000,
                                       0xffff000000000000,
                                       0x0000800000000000,
                                       0x00007ffffffff000,
                                       0x00007fffffffffff,
                                       0x8000000000000000,
                                       UINT64_MAX,
                                       UINT64_MAX - 7,
                                       UINT64_MAX - 4095};
  switch (fuzz_below(w, 4)) {
    case 0: /* another worker's memory, that may go any moment */
      return (uint64_t)(uintptr_t)fuzz.worker[fuzz_below(w, fuzz.workers)].arena +
             fuzz_below(w, FUZZ_ARENA_PAGES * RAW_PAGE);
    case 1: /* across the end of memory */
      return (uint64_t)(uintptr_t)w->out + FUZZ_AREA_BYTES - fuzz_below(w, 64);
    default:
      return PICK(w, addresses);
  }
}

/* Of a buffer that has this room, or of one that can't be. */
static uint64_t length(struct fuzz_worker *w, uint64_t room) {
  static const uint64_t huge[] = {SIZE_MAX,   SIZE_MAX / 2,    SIZE_MAX / 2 + 1,
                                  1ull << 49, SIZE_MAX - 4095, 1ull << 60};
  if (one_in(w, 12))
    return PICK(w, huge);
  return fuzz_random(w) % (one_in(w, 2) ? 16 : room + 1);
}

static uint64_t bits(struct fuzz_worker *w, unsigned known) {
  return one_in(w, 6) ? fuzz_random(w) : fuzz_random(w) & known;
}

static cloudabi_rights_t some_rights(struct fuzz_worker *w) {
  switch (fuzz_below(w, 4)) {
    case 0:
      return 0x11ffff7ff;
    case 1:
      return 1ull << fuzz_below(w, 42);
    case 2:
      return (CLOUDABI_RIGHT_FD_READ | CLOUDABI_RIGHT_FD_SEEK) & fuzz_random(w);
    default:
      return fuzz_random(w) & fuzz_random(w) & 0x11ffff7ff;
  }
}

/* ---- Descriptors ----------------------------------------------------------------------------- */

static uint32_t some_fd(struct fuzz_worker *w, struct fuzz_call *c) {
  static const uint32_t closed[] = {60000, 65535, 65536, 0x7fffffff, 0x80000000, 0xffffffff};
  struct fuzz_fd *fd = &w->fds[fuzz_below(w, FUZZ_FDS)];
  unsigned tries = one_in(w, 3) ? 0 : 20;
  while (tries-- > 0 && !fuzz_fits(c, c->fds, fd))
    fd = &w->fds[fuzz_below(w, FUZZ_FDS)];
  if (!fd->open || one_in(w, 20))
    fd = NULL;
  c->fd[c->fds++] = fd;
  return fd != NULL ? fd->fd : PICK(w, closed);
}

/* ---- Structures, in the input area ----------------------------------------------------------- */

static void *room_for(struct fuzz_worker *w, size_t bytes, unsigned place) {
  char *p = w->in + place * 2048;
  memset(p, 0, bytes);
  return p;
}

static void some_iovec(struct fuzz_worker *w, struct cloudabi_iovec *iov, unsigned n) {
  for (unsigned i = 0; i < n; i++) {
    bool bad = one_in(w, 8);
    iov[i].buf = bad ? (void *)hostile_address(w) : w->out + 4096;
    iov[i].buf_len = one_in(w, 6) ? length(w, 64) : fuzz_below(w, 32);
  }
}

/* What goes to the console must be nothing, or no address. */
static void silence(struct fuzz_worker *w, struct cloudabi_iovec *iov, unsigned n) {
  for (unsigned i = 0; i < n; i++) {
    if (one_in(w, 4))
      iov[i].buf = (void *)0xffffffff80100000;
    else
      iov[i].buf_len = 0;
  }
}

static void some_subscription(struct fuzz_worker *w, struct cloudabi_subscription *s) {
  s->userdata = fuzz_random(w);
  s->type = one_in(w, 16) ? fuzz_random(w) : 1 + fuzz_below(w, 7);
  switch (s->type) {
    case CLOUDABI_EVENTTYPE_CLOCK:
      s->clock.clock_id = one_in(w, 4) ? fuzz_below(w, 8) : CLOUDABI_CLOCK_MONOTONIC;
      s->clock.timeout = one_in(w, 4) ? fuzz_random(w) : fuzz_below(w, 100000);
      s->clock.flags = bits(w, 1);
      break;
    case CLOUDABI_EVENTTYPE_CONDVAR:
      s->condvar.condvar = one_in(w, 4) ? (void *)hostile_address(w) : (void *)&PICK(w, fuzz.words);
      s->condvar.lock = one_in(w, 8) ? (void *)(hostile_address(w) | 1) : (void *)&w->own_lock;
      s->condvar.condvar_scope = one_in(w, 8) ? fuzz_random(w) : CLOUDABI_SCOPE_PRIVATE;
      s->condvar.lock_scope = one_in(w, 8) ? fuzz_random(w) : CLOUDABI_SCOPE_PRIVATE;
      w->own_lock = one_in(w, 8) ? 0 : w->thread.own | CLOUDABI_LOCK_WRLOCKED;
      break;
    case CLOUDABI_EVENTTYPE_LOCK_RDLOCK:
    case CLOUDABI_EVENTTYPE_LOCK_WRLOCK:
      s->lock.lock = one_in(w, 4) ? (void *)hostile_address(w) : (void *)&PICK(w, fuzz.words);
      s->lock.lock_scope = one_in(w, 8) ? fuzz_random(w) : CLOUDABI_SCOPE_PRIVATE;
      break;
    default: { /* no part of the model: the numbers are anybody's, and closed at any time */
      s->fd_readwrite.fd = one_in(w, 4) ? fuzz_random(w) : fuzz_below(w, 100);
      s->fd_readwrite.flags = bits(w, 1);
    }
  }
}

static void some_poll(struct fuzz_worker *w, struct fuzz_call *c) {
  struct cloudabi_subscription *subs = room_for(w, 12 * sizeof(*subs), 0);
  unsigned n = 1 + fuzz_below(w, 10);
  if (one_in(w, 2))
    n = 1;
  for (unsigned i = 0; i < n; i++)
    some_subscription(w, &subs[i]);
  subs[n] = raw_clock(fuzz_below(w, 300000), 0); /* the limit */
  c->args[0] = one_in(w, 20) ? 0xffffffff80100000 : (uintptr_t)subs;
  c->args[1] = one_in(w, 20) ? hostile_address(w) : (uintptr_t)w->out;
  c->args[2] = !one_in(w, 20) ? n + 1 : one_in(w, 2) ? 0 : SIZE_MAX >> fuzz_below(w, 48);
  c->args[3] = one_in(w, 20) ? hostile_address(w) : (uintptr_t)w->out + 2048;
}

/* Changes of a poll set, or what is none, and a limit for the wait. */
static void some_poll_fd(struct fuzz_worker *w, struct fuzz_call *c) {
  struct cloudabi_subscription *subs = room_for(w, 12 * sizeof(*subs), 0);
  unsigned n = fuzz_below(w, 4);
  c->args[0] = some_fd(w, c);
  for (unsigned i = 0; i < n; i++) {
    uint16_t change = bits(w, 0x3f);
    some_subscription(w, &subs[i]);
    memcpy((char *)&subs[i] + 8, &change, sizeof(change));
  }
  subs[n] = raw_clock(fuzz_below(w, 100000), 0);
  c->args[1] = one_in(w, 20) ? hostile_address(w) : (uintptr_t)subs;
  c->args[2] = n;
  c->args[3] = one_in(w, 20) ? hostile_address(w) : (uintptr_t)w->out;
  c->args[4] = one_in(w, 20) ? length(w, 100) : fuzz_below(w, 8);
  c->args[5] = (uintptr_t)&subs[n];
  c->args[6] = one_in(w, 20) ? hostile_address(w) : (uintptr_t)w->out + 2048;
}

static void idle(cloudabi_tid_t tid, void *arg) {
  struct fuzz_stack *stack = arg;
  uint32_t expected = 1;
  atomic_compare_exchange_strong(&stack->lock, &expected, tid | CLOUDABI_LOCK_WRLOCKED);
  if (tid % 3 == 0)
    cloudabi_sys_thread_yield();
  cloudabi_sys_thread_exit((cloudabi_lock_t *)&stack->lock, CLOUDABI_SCOPE_PRIVATE);
}

static void some_thread(struct fuzz_worker *w, struct fuzz_call *c) {
  struct cloudabi_threadattr *attr = room_for(w, sizeof(*attr), 0);
  struct fuzz_stack *stack = &PICK(w, w->stacks);
  bool usable = stack->lock == 0;
  *attr = (struct cloudabi_threadattr){idle, stack->low, 4096, stack};
  if (!usable || one_in(w, 4))
    attr->stack = (void *)0xffffffff80100000;
  else if (one_in(w, 4))
    attr->stack_len = one_in(w, 2) ? SIZE_MAX : fuzz_below(w, 100);
  else
    c->stack = stack;
  if (c->stack != NULL)
    stack->lock = 1;
  c->args[0] = one_in(w, 10) ? 0xffff800000000000 : (uintptr_t)attr;
  c->args[1] = one_in(w, 10) ? 0x800000000000 : (uintptr_t)w->out;
}

/* Mappings: of the worker's own arena, or of what can't be. */
static void some_mapping(struct fuzz_worker *w, struct fuzz_call *c) {
  static const uint64_t outside[] = {0xffffffff80100000, 0xffff800000000000, 1ull << 48,
                                     UINT64_MAX - 4095, 0};
  uint64_t page = fuzz_below(w, FUZZ_ARENA_PAGES), room = FUZZ_ARENA_PAGES - page;
  bool good = !one_in(w, 8);
  c->args[0] = good ? (uintptr_t)w->arena + page * RAW_PAGE : PICK(w, outside);
  c->args[1] =
      one_in(w, 12) ? length(w, 0) : (1 + fuzz_below(w, room)) * RAW_PAGE - fuzz_below(w, 2);
  if (c->call->count == 7) {
    bool anonymous = !one_in(w, 3);
    c->args[2] = bits(w, 7);
    c->args[3] = one_in(w, 8) ? fuzz_random(w) | CLOUDABI_MAP_FIXED
                              : CLOUDABI_MAP_FIXED | (anonymous ? CLOUDABI_MAP_ANON : 0) |
                                    (one_in(w, 2) ? CLOUDABI_MAP_PRIVATE : CLOUDABI_MAP_SHARED);
    c->args[4] = anonymous ? CLOUDABI_MAP_ANON_FD : some_fd(w, c);
    c->args[5] = anonymous ? 0 : one_in(w, 3) ? fuzz_random(w) : 0;
    c->args[6] = one_in(w, 20) ? hostile_address(w) : (uintptr_t)w->out;
  } else {
    c->args[2] = bits(w, 7);
  }
}

static uint64_t some_pointer(struct fuzz_worker *w, struct fuzz_call *c, const char *type,
                             unsigned i) {
  if (is(type, "const struct iovec *")) {
    struct cloudabi_iovec *iov = room_for(w, 8 * sizeof(*iov), i % 4);
    some_iovec(w, iov, 8);
    if (strstr(c->call->name, "write") != NULL && (c->fd[0] == NULL || !c->fd[0]->tmp))
      silence(w, iov, 8);
    return (uintptr_t)iov;
  }
  if (is(type, "const struct fdstat *")) {
    struct cloudabi_fdstat *st = room_for(w, sizeof(*st), i % 4);
    st->fs_flags = bits(w, 0x1f);
    st->fs_rights_base = some_rights(w);
    st->fs_rights_inheriting = one_in(w, 2) ? 0 : some_rights(w);
    c->request = st;
    return (uintptr_t)st;
  }
  if (is(type, "const struct send_in *")) {
    struct cloudabi_send_in *in = room_for(w, 1024, i % 4);
    struct cloudabi_iovec *iov = (void *)(in + 1);
    cloudabi_fd_t *fds = (void *)(iov + 8);
    some_iovec(w, iov, 8);
    if (c->fd[0] == NULL || !c->fd[0]->tmp)
      silence(w, iov, 8);
    for (unsigned i = 0; i < 8; i++) {
      const struct fuzz_fd *fd = &w->fds[fuzz_below(w, FUZZ_FDS)];
      fds[i] = fd->open && !one_in(w, 30) ? fd->fd : 60000;
    }
    *in = (struct cloudabi_send_in){iov, length(w, 8), fds, one_in(w, 2) ? 0 : length(w, 8),
                                    bits(w, 0)};
    return (uintptr_t)in;
  }
  if (is(type, "const struct recv_in *")) {
    struct cloudabi_recv_in *in = room_for(w, 1024, i % 4);
    struct cloudabi_iovec *iov = (void *)(in + 1);
    some_iovec(w, iov, 8);
    *in = (struct cloudabi_recv_in){iov, length(w, 8), (void *)w->out, length(w, 8), bits(w, 0x14)};
    return (uintptr_t)in;
  }
  if (is(type, "lock_t *") || is(type, "condvar_t *"))
    return (uintptr_t)&PICK(w, fuzz.words);
  if (is(type, "const struct filestat *")) {
    struct cloudabi_filestat *st = room_for(w, sizeof(*st), i % 4);
    st->st_size = one_in(w, 2) ? fuzz_below(w, 30000) : fuzz_random(w) >> fuzz_below(w, 64);
    st->st_atim = fuzz_random(w);
    return (uintptr_t)st;
  }
  return (uintptr_t)w->out + i * 1024 * 2;
}

static uint64_t some_type(struct fuzz_worker *w, const char *call) {
  if (one_in(w, 4))
    return fuzz_random(w);
  if (is(call, "fd_create1"))
    return one_in(w, 2) ? CLOUDABI_FILETYPE_SHARED_MEMORY : FUZZ_FILETYPE_POLL;
  if (is(call, "fd_create2"))
    return one_in(w, 2) ? CLOUDABI_FILETYPE_SOCKET_STREAM : CLOUDABI_FILETYPE_SOCKET_DGRAM;
  return CLOUDABI_FILETYPE_DIRECTORY;
}

static uint64_t some_argument(struct fuzz_worker *w, struct fuzz_call *c, unsigned i) {
  const char *type = c->call->type[i];
  if (is(type, "fd_t"))
    return some_fd(w, c) | (one_in(w, 8) ? 0xabcdef1200000000 : 0);
  if (is(type, "struct lookup"))
    return some_fd(w, c) | (one_in(w, 8) ? fuzz_random(w) << 32 : (uint64_t)fuzz_below(w, 2) << 32);
  if (is(type, "const char *") && !one_in(w, 10)) {
    const char *path = one_in(w, 2) ? PICK(w, paths) : PICK(w, tmp_paths);
    c->args[i + 1] = strlen(path);
    return (uintptr_t)path;
  }
  if (strchr(type, '*') != NULL)
    return one_in(w, 6) ? hostile_address(w) : some_pointer(w, c, type, i);
  if (is(type, "size_t"))
    return c->args[i] != 0 && !one_in(w, 10)
               ? c->args[i]
               : length(w, strstr(c->call->arg[i], "iovs") ? 8 : 1000);
  if (is(type, "clock_id_t")) /* the others may be answered in the program */
    return one_in(w, 2) ? CLOUDABI_CLOCK_PROCESS_CPUTIME_ID : CLOUDABI_CLOCK_THREAD_CPUTIME_ID;
  if (is(type, "signal_t"))
    return one_in(w, 2) ? CLOUDABI_SIGPIPE : 27 + fuzz_below(w, 200);
  if (is(type, "filesize_t") || is(type, "filedelta_t") || is(type, "dircookie_t"))
    return one_in(w, 3)   ? fuzz_random(w) * 0x9e3779b97f4a7c15
           : one_in(w, 3) ? fuzz_below(w, 100000)
                          : fuzz_below(w, 300);
  if (is(type, "filetype_t"))
    return some_type(w, c->call->name);
  if (is(type, "oflags_t"))
    return bits(w, 0xf);
  if (is(type, "fsflags_t"))
    return one_in(w, 4) ? CLOUDABI_FILESTAT_SIZE : bits(w, 0x1f);
  if (is(type, "scope_t"))
    return one_in(w, 6) ? fuzz_random(w) : CLOUDABI_SCOPE_PRIVATE;
  return bits(w, 7);
}

/* An opening that may well succeed: in the temporary directory, with all rights that there are. */
static void some_open(struct fuzz_worker *w, struct fuzz_call *c) {
  static const cloudabi_oflags_t flags[] = {0,
                                            CLOUDABI_O_CREAT,
                                            CLOUDABI_O_CREAT,
                                            CLOUDABI_O_CREAT | CLOUDABI_O_EXCL,
                                            CLOUDABI_O_CREAT | CLOUDABI_O_TRUNC,
                                            CLOUDABI_O_TRUNC,
                                            CLOUDABI_O_DIRECTORY};
  const cloudabi_rights_t writing = CLOUDABI_RIGHT_FD_DATASYNC | CLOUDABI_RIGHT_FD_WRITE |
                                    CLOUDABI_RIGHT_FILE_ALLOCATE |
                                    CLOUDABI_RIGHT_FILE_STAT_FPUT_SIZE;
  struct cloudabi_fdstat *st = room_for(w, sizeof(*st), 0);
  struct fuzz_fd *dir = &w->fds[fuzz_below(w, FUZZ_FDS)];
  for (unsigned i = 0;
       i < 20 && !(dir->open && dir->tmp && dir->type == CLOUDABI_FILETYPE_DIRECTORY); i++)
    dir = &w->fds[fuzz_below(w, FUZZ_FDS)];
  const char *path = PICK(w, tmp_paths);
  c->fd[c->fds++] = dir->open ? dir : NULL;
  c->args[0] = dir->open ? dir->fd : 60000;
  c->args[1] = (uintptr_t)path;
  c->args[2] = strlen(path);
  c->args[3] = PICK(w, flags);
  st->fs_rights_base = st->fs_rights_inheriting = dir->inheriting;
  if (c->args[3] == CLOUDABI_O_DIRECTORY)
    st->fs_rights_base &= ~writing;
  st->fs_flags = one_in(w, 3) ? CLOUDABI_FDFLAG_APPEND : 0;
  c->request = st;
  c->args[4] = (uintptr_t)st;
  c->args[5] = (uintptr_t)w->out;
}

/* Not where another worker could lose the answer: who am I? */
static void some_fork(struct fuzz_worker *w, struct fuzz_call *c) {
  c->args[0] = one_in(w, 8) ? 0xffffffff80100000 : (uintptr_t)w->out;
  c->args[1] = one_in(w, 8) ? 0xffffffff80100000 : (uintptr_t)w->out + 8;
}

static bool usable(struct fuzz_worker *w, const struct table_call *call) {
  if (is(call->name, "proc_fork") && (w->left > 0 || !one_in(w, 40)))
    return false; /* it takes long */
  for (size_t i = 0; i < sizeof(left_out) / sizeof(left_out[0]); i++) {
    if (is(call->name, left_out[i]))
      return false;
  }
  return true;
}

void fuzz_generate(struct fuzz_worker *w, struct fuzz_call *c) {
  memset(c, 0, sizeof(*c));
  do
    c->call = &table[fuzz_below(w, table_count)];
  while (!usable(w, c->call));
  if (is(c->call->name, "poll")) {
    some_poll(w, c);
  } else if (is(c->call->name, "proc_fork")) {
    some_fork(w, c);
  } else if (is(c->call->name, "poll_fd")) {
    some_poll_fd(w, c);
  } else if (is(c->call->name, "thread_create")) {
    some_thread(w, c);
  } else if (is(c->call->name, "file_open") && one_in(w, 2)) {
    some_open(w, c);
  } else if (strncmp(c->call->name, "mem_", 4) == 0) {
    some_mapping(w, c);
  } else {
    for (unsigned i = 0; i < c->call->count; i++)
      c->args[i] = some_argument(w, c, i);
  }
}
