/* Laying out a raw image and filling in the sizes of its headers: raw_image.h. */
#include "images/raw_image.h"

#include <inttypes.h>
#include <string.h>

#include "kernel/elf_format.h"
#include "kernel/elf_parse.h"

#define WANTED "; accepted: a kernel that this project's build made"

enum {
  PAGE_BYTES = 4096,
  IMAGE_BYTES_MAX =
      1 << 30, /* the PE header's sizes have 32 bits; so much no loader takes anyway */

  LINUX_IMAGE_SIZE = 16,
  LINUX_MAGIC = 56,
  LINUX_PE_OFFSET = 60,
  LINUX_HEADER_BYTES = 64,

  /* From the PE signature on. */
  PE_MACHINE = 4,
  PE_SECTIONS = 6,
  PE_OPTIONAL_BYTES = 20,
  PE_OPTIONAL = 24,
  PE_CODE_BYTES = PE_OPTIONAL + 4,
  PE_DATA_BYTES = PE_OPTIONAL + 8,
  PE_IMAGE_BYTES = PE_OPTIONAL + 56,
  PE_HEADERS_BYTES = PE_OPTIONAL + 60,
  PE_MACHINE_AARCH64 = 0xaa64,

  SECTION_BYTES = 40,
  SECTION_MEMORY_BYTES = 8,
  SECTION_ADDRESS = 12,
  SECTION_FILE_BYTES = 16,
  SECTION_OFFSET = 20,
};

struct raw_image {
  const struct kernel_elf *kernel;
  uint64_t base_pa;    /* of the image's first byte */
  uint64_t place;      /* where the payload begins in the image */
  uint64_t text_bytes; /* the first segment, in whole pages */
};

bool raw_image_wanted(const char *name) {
  static const char suffix[] = ".image";
  size_t length = strlen(name), want = sizeof(suffix) - 1;
  return length > want && strcmp(name + length - want, suffix) == 0;
}

static const uint8_t *segment(const struct kernel_elf *kernel, unsigned i) {
  const uint8_t *header = kernel->bytes + kernel->phdr_offset + (uint64_t)i * PHDR_BYTES;
  return elf_read32(header + PHDR_TYPE) == ELF_PT_LOAD ? header : NULL;
}

/* The segments lie in physical memory as in their table, and none over another. kernel_elf_read()
 * has checked that they end below the payload. */
