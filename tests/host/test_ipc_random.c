// sources: ipc/channel.c ipc/channel_read.c ipc/channel_write.c ipc/socket.c ipc/local.c ipc/flight.c
// sources: kernel/thread.c kernel/waitq.c kernel/timer.c kernel/bh.c kernel/lock_object.c
// sources: kernel/file.c kernel/uio.c
/*
 * Random work on a dozen pairs of all types, beside a simple model of them: every byte, border and
 * descriptor of every queue, and which sockets somebody can still get at. Seeds by hand:
 * build/host/tests/test_ipc_random FIRST COUNT.
 */
#include "tests/host/ipc_fixture.h"

#define SOCKETS 24
#define FILES 4
#define THINGS (SOCKETS + FILES) /* what can be sent */
#define OPERATIONS 1500
#define FDS_MAX 3

struct message {
  struct message *next;
  size_t len, fds_len;
  unsigned things[FDS_MAX]; /* emptied with the first byte */
  unsigned id;              /* 0: plain bytes of a stream, which merge */
  uint8_t *bytes;
  size_t at; /* bytes read of it */
};

struct model {
  struct file *f; /* NULL: the test does not hold it */
  filetype_t type;
  bool dead, rd_shut, wr_shut;
  struct message *head, **tail;
  size_t used, fds;
  bool marked;
};

static struct model sockets[SOCKETS]; /* 2i and 2i + 1 are a pair */
static struct file *files[FILES];
static unsigned next_id;
static uint8_t buffer[CHANNEL_BYTES + 100];

static bool is_stream(const struct model *m) {
  return m->type == FILETYPE_SOCKET_STREAM;
}

static struct model *peer_of(struct model *m) {
  return &sockets[(size_t)(m - sockets) ^ 1];
}

static struct file *thing(unsigned i) {
  return i < SOCKETS ? sockets[i].f : files[i - SOCKETS];
}

/* ---- The model ------------------------------------------------------------------------------- */

static void clear(struct model *m) {
  while (m->head != NULL) {
    struct message *msg = m->head;
    m->head = msg->next;
    free(msg->bytes);
    free(msg);
  }
  m->tail = &m->head;
  m->used = m->fds = 0;
}

static void mark(struct model *m) {
  if (m->marked)
    return;
  m->marked = true;
  for (const struct message *msg = m->head; msg != NULL; msg = msg->next) {
    for (size_t i = 0; i < msg->fds_len; i++) {
      if (msg->things[i] < SOCKETS)
        mark(&sockets[msg->things[i]]);
    }
  }
}

/* Buries those that nobody can get at. Returns how many descriptors are in flight. */
static size_t bury(void) {
  size_t in_flight = 0;
  for (struct model *m = sockets; m < sockets + SOCKETS; m++)
    m->marked = false;
  for (struct model *m = sockets; m < sockets + SOCKETS; m++) {
    if (m->f != NULL)
      mark(m);
  }
  for (struct model *m = sockets; m < sockets + SOCKETS; m++) {
    if (!m->marked && !m->dead) {
      m->dead = true;
      clear(m);
    }
    in_flight += m->fds;
  }
  return in_flight;
}

static void pop(struct model *m) {
  struct message *msg = m->head;
  m->head = msg->next;
  if (m->head == NULL)
    m->tail = &m->head;
  free(msg->bytes);
  free(msg);
}

static void push(struct model *m, const uint8_t *bytes, size_t len, const unsigned *things,
                 size_t n) {
  struct message *msg = calloc(1, sizeof *msg);
  msg->bytes = malloc(len + 1);
  memcpy(msg->bytes, bytes, len);
  msg->len = len;
  msg->fds_len = n;
  memcpy(msg->things, things, n * sizeof *things);
  msg->id = n > 0 || !is_stream(m) ? ++next_id : 0;
  *m->tail = msg;
  m->tail = &msg->next;
  m->used += len + (is_stream(m) ? 0 : CHANNEL_MESSAGE_COST);
  m->fds += n;
}

/* ---- Sending --------------------------------------------------------------------------------- */

static errno_t expect_send(struct model *to, size_t len, size_t fds, size_t *sent) {
  *sent = len;
  if (!is_stream(to) && len > CHANNEL_BYTES)
    return peer_of(to)->wr_shut ? EPIPE : EMSGSIZE;
  if (is_stream(to) && len == 0 && fds > 0 && !peer_of(to)->wr_shut)
    return EINVAL;
  if (to->dead || to->rd_shut || peer_of(to)->wr_shut)
    return EPIPE;
  if (is_stream(to)) {
    size_t room = CHANNEL_BYTES - to->used;
    if (len > 0 && room == 0)
      return EAGAIN;
    *sent = len < room ? len : room;
    return 0;
  }
  bool fits = to->head == NULL || to->used + len + CHANNEL_MESSAGE_COST <= CHANNEL_BYTES;
  return fits ? 0 : EAGAIN;
}

