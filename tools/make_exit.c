/*
 * A function for make: $(exit N) ends make with status N.
 *
 * Make turns every failing command into its own status 2, and `make run` is to end as the program
 * did. GNU make's manual, "Loading Dynamic Objects".
 */
#include <gnumake.h>
#include <stdlib.h>

int plugin_is_GPL_compatible;
int make_exit_setup(void);

static char *end(const char *name, unsigned argc, char **argv) {
  (void)name;
  (void)argc;
  exit(atoi(argv[0]));
}

int make_exit_setup(void) {
  gmk_add_function("exit", end, 1, 1, GMK_FUNC_DEFAULT);
  return 1;
}