static const char *measure(struct raw_image *image) {
  const struct kernel_elf *kernel = image->kernel;
  uint64_t end = 0;
  bool first = true;
  for (unsigned i = 0; i < kernel->phdr_count; i++) {
    const uint8_t *header = segment(kernel, i);
    if (header == NULL) {
      continue;
    }
    uint64_t paddr = elf_read64(header + PHDR_PADDR);
    uint64_t memsz = elf_read64(header + PHDR_MEMSZ);
    if (elf_read64(header + PHDR_FILESZ) > memsz || (!first && paddr < end)) {
      return "has segments that overlap" WANTED;
    }
    end = paddr + memsz;
    if (first) {
      image->base_pa = paddr;
      image->text_bytes = (memsz + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
      first = false;
    }
  }
  image->place = kernel->place_pa - image->base_pa;
  if (image->place < image->text_bytes || image->place > IMAGE_BYTES_MAX) {
    return "has segments too far apart" WANTED;
  }
  return NULL;
}

static void lay_out(const struct raw_image *image, const struct buffer *payload,
                    struct buffer *output) {
  const struct kernel_elf *kernel = image->kernel;
  uint8_t *memory = buffer_grow(output, image->place);
  for (unsigned i = 0; i < kernel->phdr_count; i++) {
    const uint8_t *header = segment(kernel, i);
    if (header != NULL && i != kernel->placeholder) {
      memcpy(memory + (elf_read64(header + PHDR_PADDR) - image->base_pa),
             kernel->bytes + elf_read64(header + PHDR_OFFSET), elf_read64(header + PHDR_FILESZ));
    }
  }
  buffer_append(output, payload->bytes, payload->length);
  buffer_align(output, PAGE_BYTES);
}

/* The PE header inside, or NULL: these are not the headers that this file knows how to fill. */
static uint8_t *find_pe(const struct raw_image *image, uint8_t *bytes) {
  uint64_t room = image->text_bytes;
  uint64_t at = elf_read32(bytes + LINUX_PE_OFFSET);
  if (memcmp(bytes, "MZ", 2) != 0 || memcmp(bytes + LINUX_MAGIC, "ARM\x64", 4) != 0 ||
      at < LINUX_HEADER_BYTES || at > room || room - at < PE_OPTIONAL) {
    return NULL;
  }
  uint8_t *pe = bytes + at;
  uint64_t table = PE_OPTIONAL + elf_read16(pe + PE_OPTIONAL_BYTES);
  if (memcmp(pe, "PE\0\0", 4) != 0 || elf_read16(pe + PE_MACHINE) != PE_MACHINE_AARCH64 ||
      elf_read16(pe + PE_SECTIONS) != 2 || table < PE_HEADERS_BYTES + 4 ||
      room - at < table + 2 * SECTION_BYTES) {
    return NULL;
  }
  uint64_t headers = elf_read32(pe + PE_HEADERS_BYTES);
  return headers >= at + table + 2 * SECTION_BYTES && headers < room ? pe : NULL;
}

static void fill_section(uint8_t *section, uint64_t start, uint64_t bytes) {
  elf_store(section + SECTION_MEMORY_BYTES, 4, bytes);
  elf_store(section + SECTION_ADDRESS, 4, start);
  elf_store(section + SECTION_FILE_BYTES, 4, bytes);
  elf_store(section + SECTION_OFFSET, 4, start);
}

/* Code from behind the headers to the end of the first segment, data from there on. */
static bool fill_headers(const struct raw_image *image, struct buffer *output) {
  uint8_t *pe = find_pe(image, output->bytes);
  if (pe == NULL) {
    return false;
  }
  uint64_t headers = elf_read32(pe + PE_HEADERS_BYTES);
  uint64_t text = image->text_bytes - headers, data = output->length - image->text_bytes;
  uint8_t *sections = pe + PE_OPTIONAL + elf_read16(pe + PE_OPTIONAL_BYTES);
  elf_store(output->bytes + LINUX_IMAGE_SIZE, 8, output->length);
  elf_store(pe + PE_CODE_BYTES, 4, text);
  elf_store(pe + PE_DATA_BYTES, 4, data);
  elf_store(pe + PE_IMAGE_BYTES, 4, output->length);
  fill_section(sections, headers, text);
  fill_section(sections + SECTION_BYTES, image->text_bytes, data);
  return true;
}

bool raw_image_write(const struct kernel_elf *kernel, const struct buffer *payload,
                     struct buffer *output, struct report *report) {
  struct raw_image image = {.kernel = kernel};
  if (kernel->machine != machine_number("aarch64")) {
    return report_plain(report, "%s is for %s, which boots from an ELF file; accepted: -o NAME.elf",
                        kernel->name, machine_name(kernel->machine));
  }
  const char *error = measure(&image);
  if (error != NULL) {
    return report_plain(report, "%s %s", kernel->name, error);
  }
  if (payload->length > IMAGE_BYTES_MAX - image.place) {
    return report_plain(report,
                        "the payload of %zu bytes does not fit behind the kernel; accepted: at "
                        "most %" PRIu64 " bytes",
                        payload->length, IMAGE_BYTES_MAX - image.place);
  }
  lay_out(&image, payload, output);
  return fill_headers(&image, output) ||
         report_plain(report, "%s does not begin with the headers of an Image and an EFI program%s",
                      kernel->name, WANTED);
}
