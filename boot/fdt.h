/*
 * Reading flattened device trees (Devicetree Specification 0.4, chapter 5).
 *
 * The blob comes from a loader or a hypervisor: every offset is checked. Pure; any context. The
 * blob's strings need not be terminated where it ends: names are compared within bounds.
 */
#ifndef BOOT_FDT_H
#define BOOT_FDT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FDT_HEADER_BYTES = 40, FDT_DEPTH_MAX = 16 };

struct fdt {
  const uint8_t *nodes, *strings;
  size_t nodes_bytes, strings_bytes;
};

/* How many bytes of a blob matter, by its header (FDT_HEADER_BYTES readable); 0: it is none.
 * totalsize may be much larger. */
size_t fdt_bytes_needed(const void *header);
/* False: not a device tree, or one that does not fit into `size`. */
bool fdt_open(struct fdt *f, const void *blob, size_t size);

/* A walk over all nodes, parents before children. */
struct fdt_node {
  const struct fdt *fdt;
  size_t at;                        /* where the walk goes on: behind the node's name */
  int depth;                        /* 0: the root */
  const char *name;                 /* terminated: "memory@40000000" */
  size_t properties[FDT_DEPTH_MAX]; /* where those of the node and its ancestors begin, by depth */
};

void fdt_start(struct fdt_node *n, const struct fdt *f);
/* The first node, then each next one. False: no more, or the blob is malformed there. */
bool fdt_next(struct fdt_node *n);

/* Whether the node has this name, with or without an address behind it. */
bool fdt_is_named(const struct fdt_node *n, const char *name);
/* Whether its `status` says that the device is there; without one it is. */
bool fdt_enabled(const struct fdt_node *n);
/* A property of the node, or NULL. */
const uint8_t *fdt_property(const struct fdt_node *n, const char *name, size_t *size);
/* Whether `compatible` lists the string. */
bool fdt_compatible(const struct fdt_node *n, const char *string);
/* The i-th address and size of `reg`, by the parent's cells. False: there is none. */
bool fdt_reg(const struct fdt_node *n, size_t i, uint64_t *address, uint64_t *size);
/* A big-endian number of `cells` (1 or 2) 32-bit words. */
uint64_t fdt_number(const uint8_t *p, unsigned cells);

#endif
