// sources: images/builder.c images/config.c images/yaml.c images/typing.c images/scalars.c
// sources: images/timestamp.c images/grants.c images/grant_disk.c images/grant_file.c images/grant_socket.c
// sources: images/rights.c kernel/rights.c images/attributes.c images/address.c
// sources: images/hostfile.c images/hosttree.c images/report.c images/arena.c images/dump.c
// sources: images/payload.c images/cpio_write.c images/kernel_elf.c images/raw_image.c
// sources: argdata/codec_read.c argdata/codec_write.c argdata/create.c argdata/get.c argdata/iterate.c
// sources: argdata/print.c fs/cpio.c kernel/elf_parse.c kernel/elf_era.c
// libs: -lyaml
/*
 * Whole images: what is in the payload and where, that GNU cpio reads it, that the same input gives
 * the same bytes, how the kernel file grows, and that a failure leaves nothing behind.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utime.h>

#include <cmocka.h>

#include "fs/cpio.h"
#include "images/builder.h"
#include "images/hostfile.h"
#include "images/kernel_elf.h"
#include "tests/host/elf_fixture.h"

#define TAGS "%TAG ! tag:nuxi.nl,2015:cloudabi/\n---\n"
#define MTIME 1435708800

static struct report report;
static char directory[] = "/tmp/test_image_build.XXXXXX";

static void put_file(const char *path, const void *bytes, size_t size) {
  assert_null(hostfile_write(path, bytes, size));
  struct utimbuf times = {.actime = MTIME, .modtime = MTIME};
  assert_int_equal(chmod(path, 0640), 0);
  assert_int_equal(utime(path, &times), 0);
}

static void put_text(const char *path, const char *text) {
  put_file(path, text, strlen(text));
}

static int make_directory(void **state) {
  (void)state;
  static struct elf_fixture elf;
  static char large[10000];
  if (mkdtemp(directory) == NULL || chdir(directory) != 0) {
    return -1;
  }
  fixture_program(&elf, ELF_MACHINE_X86_64);
  put_file("app", elf.bytes, elf.size);
  fixture_program(&elf, ELF_MACHINE_AARCH64);
  put_file("app-arm", elf.bytes, elf.size);
  fixture_kernel(&elf, ELF_MACHINE_X86_64);
  put_file("kernel", elf.bytes, elf.size);
  elf.bytes[EHDR_OSABI] = 0;
  put_file("linux-app", elf.bytes, elf.size);
  fixture_program(&elf, ELF_MACHINE_X86_64);
  elf.bytes[EHDR_OSABI] = ELF_OSABI_FREEBSD;
  put_file("freebsd-app", elf.bytes, elf.size);
  memset(large, 'L', sizeof(large));
  if (mkdir("htdocs", 0755) != 0 || mkdir("htdocs/img", 0750) != 0) {
    return -1;
  }
  put_text("htdocs/b.html", "<b>");
  put_text("htdocs/a.html", "<a>");
  put_text("htdocs/B.html", "<B>");
  put_text("htdocs/empty", "");
  put_file("htdocs/img/large", large, sizeof(large));
  put_file("htdocs/page", large, 4096);
  put_text("symbols", "0 kernel_main\n");
  put_text("web.yaml", TAGS "a: !file {path: htdocs}\nb: !fd stdout\nc: !file {path: link}\n");
  put_text("bad.yaml", TAGS "a: !file {path: nowhere}\n");
  return symlink("a.html", "htdocs/link") == 0 && symlink("htdocs/a.html", "link") == 0 ? 0 : -1;
}

static int remove_directory(void **state) {
  (void)state;
  char command[128];
  snprintf(command, sizeof(command), "rm -rf %s", directory);
  return chdir("/") == 0 && system(command) == 0 ? 0 : -1;
}

static bool run(struct build_request request) {
  report = (struct report){0};
  char *text;
  size_t size;
  FILE *stream = open_memstream(&text, &size);
  bool built = build(&request, stream, &report);
  fclose(stream);
  free(text);
  return built;
}

static void builds(struct build_request request) {
  if (!run(request)) {
    fail_msg("%s", report.message);
  }
}

static struct buffer contents(const char *path) {
  struct buffer buffer = {0};
  assert_null(hostfile_read(path, &buffer));
  return buffer;
}

static const struct build_request payload_request = {
    .config = "web.yaml",
    .program = "app",
    .symbols = "symbols",
    .output = "out.cpio",
    .payload_only = true,
};

static const struct build_request image_request = {
    .config = "web.yaml",
    .program = "app",
    .kernel = "kernel",
    .output = "out.elf",
};

static const struct {
  const char *name;
  unsigned mode;
  int size; /* -1: whatever */
  bool generated;
  bool page_aligned;
} entries[] = {
    {"program", 0100555, -1, true, true},
    {"argdata", 0100444, -1, true, false},
    {"grants", 0100444, 51, true, false},
    {"symbols", 0100444, 14, true, false},
    {"files/0", 0040755, 0, false, false},
    {"files/0/B.html", 0100640, 3, false, false},
    {"files/0/a.html", 0100640, 3, false, false},
    {"files/0/b.html", 0100640, 3, false, false},
    {"files/0/empty", 0100640, 0, false, false},
    {"files/0/img", 0040750, 0, false, false},
    {"files/0/img/large", 0100640, 10000, false, true},
    {"files/0/link", 0120777, 6, false, false},
    {"files/0/page", 0100640, 4096, false, true},
    {"files/2", 0100640, 3, false, false},
};

