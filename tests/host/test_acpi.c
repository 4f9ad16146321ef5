// sources: boot/acpi.c
/*
 * ACPI tables: root pointers, the MADT's entries, the FADT's registers, the search for _S5_; and
 * malformed ones, each in memory of exactly its size.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "boot/acpi.h"

#include <stdlib.h>
#include <string.h>

static void put32(uint8_t *p, uint32_t v) {
  for (int i = 0; i < 4; i++)
    p[i] = (uint8_t)(v >> 8 * i);
}

static void put64(uint8_t *p, uint64_t v) {
  put32(p, (uint32_t)v);
  put32(p + 4, (uint32_t)(v >> 32));
}

/* Makes the first n bytes add up to 0 by changing the one at `at`. */
static void fix_sum(uint8_t *p, size_t n, size_t at) {
  uint8_t sum = 0;
  p[at] = 0;
  for (size_t i = 0; i < n; i++)
    sum = (uint8_t)(sum + p[i]);
  p[at] = (uint8_t)-sum;
}

static void test_rsdp(void **state) {
  uint8_t p[36] = "RSD PTR ";
  uint64_t root;
  bool xsdt;
  put32(p + 16, 0x7fe1234);
  fix_sum(p, 20, 8);
  assert_true(acpi_rsdp(p, 20, &root, &xsdt));
  assert_int_equal(root, 0x7fe1234);
  assert_false(xsdt);

  p[15] = 2; /* a newer one */
  put32(p + 20, 36);
  put64(p + 24, 0x123456789a);
  fix_sum(p, 20, 8);
  fix_sum(p, 36, 32);
  assert_true(acpi_rsdp(p, 36, &root, &xsdt));
  assert_int_equal(root, 0x123456789a);
  assert_true(xsdt);
  p[32]++; /* its second checksum is wrong: the old address still counts */
  assert_true(acpi_rsdp(p, 36, &root, &xsdt));
  assert_int_equal(root, 0x7fe1234);

  assert_false(acpi_rsdp(p, 19, &root, &xsdt));
  p[8]++;
  assert_false(acpi_rsdp(p, 36, &root, &xsdt));
  p[8]--;
  p[0] = 'r';
  assert_false(acpi_rsdp(p, 36, &root, &xsdt));
}

static void test_root(void **state) {
  uint8_t p[36 + 16] = {0};
  uint64_t pa;
  put32(p + 36, 0x1000);
  put32(p + 40, 0x2000);
  assert_true(acpi_root_entry(p, 44, false, 1, &pa));
  assert_int_equal(pa, 0x2000);
  assert_false(acpi_root_entry(p, 44, false, 2, &pa));
  assert_false(acpi_root_entry(p, 43, false, 1, &pa));
  put64(p + 36, 0x123456789);
  assert_true(acpi_root_entry(p, 44, true, 0, &pa));
  assert_int_equal(pa, 0x123456789);
  assert_false(acpi_root_entry(p, 44, true, 1, &pa));
  assert_false(acpi_root_entry(p, 35, true, 0, &pa));
}

static void test_header(void **state) {
  uint8_t p[36] = "FACP";
  put32(p + 4, 36);
  assert_int_equal(acpi_table_bytes(p), 36);
  put32(p + 4, 35);
  assert_int_equal(acpi_table_bytes(p), 0);
  put32(p + 4, 0xffffffff);
  assert_int_equal(acpi_table_bytes(p), 0);
  assert_true(acpi_has_signature(p, "FACP"));
  assert_false(acpi_has_signature(p, "APIC"));
}

static void test_madt(void **state) {
  static const uint8_t entries[] = {
      0, 8,  0, 0, 1, 0, 0,    0,                 /* a processor */
      1, 12, 0, 0, 0, 0, 0xc1, 0xfe, 24, 0, 0, 0, /* an I/O APIC */
      2, 10, 0, 9, 9, 0, 0,    0,    15, 0,       /* IRQ 9: active low, level */
      2, 10, 0, 0, 2, 0, 0,    0,    0,  0,       /* IRQ 0 arrives at 2 */
      1, 4,  0, 0,                                /* too short for an I/O APIC */
  };
  size_t size = 44 + sizeof entries, at = 0;
  uint8_t *madt = calloc(1, size);
  memcpy(madt + 44, entries, sizeof entries);
  struct acpi_madt_entry e;
  struct acpi_ioapic io;
  struct acpi_override over;

  assert_true(acpi_madt_next(madt, size, &at, &e));
  assert_false(acpi_madt_ioapic(&e, &io));
  assert_true(acpi_madt_next(madt, size, &at, &e));
  assert_true(acpi_madt_ioapic(&e, &io));
  assert_int_equal(io.pa, 0xfec10000);
  assert_int_equal(io.gsi_base, 24);
  assert_true(acpi_madt_next(madt, size, &at, &e));
  assert_true(acpi_madt_override(&e, &over));
  assert_int_equal(over.irq, 9);
  assert_int_equal(over.gsi, 9);
  assert_true(over.level && over.active_low);
  assert_true(acpi_madt_next(madt, size, &at, &e));
  assert_true(acpi_madt_override(&e, &over));
  assert_int_equal(over.irq, 0);
  assert_int_equal(over.gsi, 2);
  assert_false(over.level || over.active_low);
  assert_true(acpi_madt_next(madt, size, &at, &e));
  assert_false(acpi_madt_ioapic(&e, &io));
  assert_false(acpi_madt_next(madt, size, &at, &e));

  at = 0; /* an entry that leads beyond the end, and one that leads nowhere */
  madt[44 + 1] = 0xff;
  assert_false(acpi_madt_next(madt, size, &at, &e));
  at = 0;
  madt[44 + 1] = 0;
  assert_false(acpi_madt_next(madt, size, &at, &e));
  at = 0;
  assert_false(acpi_madt_next(madt, 45, &at, &e));
  free(madt);
}

