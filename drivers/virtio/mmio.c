/*
 * Virtio over MMIO, version 2 and the legacy version 1 (specification 4.2): devices at fixed
 * addresses.
 *
 * kernel/main.c calls virtio_mmio_init() at boot. The command line lists devices
 * (virtio_mmio.device=SIZE@BASE:IRQ), else the platform does. The rest is called by the core; the
 * handler in interrupt context.
 */
#include "drivers/drivers.h"
#include "drivers/virtio/virtio.h"
#include "kernel/cmdline.h"
#include "kernel/heap.h"
#include "kernel/list.h"
#include "kernel/log.h"
#include "kernel/printf.h"
#include "kernel/string.h"

enum { /* registers (4.2.2, 4.2.4) */
       MAGIC = 0x000,
       VERSION = 0x004,
       DEVICE_ID = 0x008,
       DEVICE_FEATURES = 0x010,
       DEVICE_FEATURES_SEL = 0x014,
       DRIVER_FEATURES = 0x020,
       DRIVER_FEATURES_SEL = 0x024,
       GUEST_PAGE_SIZE = 0x028, /* version 1 */
       QUEUE_SEL = 0x030,
       QUEUE_NUM_MAX = 0x034,
       QUEUE_NUM = 0x038,
       QUEUE_ALIGN = 0x03c, /* version 1 */
       QUEUE_PFN = 0x040,   /* version 1 */
       QUEUE_READY = 0x044,
       QUEUE_NOTIFY = 0x050,
       INTERRUPT_STATUS = 0x060,
       INTERRUPT_ACK = 0x064,
       STATUS = 0x070,
       QUEUE_DESC = 0x080,
       QUEUE_DRIVER = 0x090,
       QUEUE_DEVICE = 0x0a0,
       CONFIG_GENERATION = 0x0fc,
       CONFIG = 0x100,
};

#define MAGIC_VALUE 0x74726976u /* "virt" */
#define BYTES_MIN 0x200u
#define BYTES_MAX 0x100000u
#define LEGACY_ALIGN 64  /* of the used ring: so that a short ring fits into one page */
#define IRQ_ROUNDS_MAX 8 /* how often a handler looks again before it calls the device a liar */

struct virtio_mmio {
  struct virtio_dev dev;
  volatile uint8_t *regs;
  unsigned line;
  bool level;
};

static struct virtio_mmio *mmio_of(struct virtio_dev *d) {
  return container_of(d, struct virtio_mmio, dev);
}

static uint32_t get(struct virtio_dev *d, unsigned reg) {
  return mmio_read32(mmio_of(d)->regs + reg);
}

static void put(struct virtio_dev *d, unsigned reg, uint32_t v) {
  mmio_write32(mmio_of(d)->regs + reg, v);
}

static uint64_t read_features(struct virtio_dev *d) {
  put(d, DEVICE_FEATURES_SEL, 0);
  uint64_t low = get(d, DEVICE_FEATURES);
  if (d->legacy)
    return low;
  put(d, DEVICE_FEATURES_SEL, 1);
  return low | (uint64_t)get(d, DEVICE_FEATURES) << 32;
}

static void write_features(struct virtio_dev *d, uint64_t features) {
  put(d, DRIVER_FEATURES_SEL, 0);
  put(d, DRIVER_FEATURES, (uint32_t)features);
  if (d->legacy) {
    put(d, GUEST_PAGE_SIZE, PAGE_SIZE);
    return;
  }
  put(d, DRIVER_FEATURES_SEL, 1);
  put(d, DRIVER_FEATURES, (uint32_t)(features >> 32));
}

static uint8_t read_status(struct virtio_dev *d) {
  return (uint8_t)get(d, STATUS);
}

static void write_status(struct virtio_dev *d, uint8_t status) {
  put(d, STATUS, status);
}

static void read_config(struct virtio_dev *d, unsigned offset, void *buf, unsigned n) {
  volatile uint8_t *from = mmio_of(d)->regs + CONFIG + offset;
  if (n == 2) {
    *(uint16_t *)buf = mmio_read16(from);
  } else if (n == 4) {
    *(uint32_t *)buf = mmio_read32(from);
  } else {
    for (unsigned i = 0; i < n; i++)
      ((uint8_t *)buf)[i] = mmio_read8(from + i);
  }
}

static uint32_t config_generation(struct virtio_dev *d) {
  return d->legacy ? 0 : get(d, CONFIG_GENERATION);
}

/* Looks until nothing is pending: on an edge-triggered line the device must have let go of it
 * before the next interrupt can come. */
static void handler(void *arg) {
  struct virtio_dev *d = arg;
  uint32_t status;
  for (int i = 0; i < IRQ_ROUNDS_MAX && (status = get(d, INTERRUPT_STATUS)) != 0; i++) {
    put(d, INTERRUPT_ACK, status);
    if (status & 1)
      virtio_queue_irq(d);
    if (status & 2)
      virtio_config_irq(d);
  }
}

static errno_t connect(struct virtio_dev *d) {
  return arch_irq_connect(mmio_of(d)->line, mmio_of(d)->level, handler, d);
}

static unsigned queue_size(struct virtio_dev *d, unsigned index) {
  put(d, QUEUE_SEL, index);
  if (get(d, d->legacy ? QUEUE_PFN : QUEUE_READY) != 0)
    return 0; /* in use */
  return get(d, QUEUE_NUM_MAX);
}

static void put_address(struct virtio_dev *d, unsigned reg, const volatile void *va) {
  pa_t pa = va_to_pa((const void *)va);
  put(d, reg, (uint32_t)pa);
  put(d, reg + 4, (uint32_t)(pa >> 32));
}

