/*
 * The threads that serve, and how they share the listening socket.
 *
 * Each thread polls its own connections. One of them, the leader, polls the listener as
 * well; so do threads that have fewer connections than it. A thread without connections
 * waits for the lead while the leader has none either, so that one thread wakes for one
 * connection. A leader that takes a connection passes the lead to a waiting thread.
 */
#ifndef HTTPD_WORKER_H
#define HTTPD_WORKER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

struct server {
  int listener; /* non-blocking */
  int root;

  pthread_mutex_t lock;
  pthread_cond_t lead_is_free;
  int waiting;    /* threads that wait for the lead; under the lock */
  bool lead_free; /* under the lock */
  atomic_int leader_load;
};

void server_init(struct server *server, int listener, int root);

/* Serves; returns if there is no memory to begin with. */
void worker_run(struct server *server);

#endif
