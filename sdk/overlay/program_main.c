/*
 * The program_main of programs that have a main: linked in only when the program defines
 * none itself. The argument data becomes argv when it is text (semantics 8.2).
 */
#include <program.h>
#include <stdlib.h>
#include <string.h>

#include "sdk/overlay/overlay.h"

int main(int argc, char **argv, char **environment);

extern char **environ;

/* The strings in the text, stored in argv unless it is NULL. */
static int split(char *text, size_t length, char **argv) {
  int count = 0;

  for (char *end = text + length; text < end; text += strlen(text) + 1, ++count)
    if (argv != NULL)
      argv[count] = text;
  return count;
}

void program_main(const argdata_t *root) {
  (void)root;
  const char *data = __startup.argdata;
  size_t length = __startup.argdata_length;
  bool is_text = length > 0 && data[0] >= ' ' && data[length - 1] == '\0';

  if (!is_text) {
    char name[] = "program";
    char *argv[] = {name, NULL};
    exit(main(1, argv, environ));
  }
  char *text = malloc(length); /* main may write to its arguments */
  int count = split((char *)data, length, NULL);
  char **argv = malloc((count + 1) * sizeof(*argv));
  if (text == NULL || argv == NULL)
    abort();
  memcpy(text, data, length);
  split(text, length, argv);
  argv[count] = NULL;
  exit(main(count, argv, environ));
}
