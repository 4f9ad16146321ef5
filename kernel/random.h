/*
 * Random numbers: a ChaCha20 generator with fast key erasure, seeded by the machine.
 * Kernel lock; never sleeps once seeded.
 */
#ifndef KERNEL_RANDOM_H
#define KERNEL_RANDOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Mixes n bytes into the key. `trusted`: they count as entropy (32 such bytes seed it). */
void random_add(const void *bytes, size_t n, bool trusted);
/* Asks the processor (arch_random) and takes what the drivers added; when that does not seed the
 * generator: boot_fail() naming the QEMU option to add, unless the command line says
 * random=insecure. */
void random_start(void);
void random_bytes(void *buf, size_t n);
uint64_t random_u64(void);

#endif
