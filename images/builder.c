/*
 * The steps of building an image: builder.h. Everything is read and checked before the output file
 * is touched.
 */
#include "images/builder.h"

#include "images/config.h"
#include "images/dump.h"
#include "images/hostfile.h"
#include "images/kernel_elf.h"
#include "images/payload.h"
#include "images/raw_image.h"
#include "kernel/elf_era.h"
#include "kernel/elf_format.h"
#include "kernel/elf_parse.h"

struct builder {
  const struct build_request *request;
  struct report *report;
  struct arena arena;
  struct config config;
  struct buffer program, kernel_file, symbols, payload, output;
  struct kernel_elf kernel;
  bool retired; /* the program's era */
};

static bool read_file(struct builder *builder, const char *path, struct buffer *contents) {
  const char *error = hostfile_read(path, contents);
  return error == NULL || report_plain(builder->report, "%s: %s", path, error);
}

static bool read_kernel(struct builder *builder) {
  const char *path = builder->request->kernel;
  return path == NULL ||
         (read_file(builder, path, &builder->kernel_file) &&
          kernel_elf_read(&builder->kernel, path, &builder->kernel_file, builder->report));
}

/* The machine that the program must be for: the kernel's, else the one asked for, else any. */
static unsigned wanted_machine(const struct builder *builder) {
  if (builder->request->kernel != NULL) {
    return builder->kernel.machine;
  }
  if (builder->request->machine != NULL) {
    return machine_number(builder->request->machine);
  }
  if (builder->program.length < EHDR_BYTES) {
    return ELF_MACHINE_X86_64;
  }
  unsigned own = elf_read16(builder->program.bytes + EHDR_MACHINE);
  return machine_name(own) != NULL ? own : ELF_MACHINE_X86_64;
}

static bool refuse_program(struct builder *builder, const char *why, unsigned machine) {
  return report_plain(builder->report, "%s: %s; accepted: a static CloudABI program for %s",
                      builder->request->program, why, machine_name(machine));
}

static bool read_program(struct builder *builder) {
  const char *path = builder->request->program;
  if (path == NULL) {
    return true;
  }
  if (!read_file(builder, path, &builder->program)) {
    return false;
  }
  unsigned machine = wanted_machine(builder);
  struct elf_memory file;
  struct elf_image image;
  const char *why;
  elf_memory_init(&file, builder->program.bytes, builder->program.length);
  if (!elf_parse(&file.file, machine, &image, &why)) {
    return refuse_program(builder, why, machine);
  }
  if (!image.branded) { /* a program may execute it, but here it is more likely another system's */
    return refuse_program(builder, "not a CloudABI program: ELF OS ABI 9, not 17", machine);
  }
  builder->retired = elf_is_retired(&file.file, &image, machine);
  return true;
}

/* The kernel with the payload inside, in the form that the output's name asks for. */
static bool make_image(struct builder *builder) {
  const struct build_request *request = builder->request;
  if (raw_image_wanted(request->output)) {
    return raw_image_write(&builder->kernel, &builder->payload, &builder->output, builder->report);
  }
  return kernel_elf_write(&builder->kernel, &builder->payload, request->strip, &builder->output,
                          builder->report);
}

static bool write_output(struct builder *builder) {
  const struct build_request *request = builder->request;
  struct payload_input input = {
      .config = &builder->config,
      .program = &builder->program,
      .symbols = request->symbols != NULL ? &builder->symbols : NULL,
      .retired = builder->retired,
  };
  if (!payload_make(&builder->payload, &input, builder->report)) {
    return false;
  }
  const struct buffer *result = &builder->payload;
  if (!request->payload_only) {
    if (!make_image(builder)) {
      return false;
    }
    result = &builder->output;
  }
  const char *error = hostfile_write(request->output, result->bytes, result->length);
  return error == NULL || report_plain(builder->report, "%s: %s", request->output, error);
}

static bool run(struct builder *builder, FILE *stream) {
  const struct build_request *request = builder->request;
  bool read =
      read_kernel(builder) && read_program(builder) &&
      (request->symbols == NULL || read_file(builder, request->symbols, &builder->symbols)) &&
      config_load(&builder->config, &builder->arena, builder->report);
  if (!read) {
    return false;
  }
  if (request->dump) {
    dump_config(&builder->config, stream);
  }
  if (request->list_ports) {
    dump_ports(&builder->config, stream);
  }
  return request->output == NULL || write_output(builder);
}

bool build(const struct build_request *request, FILE *stream, struct report *report) {
  struct builder builder = {.request = request, .report = report};
  report->config = request->config;
  bool done = run(&builder, stream);
  buffer_free(&builder.program);
  buffer_free(&builder.kernel_file);
  buffer_free(&builder.symbols);
  buffer_free(&builder.payload);
  buffer_free(&builder.output);
  arena_free(&builder.arena);
  return done;
}
