/*
 * The same as hello, with the functions that CloudABI's library had in 2015: callbacks
 * for the elements of a sequence.
 */
#include <argdata.h>
#include <program.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

static bool say_hello(const argdata_t *ad, void *thunk) {
  const char *text = thunk;
  int fd;
  if (argdata_get_fd(ad, &fd) == 0)
    dprintf(fd, "%s\n", text);
  return true;
}

void program_main(const argdata_t *ad) {
  char text[] = "Hello, world";
  argdata_iterate_seq(ad, say_hello, text);
  exit(0);
}
