/*
 * The device tree that QEMU's microvm leaves in fw_cfg: virtio-mmio devices, and where PCI's BARs may go.
 *
 * Called while devices are set up; kernel lock.
 */
#include "arch/x86_64/x86.h"
#include "boot/fdt.h"
#include "kernel/heap.h"
#include "kernel/log.h"

enum { FDT_BYTES_MAX = 64 << 10 };

/* The tree, to be freed with kfree(), or NULL: there is none. Only the bytes that its header calls used
 * are read; the file may be a megabyte. */
static void *load_fdt(struct fdt *f) {
  uint8_t header[FDT_HEADER_BYTES];
  if (x86_fwcfg_read("etc/fdt", header, sizeof header) != sizeof header)
    return NULL;
  size_t needed = fdt_bytes_needed(header);
  if (needed < sizeof header || needed > FDT_BYTES_MAX)
    return NULL;
  void *blob = kmalloc(needed);
  if (blob == NULL)
    return NULL;
  size_t got = x86_fwcfg_read("etc/fdt", blob, needed);
  if (got == needed && fdt_open(f, blob, got))
    return blob;
  log_warn("platform: fw_cfg's device tree is malformed");
  kfree(blob);
  return NULL;
}

/* `interrupts` of a device on the I/O APIC: line and flags. */
static void report_virtio(const struct fdt_node *n,
                          void (*found)(pa_t base, size_t size, unsigned line, bool level)) {
  enum { FLAGS_LEVEL = 1 << 2 | 1 << 3 };
  uint64_t address, size;
  size_t bytes;
  const uint8_t *irq = fdt_property(n, "interrupts", &bytes);
  if (irq == NULL || bytes < 4 || !fdt_reg(n, 0, &address, &size))
    return;
  bool level = bytes >= 8 && (fdt_number(irq + 4, 1) & FLAGS_LEVEL) != 0;
  found(address, size, (unsigned)fdt_number(irq, 1), level);
}

void arch_mmio_devices(void (*found)(pa_t base, size_t size, unsigned line, bool level)) {
  struct fdt fdt;
  struct fdt_node n;
  void *blob = load_fdt(&fdt);
  if (blob == NULL)
    return;
  for (fdt_start(&n, &fdt); fdt_next(&n);)
    if (fdt_compatible(&n, "virtio,mmio"))
      report_virtio(&n, found);
  kfree(blob);
}

/* The first window of 32-bit memory in `ranges`: child address of 3 cells, ours of 2, size of 2. */
static void find_window(const struct fdt_node *n, pa_t *start, uint64_t *size) {
  enum { ENTRY_BYTES = 28, SPACE_MASK = 0x03000000, SPACE_MEM32 = 0x02000000 };
  size_t bytes;
  const uint8_t *p = fdt_property(n, "ranges", &bytes);
  for (size_t i = 0; p != NULL && i < bytes / ENTRY_BYTES; i++, p += ENTRY_BYTES) {
    if ((fdt_number(p, 1) & SPACE_MASK) != SPACE_MEM32)
      continue;
    *start = fdt_number(p + 12, 2);
    *size = fdt_number(p + 20, 2);
    return;
  }
}

void arch_pci_window(pa_t *start, uint64_t *size) {
  struct fdt fdt;
  struct fdt_node n;
  *start = *size = 0;
  void *blob = load_fdt(&fdt);
  if (blob == NULL)
    return;
  for (fdt_start(&n, &fdt); fdt_next(&n);)
    if (fdt_compatible(&n, "pci-host-ecam-generic"))
      find_window(&n, start, size);
  kfree(blob);
}
