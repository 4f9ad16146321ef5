/*
 * The GICv3's interrupt translation service. See its.h.
 *
 * A device writes an event's number to the ITS, which looks up the device's table, then the event's
 * LPI in it, then the collection that says which processor gets it. All these tables belong to the
 * ITS and are changed by commands in a queue; ours alone are the LPIs' priorities. What the
 * hardware reads is cleaned out of the cache, so nothing depends on whether it looks there.
 */
#include "arch/aarch64/its.h"

#include "kernel/heap.h"
#include "kernel/log.h"
#include "kernel/page.h"
#include "kernel/string.h"

enum { /* ITS registers */
       GITS_CTLR = 0x0,
       GITS_TYPER = 0x8,
       GITS_CBASER = 0x80,
       GITS_CWRITER = 0x88,
       GITS_CREADR = 0x90,
       GITS_BASER = 0x100,
       GITS_BASERS = 8,
       GITS_TRANSLATER = 0x10040,
       GITS_BYTES = 0x10000,
       CTLR_ENABLE = 1,
       CREADR_STALLED = 1,
       /* redistributor registers */
       GICR_CTLR = 0x0,
       GICR_TYPER = 0x8,
       GICR_PROPBASER = 0x70,
       GICR_PENDBASER = 0x78,
       GICR_ENABLE_LPIS = 1,
       GICR_HAS_LPIS = 1,
};

#define BASE_VALID (1ull << 63)
#define BASE_INDIRECT (1ull << 62)
#define PENDBASER_ZEROED (1ull << 62)
/* Shareability, inner and outer cacheability: 0, not cached for anything but the processor. */
#define BASER_UNCACHED (1ull << 59)
#define CBASER_UNCACHED (1ull << 59)
#define GICR_UNCACHED (1ull << 7)

enum {
  BASER_TYPE_SHIFT = 56,
  BASER_DEVICES = 1,
  BASER_COLLECTIONS = 4,
  BASER_ENTRY_SHIFT = 48,
  BASER_PAGE_SHIFT = 8, /* 0: 4 KiB, 1: 16 KiB, else 64 KiB */
  TYPER_ITT_SHIFT = 4,
  TYPER_DEVICE_BITS_SHIFT = 13,
  TYPER_PTA = 1 << 19,
};

enum {
  COMMAND_BYTES = 32,
  COMMAND_TRIES = 1000000,
  MAPD = 8,
  MAPC = 9,
  MAPTI = 10,
  INV = 12,
  SYNC = 5,
};

enum {
  LPI_ID_BITS = 14, /* the least there may be */
  LPI_CONFIG_ORDER = 1,
  LPI_ENABLED = 0xa0 | 1, /* priority */
  LPIS_MAX = 64,
  DEVICES_MAX = 32,
  EVENT_BITS = 4, /* of a device */
  ITT_ALIGN = 256,
  TABLE_ALIGN = 64 << 10, /* of the queue and the pending table */
};

struct its_device {
  uint32_t id;
  unsigned events; /* given out */
};

struct its_table { /* of devices: of one level or of two */
  uint64_t *pages; /* two levels: the first */
  bool indirect;
  unsigned per_page; /* devices */
  unsigned count;    /* entries of the first level, or devices */
};

static pa_t its_pa, gicr_pa;
static volatile uint8_t *its, *gicr;
static enum { ITS_ABSENT, ITS_FOUND, ITS_READY } its_state;

static uint64_t typer;
static uint8_t *queue;
static unsigned queue_at; /* bytes */
static uint8_t *config;   /* a byte for each LPI */
static struct its_table devices_table;
static struct its_device devices[DEVICES_MAX];
static unsigned device_count;
static struct {
  irq_handler_t *run;
  void *arg;
} handlers[LPIS_MAX];
static unsigned lpi_count;

void a64_its_init(pa_t its_at, pa_t gicr_at, volatile uint8_t *gicr_mapped) {
  its_pa = its_at;
  gicr_pa = gicr_at;
  gicr = gicr_mapped;
  its_state = its_at != 0 ? ITS_FOUND : ITS_ABSENT;
}

/* Writes to memory what a cache holds of [p, p + n). */
static void clean(const void *p, size_t n) {
  uint64_t ctr;
  __asm__("mrs %0, ctr_el0" : "=r"(ctr));
  uintptr_t line = (uintptr_t)4 << (ctr >> 16 & 15), end = (uintptr_t)p + n;
  for (uintptr_t at = (uintptr_t)p & ~(line - 1); at < end; at += line)
    __asm__ volatile("dc cvac, %0" ::"r"(at) : "memory");
  __asm__ volatile("dsb sy" ::: "memory");
}

static void *alloc_table(unsigned order) {
  void *p = page_alloc_zero(order);
  if (p != NULL)
    clean(p, PAGE_SIZE << order);
  return p;
}

