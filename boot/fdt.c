/*
 * Flattened device trees. See fdt.h.
 */
#include "boot/fdt.h"

#include "kernel/string.h"

enum {
  MAGIC = (int)0xd00dfeed,
  HEADER_OFF_STRUCT = 8,
  HEADER_OFF_STRINGS = 12,
  HEADER_LAST_COMPATIBLE = 24,
  HEADER_SIZE_STRINGS = 32,
  HEADER_SIZE_STRUCT = 36,
  VERSION = 16, /* the layout that is read here */
  TOKEN_BEGIN_NODE = 1,
  TOKEN_END_NODE = 2,
  TOKEN_PROPERTY = 3,
  TOKEN_NOP = 4,
  DEFAULT_ADDRESS_CELLS = 2,
  DEFAULT_SIZE_CELLS = 1,
};

static uint32_t get32(const uint8_t *p) {
  return (uint32_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
}

uint64_t fdt_number(const uint8_t *p, unsigned cells) {
  uint64_t v = 0;
  for (unsigned i = 0; i < cells; i++)
    v = v << 32 | get32(p + 4 * i);
  return v;
}

size_t fdt_bytes_needed(const void *header) {
  const uint8_t *p = header;
  if (get32(p) != (uint32_t)MAGIC || get32(p + HEADER_LAST_COMPATIBLE) > VERSION + 1)
    return 0;
  size_t nodes_end = (size_t)get32(p + HEADER_OFF_STRUCT) + get32(p + HEADER_SIZE_STRUCT);
  size_t strings_end = (size_t)get32(p + HEADER_OFF_STRINGS) + get32(p + HEADER_SIZE_STRINGS);
  return nodes_end > strings_end ? nodes_end : strings_end;
}

bool fdt_open(struct fdt *f, const void *blob, size_t size) {
  const uint8_t *p = blob;
  if (size < FDT_HEADER_BYTES || fdt_bytes_needed(p) == 0 || fdt_bytes_needed(p) > size)
    return false;
  if (get32(p + HEADER_OFF_STRUCT) % 4 != 0)
    return false;
  *f = (struct fdt){
      .nodes = p + get32(p + HEADER_OFF_STRUCT),
      .nodes_bytes = get32(p + HEADER_SIZE_STRUCT) & ~3u,
      .strings = p + get32(p + HEADER_OFF_STRINGS),
      .strings_bytes = get32(p + HEADER_SIZE_STRINGS),
  };
  return true;
}

/* Whether the text at p, with its NUL, lies before end and equals s. */
static bool text_is(const uint8_t *p, const uint8_t *end, const char *s) {
  for (; p < end; p++, s++) {
    if (*p != (uint8_t)*s)
      return false;
    if (*s == '\0')
      return true;
  }
  return false;
}

struct property {
  const uint8_t *value;
  size_t size, name; /* the name's offset in the strings */
};

/* Reads the token at *at and steps over it: for a node over its name, for a property over its value
 * too. 0: the end, or malformed. */
static uint32_t step(const struct fdt *f, size_t *at, struct property *prop) {
  if (*at > f->nodes_bytes || f->nodes_bytes - *at < 4)
    return 0;
  uint32_t token = get32(f->nodes + *at);
  *at += 4;
  size_t left = f->nodes_bytes - *at;

  if (token == TOKEN_BEGIN_NODE) {
    const uint8_t *nul = memchr(f->nodes + *at, '\0', left);
    if (nul == NULL)
      return 0;
    *at = ((size_t)(nul - f->nodes) + 4) & ~(size_t)3;
  } else if (token == TOKEN_PROPERTY) {
    if (left < 8 || get32(f->nodes + *at) > left - 8)
      return 0;
    prop->size = get32(f->nodes + *at);
    prop->name = get32(f->nodes + *at + 4);
    prop->value = f->nodes + *at + 8;
    *at += (8 + prop->size + 3) & ~(size_t)3;
  } else if (token != TOKEN_END_NODE && token != TOKEN_NOP) {
    return 0;
  }
  return token;
}

/* A property of the node whose properties begin at `at`. */
static const uint8_t *property(const struct fdt *f, size_t at, const char *name, size_t *size) {
  struct property prop;

  for (;;) {
    uint32_t token = step(f, &at, &prop);
    if (token == TOKEN_NOP)
      continue;
    if (token != TOKEN_PROPERTY)
      return NULL;
    if (prop.name < f->strings_bytes &&
        text_is(f->strings + prop.name, f->strings + f->strings_bytes, name)) {
      *size = prop.size;
      return prop.value;
    }
  }
}

const uint8_t *fdt_property(const struct fdt_node *n, const char *name, size_t *size) {
  return n->depth < 0 ? NULL : property(n->fdt, n->properties[n->depth], name, size);
}

void fdt_start(struct fdt_node *n, const struct fdt *f) {
  *n = (struct fdt_node){.fdt = f, .depth = -1};
}

bool fdt_next(struct fdt_node *n) {
  struct property prop;
  size_t begin;
  for (;;) {
    begin = n->at;
    uint32_t token = step(n->fdt, &n->at, &prop);
    if (token == 0 || (token == TOKEN_END_NODE && n->depth < 0))
      return false;
    if (token == TOKEN_END_NODE)
      n->depth--;
    if (token == TOKEN_BEGIN_NODE)
      break;
  }
  if (n->depth + 1 >= FDT_DEPTH_MAX)
    return false;
  n->depth++;
  n->properties[n->depth] = n->at;
  n->name = (const char *)n->fdt->nodes + begin + 4;
  return true;
}

bool fdt_is_named(const struct fdt_node *n, const char *name) {
  size_t length = strlen(name);
  return strncmp(n->name, name, length) == 0 && (n->name[length] == '\0' || n->name[length] == '@');
}

bool fdt_enabled(const struct fdt_node *n) {
  size_t size;
  const uint8_t *p = fdt_property(n, "status", &size);
  return p == NULL || text_is(p, p + size, "okay") || text_is(p, p + size, "ok");
}

bool fdt_compatible(const struct fdt_node *n, const char *string) {
  size_t size;
  const uint8_t *p = fdt_property(n, "compatible", &size);
  if (p == NULL)
    return false;
  const uint8_t *end = p + size;
  while (p < end) {
    if (text_is(p, end, string))
      return true;
    const uint8_t *nul = memchr(p, '\0', (size_t)(end - p));
    if (nul == NULL)
      return false;
    p = nul + 1;
  }
  return false;
}

/* The parent's count of words in its children's addresses or sizes. */
static unsigned parent_cells(const struct fdt_node *n, const char *name, unsigned default_cells) {
  size_t size;
  const uint8_t *p = property(n->fdt, n->properties[n->depth - 1], name, &size);
  return p == NULL || size != 4 || get32(p) > 2 ? default_cells : get32(p);
}

bool fdt_reg(const struct fdt_node *n, size_t i, uint64_t *address, uint64_t *size) {
  if (n->depth < 1)
    return false;
  unsigned a = parent_cells(n, "#address-cells", DEFAULT_ADDRESS_CELLS);
  unsigned s = parent_cells(n, "#size-cells", DEFAULT_SIZE_CELLS);
  size_t bytes, entry = 4 * (a + s);
  const uint8_t *p = fdt_property(n, "reg", &bytes);
  if (p == NULL || entry == 0 || i >= bytes / entry)
    return false;
  p += i * entry;
  *address = fdt_number(p, a);
  *size = fdt_number(p + 4 * a, s);
  return true;
}