static size_t some_size(void) {
  switch (fake_random(12)) {
    case 0:
      return 0;
    case 1:
      return fake_random(CHANNEL_BYTES + 50);
    case 2:
    case 3:
      return fake_random(6000);
    default:
      return fake_random(300);
  }
}

static void do_send(struct model *m) {
  unsigned things[FDS_MAX];
  struct file *list[FDS_MAX];
  size_t n = 0, len = some_size(), sent = 0, expected;
  for (size_t tries = fake_random(3) == 0 ? fake_random(FDS_MAX + 1) : 0; tries > 0; tries--) {
    unsigned t = fake_random(THINGS);
    if (thing(t) == NULL)
      continue;
    things[n] = t;
    list[n++] = thing(t);
  }
  for (size_t i = 0; i < len; i++)
    buffer[i] = (uint8_t)fake_random_state + (uint8_t)(i * 13);
  errno_t e = expect_send(peer_of(m), len, n, &expected);
  CHECK(ipc_send(m->f, buffer, len, list, n, &sent) == e);
  if (e != 0 || (is_stream(m) && len == 0))
    return;
  CHECK(sent == expected);
  push(peer_of(m), buffer, sent, things, n);
}

/* ---- Receiving ------------------------------------------------------------------------------- */

/* The model's bytes of one read; consumes them unless it is a peek. Who takes no descriptors reads
 * on behind them. */
static size_t model_read(struct model *m, size_t most, bool peek, bool takes, uint8_t *out,
                         size_t *fds, unsigned *things) {
  size_t n = 0;
  unsigned id = m->head->id;
  struct message *msg = m->head;
  *fds = 0;
  while (msg != NULL && n < most && (msg->id == id || (msg->id == 0 && !takes))) {
    size_t part = msg->len - msg->at < most - n ? msg->len - msg->at : most - n;
    memcpy(out + n, msg->bytes + msg->at, part);
    n += part;
    struct message *next = msg->next;
    if (!peek) {
      if (msg->fds_len > 0) {
        *fds = msg->fds_len;
        memcpy(things, msg->things, sizeof msg->things);
        m->fds -= msg->fds_len;
        msg->fds_len = 0;
      }
      msg->at += part;
      m->used -= part;
      if (msg->at == msg->len)
        pop(m);
    }
    msg = next;
  }
  return n;
}

static size_t model_datagram(struct model *m, size_t most, bool peek, uint8_t *out, size_t *fds,
                             unsigned *things) {
  struct message *msg = m->head;
  size_t n = msg->len < most ? msg->len : most;
  memcpy(out, msg->bytes, n);
  *fds = 0;
  if (peek)
    return n;
  *fds = msg->fds_len;
  memcpy(things, msg->things, sizeof msg->things);
  m->fds -= msg->fds_len;
  m->used -= msg->len + CHANNEL_MESSAGE_COST;
  pop(m);
  return n;
}

/* Received descriptors are the right ones; sockets among them are the test's again. */
static void take(const struct fd_bundle *b, size_t n, const unsigned *things) {
  CHECK((b != NULL ? b->len : 0) == n);
  for (size_t i = 0; i < n; i++) {
    struct file *f = b->entries[i].file;
    if (things[i] >= SOCKETS)
      CHECK(f == files[things[i] - SOCKETS]);
    else if (sockets[things[i]].f != NULL)
      CHECK(f == sockets[things[i]].f);
    else
      sockets[things[i]].f = file_ref(f);
  }
}

static void do_recv(struct model *m) {
  static uint8_t expected[CHANNEL_BYTES + 100];
  struct ipc_received r = {0};
  unsigned things[FDS_MAX];
  size_t most = some_size(), fds, fds_max = fake_random(2) * 10;
  bool peek = fake_random(4) == 0, all = fake_random(4) == 0;
  bool nothing = m->head == NULL;
  bool end = m->rd_shut || peer_of(m)->dead || peer_of(m)->wr_shut;
  errno_t e = ipc_recv(m->f, buffer, most,
                       (peek ? SOCK_RECV_PEEK : 0) | (all ? SOCK_RECV_WAITALL : 0), fds_max, &r);
  if (is_stream(m) && most == 0) {
    CHECK(e == 0 && r.n == 0 && r.fds == NULL);
    return;
  }
  if (nothing) {
    CHECK(end ? e == 0 && r.n == 0 && r.fds == NULL : e == EAGAIN);
    return;
  }
  size_t len = m->head->len;
  size_t n = is_stream(m) ? model_read(m, most, peek, fds_max > 0, expected, &fds, things)
                          : model_datagram(m, most, peek, expected, &fds, things);
  CHECK(e == 0 && r.n == n && memcmp(buffer, expected, n) == 0);
  CHECK(r.flags == (!is_stream(m) && len > most ? SOCK_RECV_DATA_TRUNCATED : 0));
  take(r.fds, fds_max > 0 ? fds : 0, things);
  fd_bundle_free(r.fds);
}

