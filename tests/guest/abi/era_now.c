/* A program of today's era: it calls what was retired, too, but names nothing of it. */
#include "era.h"

void program_main(const argdata_t *ad) {
  check_begin(ad);
  check_era(ad, false);
  check_end();
}
