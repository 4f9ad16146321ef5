/* A program of the time of the call that it names among its constants. */
#include "era.h"

static const char names[] = "sock_accept";

void program_main(const argdata_t *ad) {
  check_begin(ad);
  dprintf(check_fd, "names %s\n", names);
  check_era(ad, true);
  check_end();
}
