/*
 * A web server for static files, as a program to start from.
 *
 * It is given a listening socket, a directory and a place for its log, and can reach
 * nothing else. Its argument data is a map:
 *
 *   listener  the socket on which connections arrive
 *   root      the directory with the files
 *   log       where a line per request goes (may be missing)
 *   threads   how many threads serve (1 to 64, default 4)
 *
 * This file reads the map and starts the threads; worker.c is what each of them does.
 */
#include <argdata.h>
#include <fcntl.h>
#include <program.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "worker.h"

enum { THREADS_MAX = 64, THREADS_DEFAULT = 4 };

struct options {
  int listener;
  int root;
  int log;
  int threads;
};

static void read_option(const char *key, const argdata_t *value, struct options *options) {
  if (strcmp(key, "listener") == 0)
    argdata_get_fd(value, &options->listener);
  else if (strcmp(key, "root") == 0)
    argdata_get_fd(value, &options->root);
  else if (strcmp(key, "log") == 0)
    argdata_get_fd(value, &options->log);
  else if (strcmp(key, "threads") == 0)
    argdata_get_int(value, &options->threads);
}

static struct options read_options(const argdata_t *ad) {
  struct options options = {.listener = -1, .root = -1, .log = -1, .threads = THREADS_DEFAULT};
  argdata_map_iterator_t it;
  const argdata_t *key, *value;

  argdata_map_iterate(ad, &it);
  while (argdata_map_get(&it, &key, &value)) {
    const char *name;
    if (argdata_get_str_c(key, &name) == 0)
      read_option(name, value, &options);
    argdata_map_next(&it);
  }
  return options;
}

static _Noreturn void fail(const char *reason) {
  log_line("httpd: %s", reason);
  exit(1);
}

static void *run_worker(void *server) {
  worker_run(server);
  return NULL;
}

void program_main(const argdata_t *ad) {
  static struct server server;
  struct options options = read_options(ad);

  log_open(options.log);
  if (options.listener < 0)
    fail("no `listener` among the arguments: a socket is needed");
  if (options.root < 0)
    fail("no `root` among the arguments: a directory is needed");
  if (options.threads < 1 || options.threads > THREADS_MAX)
    fail("`threads` must be 1 to 64");
  /* Several threads may go for the same connection: those that come late must not wait. */
  if (fcntl(options.listener, F_SETFL, O_NONBLOCK) != 0)
    fail("the listener cannot be made non-blocking");
  server_init(&server, options.listener, options.root);

  for (int i = 1; i < options.threads; ++i) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, run_worker, &server) != 0) {
      log_line("httpd: no more than %d threads", i);
      break;
    }
  }
  log_line("httpd: serving");
  worker_run(&server);
  exit(0);
}
