/*
 * lwIP's random numbers: ports, DHCP transaction ids. The kernel's generator.
 */
#include "arch/cc.h"

#include "kernel/random.h"

uint32_t net_random(void) {
  return (uint32_t)random_u64();
}