static errno_t queue_start(struct virtio_dev *d, struct virtq *q) {
  put(d, QUEUE_SEL, q->index);
  put(d, QUEUE_NUM, q->size);
  if (d->legacy) {
    pa_t page = va_to_pa(q->desc) >> PAGE_SHIFT;
    if (page > UINT32_MAX)
      return EINVAL;
    put(d, QUEUE_ALIGN, d->ring_align);
    put(d, QUEUE_PFN, (uint32_t)page);
  } else {
    put_address(d, QUEUE_DESC, q->desc);
    put_address(d, QUEUE_DRIVER, q->avail);
    put_address(d, QUEUE_DEVICE, q->used);
    put(d, QUEUE_READY, 1);
  }
  q->notify_reg = mmio_of(d)->regs + QUEUE_NOTIFY;
  return 0;
}

static void notify(struct virtq *q) {
  mmio_write32(q->notify_reg, q->index);
}

static const struct virtio_transport virtio_mmio = {
    .read_features = read_features,
    .write_features = write_features,
    .read_status = read_status,
    .write_status = write_status,
    .read_config = read_config,
    .config_generation = config_generation,
    .connect = connect,
    .queue_size = queue_size,
    .queue_start = queue_start,
    .notify = notify,
};

/* Maps a device's registers. Several lie in one page: it is mapped once. */
static volatile uint8_t *map_regs(pa_t base, size_t size) {
  static pa_t page;
  static volatile uint8_t *page_va;
  pa_t first = base & ~(pa_t)(PAGE_SIZE - 1);
  if (base + size > first + PAGE_SIZE)
    return arch_kmap_device(base, size);
  if (page_va == NULL || page != first) {
    page_va = arch_kmap_device(first, PAGE_SIZE);
    page = first;
  }
  return page_va == NULL ? NULL : page_va + (base - first);
}

static void found(pa_t base, size_t size, unsigned line, bool level) {
  bool sane = size >= BYTES_MIN && size <= BYTES_MAX && base <= UINT64_MAX - size;
  volatile uint8_t *regs = sane ? map_regs(base, size) : NULL;
  if (regs == NULL) {
    log_warn("mmio 0x%llx: can't be mapped (%zu bytes)", (unsigned long long)base, size);
    return;
  }
  if (mmio_read32(regs + MAGIC) != MAGIC_VALUE) {
    log_warn("mmio 0x%llx: no virtio device", (unsigned long long)base);
    return;
  }
  uint32_t version = mmio_read32(regs + VERSION), type = mmio_read32(regs + DEVICE_ID);
  if (type == 0)
    return; /* an empty slot */
  struct virtio_mmio *m = kzalloc(sizeof *m);
  if (m == NULL || version < 1 || version > 2) {
    log_warn("mmio 0x%llx: %s", (unsigned long long)base,
             m == NULL ? "no memory" : "unknown virtio version");
    kfree(m);
    return;
  }
  m->dev.ops = &virtio_mmio;
  m->dev.legacy = version == 1;
  m->dev.ring_align = LEGACY_ALIGN;
  m->regs = regs;
  m->line = line;
  m->level = level;
  ksnprintf(m->dev.name, sizeof m->dev.name, "mmio 0x%llx", (unsigned long long)base);
  if (virtio_start(&m->dev, type) != 0)
    kfree(m);
}

/* 0 to 15, or more if c is no digit. */
static unsigned digit_value(char c) {
  if (c >= '0' && c <= '9')
    return (unsigned)(c - '0');
  c |= 32;
  return c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10) : 16;
}

/* A number at *text, decimal or 0x…, with K or M behind it if `units`; moves *text past it. */
static bool take_number(const char **text, bool units, uint64_t *value) {
  const char *s = *text;
  unsigned base = 10;
  if (s[0] == '0' && (s[1] | 32) == 'x') {
    base = 16;
    s += 2;
  }
  const char *digits = s;
  *value = 0;
  for (;; s++) {
    unsigned digit = digit_value(*s);
    if (digit >= base)
      break;
    if (*value > (UINT64_MAX - digit) / base)
      return false;
    *value = *value * base + digit;
  }
  if (s == digits)
    return false;
  if (units && (*s == 'K' || *s == 'M')) {
    unsigned shift = *s++ == 'K' ? 10 : 20;
    if (*value >> (64 - shift) != 0)
      return false;
    *value <<= shift;
  }
  *text = s;
  return true;
}

/* SIZE@BASE:IRQ, and perhaps :ID, which means nothing here. */
static bool parse_device(const char *s, uint64_t *size, uint64_t *base, uint64_t *line) {
  uint64_t id;
  if (!take_number(&s, true, size) || *s++ != '@' || !take_number(&s, false, base) || *s++ != ':' ||
      !take_number(&s, false, line) || *line > UINT32_MAX)
    return false;
  if (*s == ':') {
    s++;
    if (!take_number(&s, false, &id))
      return false;
  }
  return *s == '\0';
}

void virtio_mmio_init(void) {
  const char *text;
  size_t n = 0;
  for (; (text = cmdline_get_nth("virtio_mmio.device", n)) != NULL; n++) {
    uint64_t size, base, line;
    if (!parse_device(text, &size, &base, &line))
      boot_fail("virtio_mmio.device=%s on the command line: expected SIZE@BASE:IRQ", text);
    found(base, size, (unsigned)line, false);
  }
  if (n == 0)
    arch_mmio_devices(found);
}
