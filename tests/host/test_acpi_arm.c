// sources: boot/acpi.c boot/acpi_arm.c arch/aarch64/platform_acpi.c
/*
 * ACPI on Arm machines: the parts of the interrupt controller, the timer, the console, PSCI; each
 * table in memory of exactly its size, cut short too. Then whole sets of tables, as an aarch64
 * kernel reads them: what it believes the machine to be.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "arch/aarch64/platform.h"
#include "boot/acpi_arm.h"

#include <stdlib.h>
#include <string.h>

static void put16(uint8_t *p, uint16_t v) {
  p[0] = (uint8_t)v;
  p[1] = (uint8_t)(v >> 8);
}

static void put32(uint8_t *p, uint32_t v) {
  put16(p, (uint16_t)v);
  put16(p + 2, (uint16_t)(v >> 16));
}

static void put64(uint8_t *p, uint64_t v) {
  put32(p, (uint32_t)v);
  put32(p + 4, (uint32_t)(v >> 32));
}

/* A copy of exactly n bytes: reading beyond it is found out. */
static uint8_t *exactly(const void *bytes, size_t n) {
  uint8_t *copy = malloc(n);
  memcpy(copy, bytes, n);
  return copy;
}

/* ---- Entries of the MADT, as a test writes them ---------------------------------------------- */

static size_t put_gicc(uint8_t *p, unsigned size, bool enabled, uint64_t pa, uint64_t gicr_pa) {
  p[0] = 11;
  p[1] = (uint8_t)size;
  put32(p + 12, enabled);
  put64(p + 32, pa);
  if (size >= 68)
    put64(p + 60, gicr_pa);
  return size;
}

static size_t put_gicd(uint8_t *p, uint64_t pa, unsigned version) {
  p[0] = 12;
  p[1] = 24;
  put64(p + 8, pa);
  p[20] = (uint8_t)version;
  return 24;
}

static size_t put_msi_frame(uint8_t *p, uint64_t pa, bool told, unsigned count, unsigned first) {
  p[0] = 13;
  p[1] = 24;
  put64(p + 8, pa);
  put32(p + 16, told);
  put16(p + 20, (uint16_t)count);
  put16(p + 22, (uint16_t)first);
  return 24;
}

static size_t put_gicr(uint8_t *p, uint64_t pa, uint32_t bytes) {
  p[0] = 14;
  p[1] = 16;
  put64(p + 4, pa);
  put32(p + 12, bytes);
  return 16;
}

static size_t put_its(uint8_t *p, uint64_t pa) {
  p[0] = 15;
  p[1] = 20;
  put64(p + 8, pa);
  return 20;
}

static struct acpi_madt_entry entry(const uint8_t *p, size_t size) {
  return (struct acpi_madt_entry){.type = p[0], .data = p, .size = size};
}

/* The parser takes the entry at its full size, and refuses it one byte shorter or of another type.
 */
#define CHECK_BOUNDS(bytes, size, parse, out)                                      \
  do {                                                                             \
    uint8_t *whole = exactly(bytes, size), *cut = exactly(bytes, (size)-1);        \
    struct acpi_madt_entry full = entry(whole, size), less = entry(cut, (size)-1); \
    assert_true(parse(&full, out));                                                \
    assert_false(parse(&less, out));                                               \
    full.type = 0;                                                                 \
    assert_false(parse(&full, out));                                               \
    free(whole);                                                                   \
    free(cut);                                                                     \
  } while (0)

