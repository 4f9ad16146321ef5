/*
 * Prints `count` numbered lines and exits: {log: fd, count: int}.
 */
#include <program.h>
#include <stdio.h>

#include "args.h"

void program_main(const argdata_t *ad) {
  int log = arg_fd(ad, "log"), count = arg_int(ad, "count");
  for (int i = 0; i < count; i++)
    dprintf(log, "line %d of a console that loses nothing\n", i);
  exit(0);
}
