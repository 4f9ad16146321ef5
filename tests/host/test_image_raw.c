// sources: images/raw_image.c images/kernel_elf.c images/report.c images/arena.c kernel/elf_parse.c
/*
 * Raw images for aarch64: where the segments, the zeroes between them and the payload lie, what the
 * headers of a Linux Image and of an EFI program say about sizes, and kernels that are refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "images/raw_image.h"
#include "tests/host/elf_fixture.h"

/* Of the fixture's kernel: text at 0, data at 4 KiB with BSS, the payload at 128 KiB. */
enum {
  DATA = 0x1000,
  DATA_BYTES = 0x400,
  PLACE = 0x20000,
  TEXT_END = 0x2000, /* the text made larger, so that a page of headers fits before code */
  PE = 0x40,
  SECTIONS = PE + 24 + 160,
};

static struct elf_fixture elf;
static struct report report;

/* The headers that boot/aarch64 assembles, sizes left open. */
static void put_headers(uint8_t *head) {
  memcpy(head, "MZ\x40\xfa", 4);
  fixture_store(head + 16, 8, 0x1234);
  memcpy(head + 56, "ARM\x64", 4);
  fixture_store(head + 60, 4, PE);
  memcpy(head + PE, "PE\0\0", 4);
  fixture_store(head + PE + 4, 2, 0xaa64);
  fixture_store(head + PE + 6, 2, 2);
  fixture_store(head + PE + 20, 2, 160);
  fixture_store(head + PE + 24, 2, 0x20b);
  fixture_store(head + PE + 24 + 60, 4, 0x1000); /* size of headers */
  memcpy(head + SECTIONS, ".text", 5);
  memcpy(head + SECTIONS + 40, ".data", 5);
}

/* A kernel whose first segment begins with those headers: text of two pages, then data. */
static void make_kernel(unsigned machine) {
  fixture_kernel(&elf, machine);
  fixture_store(elf.bytes + fixture_phdr(0, PHDR_OFFSET), 8, 0x400);
  fixture_store(elf.bytes + fixture_phdr(0, PHDR_FILESZ), 8, 0xb00);
  fixture_store(elf.bytes + fixture_phdr(0, PHDR_MEMSZ), 8, TEXT_END);
  fixture_store(elf.bytes + fixture_phdr(1, PHDR_VADDR), 8, 0xffffffff80102000);
  fixture_store(elf.bytes + fixture_phdr(1, PHDR_PADDR), 8, 0x102000);
  fixture_store(elf.bytes + fixture_phdr(1, PHDR_MEMSZ), 8, 0x1e000);
  put_headers(elf.bytes + 0x400);
}

static bool write_image(const struct buffer *payload, struct buffer *image) {
  struct kernel_elf kernel;
  struct buffer file = {.bytes = elf.bytes, .length = elf.size};
  report = (struct report){0};
  *image = (struct buffer){0};
  return kernel_elf_read(&kernel, "k", &file, &report) &&
         raw_image_write(&kernel, payload, image, &report);
}

static uint32_t get32(const struct buffer *image, size_t at) {
  return elf_read32(image->bytes + at);
}

static void layout(void **state) {
  (void)state;
  static uint8_t bytes[5000];
  memset(bytes, 'P', sizeof bytes);
  struct buffer payload = {.bytes = bytes, .length = sizeof bytes}, image;
  make_kernel(ELF_MACHINE_AARCH64);
  if (!write_image(&payload, &image)) {
    fail_msg("%s", report.message);
  }
  assert_int_equal(image.length, PLACE + 0x2000);
  assert_memory_equal(image.bytes, "MZ", 2);
  assert_memory_equal(image.bytes + 0x400, elf.bytes + 0x800, 0x700); /* "kernel text" */
  assert_memory_equal(image.bytes + TEXT_END, "kernel data", 11);
  for (size_t i = TEXT_END + DATA_BYTES; i < PLACE; i++) {
    assert_int_equal(image.bytes[i], 0); /* BSS */
  }
  assert_memory_equal(image.bytes + PLACE, bytes, sizeof bytes);
  for (size_t i = PLACE + sizeof bytes; i < image.length; i++) {
    assert_int_equal(image.bytes[i], 0);
  }
  buffer_free(&image);
}