static void test_entries(void **state) {
  uint8_t p[80] = {0};
  struct acpi_gicc gicc;
  struct acpi_gicd gicd;
  struct acpi_gicr gicr;
  struct acpi_msi_frame frame;
  uint64_t pa;

  put_gicd(p, 0x108000000, 3);
  CHECK_BOUNDS(p, 24, acpi_madt_gicd, &gicd);
  assert_true(gicd.pa == 0x108000000 && gicd.version == 3);

  put_gicr(p, 0x80a0000, 0xf60000);
  CHECK_BOUNDS(p, 16, acpi_madt_gicr, &gicr);
  assert_true(gicr.pa == 0x80a0000 && gicr.bytes == 0xf60000);

  put_its(p, 0x8080000);
  CHECK_BOUNDS(p, 20, acpi_madt_its, &pa);
  assert_true(pa == 0x8080000);

  put_msi_frame(p, 0x8020000, true, 64, 80);
  CHECK_BOUNDS(p, 24, acpi_madt_msi_frame, &frame);
  assert_true(frame.pa == 0x8020000 && frame.spi_count == 64 && frame.spi_first == 80);
  put_msi_frame(p, 0x8020000, false, 64, 80); /* the frame's register is right, not these */
  CHECK_BOUNDS(p, 24, acpi_madt_msi_frame, &frame);
  assert_true(frame.spi_count == 0 && frame.spi_first == 0);

  memset(p, 0, sizeof p);
  put_gicc(p, 80, true, 0x8010000, 0x80a0000);
  struct acpi_madt_entry e = entry(p, 80);
  assert_true(acpi_madt_gicc(&e, &gicc));
  assert_true(gicc.enabled && gicc.pa == 0x8010000 && gicc.gicr_pa == 0x80a0000);
  put_gicc(p, 40, false, 0x8010000, 0);
  CHECK_BOUNDS(p, 40, acpi_madt_gicc, &gicc); /* of a table older than redistributors */
  assert_true(!gicc.enabled && gicc.pa == 0x8010000 && gicc.gicr_pa == 0);
}

static void test_gtdt(void **state) {
  uint8_t p[68] = {0}, *cut;
  uint32_t intid;
  put32(p + 64, 27);
  assert_true(acpi_gtdt(p, 68, &intid));
  assert_int_equal(intid, 27);
  cut = exactly(p, 67);
  assert_false(acpi_gtdt(cut, 67, &intid));
  free(cut);
  put32(p + 64, 0);
  assert_false(acpi_gtdt(p, 68, &intid));
}

static void test_spcr(void **state) {
  uint8_t p[58] = {0}, *cut;
  struct acpi_spcr s;
  p[36] = ACPI_SPCR_PL011;
  p[40] = ACPI_SPACE_MEMORY;
  put64(p + 44, 0x9000000);
  p[52] = 8;
  put32(p + 54, 33);
  assert_true(acpi_spcr(p, 58, &s));
  assert_true(s.type == ACPI_SPCR_PL011 && s.base.address == 0x9000000 && s.intid == 33);
  p[52] = 1; /* an interrupt of another controller */
  assert_true(acpi_spcr(p, 58, &s));
  assert_int_equal(s.intid, 0);
  cut = exactly(p, 57);
  assert_false(acpi_spcr(cut, 57, &s));
  free(cut);
  put64(p + 44, 0);
  assert_false(acpi_spcr(p, 58, &s));
}

static void test_psci(void **state) {
  uint8_t p[131] = {0}, *cut;
  bool hvc;
  assert_false(acpi_fadt_psci(p, 131, &hvc));
  put16(p + 129, 1);
  assert_true(acpi_fadt_psci(p, 131, &hvc));
  assert_false(hvc);
  put16(p + 129, 3);
  assert_true(acpi_fadt_psci(p, 131, &hvc));
  assert_true(hvc);
  cut = exactly(p, 130);
  assert_false(acpi_fadt_psci(cut, 130, &hvc));
  free(cut);
}

/* ---- Whole machines -------------------------------------------------------------------------- */

static uint8_t tables[6][512];
static uint8_t xsdt[36 + 8 * 6];
static uint8_t rsdp[36];

static void fix_sum(uint8_t *p, size_t n, size_t at) {
  uint8_t sum = 0;
  p[at] = 0;
  for (size_t i = 0; i < n; i++)
    sum = (uint8_t)(sum + p[i]);
  p[at] = (uint8_t)-sum;
}

static void finish(uint8_t *table, const char *signature, size_t size) {
  memcpy(table, signature, 4);
  put32(table + 4, (uint32_t)size);
  fix_sum(table, size, 9);
}

/* Everything but the MADT, whose entries a test writes at tables[0] + 44. */
static void make_tables(size_t madt_bytes) {
  finish(tables[0], "APIC", 44 + madt_bytes);
  put32(tables[1] + 64, 27);
  finish(tables[1], "GTDT", 104);
  tables[2][36] = ACPI_SPCR_PL011;
  put64(tables[2] + 44, 0x9000000);
  tables[2][52] = 8;
  put32(tables[2] + 54, 33);
  finish(tables[2], "SPCR", 80);
  put64(tables[3] + 44, 0x4010000000);
  tables[3][54] = 2;
  tables[3][55] = 255;
  finish(tables[3], "MCFG", 60);
  put16(tables[4] + 129, 3);
  finish(tables[4], "FACP", 276);
  finish(tables[5], "DSDT", 36);
  for (size_t i = 0; i < 6; i++)
    put64(xsdt + 36 + 8 * i, (uint64_t)(uintptr_t)tables[i]);
  finish(xsdt, "XSDT", sizeof xsdt);
  memcpy(rsdp, "RSD PTR ", 8);
  rsdp[15] = 2;
  put64(rsdp + 24, (uint64_t)(uintptr_t)xsdt);
  fix_sum(rsdp, 20, 8);
  fix_sum(rsdp, 36, 32);
}

