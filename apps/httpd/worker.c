/*
 * What a serving thread does (worker.h).
 */
#define _GNU_SOURCE /* accept4 */
#include "worker.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "connection.h"
#include "log.h"

enum {
  CONNECTIONS_MAX = 256, /* of one thread */
  PAUSE_MS = 100,        /* without listening, when there is no room for more connections */
};

struct worker {
  struct server *server;
  bool leads;
  int64_t now_ms;
  int64_t paused_until_ms;
  int count;
  struct connection *connections[CONNECTIONS_MAX];
  struct pollfd fds[CONNECTIONS_MAX + 1]; /* the last one in use is the listener's */
};

void server_init(struct server *server, int listener, int root) {
  *server = (struct server){
      .listener = listener,
      .root = root,
      .lock = PTHREAD_MUTEX_INITIALIZER,
      .lead_is_free = PTHREAD_COND_INITIALIZER,
      .lead_free = true,
  };
}

static int64_t clock_ms(void) {
  struct timespec now;

  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void wait_for_lead(struct worker *w) {
  struct server *s = w->server;

  pthread_mutex_lock(&s->lock);
  ++s->waiting;
  while (!s->lead_free)
    pthread_cond_wait(&s->lead_is_free, &s->lock);
  --s->waiting;
  s->lead_free = false;
  pthread_mutex_unlock(&s->lock);
  w->leads = true;
}

static void pass_lead(struct worker *w) {
  struct server *s = w->server;

  pthread_mutex_lock(&s->lock);
  if (s->waiting > 0) {
    w->leads = false;
    s->lead_free = true;
    pthread_cond_signal(&s->lead_is_free);
  }
  pthread_mutex_unlock(&s->lock);
}

static bool should_listen(struct worker *w) {
  if (!w->leads && w->count == 0 && atomic_load(&w->server->leader_load) == 0)
    wait_for_lead(w);
  if (w->leads)
    atomic_store(&w->server->leader_load, w->count);
  if (w->count == CONNECTIONS_MAX || w->now_ms < w->paused_until_ms)
    return false;
  return w->leads || w->count < atomic_load(&w->server->leader_load);
}

static void accept_one(struct worker *w) {
  int fd = accept4(w->server->listener, NULL, NULL, SOCK_NONBLOCK);

  if (fd < 0) {
    if (errno != EAGAIN && errno != ECONNABORTED) {
      log_line("httpd: no room for another connection (error %d)", errno);
      w->paused_until_ms = w->now_ms + PAUSE_MS;
    }
    return;
  }
  struct connection *connection = connection_new(fd, w->now_ms);
  if (connection == NULL) {
    close(fd);
    w->paused_until_ms = w->now_ms + PAUSE_MS;
    return;
  }
  w->connections[w->count] = connection;
  w->fds[w->count++] = (struct pollfd){.fd = fd, .events = POLLIN};
  if (w->leads)
    pass_lead(w);
}

/* The last connection takes the place of one that is gone. */
static void drop(struct worker *w, int i) {
  connection_free(w->connections[i]);
  --w->count;
  w->connections[i] = w->connections[w->count];
  w->fds[i] = w->fds[w->count];
}

static void serve(struct worker *w, int i) {
  switch (connection_run(w->connections[i], w->server->root, w->now_ms)) {
    case WANTS_READ:
      w->fds[i].events = POLLIN;
      break;
    case WANTS_WRITE:
      w->fds[i].events = POLLOUT;
      break;
    case WANTS_CLOSE:
      drop(w, i);
      break;
  }
}

/* How long nothing has to be done unless a descriptor becomes ready: −1 for ever. */
static int patience_ms(const struct worker *w) {
  int64_t until = w->now_ms < w->paused_until_ms ? w->paused_until_ms : INT64_MAX;

  for (int i = 0; i < w->count; ++i)
    if (w->connections[i]->deadline_ms < until)
      until = w->connections[i]->deadline_ms;
  if (until == INT64_MAX)
    return -1;
  return until > w->now_ms ? (int)(until - w->now_ms) : 0;
}

static void work(struct worker *w) {
  struct pollfd *listener = &w->fds[w->count];
  bool listens = should_listen(w);

  *listener = (struct pollfd){.fd = w->server->listener, .events = POLLIN};
  int ready = poll(w->fds, w->count + listens, patience_ms(w));
  w->now_ms = clock_ms();
  if (ready < 0) {
    w->paused_until_ms = w->now_ms + PAUSE_MS;
    return;
  }
  bool knock = listens && listener->revents != 0;
  /* Backwards: what takes the place of a dropped connection has had its turn. */
  for (int i = w->count - 1; i >= 0; --i) {
    if (w->fds[i].revents != 0)
      serve(w, i);
    else if (w->connections[i]->deadline_ms <= w->now_ms)
      drop(w, i);
  }
  if (knock)
    accept_one(w);
}

void worker_run(struct server *server) {
  struct worker *w = calloc(1, sizeof(*w));

  if (w == NULL) {
    log_line("httpd: no memory for a thread");
    return;
  }
  w->server = server;
  w->now_ms = clock_ms();
  for (;;)
    work(w);
}
