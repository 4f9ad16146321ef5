/*
 * Shared memory: descriptors of memory without a name, which programs pass on and map.
 */
#ifndef IPC_SHM_H
#define IPC_SHM_H

#include "kernel/abi.h"

struct file;

/* A piece of size 0. ENOMEM. */
errno_t shm_create(struct file **f);

#endif
