/* Growing the kernel file's placeholder: kernel_elf.h. */
#include "images/kernel_elf.h"

#include <inttypes.h>
#include <string.h>

#include "kernel/elf_format.h"
#include "kernel/elf_parse.h"

#define PAGE_BYTES 4096
#define WANTED "; accepted: a kernel that this project's build made"

static const struct {
  const char *name;
  unsigned number;
} machines[] = {{"x86_64", ELF_MACHINE_X86_64}, {"aarch64", ELF_MACHINE_AARCH64}};

const char *machine_name(unsigned machine) {
  for (size_t i = 0; i < sizeof(machines) / sizeof(machines[0]); i++) {
    if (machines[i].number == machine) {
      return machines[i].name;
    }
  }
  return NULL;
}

unsigned machine_number(const char *name) {
  for (size_t i = 0; i < sizeof(machines) / sizeof(machines[0]); i++) {
    if (strcmp(machines[i].name, name) == 0) {
      return machines[i].number;
    }
  }
  return 0;
}

static const uint8_t *program_header(const struct kernel_elf *kernel, unsigned index) {
  return kernel->bytes + kernel->phdr_offset + (uint64_t)index * PHDR_BYTES;
}

/* The placeholder is the last PT_LOAD; its properties. */
static const char *find_placeholder(struct kernel_elf *kernel) {
  bool found = false;
  for (unsigned i = 0; i < kernel->phdr_count; i++) {
    if (elf_read32(program_header(kernel, i) + PHDR_TYPE) == ELF_PT_LOAD) {
      kernel->placeholder = i;
      found = true;
    }
  }
  if (!found) {
    return "has no loadable segment" WANTED;
  }
  const uint8_t *header = program_header(kernel, kernel->placeholder);
  kernel->placeholder_offset = elf_read64(header + PHDR_OFFSET);
  kernel->placeholder_bytes = elf_read64(header + PHDR_FILESZ);
  kernel->place_va = elf_read64(header + PHDR_VADDR);
  kernel->place_pa = elf_read64(header + PHDR_PADDR);
  uint64_t unaligned =
      kernel->placeholder_offset | kernel->placeholder_bytes | kernel->place_va | kernel->place_pa;
  if (unaligned % PAGE_BYTES != 0 || kernel->placeholder_bytes != PAGE_BYTES ||
      elf_read64(header + PHDR_MEMSZ) != PAGE_BYTES ||
      elf_read32(header + PHDR_FLAGS) != ELF_READ || elf_read64(header + PHDR_ALIGN) > PAGE_BYTES) {
    return "has no placeholder for the payload: its last segment is not one read-only page" WANTED;
  }
  return NULL;
}

/* The payload grows upwards: nothing may be behind the placeholder, in memory or in the file. */
static const char *check_segments(const struct kernel_elf *kernel) {
  for (unsigned i = 0; i < kernel->phdr_count; i++) {
    const uint8_t *header = program_header(kernel, i);
    uint64_t offset = elf_read64(header + PHDR_OFFSET);
    uint64_t filesz = elf_read64(header + PHDR_FILESZ);
    uint64_t memsz = elf_read64(header + PHDR_MEMSZ);
    uint64_t paddr = elf_read64(header + PHDR_PADDR);
    uint64_t vaddr = elf_read64(header + PHDR_VADDR);
    if (offset > kernel->size || filesz > kernel->size - offset) {
      return "has a segment that reaches past its end" WANTED;
    }
    bool load = elf_read32(header + PHDR_TYPE) == ELF_PT_LOAD;
    if (load && memsz == 0) {
      return "has a loadable segment of no size, which GRUB refuses" WANTED;
    }
    if (i == kernel->placeholder || filesz + memsz == 0) {
      continue;
    }
    bool before = offset + filesz <= kernel->placeholder_offset;
    bool below = vaddr < kernel->place_va && memsz <= kernel->place_va - vaddr &&
                 paddr < kernel->place_pa && memsz <= kernel->place_pa - paddr;
    if (!before || (load && !below)) {
      return "has a segment behind the payload's placeholder" WANTED;
    }
  }
  return NULL;
}

/* The tables of headers stay whole: neither overlaps the placeholder. */
static const char *check_tables(const struct kernel_elf *kernel) {
  uint64_t offset = elf_read64(kernel->bytes + EHDR_SHOFF);
  uint64_t size = (uint64_t)elf_read16(kernel->bytes + EHDR_SHNUM) * SHDR_BYTES;
  bool inside = offset <= kernel->size && size <= kernel->size - offset;
  bool sized = size == 0 || elf_read16(kernel->bytes + EHDR_SHENTSIZE) == SHDR_BYTES;
  bool apart = size == 0 || offset + size <= kernel->placeholder_offset ||
               offset >= kernel->placeholder_offset + kernel->placeholder_bytes;
  if (!inside || !sized || !apart) {
    return "has broken section headers" WANTED;
  }
  uint64_t headers_end = kernel->phdr_offset + (uint64_t)kernel->phdr_count * PHDR_BYTES;
  return headers_end <= kernel->placeholder_offset ? NULL : "has broken program headers" WANTED;
}

