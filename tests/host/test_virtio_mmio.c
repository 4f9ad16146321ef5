// sources: drivers/virtio/mmio.c kernel/printf.c
/*
 * Virtio over MMIO against registers played by the test: devices of the command line or of the
 * platform, both versions' way of naming a ring, interrupts acknowledged until the line is free.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "drivers/drivers.h"
#include "drivers/virtio/virtio.h"
#include "kernel/cmdline.h"
#include "kernel/heap.h"
#include "kernel/log.h"

#define BASE 0xfeb00000u
#define PENDING_MAX 100

static _Alignas(4096) uint8_t space[8192]; /* what lies at BASE */
static const char *words[4];
static unsigned maps, pending, acks, queue_irqs, config_irqs;
static char last_log[256];
static jmp_buf failed;

/* ---- The kernel ------------------------------------------------------------------------------ */

void log_printf(enum log_level level, const char *format, ...) {
  va_list ap;
  if (level > LOG_WARN)
    return;
  va_start(ap, format);
  vsnprintf(last_log, sizeof last_log, format, ap);
  va_end(ap);
}

void boot_fail(const char *format, ...) {
  va_list ap;
  va_start(ap, format);
  vsnprintf(last_log, sizeof last_log, format, ap);
  va_end(ap);
  longjmp(failed, 1);
}

void *kzalloc(size_t size) {
  return calloc(1, size);
}

void kfree(void *p) {
  free(p);
}

const char *cmdline_get_nth(const char *name, size_t i) {
  assert_string_equal(name, "virtio_mmio.device");
  return i < 4 ? words[i] : NULL;
}

static bool platform_asked;

void arch_mmio_devices(void (*found)(pa_t base, size_t size, unsigned line, bool level)) {
  platform_asked = true;
  found(BASE + 0x200, 0x200, 47, true);
}

void *arch_kmap_device(pa_t pa, size_t size) {
  maps++;
  assert_true(pa >= BASE && pa + size <= BASE + sizeof space);
  return space + (pa - BASE);
}

static irq_handler_t *handler;
static void *handler_arg;
static unsigned irq_line;
static bool irq_level;

errno_t arch_irq_connect(unsigned line, bool level, irq_handler_t *h, void *arg) {
  irq_line = line;
  irq_level = level;
  handler = h;
  handler_arg = arg;
  return 0;
}

/* ---- The devices ----------------------------------------------------------------------------- */

static uint32_t get32(size_t at) {
  uint32_t v;
  memcpy(&v, space + at, 4);
  return v;
}

static void put32(size_t at, uint32_t v) {
  memcpy(space + at, &v, 4);
}

uint8_t mmio_read8(const volatile void *reg) {
  return *(const volatile uint8_t *)reg;
}

uint16_t mmio_read16(const volatile void *reg) {
  return *(const volatile uint16_t *)reg;
}

uint32_t mmio_read32(const volatile void *reg) {
  if (((uintptr_t)reg & 0x1ff) == 0x60)
    return pending != 0 ? 1 + pending % 3 : 0;
  return *(const volatile uint32_t *)reg;
}

void mmio_write32(volatile void *reg, uint32_t v) {
  if (((uintptr_t)reg & 0x1ff) == 0x64) {
    assert_int_equal(v, 1 + pending % 3);
    pending--;
    acks++;
  }
  *(volatile uint32_t *)reg = v;
}

static void device(size_t at, uint32_t version, uint32_t type) {
  put32(at, 0x74726976);
  put32(at + 4, version);
  put32(at + 8, type);
  put32(at + 0x34, 256);
}

static struct virtio_dev *started[8];
static unsigned started_type[8], started_count;

static void count_queue(struct virtio_dev *d) {
  (void)d;
  queue_irqs++;
}

static void count_config(struct virtio_dev *d) {
  (void)d;
  config_irqs++;
}