/* The image says of which era its program is. */
static void era_of_program(void **state) {
  (void)state;
  static struct elf_fixture elf;
  struct build_request request = payload_request;
  for (int retired = 0; retired < 2; retired++) {
    struct cpio_reader reader;
    struct cpio_entry entry;
    bool found = false;
    fixture_program(&elf, ELF_MACHINE_X86_64);
    memcpy(elf.bytes + 0x300, "poll_fd", retired ? 8 : 7 - 1);
    put_file("app-era", elf.bytes, elf.size);
    request.program = "app-era";
    builds(request);
    struct buffer payload = contents("out.cpio");
    cpio_begin(&reader, payload.bytes, payload.length);
    while (cpio_next(&reader, &entry) == CPIO_ENTRY) {
      found = found || strcmp(entry.name, "retired") == 0;
    }
    assert_int_equal(found, retired);
    buffer_free(&payload);
  }
}

static void payload_entries(void **state) {
  (void)state;
  builds(payload_request);
  struct buffer payload = contents("out.cpio");
  struct cpio_reader reader;
  struct cpio_entry entry;
  cpio_begin(&reader, payload.bytes, payload.length);
  for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
    assert_int_equal(cpio_next(&reader, &entry), CPIO_ENTRY);
    assert_string_equal(entry.name, entries[i].name);
    assert_int_equal(entry.mode, entries[i].mode);
    assert_int_equal(entry.ino, i + 1);
    if (entries[i].size >= 0) {
      assert_int_equal(entry.size, entries[i].size);
    }
    if (entries[i].generated) {
      assert_int_equal(entry.mtime_s, 0);
    } else if (S_ISREG(entry.mode)) {
      assert_int_equal(entry.mtime_s, MTIME);
    }
    if (entries[i].page_aligned) {
      assert_int_equal((size_t)(entry.data - payload.bytes) % 4096, 0);
    }
    if (strcmp(entry.name, "grants") == 0) {
      assert_memory_equal(entry.data, "file files/0 directory\nfd stdout\nfile files/2 file\n", 51);
    }
  }
  assert_int_equal(cpio_next(&reader, &entry), CPIO_END);
  assert_int_equal(reader.offset, payload.length);
  buffer_free(&payload);
}

