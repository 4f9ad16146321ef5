/* A program of the time when programs trapped by themselves: it does so at least once. */
#include "era.h"

#include "machine.h"

void program_main(const argdata_t *ad) {
  check_begin(ad);
  check_err("era", "the number of no call", (unsigned)machine_trap(58, 0, 0, 0, 0, 0, 0).result[0],
            CLOUDABI_ENOSYS);
  check_era(ad, true);
  check_end();
}
