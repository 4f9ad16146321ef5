/*
 * Address to name, by a walk over the text table: only a crash pays for it.
 */
#include "kernel/symbols.h"

#include "kernel/elf_source.h"
#include "kernel/printf.h"
#include "kernel/process.h"
#include "kernel/string.h"

extern const char kernel_start[]; /* the linker script's */

static const char *table;
static size_t table_bytes;

void symbols_init(const char *text, size_t bytes) {
  table = text;
  table_bytes = bytes;
}

struct symbol {
  uintptr_t offset;
  const char *name;
  size_t name_length;
};

static int hex_digit(char c) {
  if (c >= '0' && c <= '9')
    return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Parses one line at p; returns the start of the next, or NULL when the line is malformed. */
static const char *parse_line(const char *p, const char *end, struct symbol *s) {
  s->offset = 0;
  for (; p < end && hex_digit(*p) >= 0; p++)
    s->offset = s->offset << 4 | (uintptr_t)hex_digit(*p);
  if (p == end || *p != ' ')
    return NULL;
  s->name = ++p;
  while (p < end && *p != '\n')
    p++;
  s->name_length = (size_t)(p - s->name);
  return p < end ? p + 1 : end;
}

void symbols_format_kernel(uintptr_t pc, char *buf, size_t n) {
  uintptr_t offset = pc - (uintptr_t)kernel_start;
  struct symbol s, best = {0, NULL, 0};
  const char *end = table + table_bytes;
  for (const char *p = table; p != NULL && p < end;) {
    p = parse_line(p, end, &s);
    if (p != NULL && s.offset <= offset)
      best = s;
  }
  if (best.name == NULL)
    ksnprintf(buf, n, "0x%lx", pc);
  else
    ksnprintf(buf, n, "%.*s+0x%lx", (int)best.name_length, best.name, offset - best.offset);
}

void symbols_format_user(const struct process *p, uintptr_t pc, char *buf, size_t n) {
  struct elf_source source;
  char name[65];
  uint64_t offset;
  if (p->program != NULL && elf_source_init(&source, p->program) == 0 &&
      elf_symbol(&source.elf, pc - p->load_bias, name, sizeof name, &offset))
    ksnprintf(buf, n, "%s+0x%lx", name, offset);
  else
    ksnprintf(buf, n, "0x%lx", pc);
}
