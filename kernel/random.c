/*
 * Random numbers: ChaCha20 with fast key erasure.
 *
 * A refill turns the key into a few blocks; their first bytes are the next key, the others are
 * handed out and erased. So what was handed out can't be computed from what is in memory. Long
 * requests get a key of their own from there and are produced in place.
 *
 * Kernel lock; any thread, and the bottom half. Drivers feed it at boot, before random_start().
 */
#include "kernel/random.h"

#include "arch/arch.h"
#include "kernel/chacha.h"
#include "kernel/clock.h"
#include "kernel/cmdline.h"
#include "kernel/log.h"
#include "kernel/string.h"

#define KEY_BYTES 32
#define BLOCK_BYTES 64
#define POOL_BLOCKS 4
#define POOL_BYTES (POOL_BLOCKS * BLOCK_BYTES)
#define SEED_BYTES 32 /* so much trusted input seeds it */

static uint32_t key[CHACHA_KEY_WORDS];
static uint8_t pool[POOL_BYTES] __attribute__((aligned(8)));
static size_t available; /* bytes at the end of the pool that nobody has had */
static size_t seed_bytes;
static bool started;

static const uint32_t no_nonce[3];

/* A memset that stays although nobody reads the memory again. */
static void erase(void *p, size_t n) {
  memset(p, 0, n);
  __asm__ volatile("" : : "r"(p) : "memory");
}

void random_add(const void *bytes, size_t n, bool trusted) {
  const uint8_t *from = bytes;
  uint32_t block[CHACHA_BLOCK_WORDS];
  if (trusted)
    seed_bytes += n;
  while (n > 0) {
    uint32_t part[CHACHA_KEY_WORDS] = {0};
    size_t take = n < sizeof part ? n : sizeof part;
    memcpy(part, from, take);
    for (size_t i = 0; i < CHACHA_KEY_WORDS; i++)
      key[i] ^= part[i];
    chacha_block(key, 0, no_nonce, block);
    memcpy(key, block, sizeof key);
    from += take;
    n -= take;
  }
  erase(block, sizeof block);
  erase(pool, sizeof pool);
  available = 0;
}

static void refill(void) {
  for (uint32_t i = 0; i < POOL_BLOCKS; i++)
    chacha_block(key, i, no_nonce, (uint32_t *)(void *)(pool + i * BLOCK_BYTES));
  memcpy(key, pool, KEY_BYTES);
  erase(pool, KEY_BYTES);
  available = POOL_BYTES - KEY_BYTES;
}

static void take(void *buf, size_t n) {
  uint8_t *to = buf;
  ASSERT(started);
  while (n > 0) {
    if (available == 0)
      refill();
    size_t part = n < available ? n : available;
    uint8_t *from = pool + POOL_BYTES - available;
    memcpy(to, from, part);
    erase(from, part);
    available -= part;
    to += part;
    n -= part;
  }
}

/* Much at once; the block counter lasts for 256 GiB. */
static void stream(uint8_t *to, size_t n) {
  uint32_t own_key[CHACHA_KEY_WORDS], block[CHACHA_BLOCK_WORDS];
  take(own_key, sizeof own_key);
  for (uint32_t i = 0; n > 0; i++) {
    size_t part = n < sizeof block ? n : sizeof block;
    chacha_block(own_key, i, no_nonce, block);
    memcpy(to, block, part);
    to += part;
    n -= part;
  }
  erase(own_key, sizeof own_key);
  erase(block, sizeof block);
}

void random_bytes(void *buf, size_t n) {
  if (n > POOL_BYTES)
    stream(buf, n);
  else
    take(buf, n);
}

uint64_t random_u64(void) {
  uint64_t value;
  take(&value, sizeof value);
  return value;
}

/* What differs a little from boot to boot: never counted, always taken. */
static void add_weather(void) {
  uint64_t weather[4] = {arch_time_ns(), clock_realtime_ns(), arch_cycles(), seed_bytes};
  random_add(weather, sizeof weather, false);
}

static void add_processor(void) {
  uint64_t words[SEED_BYTES / sizeof(uint64_t)];
  size_t n = 0;
  while (n < SEED_BYTES / sizeof(uint64_t) && arch_random(&words[n]))
    n++;
  random_add(words, n * sizeof words[0], true);
  erase(words, sizeof words);
}

void random_start(void) {
  const char *option = cmdline_get("random");
  bool insecure = option != NULL && strcmp(option, "insecure") == 0;
  if (option != NULL && !insecure)
    boot_fail("random=%s on the command line: expected insecure", option);
  add_processor();
  add_weather();
  if (seed_bytes < SEED_BYTES) {
    if (!insecure)
      boot_fail(
          "no source of random numbers: add `-device virtio-rng-pci` (on microvm `-device "
          "virtio-rng-device`) or `-cpu max` to QEMU's options, or random=insecure to the kernel's "
          "command line");
    log_warn("random: no source of random numbers; what follows can be guessed");
  }
  started = true;
}