static const char *check(struct kernel_elf *kernel) {
  const uint8_t *bytes = kernel->bytes;
  if (kernel->size < EHDR_BYTES || memcmp(bytes, "\177ELF", 4) != 0 ||
      bytes[EHDR_CLASS] != ELF_CLASS_64 || bytes[EHDR_DATA] != ELF_DATA_LITTLE) {
    return "is not a 64-bit little-endian ELF file" WANTED;
  }
  kernel->machine = elf_read16(bytes + EHDR_MACHINE);
  if (machine_name(kernel->machine) == NULL) {
    return "is for an unknown machine; accepted: x86_64, aarch64";
  }
  kernel->phdr_offset = elf_read64(bytes + EHDR_PHOFF);
  kernel->phdr_count = elf_read16(bytes + EHDR_PHNUM);
  if (elf_read16(bytes + EHDR_PHENTSIZE) != PHDR_BYTES || kernel->phdr_offset > kernel->size ||
      (uint64_t)kernel->phdr_count * PHDR_BYTES > kernel->size - kernel->phdr_offset) {
    return "has broken program headers" WANTED;
  }
  const char *error = find_placeholder(kernel);
  if (error == NULL) {
    error = check_segments(kernel);
  }
  return error != NULL ? error : check_tables(kernel);
}

bool kernel_elf_read(struct kernel_elf *kernel, const char *name, const struct buffer *file,
                     struct report *report) {
  *kernel = (struct kernel_elf){.name = name, .bytes = file->bytes, .size = file->length};
  const char *error = check(kernel);
  return error == NULL || report_plain(report, "%s %s", name, error);
}

void elf_store(uint8_t *at, unsigned bytes, uint64_t value) {
  for (unsigned i = 0; i < bytes; i++, value >>= 8) {
    at[i] = (uint8_t)value;
  }
}

/* Moves a file offset behind the placeholder by the payload's growth. */
static void shift_offset(uint8_t *at, uint64_t behind, uint64_t growth) {
  uint64_t offset = elf_read64(at);
  if (offset >= behind) {
    elf_store(at, 8, offset + growth);
  }
}

/* Section headers of the new file: what lay behind the placeholder has moved. */
static void fix_sections(const struct kernel_elf *kernel, uint8_t *file, uint64_t growth,
                         uint64_t payload_bytes) {
  uint64_t behind = kernel->placeholder_offset + kernel->placeholder_bytes;
  unsigned count = elf_read16(file + EHDR_SHNUM);
  shift_offset(file + EHDR_SHOFF, behind, growth);
  uint8_t *headers = file + elf_read64(file + EHDR_SHOFF);
  for (unsigned i = 0; i < count; i++) {
    uint8_t *header = headers + (uint64_t)i * SHDR_BYTES;
    shift_offset(header + SHDR_OFFSET, behind, growth);
    if (elf_read64(header + SHDR_ADDR) == kernel->place_va &&
        elf_read64(header + SHDR_SIZE) == kernel->placeholder_bytes) {
      elf_store(header + SHDR_SIZE, 8, payload_bytes);
    }
  }
}

static void drop_sections(uint8_t *file) {
  elf_store(file + EHDR_SHOFF, 8, 0);
  elf_store(file + EHDR_SHNUM, 2, 0);
  elf_store(file + EHDR_SHSTRNDX, 2, 0);
}

bool kernel_elf_write(const struct kernel_elf *kernel, const struct buffer *payload, bool strip,
                      struct buffer *output, struct report *report) {
  uint64_t bytes = (payload->length + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
  uint64_t room = UINT64_MAX - kernel->place_va - (PAGE_BYTES - 1); /* the last page stays free */
  if (bytes > room || bytes > UINT64_MAX - kernel->place_pa) {
    return report_plain(report,
                        "the payload of %zu bytes does not fit above the kernel; accepted: at most "
                        "%" PRIu64 " bytes",
                        payload->length, room);
  }
  uint64_t behind = kernel->placeholder_offset + kernel->placeholder_bytes;
  buffer_append(output, kernel->bytes, kernel->placeholder_offset);
  buffer_append(output, payload->bytes, payload->length);
  buffer_grow(output, bytes - payload->length);
  if (!strip) {
    buffer_append(output, kernel->bytes + behind, kernel->size - behind);
  }
  uint8_t *header = output->bytes + kernel->phdr_offset + kernel->placeholder * PHDR_BYTES;
  elf_store(header + PHDR_FILESZ, 8, bytes);
  elf_store(header + PHDR_MEMSZ, 8, bytes);
  if (strip) {
    drop_sections(output->bytes);
  } else {
    fix_sections(kernel, output->bytes, bytes - kernel->placeholder_bytes, bytes);
  }
  return true;
}