/* A zeroed page at a multiple of 64 KiB: takes single pages until one lies so, and gives the others
 * back, for an aligned block would cost 15 pages more. */
static void *alloc_aligned_page(void) {
  void *spare = NULL, *p;
  for (;;) {
    p = page_alloc(0);
    if (p == NULL || va_to_pa(p) % TABLE_ALIGN == 0)
      break;
    *(void **)p = spare;
    spare = p;
  }
  while (spare != NULL) {
    void *next = *(void **)spare;
    page_free(spare, 0);
    spare = next;
  }
  if (p != NULL) {
    memset(p, 0, PAGE_SIZE);
    clean(p, PAGE_SIZE);
  }
  return p;
}

/* ---- Commands -------------------------------------------------------------------------------- */

/* Queues one command and waits until it is done. EIO: the ITS has stopped at it. */
static errno_t command(uint64_t w0, uint64_t w1, uint64_t w2) {
  uint64_t *entry = (uint64_t *)(queue + queue_at);
  entry[0] = w0;
  entry[1] = w1;
  entry[2] = w2;
  entry[3] = 0;
  clean(entry, COMMAND_BYTES);
  queue_at = (queue_at + COMMAND_BYTES) % PAGE_SIZE;
  mmio_write64(its + GITS_CWRITER, queue_at);
  for (unsigned i = 0; i < COMMAND_TRIES; i++) {
    uint64_t reader = mmio_read64(its + GITS_CREADR);
    if (reader & CREADR_STALLED)
      return EIO;
    if (reader == queue_at)
      return 0;
  }
  return EIO;
}

/* How commands name this processor: the redistributor's address, or its number. */
static uint64_t target(void) {
  if (typer & TYPER_PTA)
    return gicr_pa;
  return (mmio_read64(gicr + GICR_TYPER) >> 8 & 0xffff) << 16;
}

/* ---- Setting up ------------------------------------------------------------------------------ */

/* One of the ITS's own tables. Of devices, there are two levels if it can: each page of the second
 * is made when it is needed. */
static bool setup_table(unsigned n) {
  volatile uint8_t *reg = its + GITS_BASER + n * 8;
  uint64_t value = mmio_read64(reg);
  unsigned type = value >> BASER_TYPE_SHIFT & 7;
  if (type != BASER_DEVICES && type != BASER_COLLECTIONS)
    return true;

  /* 4 KiB pages if it has them; a bit that it does not have stays clear. */
  mmio_write64(reg, type == BASER_DEVICES ? BASE_INDIRECT : 0);
  value = mmio_read64(reg);
  unsigned page_kind = value >> BASER_PAGE_SHIFT & 3;
  unsigned order = page_kind > 1 ? 4 : page_kind * 2;
  size_t page_bytes = PAGE_SIZE << order;
  bool indirect = value & BASE_INDIRECT;
  uint64_t *pages = alloc_table(order);
  if (pages == NULL)
    return false;
  mmio_write64(reg, BASE_VALID | (indirect ? BASE_INDIRECT : 0) | BASER_UNCACHED | va_to_pa(pages) |
                        page_kind << BASER_PAGE_SHIFT);
  if (type == BASER_DEVICES) {
    size_t entry_bytes = (value >> BASER_ENTRY_SHIFT & 31) + 1;
    unsigned per_page = (unsigned)(page_bytes / entry_bytes);
    devices_table = (struct its_table){
        .pages = pages,
        .indirect = indirect,
        .per_page = per_page,
        .count = indirect ? (unsigned)(page_bytes / sizeof(uint64_t)) : per_page,
    };
  }
  return true;
}

static bool setup_redistributor(void) {
  if (!(mmio_read64(gicr + GICR_TYPER) & GICR_HAS_LPIS) ||
      (mmio_read32(gicr + GICR_CTLR) & GICR_ENABLE_LPIS) != 0)
    return false; /* no LPIs, or somebody's tables are in use already */
  config = alloc_table(LPI_CONFIG_ORDER);
  void *pending = alloc_aligned_page();
  if (config == NULL || pending == NULL)
    return false;
  mmio_write64(gicr + GICR_PROPBASER, va_to_pa(config) | GICR_UNCACHED | (LPI_ID_BITS - 1));
  mmio_write64(gicr + GICR_PENDBASER, va_to_pa(pending) | GICR_UNCACHED | PENDBASER_ZEROED);
  mmio_write32(gicr + GICR_CTLR, mmio_read32(gicr + GICR_CTLR) | GICR_ENABLE_LPIS);
  return true;
}