/* GNU cpio lists the same names and unpacks the same files, padded names and all. */
static void standard_tool_reads_it(void **state) {
  (void)state;
  builds(payload_request);
  assert_int_equal(system("cpio -t --quiet <out.cpio >names && mkdir unpacked && cd unpacked && "
                          "cpio -idm --quiet <../out.cpio"),
                   0);
  FILE *names = fopen("names", "r");
  char line[64];
  for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
    assert_non_null(fgets(line, sizeof(line), names));
    line[strcspn(line, "\n")] = '\0';
    assert_string_equal(line, entries[i].name);
  }
  assert_null(fgets(line, sizeof(line), names));
  fclose(names);
  assert_int_equal(system("diff -r --no-dereference htdocs unpacked/files/0"), 0);
  assert_int_equal(system("cmp app unpacked/program && cmp link unpacked/files/2"), 0);
  struct stat status;
  assert_int_equal(stat("unpacked/files/0/img/large", &status), 0);
  assert_int_equal(status.st_mtime, MTIME);
  assert_int_equal(status.st_mode & 07777, 0640);
}

static void same_bytes_twice(void **state) {
  (void)state;
  builds(image_request);
  assert_int_equal(rename("out.elf", "first.elf"), 0);
  builds(image_request);
  assert_int_equal(system("cmp first.elf out.elf"), 0);
}

/* A field of the image's program header for the payload. */
static uint64_t place(const struct buffer *image, unsigned field) {
  return elf_read64(image->bytes + fixture_phdr(2, field));
}

static void image_with_symbols(void **state) {
  (void)state;
  builds(image_request);
  struct build_request request = payload_request;
  request.symbols = NULL;
  builds(request);
  struct buffer image = contents("out.elf"), payload = contents("out.cpio"),
                kernel = contents("kernel");
  uint64_t bytes = (payload.length + 4095) / 4096 * 4096;
  uint64_t growth = bytes - 4096;
  assert_int_equal(place(&image, PHDR_OFFSET), FIXTURE_PLACE_OFFSET);
  assert_int_equal(place(&image, PHDR_FILESZ), bytes);
  assert_int_equal(place(&image, PHDR_MEMSZ), bytes);
  assert_true(place(&image, PHDR_VADDR) == FIXTURE_PLACE_VA);
  assert_memory_equal(image.bytes + FIXTURE_PLACE_OFFSET, payload.bytes, payload.length);
  for (uint64_t i = payload.length; i < bytes; i++) {
    assert_int_equal(image.bytes[FIXTURE_PLACE_OFFSET + i], 0);
  }
  /* Everything else is the kernel's, and what lay behind has moved with its headers. */
  assert_int_equal(image.length, kernel.length + growth);
  assert_memory_equal(image.bytes + 0x200, kernel.bytes + 0x200, FIXTURE_PLACE_OFFSET - 0x200);
  assert_int_equal(elf_read64(image.bytes + EHDR_SHOFF), 0x3100 + growth);
  const uint8_t *sections = image.bytes + 0x3100 + growth;
  assert_int_equal(elf_read64(sections + SHDR_BYTES + SHDR_SIZE), bytes);
  assert_int_equal(elf_read64(sections + SHDR_BYTES + SHDR_OFFSET), FIXTURE_PLACE_OFFSET);
  assert_int_equal(elf_read64(sections + 2 * SHDR_BYTES + SHDR_OFFSET), 0x3000 + growth);
  assert_memory_equal(image.bytes + 0x3000 + growth, "kernel symbols", 14);
  buffer_free(&image);
  buffer_free(&payload);
  buffer_free(&kernel);
}

static void stripped_image(void **state) {
  (void)state;
  struct build_request request = image_request;
  request.strip = true;
  builds(request);
  struct buffer image = contents("out.elf");
  assert_int_equal(elf_read64(image.bytes + EHDR_SHOFF), 0);
  assert_int_equal(elf_read16(image.bytes + EHDR_SHNUM), 0);
  assert_int_equal(elf_read16(image.bytes + EHDR_SHSTRNDX), 0);
  assert_int_equal(image.length, FIXTURE_PLACE_OFFSET + place(&image, PHDR_FILESZ));
  assert_int_equal(system("readelf -lW out.elf >segments 2>&1 && grep -q LOAD segments && "
                          "! grep -qi 'warning\\|error' segments"),
                   0);
  buffer_free(&image);
}

