/*
 * From the loaders to kernel_main(): fills struct bootinfo.
 *
 * Called once by entry.S, on the boot stack, interrupts off, with the GiB of the image and the one
 * of the device tree visible. Nothing of arch/ has been set up: no message can be printed yet.
 */
#include "arch/aarch64/a64.h"
#include "boot/aarch64/boot.h"
#include "boot/aarch64/efi.h"
#include "boot/fdt.h"
#include "boot/ranges.h"
#include "kernel/string.h"

extern const char kernel_start[], payload_start[];
extern const uint64_t a64_image_size; /* header.S; the image builder has set it anew */

static struct bootinfo bootinfo;

static uint64_t get64(const uint8_t *p) {
  return fdt_number(p, 2);
}

/* The tree in the boot's view of memory. NULL: there is none. */
static const void *view_fdt(uint64_t pa, size_t *bytes) {
  if (pa == 0 || (pa & 7) != 0)
    return NULL;
  const void *blob = a64_boot_va(pa);
  *bytes = fdt_bytes_needed(blob);
  return *bytes == 0 ? NULL : blob;
}

static void read_chosen(struct bootinfo *boot, const struct fdt_node *n) {
  size_t bytes;
  const uint8_t *p = fdt_property(n, "bootargs", &bytes);
  if (p != NULL && bytes > 0) {
    bytes = bytes < BOOT_CMDLINE_MAX ? bytes : BOOT_CMDLINE_MAX;
    memcpy(boot->cmdline, p, bytes);
    boot->cmdline[bytes - 1] = '\0';
  }
  p = fdt_property(n, "rng-seed", &bytes);
  if (p != NULL) {
    boot->seed_bytes = bytes < BOOT_SEED_MAX ? bytes : BOOT_SEED_MAX;
    memcpy(boot->seed, p, boot->seed_bytes);
  }
}

static bool node_is(const struct fdt_node *n, const char *property, const char *text) {
  size_t bytes, length = strlen(text) + 1;
  const uint8_t *p = fdt_property(n, property, &bytes);
  return p != NULL && bytes == length && memcmp(p, text, length) == 0;
}

static void each_range(struct bootinfo *boot, const struct fdt_node *n,
                       void (*use)(struct bootinfo *, uint64_t, uint64_t)) {
  uint64_t start, size;
  for (size_t i = 0; fdt_reg(n, i, &start, &size); i++)
    use(boot, start, size);
}

/* Memory that the tree sets aside: the header's list, and the children of /reserved-memory. */
static void reserve(struct bootinfo *boot, const struct fdt *f, const uint8_t *blob, size_t bytes) {
  enum { HEADER_OFF_RESERVED = 16, ENTRY_BYTES = 16 };
  struct fdt_node n;
  bool inside = false;

  for (size_t at = fdt_number(blob + HEADER_OFF_RESERVED, 1);
       at % 8 == 0 && at < bytes && bytes - at >= ENTRY_BYTES; at += ENTRY_BYTES) {
    uint64_t size = get64(blob + at + 8);
    if (size == 0)
      break;
    boot_ranges_remove(boot, get64(blob + at), size);
  }
  for (fdt_start(&n, f); fdt_next(&n);) {
    if (n.depth == 1)
      inside = fdt_is_named(&n, "reserved-memory");
    else if (inside && n.depth == 2)
      each_range(boot, &n, boot_ranges_remove);
  }
}

static void read_fdt(struct bootinfo *boot, uint64_t pa) {
  struct fdt f;
  struct fdt_node n;
  size_t bytes;
  const void *blob = view_fdt(pa, &bytes);

  boot->loader = "Image";
  if (blob == NULL || !fdt_open(&f, blob, bytes))
    return;
  boot->fdt_pa = pa;
  for (fdt_start(&n, &f); fdt_next(&n);) {
    if (n.depth == 1 && node_is(&n, "device_type", "memory") && fdt_enabled(&n))
      each_range(boot, &n, boot_ranges_add);
    else if (n.depth == 1 && fdt_is_named(&n, "chosen"))
      read_chosen(boot, &n);
  }
  reserve(boot, &f, blob, bytes);
  boot_ranges_remove(boot, pa, bytes);
}

static void find_payload(struct bootinfo *boot, uint64_t image_pa) {
  size_t before = (size_t)(payload_start - kernel_start);
  boot->kernel_start_pa = image_pa;
  boot->kernel_end_pa = (image_pa + a64_image_size + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
  boot->payload = pa_to_va(image_pa + before);
  boot->payload_bytes = boot->kernel_end_pa - image_pa - before;
}

void boot_platform(struct bootinfo *boot, struct a64_platform *platform) {
  size_t bytes;
  const void *blob = view_fdt(boot->fdt_pa, &bytes);

  if (boot_efi.used && boot_efi.have_platform)
    *platform = boot_efi.platform;
  else if (blob != NULL)
    a64_platform_from_fdt(platform, blob, bytes);
  if (boot_efi.used)
    platform->pci_window.bytes = 0; /* the firmware has assigned everything */
  if (blob != NULL)
    boot_ranges_add(boot, boot->fdt_pa, bytes);
  boot->fdt_pa = 0;
}

_Noreturn void boot_main(uint64_t fdt_pa, uint64_t image_pa);

_Noreturn void boot_main(uint64_t fdt_pa, uint64_t image_pa) {
  struct bootinfo *boot = &bootinfo;

  a64_image_offset = (uint64_t)kernel_start - image_pa;
  if (boot_efi.used) {
    *boot = boot_efi.boot;
    boot->loader = "EFI";
  } else {
    read_fdt(boot, fdt_pa);
  }
  find_payload(boot, image_pa);
  boot_ranges_remove(boot, 0, PAGE_SIZE);
  boot_ranges_remove(boot, boot->kernel_start_pa, boot->kernel_end_pa - boot->kernel_start_pa);
  kernel_main(boot);
}
