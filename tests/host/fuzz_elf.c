// sources: kernel/elf_parse.c kernel/elf_symbol.c
/*
 * ELF files from anyone: whatever elf_parse() accepts keeps the promises of elf_parse.h, and
 * elf_symbol() stays inside the file.
 *
 * Inputs: an even first byte is followed by a file. An odd one is followed by changes to a good
 * program, five bytes each: the offset's two bytes (modulo the size of the headers), then how many
 * bytes are stored there (modulo 8), and two bytes of which that many are made.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/elf_parse.h"
#include "tests/host/elf_fixture.h"

static void check_segment(const struct elf_image *image, unsigned i, size_t size) {
  const struct elf_segment *segment = &image->segments[i];
  assert(segment->memsz_bytes > 0);
  assert(segment->filesz_bytes <= segment->memsz_bytes);
  assert(segment->filesz_bytes == 0 ||
         (segment->offset <= size && segment->filesz_bytes <= size - segment->offset));
  assert(segment->vaddr + segment->memsz_bytes <= ELF_ADDRESS_END);
  assert((segment->flags & 3) != 3);
  assert(segment->filesz_bytes == 0 || segment->vaddr % 4096 == segment->offset % 4096);
  if (i > 0) {
    const struct elf_segment *last = &image->segments[i - 1];
    assert((last->vaddr + last->memsz_bytes - 1) / 4096 < segment->vaddr / 4096);
  }
}

static void check_image(const struct elf_image *image, size_t size) {
  bool entry = false;
  assert(image->segment_count >= 1 && image->segment_count <= ELF_SEGMENTS_MAX);
  for (unsigned i = 0; i < image->segment_count; i++) {
    const struct elf_segment *segment = &image->segments[i];
    check_segment(image, i, size);
    assert(segment->vaddr >= image->start);
    assert(segment->vaddr + segment->memsz_bytes <= image->start + image->span_bytes);
    entry = entry || ((segment->flags & ELF_EXECUTE) != 0 &&
                      image->entry - segment->vaddr < segment->memsz_bytes);
  }
  assert(entry);
  assert(image->align_bytes >= 4096 && (image->align_bytes & (image->align_bytes - 1)) == 0);
  assert(image->start % 4096 == 0 && image->span_bytes % 4096 == 0);
  assert(image->dynamic || image->start >= 4096);
  assert(image->phdr_offset + image->phdr_count * 56u <= size);
}

static void check(const uint8_t *data, size_t size) {
  uint8_t *file = malloc(size);
  struct elf_image image;
  struct elf_memory memory;
  const char *why;
  char name[20];
  uint64_t offset;
  memcpy(file, data, size);
  elf_memory_init(&memory, file, size);
  if (elf_parse(&memory.file, ELF_MACHINE_X86_64, &image, &why)) {
    check_image(&image, size);
  } else {
    assert(strlen(why) > 0 && strlen(why) < ELF_WHY_BYTES);
  }
  for (uint64_t vaddr = 0xff0; vaddr < 0x10a0; vaddr += 8) {
    if (elf_symbol(&memory.file, vaddr, name, sizeof(name), &offset)) {
      assert(offset <= vaddr && strnlen(name, sizeof(name)) < sizeof(name) && name[0] != '\0');
    }
  }
  free(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static struct elf_fixture elf;
  if (size == 0) {
    return 0;
  }
  if (data[0] % 2 == 0) {
    check(data + 1, size - 1);
    return 0;
  }
  fixture_program(&elf, ELF_MACHINE_X86_64);
  for (size_t i = 1; i + 5 <= size; i += 5) {
    size_t at = (size_t)(data[i] << 8 | data[i + 1]) % (EHDR_BYTES + FIXTURE_PHDRS * PHDR_BYTES);
    if (data[i] >= 0xf0) {
      at = FIXTURE_SYMBOLS +
           (size_t)((data[i] & 15) << 8 | data[i + 1]) % (elf.size - FIXTURE_SYMBOLS);
    }
    for (unsigned j = 0; j <= data[i + 2] % 8u && at + j < elf.size; j++) {
      elf.bytes[at + j] = data[i + 3 + j % 2];
    }
  }
  check(elf.bytes, elf.size);
  return 0;
}