/* ---- Ends ------------------------------------------------------------------------------------ */

static void do_shutdown(struct model *m) {
  sdflags_t how = (sdflags_t)(1 + fake_random(3));
  CHECK(m->f->ops->shutdown(m->f, how) == 0);
  if (how & SHUT_WR)
    m->wr_shut = true;
  if (how & SHUT_RD) {
    m->rd_shut = true;
    clear(m);
  }
}

static void do_open(size_t pair) {
  static const filetype_t types[] = {FILETYPE_SOCKET_STREAM, FILETYPE_SOCKET_STREAM,
                                     FILETYPE_SOCKET_DGRAM, FILETYPE_SOCKET_SEQPACKET};
  struct model *m = &sockets[pair * 2];
  struct file *pair_files[2];
  if (!m[0].dead || !m[1].dead)
    return;
  filetype_t type = types[fake_random(4)];
  CHECK(ipc_pair(type, pair_files) == 0);
  for (int i = 0; i < 2; i++) {
    pair_files[i]->flags = FDFLAG_NONBLOCK;
    m[i] = (struct model){.f = pair_files[i], .type = type};
    m[i].tail = &m[i].head;
  }
}

static void do_close(struct model *m) {
  struct file *f = m->f;
  m->f = NULL;
  file_unref(f);
}

static void check_poll(struct model *m) {
  struct poll_state st = ipc_poll(m->f, EVENTTYPE_FD_READ);
  bool end = peer_of(m)->dead || peer_of(m)->wr_shut;
  CHECK(st.ready == (m->head != NULL || end || m->rd_shut));
  CHECK(st.flags == (end ? EVENT_FD_READWRITE_HANGUP : 0));
  CHECK(st.nbytes == (is_stream(m) ? m->used : m->head != NULL ? m->head->len : 0));
  st = ipc_poll(m->f, EVENTTYPE_FD_WRITE);
  end = peer_of(m)->dead || peer_of(m)->rd_shut || m->wr_shut;
  size_t smallest = is_stream(m) ? 1 : CHANNEL_MESSAGE_COST + 1;
  CHECK(st.ready == (end || peer_of(m)->used + smallest <= CHANNEL_BYTES));
  CHECK(st.flags == (end ? EVENT_FD_READWRITE_HANGUP : 0));
}

static void operation(void) {
  struct model *m = &sockets[fake_random(SOCKETS)];
  if (fake_random(20) == 0)
    do_open(fake_random(SOCKETS / 2));
  if (m->f == NULL)
    return;
  check_poll(m);
  switch (fake_random(16)) {
    case 0:
      do_close(m);
      break;
    case 1:
      if (fake_random(4) == 0)
        do_shutdown(m);
      break;
    case 2 ... 7:
      do_send(m);
      break;
    default:
      do_recv(m);
  }
}

static void run(unsigned long seed) {
  fake_random_seed(seed);
  for (struct model *m = sockets; m < sockets + SOCKETS; m++)
    *m = (struct model){.dead = true, .tail = &m->head};
  for (size_t i = 0; i < FILES; i++)
    files[i] = ipc_plain();
  for (int i = 0; i < OPERATIONS; i++) {
    operation();
    ipc_settle();
    flight_collect();
    CHECK(flight_count() == bury());
  }
  for (struct model *m = sockets; m < sockets + SOCKETS; m++) {
    if (m->f != NULL)
      do_close(m);
  }
  flight_collect();
  CHECK(bury() == 0 && flight_count() == 0);
  for (size_t i = 0; i < FILES; i++) {
    CHECK(files[i]->refs == 1);
    file_unref(files[i]);
  }
}

static unsigned long first_seed = 1, seeds = 60;

static void random_work(void **state) {
  for (unsigned long seed = first_seed; seed < first_seed + seeds; seed++) {
    ipc_begin(state);
    run(seed);
    ipc_end(state);
  }
}

int main(int argc, char **argv) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(random_work)};
  if (argc > 1)
    first_seed = strtoul(argv[1], NULL, 0);
  if (argc > 2)
    seeds = strtoul(argv[2], NULL, 0);
  return cmocka_run_group_tests(tests, fake_setup, NULL);
}