/* Everything is covered: whoever loads by either header has the payload in memory. */
static void headers(void **state) {
  (void)state;
  struct buffer payload = {.bytes = (uint8_t *)"payload", .length = 7}, image;
  make_kernel(ELF_MACHINE_AARCH64);
  assert_true(write_image(&payload, &image));
  assert_true(elf_read64(image.bytes + 16) == image.length);
  assert_int_equal(get32(&image, PE + 24 + 4), TEXT_END - 0x1000);
  assert_int_equal(get32(&image, PE + 24 + 8), image.length - TEXT_END);
  assert_int_equal(get32(&image, PE + 24 + 56), image.length);
  static const struct {
    size_t at;
    const char *name;
    uint32_t start;
  } sections[] = {{SECTIONS, ".text", 0x1000}, {SECTIONS + 40, ".data", TEXT_END}};
  for (size_t i = 0; i < 2; i++) {
    size_t at = sections[i].at;
    uint32_t end = i == 0 ? TEXT_END : (uint32_t)image.length;
    assert_string_equal((const char *)image.bytes + at, sections[i].name);
    assert_int_equal(get32(&image, at + 8), end - sections[i].start);
    assert_int_equal(get32(&image, at + 12), sections[i].start);
    assert_int_equal(get32(&image, at + 16), end - sections[i].start);
    assert_int_equal(get32(&image, at + 20), sections[i].start);
  }
  buffer_free(&image);
}

static void empty_payload(void **state) {
  (void)state;
  struct buffer payload = {0}, image;
  make_kernel(ELF_MACHINE_AARCH64);
  assert_true(write_image(&payload, &image));
  assert_int_equal(image.length, PLACE);
  buffer_free(&image);
}

static void names(void **state) {
  (void)state;
  assert_true(raw_image_wanted("build/aarch64/httpd.image"));
  assert_false(raw_image_wanted("httpd.elf"));
  assert_false(raw_image_wanted("image"));
  assert_false(raw_image_wanted(".image"));
  assert_false(raw_image_wanted("x.image.elf"));
}

static void refuses(const char *message) {
  struct buffer payload = {.bytes = (uint8_t *)"payload", .length = 7}, image;
  bool written = write_image(&payload, &image);
  buffer_free(&image);
  assert_false(written);
  assert_string_equal(report.message, message);
}

static void x86_kernel(void **state) {
  (void)state;
  make_kernel(ELF_MACHINE_X86_64);
  refuses("k is for x86_64, which boots from an ELF file; accepted: -o NAME.elf");
}

#define WANTED "; accepted: a kernel that this project's build made"
#define NO_HEADERS "k does not begin with the headers of an Image and an EFI program" WANTED

static const struct {
  size_t at;
  unsigned width;
  uint64_t value;
  const char *message;
} kernels[] = {
    {0x400, 1, 'X', NO_HEADERS},
    {0x400 + 56, 4, 0, NO_HEADERS},
    {0x400 + 60, 4, 0x3f, NO_HEADERS},
    {0x400 + 60, 4, 0xffffffff, NO_HEADERS},
    {0x400 + 60, 4, TEXT_END - 8, NO_HEADERS},
    {0x400 + PE, 1, 'X', NO_HEADERS},
    {0x400 + PE + 4, 2, 0x8664, NO_HEADERS},
    {0x400 + PE + 6, 2, 3, NO_HEADERS},
    {0x400 + PE + 20, 2, 0xffff, NO_HEADERS}, /* the sections' table lies outside */
    {0x400 + PE + 20, 2, 8, NO_HEADERS},      /* no room for the sizes */
    {0x400 + PE + 24 + 60, 4, 0x80, NO_HEADERS},
    {0x400 + PE + 24 + 60, 4, TEXT_END, NO_HEADERS},
    {EHDR_BYTES + PHDR_BYTES + PHDR_PADDR, 8, 0x101000, "k has segments that overlap" WANTED},
    {EHDR_BYTES + PHDR_BYTES + PHDR_PADDR, 8, 0x1000, "k has segments that overlap" WANTED},
    {EHDR_BYTES + PHDR_BYTES + PHDR_MEMSZ, 8, 0x3ff, "k has segments that overlap" WANTED},
    {EHDR_BYTES + 2 * PHDR_BYTES + PHDR_PADDR, 8, 0x80000000,
     "k has segments too far apart" WANTED},
};

static void broken_kernels(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof kernels / sizeof kernels[0]; i++) {
    make_kernel(ELF_MACHINE_AARCH64);
    fixture_store(elf.bytes + kernels[i].at, kernels[i].width, kernels[i].value);
    refuses(kernels[i].message);
  }
}

static void large_payload(void **state) {
  (void)state;
  struct buffer payload = {.bytes = NULL, .length = (1u << 30) - PLACE + 1}, image;
  make_kernel(ELF_MACHINE_AARCH64);
  assert_false(write_image(&payload, &image));
  assert_string_equal(report.message,
                      "the payload of 1073610753 bytes does not fit behind the kernel; accepted: "
                      "at most 1073610752 bytes");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(layout),        cmocka_unit_test(headers),
      cmocka_unit_test(empty_payload), cmocka_unit_test(names),
      cmocka_unit_test(x86_kernel),    cmocka_unit_test(broken_kernels),
      cmocka_unit_test(large_payload),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
