/*
 * The checks of elf_parse.h, in the order in which a person would want to hear about them: what
 * kind of file it is, then its program headers, then how its segments lie to each other. Section
 * 1.1 of the semantics reference.
 *
 * Where real binaries differ: lld aligns segments to pages in memory and in the file; older GNU
 * linkers only make address and offset equal modulo the page, which is accepted. Either way no two
 * segments share a page, so each page has one set of permissions.
 */
#include "kernel/elf_parse.h"

#include "kernel/elf_format.h"
#include "kernel/string.h"

static bool memory_read(struct elf_file *file, uint64_t offset, void *to, size_t n) {
  const struct elf_memory *memory = (const struct elf_memory *)file;
  memcpy(to, memory->bytes + offset, n);
  return true;
}

void elf_memory_init(struct elf_memory *memory, const void *bytes, size_t size) {
  *memory = (struct elf_memory){.file = {.size = size, .read = memory_read}, .bytes = bytes};
}

bool elf_file_read(struct elf_file *file, uint64_t offset, void *to, size_t n) {
  return offset <= file->size && n <= file->size - offset && file->read(file, offset, to, n);
}

/*
 * Writes a message: each % stands for the next value in decimal, each # in hexadecimal. This file
 * is linked without a libc and without the kernel's log. Returns false, for the caller to return.
 */
static bool refuse(struct elf_image *image, const char *message, uint64_t a, uint64_t b,
                   uint64_t c) {
  const uint64_t values[] = {a, b, c};
  size_t next = 0, used = 0;
  for (; *message != '\0' && used < sizeof(image->why) - 1; message++) {
    if (*message != '%' && *message != '#') {
      image->why[used++] = *message;
      continue;
    }
    unsigned base = *message == '%' ? 10 : 16;
    char digits[22];
    size_t count = 0;
    uint64_t value = values[next++];
    do {
      digits[count++] = "0123456789abcdef"[value % base];
      value /= base;
    } while (value != 0);
    if (base == 16) {
      digits[count++] = 'x';
      digits[count++] = '0';
    }
    while (count > 0 && used < sizeof(image->why) - 1) {
      image->why[used++] = digits[--count];
    }
  }
  image->why[used] = '\0';
  return false;
}

static bool unreadable(struct elf_image *image) {
  return refuse(image, "the file can't be read", 0, 0, 0);
}

/* Reads the header and checks what kind of file it is. */
static bool check_ident(struct elf_file *file, uint8_t header[EHDR_BYTES],
                        struct elf_image *image) {
  size_t n = file->size < EHDR_BYTES ? (size_t)file->size : EHDR_BYTES;
  if (!elf_file_read(file, 0, header, n)) {
    return unreadable(image);
  }
  if (n < 4 || memcmp(header, "\177ELF", 4) != 0) {
    return refuse(image, "not an ELF file", 0, 0, 0);
  }
  if (n < EHDR_BYTES) {
    return refuse(image, "file of % bytes is shorter than an ELF header (64)", n, 0, 0);
  }
  if (header[EHDR_CLASS] != ELF_CLASS_64) {
    return refuse(image, "ELF class %, not 2 (64-bit)", header[EHDR_CLASS], 0, 0);
  }
  if (header[EHDR_DATA] != ELF_DATA_LITTLE) {
    return refuse(image, "ELF data encoding %, not 1 (little-endian)", header[EHDR_DATA], 0, 0);
  }
  if (header[EHDR_IDENT_VERSION] != ELF_VERSION) {
    return refuse(image, "ELF identification version %, not 1", header[EHDR_IDENT_VERSION], 0, 0);
  }
  image->branded = header[EHDR_OSABI] == ELF_OSABI_CLOUDABI;
  if (!image->branded && header[EHDR_OSABI] != ELF_OSABI_FREEBSD) {
    return refuse(image, "not a CloudABI program: ELF OS ABI %, not 17", header[EHDR_OSABI], 0, 0);
  }
  if (header[EHDR_ABIVERSION] != 0) {
    return refuse(image, "ELF ABI version %, not 0", header[EHDR_ABIVERSION], 0, 0);
  }
  return true;
}