static void refuses(struct build_request request, const char *message) {
  assert_false(run(request));
  assert_string_equal(report.message, message);
}

/* Nothing is left behind, and what was there stays. */
static void failures(void **state) {
  (void)state;
  struct build_request request = image_request;
  put_text("old.elf", "an older image");
  request.output = "old.elf";
  request.config = "bad.yaml";
  refuses(request,
          "bad.yaml:3:17: cannot open nowhere: No such file or directory; accepted: a "
          "file or directory");
  request.config = "web.yaml";
  request.program = "missing";
  refuses(request, "missing: No such file or directory");
  request.program = "app-arm";
  refuses(request,
          "app-arm: program for aarch64 on x86_64; accepted: a static CloudABI program for x86_64");
  request.program = "linux-app";
  refuses(request,
          "linux-app: not a CloudABI program: ELF OS ABI 0, not 17; accepted: a static "
          "CloudABI program for x86_64");
  request.program = "freebsd-app";
  refuses(request,
          "freebsd-app: not a CloudABI program: ELF OS ABI 9, not 17; accepted: a static "
          "CloudABI program for x86_64");
  request.program = "web.yaml";
  refuses(request, "web.yaml: not an ELF file; accepted: a static CloudABI program for x86_64");
  request.program = "app";
  request.symbols = "missing";
  refuses(request, "missing: No such file or directory");
  request.symbols = NULL;
  request.kernel = "app";
  refuses(request,
          "app has no placeholder for the payload: its last segment is not one read-only "
          "page; accepted: a kernel that this project's build made");
  request.kernel = "kernel";
  request.output = "no-directory/out.elf";
  refuses(request, "no-directory/out.elf: No such file or directory");
  request.output = "htdocs"; /* cannot be replaced by a file */
  refuses(request, "htdocs: Is a directory");
  assert_int_equal(system("test \"$(cat old.elf)\" = 'an older image' && "
                          "test \"$(ls -d old.elf* htdocs.* 2>/dev/null)\" = old.elf"),
                   0);
  assert_int_equal(unlink("old.elf"), 0);
}

static void special_file_inside(void **state) {
  (void)state;
  assert_int_equal(mkfifo("htdocs/img/pipe", 0644), 0);
  bool built = run(payload_request);
  assert_int_equal(unlink("htdocs/img/pipe"), 0);
  assert_false(built);
  assert_string_equal(report.message,
                      "web.yaml:3:17: htdocs/img/pipe is a device, pipe or socket; "
                      "accepted: files, directories and symlinks");
}

/* A program for the other machine is fine when no kernel says otherwise. */
static void machine_of_payload(void **state) {
  (void)state;
  struct build_request request = payload_request;
  request.program = "app-arm";
  builds(request);
  request.machine = "x86_64";
  refuses(request,
          "app-arm: program for aarch64 on x86_64; accepted: a static CloudABI program for x86_64");
}

#define KERNEL_WANTED "; accepted: a kernel that this project's build made"
#define K(segment, field) (EHDR_BYTES + (segment)*PHDR_BYTES + PHDR_##field)