static void test_fadt(void **state) {
  uint8_t p[268] = {0};
  struct acpi_fadt f;
  put32(p + 40, 0x1000);
  put32(p + 64, 0x604);
  put32(p + 76, 0x608);
  assert_true(acpi_fadt(p, 116, &f));
  assert_int_equal(f.dsdt_pa, 0x1000);
  assert_int_equal(f.pm1a_control.address, 0x604);
  assert_int_equal(f.pm1a_control.space, ACPI_SPACE_IO);
  assert_int_equal(f.pm1b_control.address, 0);
  assert_int_equal(f.pm_timer.address, 0x608);
  assert_int_equal(f.sleep_control.address, 0);
  assert_false(acpi_fadt(p, 115, &f));

  put64(p + 140, 0x200000000); /* the 64-bit forms win */
  p[172] = ACPI_SPACE_MEMORY;
  put64(p + 176, 0xfed00000);
  p[244] = ACPI_SPACE_MEMORY;
  put64(p + 248, 0xfea00000);
  assert_true(acpi_fadt(p, sizeof p, &f));
  assert_int_equal(f.dsdt_pa, 0x200000000);
  assert_int_equal(f.pm1a_control.address, 0xfed00000);
  assert_int_equal(f.pm1a_control.space, ACPI_SPACE_MEMORY);
  assert_int_equal(f.sleep_control.address, 0xfea00000);
  assert_true(acpi_fadt(p, 255, &f)); /* ends within the last register */
  assert_int_equal(f.sleep_control.address, 0);
}

static void test_mcfg(void **state) {
  uint8_t p[60] = {0};
  uint64_t pa;
  uint8_t first, last;
  put64(p + 44, 0xb0000000);
  p[55] = 255;
  assert_true(acpi_mcfg(p, 60, &pa, &first, &last));
  assert_int_equal(pa, 0xb0000000);
  assert_int_equal(first, 0);
  assert_int_equal(last, 255);
  assert_false(acpi_mcfg(p, 59, &pa, &first, &last));
  p[54] = 9;
  p[55] = 8;
  assert_false(acpi_mcfg(p, 60, &pa, &first, &last));
}

/* Looks for _S5_ in a DSDT that ends right behind `aml`. */
static bool find(const void *aml, size_t n, uint8_t *a, uint8_t *b) {
  uint8_t *dsdt = calloc(1, 36 + n);
  memcpy(dsdt + 36, aml, n);
  bool ok = acpi_find_s5(dsdt, 36 + n, a, b);
  free(dsdt);
  return ok;
}
#define FIND(text) find(text, sizeof text - 1, &a, &b)

static void test_s5(void **state) {
  uint8_t a, b;
  assert_true(FIND("\x08_S5_\x12\x06\x04\x00\x00\x00\x00"));
  assert_int_equal(a, 0);
  assert_int_equal(b, 0);
  assert_true(FIND("xx\x08_S5_\x12\x0a\x04\x0a\x05\x0a\x07\x00\x00"));
  assert_int_equal(a, 5);
  assert_int_equal(b, 7);
  assert_true(FIND("\x08_S5_\x12\x40\x01\x02\x01\x01")); /* a length of two bytes */
  assert_int_equal(a, 1);
  assert_int_equal(b, 1);
  assert_true(FIND("\x08_S5_\x12\x05\x01\x0b\x03\x00"));
  assert_int_equal(a, 3);
  assert_int_equal(b, 0);
  /* The name alone, in a method say, and then the package. */
  assert_true(FIND("_S5_zz\x08_S5_\x12\x06\x02\x0a\x05\x00"));
  assert_int_equal(a, 5);
  static const char whole[] = "\x08_S5_\x12\x0a\x04\x0a\x05\x0a\x07\x00\x00";
  for (size_t n = 0; n < 12; n++)
    assert_false(find(whole, n, &a, &b));
  assert_false(FIND("\x08_S5_\x12\x0a\x04\x0e\x05\x0a\x07"));
  assert_false(FIND("\x08_S5_\x12\x0a\x00\x0a\x05\x0a\x07"));
  assert_false(FIND("\x08_S4_\x12\x0a\x04\x0a\x05\x0a\x07\x00\x00"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_rsdp), cmocka_unit_test(test_root), cmocka_unit_test(test_header),
      cmocka_unit_test(test_madt), cmocka_unit_test(test_fadt), cmocka_unit_test(test_mcfg),
      cmocka_unit_test(test_s5),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