static bool check_machine(struct elf_image *image, unsigned found, unsigned wanted) {
  if (found == wanted) {
    return true;
  }
  bool x86 = wanted == ELF_MACHINE_X86_64;
  if (found == ELF_MACHINE_AARCH64 && x86) {
    return refuse(image, "program for aarch64 on x86_64", 0, 0, 0);
  }
  if (found == ELF_MACHINE_X86_64 && wanted == ELF_MACHINE_AARCH64) {
    return refuse(image, "program for x86_64 on aarch64", 0, 0, 0);
  }
  return refuse(image, "ELF machine %, not %", found, wanted, 0);
}

static bool check_header(struct elf_file *file, unsigned machine, struct elf_image *image) {
  uint8_t header[EHDR_BYTES];
  if (!check_ident(file, header, image) ||
      !check_machine(image, elf_read16(header + EHDR_MACHINE), machine)) {
    return false;
  }
  unsigned type = elf_read16(header + EHDR_TYPE);
  if (type != ELF_TYPE_EXEC && type != ELF_TYPE_DYN) {
    return refuse(image, "ELF type %, neither 2 (executable) nor 3 (position independent)", type, 0,
                  0);
  }
  if (elf_read32(header + EHDR_VERSION) != ELF_VERSION) {
    return refuse(image, "ELF version %, not 1", elf_read32(header + EHDR_VERSION), 0, 0);
  }
  unsigned entry_bytes = elf_read16(header + EHDR_PHENTSIZE);
  unsigned count = elf_read16(header + EHDR_PHNUM);
  if (count == 0) {
    return refuse(image, "no program headers", 0, 0, 0);
  }
  if (entry_bytes != PHDR_BYTES) {
    return refuse(image, "program headers of % bytes, not 56", entry_bytes, 0, 0);
  }
  uint64_t offset = elf_read64(header + EHDR_PHOFF);
  if (offset > file->size || (uint64_t)count * PHDR_BYTES > file->size - offset) {
    return refuse(image, "% program headers at offset % reach past the file's end (% bytes)", count,
                  offset, file->size);
  }
  image->dynamic = type == ELF_TYPE_DYN;
  image->entry = elf_read64(header + EHDR_ENTRY);
  image->phdr_offset = offset;
  image->phdr_count = count;
  return true;
}

/* What PT_LOAD and PT_TLS have in common: bytes of the file that begin a range of memory. */
static bool check_contents(struct elf_image *image, unsigned number,
                           const struct elf_segment *segment, uint64_t align, uint64_t size) {
  uint64_t offset = segment->offset, bytes = segment->filesz_bytes;
  if (bytes > segment->memsz_bytes) {
    return refuse(image, "segment %: file size % exceeds memory size %", number, bytes,
                  segment->memsz_bytes);
  }
  if (bytes > 0 && (offset > size || bytes > size - offset)) {
    return refuse(image, "segment %: % bytes at offset % reach past the file's end", number, bytes,
                  offset);
  }
  if ((align & (align - 1)) != 0) {
    return refuse(image, "segment %: alignment # is not a power of two", number, align, 0);
  }
  if (align > ELF_ALIGN_MAX) {
    return refuse(image, "segment %: alignment # exceeds #", number, align, ELF_ALIGN_MAX);
  }
  return true;
}

static bool check_place(struct elf_image *image, unsigned number,
                        const struct elf_segment *segment) {
  uint64_t vaddr = segment->vaddr;
  if (vaddr >= ELF_ADDRESS_END || segment->memsz_bytes > ELF_ADDRESS_END - vaddr) {
    return refuse(image, "segment %: % bytes at address # are outside the address space", number,
                  segment->memsz_bytes, vaddr);
  }
  if (!image->dynamic && vaddr < ELF_PAGE_BYTES) {
    return refuse(image, "segment %: fixed address # lies in the page of the null pointer", number,
                  vaddr, 0);
  }
  if (segment->filesz_bytes > 0 && ((vaddr ^ segment->offset) & (ELF_PAGE_BYTES - 1)) != 0) {
    return refuse(image, "segment %: address # and offset # differ within a page", number, vaddr,
                  segment->offset);
  }
  if ((segment->flags & ELF_WRITE) != 0 && (segment->flags & ELF_EXECUTE) != 0) {
    return refuse(image, "segment %: both writable and executable", number, 0, 0);
  }
  return true;
}

static uint64_t page_down(uint64_t address) {
  return address & ~(uint64_t)(ELF_PAGE_BYTES - 1);
}

static uint64_t page_up(uint64_t address) {
  return page_down(address + ELF_PAGE_BYTES - 1);
}

