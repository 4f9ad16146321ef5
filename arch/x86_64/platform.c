/*
 * The device tree that QEMU's microvm leaves in fw_cfg: virtio-mmio devices, and a PCI bus that
 * nobody has set up.
 *
 * Called while devices are set up; kernel lock. The tree is read once, at the first question.
 */
#include "arch/x86_64/x86.h"
#include "boot/fdt.h"
#include "kernel/heap.h"
#include "kernel/log.h"

enum { FDT_BYTES_MAX = 64 << 10, DEVICES_MAX = 32 };

struct mmio_device {
  pa_t base;
  uint32_t size;
  uint16_t line; /* a pin of the controller below */
  bool level;
  uint32_t controller; /* phandle; 0: not told */
};

/* An I/O APIC by its phandle. */
struct controller {
  uint32_t phandle, gsi_base;
};

static struct mmio_device devices[DEVICES_MAX];
static unsigned device_count;
static struct controller controllers[X86_IOAPICS_MAX];
static unsigned controller_count;
static struct x86_fdt_pci pci;

static uint32_t number_property(const struct fdt_node *n, const char *name) {
  size_t bytes;
  const uint8_t *p = fdt_property(n, name, &bytes);
  return p != NULL && bytes == 4 ? (uint32_t)fdt_number(p, 1) : 0;
}

/* The I/O APIC at the node's address: its pins count from gsi_base on. */
static void add_controller(const struct fdt_node *n) {
  uint64_t base, size;
  if (controller_count == X86_IOAPICS_MAX || !fdt_reg(n, 0, &base, &size))
    return;
  for (unsigned i = 0; i < x86_platform.ioapics; i++) {
    if (x86_platform.ioapic[i].pa == base)
      controllers[controller_count++] =
          (struct controller){number_property(n, "phandle"), x86_platform.ioapic[i].gsi_base};
  }
}

static unsigned gsi_base(uint32_t phandle) {
  for (unsigned i = 0; i < controller_count; i++) {
    if (controllers[i].phandle == phandle)
      return controllers[i].gsi_base;
  }
  return 0;
}

/* `interrupts` of a device on an I/O APIC: pin and flags. */
static void add_virtio(const struct fdt_node *n) {
  enum { FLAGS_LEVEL = 1 << 2 | 1 << 3 };
  uint64_t base, size;
  size_t bytes;
  const uint8_t *irq = fdt_property(n, "interrupts", &bytes);
  if (device_count == DEVICES_MAX || irq == NULL || bytes < 4 || !fdt_reg(n, 0, &base, &size))
    return;
  devices[device_count++] = (struct mmio_device){
      .base = base,
      .size = (uint32_t)size,
      .line = (uint16_t)fdt_number(irq, 1),
      .level = bytes >= 8 && (fdt_number(irq + 4, 1) & FLAGS_LEVEL) != 0,
      .controller = number_property(n, "interrupt-parent"),
  };
}

/* The configuration space is `reg`; the first window of 32-bit memory is in `ranges`: the bus's
 * address in 3 words, ours in 2, the size in 2. */
static void add_pci(const struct fdt_node *n) {
  enum { ENTRY_BYTES = 28, SPACE_MASK = 0x03000000, SPACE_MEM32 = 0x02000000 };
  size_t bytes;
  const uint8_t *p = fdt_property(n, "ranges", &bytes);
  if (!fdt_reg(n, 0, &pci.ecam_pa, &pci.ecam_bytes))
    return;
  for (size_t i = 0; p != NULL && i < bytes / ENTRY_BYTES; i++, p += ENTRY_BYTES) {
    if ((fdt_number(p, 1) & SPACE_MASK) != SPACE_MEM32)
      continue;
    pci.window_pa = fdt_number(p + 12, 2);
    pci.window_bytes = fdt_number(p + 20, 2);
    return;
  }
}

/* The tree, to be freed with kfree(), or NULL: there is none. Only the bytes that its header calls
 * used are read; the file may be a megabyte. */
static void *load(struct fdt *f) {
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

static void read_once(void) {
  static bool done;
  struct fdt fdt;
  struct fdt_node n;
  void *blob = done ? NULL : load(&fdt);
  done = true;
  if (blob == NULL)
    return;
  for (fdt_start(&n, &fdt); fdt_next(&n);) {
    if (fdt_compatible(&n, "virtio,mmio"))
      add_virtio(&n);
    else if (fdt_compatible(&n, "pci-host-ecam-generic"))
      add_pci(&n);
    else if (fdt_compatible(&n, "intel,ce4100-ioapic"))
      add_controller(&n);
  }
  kfree(blob);
}

const struct x86_fdt_pci *x86_fdt_pci(void) {
  read_once();
  return pci.ecam_pa != 0 ? &pci : NULL;
}

void arch_mmio_devices(void (*found)(pa_t base, size_t size, unsigned line, bool level)) {
  read_once();
  for (unsigned i = 0; i < device_count; i++)
    found(devices[i].base, devices[i].size, gsi_base(devices[i].controller) + devices[i].line,
          devices[i].level);
}
