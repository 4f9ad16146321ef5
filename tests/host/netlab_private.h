/* Between the parts of the network laboratory. */
#ifndef TESTS_HOST_NETLAB_PRIVATE_H
#define TESTS_HOST_NETLAB_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* netlab_kernel.c: each says whether there was something to do. */
bool lab_run_bhs(void);
bool lab_fire_timer(uint64_t until);
/* netlab_peer.c: a frame of the machine. */
void lab_peer_frame(const uint8_t *frame, size_t n);

#endif