static bool add_segment(struct elf_image *image, unsigned number,
                        const struct elf_segment *segment) {
  if (image->segment_count == ELF_SEGMENTS_MAX) {
    return refuse(image, "more than % loadable segments", ELF_SEGMENTS_MAX, 0, 0);
  }
  if (image->segment_count > 0) {
    const struct elf_segment *last = &image->segments[image->segment_count - 1];
    uint64_t last_end = last->vaddr + last->memsz_bytes;
    if (segment->vaddr < last->vaddr) {
      return refuse(image, "segment %: address # is below the segment before it", number,
                    segment->vaddr, 0);
    }
    if (segment->vaddr < last_end) {
      return refuse(image, "segment %: address # overlaps the segment before it", number,
                    segment->vaddr, 0);
    }
    if (page_down(segment->vaddr) < page_up(last_end)) {
      return refuse(image, "segment %: address # shares a page with the segment before it", number,
                    segment->vaddr, 0);
    }
  }
  image->segments[image->segment_count++] = *segment;
  return true;
}

static bool check_program_header(struct elf_file *file, unsigned number, struct elf_image *image) {
  uint8_t header[PHDR_BYTES];
  if (!elf_file_read(file, image->phdr_offset + (uint64_t)number * PHDR_BYTES, header,
                     PHDR_BYTES)) {
    return unreadable(image);
  }
  uint32_t type = elf_read32(header + PHDR_TYPE);
  if (type == ELF_PT_INTERP) {
    return refuse(image, "dynamically linked: it asks for an interpreter (segment %)", number, 0,
                  0);
  }
  if (type != ELF_PT_LOAD && type != ELF_PT_TLS) {
    return true;
  }
  uint64_t align = elf_read64(header + PHDR_ALIGN);
  struct elf_segment segment = {
      .vaddr = elf_read64(header + PHDR_VADDR),
      .memsz_bytes = elf_read64(header + PHDR_MEMSZ),
      .offset = elf_read64(header + PHDR_OFFSET),
      .filesz_bytes = elf_read64(header + PHDR_FILESZ),
      .flags = elf_read32(header + PHDR_FLAGS) & (ELF_READ | ELF_WRITE | ELF_EXECUTE),
  };
  if (!check_contents(image, number, &segment, align, file->size)) {
    return false;
  }
  if (type == ELF_PT_TLS || segment.memsz_bytes == 0) {
    return true;
  }
  if (!check_place(image, number, &segment)) {
    return false;
  }
  if (align > image->align_bytes) {
    image->align_bytes = align;
  }
  return add_segment(image, number, &segment);
}

static void find_phdr_vaddr(struct elf_image *image) {
  uint64_t offset = image->phdr_offset;
  uint64_t bytes = (uint64_t)image->phdr_count * PHDR_BYTES;
  for (unsigned i = 0; i < image->segment_count; i++) {
    const struct elf_segment *segment = &image->segments[i];
    if (offset >= segment->offset && offset - segment->offset <= segment->filesz_bytes &&
        bytes <= segment->filesz_bytes - (offset - segment->offset)) {
      image->phdr_vaddr = segment->vaddr + (offset - segment->offset);
      image->has_phdr_vaddr = true;
      return;
    }
  }
}

static bool entry_is_executable(const struct elf_image *image) {
  for (unsigned i = 0; i < image->segment_count; i++) {
    const struct elf_segment *segment = &image->segments[i];
    if ((segment->flags & ELF_EXECUTE) != 0 && image->entry >= segment->vaddr &&
        image->entry - segment->vaddr < segment->memsz_bytes) {
      return true;
    }
  }
  return false;
}

bool elf_parse(struct elf_file *file, unsigned machine, struct elf_image *image, const char **why) {
  memset(image, 0, sizeof(*image));
  image->align_bytes = ELF_PAGE_BYTES;
  *why = image->why;
  if (!check_header(file, machine, image)) {
    return false;
  }
  for (unsigned i = 0; i < image->phdr_count; i++) {
    if (!check_program_header(file, i, image)) {
      return false;
    }
  }
  if (image->segment_count == 0) {
    return refuse(image, "no loadable segment", 0, 0, 0);
  }
  if (!entry_is_executable(image)) {
    return refuse(image, "entry point # is not inside an executable segment", image->entry, 0, 0);
  }
  const struct elf_segment *last = &image->segments[image->segment_count - 1];
  image->start = page_down(image->segments[0].vaddr);
  image->span_bytes = page_up(last->vaddr + last->memsz_bytes) - image->start;
  find_phdr_vaddr(image);
  return true;
}
