// sources: arch/aarch64/platform_fdt.c boot/fdt.c
/*
 * What an aarch64 machine's device tree tells: controllers, clock, serial port, PCI and its wired
 * interrupts, virtio-mmio devices. And that a damaged tree is read within its bounds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "arch/aarch64/a64.h"
#include "tests/host/fdt_writer.h"

static void device(const char *name, const char *compatible, uint32_t base, uint32_t size) {
  begin(name);
  prop("compatible", compatible, strlen(compatible) + 1);
  WORDS("reg", 0, base, 0, size);
}

static void text(const char *name, const char *value) {
  prop(name, value, strlen(value) + 1);
}

/* Like QEMU's virt with gic-version=3: PCI before the controller that its map names. */
static uint8_t *sample(size_t *size) {
  nodes_len = strings_len = 0;
  begin("");
  WORDS("#address-cells", 2);
  WORDS("#size-cells", 2);
  begin("psci");
  text("method", "smc");
  prop("compatible", "arm,psci-1.0\0arm,psci-0.2", 26);
  end();
  device("pl011@9040000", "arm,pl011", 0x9040000, 0x1000);
  WORDS("interrupts", 0, 8, 4);
  text("status", "disabled");
  end();
  device("pl011@9000000", "arm,pl011", 0x9000000, 0x1000);
  WORDS("interrupts", 0, 1, 4);
  end();
  device("pl031@9010000", "arm,pl031", 0x9010000, 0x1000);
  end();
  device("pcie@10000000", "pci-host-ecam-generic", 0x3f000000, 0x1000000);
  WORDS("bus-range", 0, 15);
  WORDS("ranges", 0x1000000, 0, 0, 0, 0x3eff0000, 0, 0x10000,   /* ports */
        0x2000000, 0, 0x10000000, 0, 0x10000000, 0, 0x2eff0000, /* memory below 4 GiB */
        0x3000000, 0x80, 0, 0x80, 0, 0x80, 0);
  WORDS("interrupt-map-mask", 0x1800, 0, 0, 7);
  WORDS("interrupt-map", 0, 0, 0, 1, 0x8002, 0, 0, 0, 3, 4, /* slot 0, pin 1 */
        0x800, 0, 0, 1, 0x8002, 0, 0, 0, 4, 4);
  end();
  begin("intc@8000000");
  WORDS("#interrupt-cells", 3);
  WORDS("#address-cells", 2);
  WORDS("#size-cells", 2);
  prop("interrupt-controller", "", 0);
  text("compatible", "arm,gic-v3");
  WORDS("#redistributor-regions", 2);
  WORDS("reg", 0, 0x8000000, 0, 0x10000, 0, 0x80a0000, 0, 0xf60000, 0x40, 0, 0, 0x20000);
  device("its@8080000", "arm,gic-v3-its", 0x8080000, 0x20000);
  end();
  end();
  begin("timer");
  text("compatible", "arm,armv8-timer");
  WORDS("interrupts", 1, 13, 4, 1, 14, 4, 1, 11, 4, 1, 10, 4);
  end();
  device("virtio_mmio@a000000", "virtio,mmio", 0xa000000, 0x200);
  WORDS("interrupts", 0, 16, 1);
  end();
  device("virtio_mmio@a000200", "virtio,mmio", 0xa000200, 0x200);
  WORDS("interrupts", 0, 17, 4);
  end();
  end();
  word(9);
  return make(size);
}

static unsigned found_count;
static unsigned found_line[8];
static bool found_level[8];

static void found(pa_t base, size_t size, unsigned line, bool level) {
  assert_int_equal(base, 0xa000000 + 0x200 * found_count);
  assert_int_equal(size, 0x200);
  found_line[found_count] = line;
  found_level[found_count++] = level;
}

static void test_machine(void **state) {
  size_t size;
  uint8_t *blob = sample(&size);
  struct a64_platform m = {0};
  assert_true(a64_platform_from_fdt(&m, blob, size));
  free(blob);

  assert_int_equal(m.gic_version, 3);
  assert_int_equal(m.gicd_pa, 0x8000000);
  assert_int_equal(m.gicr_count, 2);
  assert_int_equal(m.gicr[1].pa, 0x4000000000);
  assert_int_equal(m.gicr[1].bytes, 0x20000);
  assert_int_equal(m.its_pa, 0x8080000);
  assert_int_equal(m.timer_intid, 27);
  assert_int_equal(m.psci, A64_PSCI_SMC);
  assert_int_equal(m.uart_pa, 0x9000000); /* not the disabled one */
  assert_int_equal(m.uart_intid, 33);
  assert_int_equal(m.rtc_pa, 0x9010000);
  assert_int_equal(m.ecam_pa, 0x3f000000);
  assert_int_equal(m.pci_io.pa, 0x3eff0000);
  assert_int_equal(m.pci_window.pa, 0x10000000);
  assert_int_equal(m.pci_window.bytes, 0x2eff0000);
}

static void test_interrupts(void **state) {
  arch_mmio_devices(found); /* of the tree that test_machine() read */
  assert_int_equal(found_count, 2);
  assert_int_equal(found_line[0], 48);
  assert_int_equal(found_line[1], 49);
  assert_false(found_level[0]);
  assert_true(found_level[1]);
  assert_int_equal(a64_intx_line(0 << 3, 1), 35);
  assert_int_equal(a64_intx_line(1 << 3, 1), 36);
  assert_int_equal(a64_intx_line(5 << 3, 1), 36); /* the mask: every fourth slot */
  assert_int_equal(a64_intx_line(1 << 3, 2), 0);
}

static void test_damage(void **state) {
  static const uint8_t values[] = {0, 1, 2, 3, 4, 0x7f, 0xff};
  size_t size;
  uint8_t *blob = sample(&size);
  for (size_t i = 0; i < size; i++) {
    uint8_t saved = blob[i];
    for (size_t v = 0; v < sizeof values; v++) {
      struct a64_platform m = {0};
      blob[i] = values[v];
      a64_platform_from_fdt(&m, blob, size);
      assert_true(m.gicr_count <= A64_GICR_REGIONS_MAX);
    }
    blob[i] = saved;
  }
  free(blob);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_machine),
      cmocka_unit_test(test_interrupts),
      cmocka_unit_test(test_damage),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
