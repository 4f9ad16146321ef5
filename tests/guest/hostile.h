/*
 * Attacks on the machine, by name: what tests/guest/hostile.c and ARCH/hostile.c give each other.
 */
#ifndef TESTS_GUEST_HOSTILE_H
#define TESTS_GUEST_HOSTILE_H

struct attack {
  const char *name;
  void (*run)(void);
};

/* Those that only this machine has; ended by an entry without a name. */
extern const struct attack machine_attacks[];

/* Instructions that return from a function. */
extern const unsigned char machine_return[8];

#endif
