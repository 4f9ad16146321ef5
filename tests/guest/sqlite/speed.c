/*
 * SQLite's own speedtest1, which is compiled with `main` as speedtest_main, below a directory:
 * {data: directory, stdout: fd, options: text, its words apart by spaces}.
 */
#include <argdata.h>
#include <program.h>
#include <string.h>

#include "../args.h"
#include "dirvfs.h"

#define WORDS_MAX 30

int speedtest_main(int argc, char **argv);

void program_main(const argdata_t *ad) {
  static char text[1000];
  char *words[WORDS_MAX + 1] = {"speedtest1"};
  int count = 1;
  strncpy(text, arg_str(ad, "options"), sizeof text - 1);
  for (char *w = strtok(text, " "); w != NULL && count < WORDS_MAX; w = strtok(NULL, " "))
    words[count++] = w;
  if (dirvfs_register("data", arg_fd(ad, "data")) != 0)
    exit(1);
  exit(speedtest_main(count, words));
}