static bool read_platform(struct a64_platform *p) {
  *p = (struct a64_platform){0};
  return a64_platform_from_acpi(p, (uint64_t)(uintptr_t)rsdp);
}

static void test_platform_gic2(void **state) {
  struct a64_platform p;
  uint8_t *at = tables[0] + 44;
  memset(tables, 0, sizeof tables);
  at += put_gicd(at, 0x8000000, 2);
  at += put_gicc(at, 80, false, 0xbad0000, 0);
  at += put_gicc(at, 80, true, 0x8010000, 0);
  at += put_gicc(at, 80, true, 0xbad0000, 0);
  at += put_msi_frame(at, 0x8020000, true, 64, 80);
  make_tables((size_t)(at - tables[0]) - 44);
  assert_true(read_platform(&p));
  assert_int_equal(p.gic_version, 2);
  assert_true(p.gicd_pa == 0x8000000 && p.gicc_pa == 0x8010000 && p.gicr_count == 0);
  assert_true(p.v2m_pa == 0x8020000 && p.v2m_spi_first == 80 && p.v2m_spi_count == 64);
  assert_int_equal(p.timer_intid, 27);
  assert_true(p.uart_pa == 0x9000000 && p.uart_intid == 33);
  assert_int_equal(p.psci, A64_PSCI_HVC);
  assert_true(p.ecam_pa == 0x4010200000 && p.ecam_bytes == 254ull << 20 && p.ecam_bus_first == 2);
  assert_true(p.pci_window.bytes == 0 && p.pci_io.bytes == 0);

  tables[1][64]++; /* a table whose checksum is wrong is left out */
  assert_true(read_platform(&p));
  assert_int_equal(p.timer_intid, 0);
}

static void test_platform_gic3(void **state) {
  struct a64_platform p;
  uint8_t *at = tables[0] + 44;
  memset(tables, 0, sizeof tables);
  at += put_gicc(at, 80, true, 0, 0);
  at += put_gicd(at, 0x8000000, 3);
  at += put_gicr(at, 0x80a0000, 0xf60000);
  at += put_gicr(at, 0x4000000000, 0x1000000);
  at += put_its(at, 0x8080000);
  make_tables((size_t)(at - tables[0]) - 44);
  assert_true(read_platform(&p));
  assert_int_equal(p.gic_version, 3);
  assert_int_equal(p.gicr_count, 2);
  assert_true(p.gicr[0].pa == 0x80a0000 && p.gicr[0].bytes == 0xf60000);
  assert_true(p.gicr[1].pa == 0x4000000000);
  assert_true(p.its_pa == 0x8080000 && p.v2m_pa == 0);
}

/* Redistributors told with the processors, and a version that is not told. */
static void test_platform_gicr_of_gicc(void **state) {
  struct a64_platform p;
  uint8_t *at = tables[0] + 44;
  memset(tables, 0, sizeof tables);
  at += put_gicd(at, 0x8000000, 0);
  at += put_gicc(at, 80, true, 0, 0x80a0000);
  make_tables((size_t)(at - tables[0]) - 44);
  assert_true(read_platform(&p));
  assert_int_equal(p.gic_version, 3);
  assert_int_equal(p.gicr_count, 1);
  assert_true(p.gicr[0].pa == 0x80a0000 && p.gicr[0].bytes == 128 << 10);
}

static void test_platform_none(void **state) {
  struct a64_platform p;
  memset(tables, 0, sizeof tables);
  make_tables(0);
  assert_false(read_platform(&p)); /* no distributor */
  rsdp[8]++;
  assert_false(read_platform(&p));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_entries),
      cmocka_unit_test(test_gtdt),
      cmocka_unit_test(test_spcr),
      cmocka_unit_test(test_psci),
      cmocka_unit_test(test_platform_gic2),
      cmocka_unit_test(test_platform_gic3),
      cmocka_unit_test(test_platform_gicr_of_gicc),
      cmocka_unit_test(test_platform_none),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