errno_t virtio_start(struct virtio_dev *d, unsigned type) {
  started[started_count] = d;
  started_type[started_count++] = type;
  d->on_queue = count_queue;
  d->on_config = count_config;
  assert_int_equal(d->ops->connect(d), 0);
  return 0;
}

static void machine(const char *first, const char *second) {
  for (unsigned i = 0; i < started_count; i++)
    free(started[i]);
  memset(space, 0, sizeof space);
  started_count = maps = pending = acks = queue_irqs = config_irqs = 0;
  platform_asked = false;
  words[0] = first;
  words[1] = second;
  words[2] = NULL;
  last_log[0] = '\0';
}

/* ---- Finding them ---------------------------------------------------------------------------- */

static void listed_on_the_command_line(void **state) {
  (void)state;
  machine("512@0xfeb00e00:12", "0x1K@4272951296:7:3"); /* 0xfeb01000 */
  device(0xe00, 1, 1);
  device(0x1000, 2, 4);
  virtio_mmio_init();
  assert_false(platform_asked);
  assert_int_equal(started_count, 2);
  assert_int_equal(started_type[0], 1);
  assert_true(started[0]->legacy);
  assert_string_equal(started[0]->name, "mmio 0xfeb00e00");
  assert_int_equal(started_type[1], 4);
  assert_false(started[1]->legacy);
  assert_int_equal(irq_line, 7);
  assert_false(irq_level);
}

static void malformed(void **state) {
  (void)state;
  static const char *const bad[] = {
      "",
      "512",
      "512@",
      "512@0xfeb00000",
      "512@0xfeb00000:",
      "512@0xfeb00000:12:",
      "512@0xfeb00000:12:x",
      "512@0xfeb00000:12 ",
      "512@0x:12",
      "@0xfeb00000:12",
      "512@0xfeb00000;12",
      "0x200G@0xfeb00000:12",
      "512@0xfeb00000:4294967296",
      "512@0x10000000000000000:1",
      "18446744073709551616@0:1",
      "0xffffffffffffffffK@0:1",
      "-1@0:1",
  };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    char expected[256];
    machine(bad[i], NULL);
    snprintf(expected, sizeof expected,
             "virtio_mmio.device=%s on the command line: expected SIZE@BASE:IRQ", bad[i]);
    if (setjmp(failed) == 0) {
      virtio_mmio_init();
      fail_msg("accepted: %s", bad[i]);
    }
    assert_string_equal(last_log, expected);
  }
}

static void found_by_the_platform(void **state) {
  (void)state;
  machine(NULL, NULL);
  device(0x200, 2, 1);
  virtio_mmio_init();
  assert_true(platform_asked);
  assert_int_equal(started_count, 1);
  assert_int_equal(irq_line, 47);
  assert_true(irq_level);
}

static void slots_without_a_device(void **state) {
  (void)state;
  machine("512@0xfeb00000:1", "512@0xfeb00400:2");
  words[2] = "512@0xfeb00600:3";
  device(0, 1, 0);     /* empty: nothing is said */
  device(0x600, 3, 1); /* from the future */
  virtio_mmio_init();
  assert_int_equal(started_count, 0);
  assert_string_equal(last_log, "mmio 0xfeb00600: unknown virtio version");

  machine("512@0xfeb00400:2", NULL);
  virtio_mmio_init();
  assert_string_equal(last_log, "mmio 0xfeb00400: no virtio device");

  machine("256@0xfeb00000:1", NULL);
  virtio_mmio_init();
  assert_string_equal(last_log, "mmio 0xfeb00000: can't be mapped (256 bytes)");

  machine("512@0xffffffffffffff00:1", NULL);
  virtio_mmio_init();
  assert_string_equal(last_log, "mmio 0xffffffffffffff00: can't be mapped (512 bytes)");
}

static void one_page_is_mapped_once(void **state) {
  (void)state;
  machine("512@0xfeb01000:1", "512@0xfeb01200:2");
  words[2] = "512@0xfeb01400:3";
  device(0x1000, 1, 1);
  device(0x1200, 1, 4);
  device(0x1400, 1, 4);
  virtio_mmio_init();
  assert_int_equal(started_count, 3);
  assert_true(maps <= 1);
}

