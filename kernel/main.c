/*
 * From the loader to the program: the order in which everything starts.
 *
 * Runs once, on the boot stack, with interrupts off.
 */
#include "arch/arch.h"
#include "boot/bootinfo.h"
#include "drivers/drivers.h"
#include "fs/bootfs.h"
#include "kernel/clock.h"
#include "kernel/cmdline.h"
#include "kernel/grants.h"
#include "kernel/heap.h"
#include "kernel/log.h"
#include "kernel/page.h"
#include "kernel/process.h"
#include "kernel/random.h"
#include "kernel/string.h"
#include "kernel/symbols.h"
#include "kernel/sys/trace.h"
#include "kernel/thread.h"
#include "kernel/vdso.h"
#include "net/net.h"

static void log_init(void) {
  static const char *const names[] = {"error", "warn", "info", "debug"};
  const char *value = cmdline_get("log");
  if (value == NULL)
    return;
  for (int i = LOG_ERROR; i <= LOG_DEBUG; i++) {
    if (strcmp(value, names[i]) == 0) {
      log_max = (enum log_level)i;
      return;
    }
  }
  boot_fail("log=%s on the command line: expected error, warn, info or debug", value);
}

/* One entry of the payload that must be there. */
static const void *payload_entry(const char *name, size_t *bytes) {
  const void *data;
  if (bootfs_find(name, &data, bytes) != 0)
    boot_fail("the image's payload has no `%s`: build it with `make image`", name);
  return data;
}

static struct thread *program_load(bool have_network) {
  size_t program_bytes, argdata_bytes, grants_bytes, era_bytes;
  const void *program = payload_entry("program", &program_bytes);
  const void *argdata = payload_entry("argdata", &argdata_bytes);
  const char *grants = payload_entry("grants", &grants_bytes);
  const void *era;
  const char *why = "";
  struct thread *thread;

  if (process_create(&process_first) != 0)
    boot_fail("not enough memory for a process; give the machine more (-m)");
  process_first->retired_rights = bootfs_find("retired", &era, &era_bytes) == 0;
  grants_install(process_first, grants, grants_bytes, have_network);
  errno_t e =
      exec_load(process_first, program, program_bytes, argdata, argdata_bytes, &thread, &why);
  if (e == ENOMEM)
    boot_fail("not enough memory for the program; give the machine more (-m)");
  if (e != 0)
    boot_fail("the program can't be run: %s", why);
  return thread;
}

static void load_symbols(void) {
  const void *text;
  size_t bytes;
  if (bootfs_find("symbols", &text, &bytes) == 0)
    symbols_init(text, bytes);
}

void kernel_main(struct bootinfo *boot) {
  cmdline_init(boot->cmdline); /* first: everything below asks it */
  arch_init_early(boot);       /* page tables, traps, console */
  log_init();
  page_init(boot); /* memory */
  bootfs_init(boot->payload, boot->payload_bytes);
  load_symbols();  /* from here on a panic has names */
  arch_init(boot); /* interrupt controllers, timer */
  clock_init(boot);
  vdso_init();
  thread_init();
  trace_init();
  serial_init(); /* devices */
  pci_init();
  virtio_mmio_init();
  random_add(boot->seed, boot->seed_bytes, true);
  random_start(); /* after the drivers that feed it */
  bool have_network = net_start();
  cmdline_check_unknown();
  log_info("virga: %s, %zu KiB free of %zu", boot->loader, page_free_count() * (PAGE_SIZE / 1024),
           page_total() * (PAGE_SIZE / 1024));
  thread_wake(program_load(have_network));
  thread_start_scheduler();
}