static const struct {
  size_t at;
  unsigned width;
  uint64_t value;
  const char *message;
} kernels[] = {
    {0, 4, 0, "k is not a 64-bit little-endian ELF file" KERNEL_WANTED},
    {EHDR_CLASS, 1, 1, "k is not a 64-bit little-endian ELF file" KERNEL_WANTED},
    {EHDR_MACHINE, 2, 8, "k is for an unknown machine; accepted: x86_64, aarch64"},
    {EHDR_PHENTSIZE, 2, 32, "k has broken program headers" KERNEL_WANTED},
    {EHDR_PHOFF, 8, UINT64_MAX, "k has broken program headers" KERNEL_WANTED},
    {EHDR_PHNUM, 2, 0, "k has no loadable segment" KERNEL_WANTED},
    {K(2, FLAGS), 4, 6,
     "k has no placeholder for the payload: its last segment is not one read-only "
     "page" KERNEL_WANTED},
    {K(2, FILESZ), 8, 0x2000,
     "k has no placeholder for the payload: its last segment is not one read-only "
     "page" KERNEL_WANTED},
    {K(2, VADDR), 8, FIXTURE_PLACE_VA + 8,
     "k has no placeholder for the payload: its last segment is not one read-only "
     "page" KERNEL_WANTED},
    {K(2, OFFSET), 8, 0x100000, "k has a segment that reaches past its end" KERNEL_WANTED},
    {K(0, FILESZ), 8, UINT64_MAX, "k has a segment that reaches past its end" KERNEL_WANTED},
    {K(1, MEMSZ), 8, 0x20000, "k has a segment behind the payload's placeholder" KERNEL_WANTED},
    {K(1, VADDR), 8, FIXTURE_PLACE_VA + 0x1000,
     "k has a segment behind the payload's placeholder" KERNEL_WANTED},
    {K(1, PADDR), 8, 0x121000, "k has a segment behind the payload's placeholder" KERNEL_WANTED},
    {K(1, OFFSET), 8, 0x2800, "k has a segment behind the payload's placeholder" KERNEL_WANTED},
    {K(3, OFFSET), 8, 0x3000, "k has a segment behind the payload's placeholder" KERNEL_WANTED},
    {K(1, MEMSZ), 8, 0, "k has a loadable segment of no size, which GRUB refuses" KERNEL_WANTED},
    {EHDR_SHOFF, 8, UINT64_MAX, "k has broken section headers" KERNEL_WANTED},
    {EHDR_SHOFF, 8, 0x2f80, "k has broken section headers" KERNEL_WANTED},
    {EHDR_SHENTSIZE, 2, 40, "k has broken section headers" KERNEL_WANTED},
};

static void broken_kernels(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof(kernels) / sizeof(kernels[0]); i++) {
    static struct elf_fixture elf;
    struct kernel_elf kernel;
    fixture_kernel(&elf, ELF_MACHINE_X86_64);
    fixture_store(elf.bytes + kernels[i].at, kernels[i].width, kernels[i].value);
    struct buffer file = {.bytes = elf.bytes, .length = elf.size};
    report = (struct report){0};
    assert_false(kernel_elf_read(&kernel, "k", &file, &report));
    assert_string_equal(report.message, kernels[i].message);
  }
}

/* The kernel lies 2 GiB below the end of the address space: a payload may not wrap around. */
static void payload_too_large(void **state) {
  (void)state;
  static struct elf_fixture elf;
  struct kernel_elf kernel;
  fixture_kernel(&elf, ELF_MACHINE_X86_64);
  fixture_store(elf.bytes + K(2, VADDR), 8, UINT64_MAX - 0x4fff);
  struct buffer file = {.bytes = elf.bytes, .length = elf.size}, output = {0};
  uint8_t bytes[0x6000] = {0};
  struct buffer payload = {.bytes = bytes, .length = 0x4000};
  report = (struct report){0};
  assert_true(kernel_elf_read(&kernel, "k", &file, &report));
  assert_true(kernel_elf_write(&kernel, &payload, true, &output, &report));
  payload.length = 0x4001;
  assert_false(kernel_elf_write(&kernel, &payload, true, &output, &report));
  assert_string_equal(report.message,
                      "the payload of 16385 bytes does not fit above the kernel; "
                      "accepted: at most 16384 bytes");
  buffer_free(&output);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(era_of_program),
      cmocka_unit_test(payload_entries),
      cmocka_unit_test(standard_tool_reads_it),
      cmocka_unit_test(same_bytes_twice),
      cmocka_unit_test(image_with_symbols),
      cmocka_unit_test(stripped_image),
      cmocka_unit_test(failures),
      cmocka_unit_test(special_file_inside),
      cmocka_unit_test(machine_of_payload),
      cmocka_unit_test(broken_kernels),
      cmocka_unit_test(payload_too_large),
  };
  return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