static errno_t setup(void) {
  its_state = ITS_ABSENT; /* until all is well; what was taken before a failure is lost */
  its = arch_kmap_device(its_pa, GITS_BYTES);
  if (its == NULL)
    return ENOMEM;
  mmio_write32(its + GITS_CTLR, 0);
  typer = mmio_read64(its + GITS_TYPER);
  for (unsigned n = 0; n < GITS_BASERS; n++)
    if (!setup_table(n))
      return ENOMEM;
  queue = alloc_aligned_page();
  if (queue == NULL)
    return ENOMEM;
  mmio_write64(its + GITS_CBASER, BASE_VALID | CBASER_UNCACHED | va_to_pa(queue));
  mmio_write64(its + GITS_CWRITER, 0);
  if (devices_table.pages == NULL || !setup_redistributor())
    return ENOTSUP;
  mmio_write32(its + GITS_CTLR, CTLR_ENABLE);
  errno_t e = command(MAPC, 0, BASE_VALID | target());
  if (e == 0)
    e = command(SYNC, 0, target());
  if (e == 0)
    its_state = ITS_READY;
  return e;
}

/* ---- Devices and their events ---------------------------------------------------------------- */

/* Makes room for the device in the ITS's table. ENOSPC: its number is too large. */
static errno_t table_reach(uint32_t id) {
  struct its_table *t = &devices_table;
  unsigned n = t->indirect ? id / t->per_page : id;
  if (n >= t->count || id >> ((typer >> TYPER_DEVICE_BITS_SHIFT & 31) + 1) != 0)
    return ENOSPC;
  if (!t->indirect || t->pages[n] != 0)
    return 0;
  void *page = alloc_table(page_order(t->pages));
  if (page == NULL)
    return ENOMEM;
  t->pages[n] = BASE_VALID | va_to_pa(page);
  clean(&t->pages[n], sizeof t->pages[n]);
  return 0;
}

/* Gives the device a table of its events. It is never given back. */
static errno_t device_add(uint32_t id) {
  size_t entry_bytes = (typer >> TYPER_ITT_SHIFT & 15) + 1;
  /* Whole cache lines, and the alignment that the ITS wants. */
  size_t bytes = ((entry_bytes << EVENT_BITS) + ITT_ALIGN - 1) & ~(size_t)(ITT_ALIGN - 1);
  if (device_count == DEVICES_MAX)
    return ENOSPC;
  errno_t e = table_reach(id);
  if (e != 0)
    return e;
  uint8_t *memory = kzalloc(bytes + ITT_ALIGN);
  if (memory == NULL)
    return ENOMEM;
  clean(memory, bytes + ITT_ALIGN);
  pa_t itt_pa = (va_to_pa(memory) + ITT_ALIGN - 1) & ~(pa_t)(ITT_ALIGN - 1);
  e = command(MAPD | (uint64_t)id << 32, EVENT_BITS - 1, BASE_VALID | itt_pa);
  if (e != 0)
    return e;
  devices[device_count++] = (struct its_device){.id = id};
  return 0;
}

static errno_t device_find(uint32_t id, struct its_device **device) {
  for (unsigned i = 0; i < device_count; i++) {
    if (devices[i].id == id) {
      *device = &devices[i];
      return 0;
    }
  }
  errno_t e = device_add(id);
  *device = e == 0 ? &devices[device_count - 1] : NULL;
  return e;
}

/* Directs the device's next event to a free LPI. */
static errno_t event_map(struct its_device *d, unsigned lpi) {
  uint64_t device = (uint64_t)d->id << 32;
  config[lpi] = LPI_ENABLED;
  clean(&config[lpi], 1);
  errno_t e = command(MAPTI | device, d->events | (uint64_t)(A64_LPI_FIRST + lpi) << 32, 0);
  if (e == 0)
    e = command(INV | device, d->events, 0);
  return e != 0 ? e : command(SYNC, 0, target());
}

errno_t a64_its_msi_alloc(irq_handler_t *handler, void *arg, uint32_t device_id,
                          struct arch_msi *msi) {
  struct its_device *device;
  errno_t e = its_state == ITS_FOUND ? setup() : 0;
  if (e != 0)
    log_warn("its: not usable (%u)", (unsigned)e);
  if (its_state != ITS_READY)
    return ENOTSUP;
  e = device_find(device_id, &device);
  if (e != 0)
    return e;
  if (device->events == 1u << EVENT_BITS || lpi_count == LPIS_MAX)
    return ENOSPC;
  handlers[lpi_count].run = handler;
  handlers[lpi_count].arg = arg;
  e = event_map(device, lpi_count);
  if (e != 0)
    return e;
  lpi_count++;
  *msi = (struct arch_msi){.address = its_pa + GITS_TRANSLATER, .data = device->events++};
  return 0;
}

void a64_its_interrupt(unsigned intid) {
  unsigned lpi = intid - A64_LPI_FIRST;
  if (lpi < lpi_count)
    handlers[lpi].run(handlers[lpi].arg);
}
