// sources: boot/fdt.c
/*
 * Device trees: what a well-formed one tells, and that a malformed one tells nothing false and is
 * never read beyond its end (each blob lies in memory of exactly its size).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "boot/fdt.h"
#include "tests/host/fdt_writer.h"

/* Like QEMU's microvm: two devices, and a bus with its own cell counts. */
static uint8_t *sample(size_t *size) {
  nodes_len = strings_len = 0;
  begin("");
  WORDS("#address-cells", 2);
  WORDS("#size-cells", 2);
  prop("compatible", "linux,microvm", 14);
  begin("virtio_mmio@feb00000");
  WORDS("interrupts", 24, 4);
  WORDS("reg", 0, 0xfeb00000, 0, 0x200);
  prop("compatible", "virtio,mmio", 12);
  end();
  word(4); /* NOP */
  begin("bus");
  WORDS("#address-cells", 1);
  WORDS("#size-cells", 1);
  begin("uart");
  word(4);
  prop("compatible", "ns16550a\0ns8250", 16);
  WORDS("reg", 0x3f8, 8, 0x2f8, 16);
  end();
  end();
  begin("virtio_mmio@feb00200");
  prop("compatible", "virtio,mmio", 12);
  prop("status", "disabled", 9);
  end();
  end();
  word(9);
  return make(size);
}

/* ---- Tests ----------------------------------------------------------------------------------- */

static void test_walk(void **state) {
  static const int depths[] = {0, 1, 1, 2, 1};
  size_t size, count = 0;
  uint8_t *blob = sample(&size);
  struct fdt f;
  struct fdt_node n;
  assert_int_equal(fdt_bytes_needed(blob), size); /* though totalsize says a megabyte */
  assert_true(fdt_open(&f, blob, size));
  for (fdt_start(&n, &f); fdt_next(&n);) {
    assert_true(count < 5);
    assert_int_equal(n.depth, depths[count]);
    count++;
  }
  assert_int_equal(count, 5);
  free(blob);
}

static void test_properties(void **state) {
  size_t size, n_bytes;
  uint8_t *blob = sample(&size);
  struct fdt f;
  struct fdt_node n;
  uint64_t address, length;
  assert_true(fdt_open(&f, blob, size));
  fdt_start(&n, &f);
  assert_null(fdt_property(&n, "compatible", &n_bytes)); /* before the first node */
  fdt_next(&n);
  assert_true(fdt_compatible(&n, "linux,microvm"));
  assert_false(fdt_reg(&n, 0, &address, &length));
  fdt_next(&n);
  assert_true(fdt_compatible(&n, "virtio,mmio"));
  assert_false(fdt_compatible(&n, "virtio"));
  assert_false(fdt_compatible(&n, "virtio,mmio2"));
  const uint8_t *p = fdt_property(&n, "interrupts", &n_bytes);
  assert_int_equal(n_bytes, 8);
  assert_int_equal(fdt_number(p, 1), 24);
  assert_true(fdt_reg(&n, 0, &address, &length));
  assert_int_equal(address, 0xfeb00000);
  assert_int_equal(length, 0x200);
  assert_false(fdt_reg(&n, 1, &address, &length));
  assert_null(fdt_property(&n, "interrupt", &n_bytes));
  fdt_next(&n);
  fdt_next(&n); /* the UART, by its own bus's cells */
  assert_true(fdt_compatible(&n, "ns16550a"));
  assert_true(fdt_compatible(&n, "ns8250"));
  assert_true(fdt_reg(&n, 1, &address, &length));
  assert_int_equal(address, 0x2f8);
  assert_int_equal(length, 16);
  fdt_next(&n);
  assert_true(fdt_compatible(&n, "virtio,mmio"));
  assert_false(fdt_reg(&n, 0, &address, &length));
  free(blob);
}

static void test_names_and_status(void **state) {
  size_t size;
  uint8_t *blob = sample(&size);
  struct fdt f;
  struct fdt_node n;
  assert_true(fdt_open(&f, blob, size));
  fdt_start(&n, &f);
  fdt_next(&n);
  assert_true(fdt_is_named(&n, ""));
  fdt_next(&n);
  assert_true(fdt_is_named(&n, "virtio_mmio"));
  assert_true(fdt_is_named(&n, "virtio_mmio@feb00000"));
  assert_false(fdt_is_named(&n, "virtio"));
  assert_true(fdt_enabled(&n)); /* it says nothing */
  fdt_next(&n);                 /* behind a NOP */
  assert_true(fdt_is_named(&n, "bus"));
  fdt_next(&n);
  fdt_next(&n);
  assert_true(fdt_is_named(&n, "virtio_mmio"));
  assert_false(fdt_enabled(&n));
  free(blob);
}

/* Reads everything there is. */
static void read_all(const uint8_t *blob, size_t size) {
  struct fdt f;
  struct fdt_node n;
  uint64_t a, s;
  size_t bytes_len;
  if (!fdt_open(&f, blob, size))
    return;
  for (fdt_start(&n, &f); fdt_next(&n);) {
    fdt_compatible(&n, "virtio,mmio");
    fdt_reg(&n, 0, &a, &s);
    fdt_reg(&n, 3, &a, &s);
    fdt_property(&n, "ranges", &bytes_len);
    fdt_is_named(&n, "virtio_mmio");
    fdt_enabled(&n);
  }
}

static void test_bad_headers(void **state) {
  size_t size;
  uint8_t *blob = sample(&size);
  struct fdt f;
  assert_false(fdt_open(&f, blob, size - 1));
  assert_false(fdt_open(&f, blob, 39));
  for (size_t field = 0; field < 40; field += 4) {
    uint8_t saved[4];
    memcpy(saved, blob + field, 4);
    put32(blob + field, 0xfffffff0);
    if (field != 4 && field != 16 && field != 20 && field != 28)
      assert_false(fdt_open(&f, blob, size));
    memcpy(blob + field, saved, 4);
  }
  put32(blob + 8, 42); /* the nodes not on a word boundary */
  assert_false(fdt_open(&f, blob, size));
  free(blob);
}

/* Every byte of the blob changed to some values, and every shorter tree. */
static void test_damage(void **state) {
  size_t size;
  uint8_t *blob = sample(&size);
  static const uint8_t values[] = {0, 1, 2, 3, 4, 9, 0x7f, 0xff};
  for (size_t i = 0; i < size; i++) {
    uint8_t saved = blob[i];
    for (size_t v = 0; v < sizeof values; v++) {
      blob[i] = values[v];
      read_all(blob, size);
    }
    blob[i] = saved;
  }
  free(blob);
  free(sample(&size));
  for (size_t n = nodes_len; n > 0; n -= 4) {
    nodes_len = n - 4;
    blob = make(&size);
    read_all(blob, size);
    free(blob);
  }
}

static void test_too_deep(void **state) {
  size_t size;
  struct fdt f;
  struct fdt_node n;
  nodes_len = strings_len = 0;
  for (int i = 0; i < 40; i++)
    begin("n");
  uint8_t *blob = make(&size);
  assert_true(fdt_open(&f, blob, size));
  int count = 0;
  for (fdt_start(&n, &f); fdt_next(&n);)
    count++;
  assert_int_equal(count, FDT_DEPTH_MAX);
  free(blob);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_walk),        cmocka_unit_test(test_properties),
      cmocka_unit_test(test_bad_headers), cmocka_unit_test(test_damage),
      cmocka_unit_test(test_too_deep),    cmocka_unit_test(test_names_and_status),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