/* ---- Using one ------------------------------------------------------------------------------- */

static void rings(void **state) {
  (void)state;
  static _Alignas(4096) uint8_t memory[4096];
  struct virtq q = {.desc = (void *)memory,
                    .avail = (void *)(memory + 256),
                    .used = (void *)(memory + 512),
                    .index = 1,
                    .size = 16};
  uint64_t desc = va_to_pa(memory);
  machine("512@0xfeb00000:1", "512@0xfeb00200:2");
  device(0, 1, 1);
  device(0x200, 2, 1);
  virtio_mmio_init();

  q.dev = started[0];
  assert_int_equal(q.dev->ops->queue_size(q.dev, 1), 256);
  q.dev->ops->write_features(q.dev, 1);
  assert_int_equal(q.dev->ops->queue_start(q.dev, &q), (desc >> 12) > UINT32_MAX ? EINVAL : 0);
  assert_int_equal(get32(0x28), 4096);
  assert_int_equal(get32(0x30), 1);
  assert_int_equal(get32(0x38), 16);
  if (desc >> 12 <= UINT32_MAX) {
    assert_int_equal(get32(0x3c), q.dev->ring_align);
    assert_int_equal(get32(0x40), desc >> 12);
    assert_int_equal(q.dev->ops->queue_size(q.dev, 1), 0); /* in use */
  }

  q.dev = started[1];
  assert_int_equal(q.dev->ops->queue_start(q.dev, &q), 0);
  assert_int_equal(get32(0x230), 1);
  assert_int_equal(get32(0x238), 16);
  assert_int_equal(get32(0x280), (uint32_t)desc);
  assert_int_equal(get32(0x284), desc >> 32);
  assert_int_equal(get32(0x290), (uint32_t)desc + 256);
  assert_int_equal(get32(0x2a0), (uint32_t)desc + 512);
  assert_int_equal(get32(0x244), 1);
  q.dev->ops->notify(&q);
  assert_int_equal(get32(0x250), 1);
}

static void interrupts_are_taken_until_none_is_pending(void **state) {
  (void)state;
  machine("512@0xfeb00000:1", NULL);
  device(0, 2, 1);
  virtio_mmio_init();
  pending = 3; /* each with other bits */
  handler(handler_arg);
  assert_int_equal(pending, 0);
  assert_int_equal(acks, 3);
  assert_int_equal(queue_irqs, 2);
  assert_int_equal(config_irqs, 2);
  pending = PENDING_MAX; /* a device that never stops does not stop the machine */
  handler(handler_arg);
  assert_true(pending > 0);
}

static void configuration(void **state) {
  (void)state;
  uint8_t mac[6];
  uint16_t half;
  uint32_t word;
  machine("512@0xfeb00000:1", NULL);
  device(0, 2, 1);
  memcpy(space + 0x100, "\1\2\3\4\5\6\7\0", 8);
  virtio_mmio_init();
  struct virtio_dev *d = started[0];
  d->ops->read_config(d, 0, mac, 6);
  assert_memory_equal(mac, "\1\2\3\4\5\6", 6);
  d->ops->read_config(d, 6, &half, 2);
  assert_int_equal(half, 7);
  d->ops->read_config(d, 4, &word, 4);
  assert_int_equal(word, 0x00070605);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(listed_on_the_command_line),
      cmocka_unit_test(malformed),
      cmocka_unit_test(found_by_the_platform),
      cmocka_unit_test(slots_without_a_device),
      cmocka_unit_test(one_page_is_mapped_once),
      cmocka_unit_test(rings),
      cmocka_unit_test(interrupts_are_taken_until_none_is_pending),
      cmocka_unit_test(configuration),
  };
  int failures = cmocka_run_group_tests(tests, NULL, NULL);
  machine(NULL, NULL);
  return failures;
}
