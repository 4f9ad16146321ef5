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
#include "kernel/exec.h"
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

static struct file *payload_program(void) {
  struct file *f;
  errno_t e = bootfs_open("program", &f);
  if (e == ENOENT)
    boot_fail("the image's payload has no `program`: build it with `make image`");
  if (e != 0)
    boot_fail("not enough memory for the program; give the machine more (-m)");
  return f;
}

static void program_load(struct thread *thread) {
  size_t argdata_bytes;
  const void *argdata = payload_entry("argdata", &argdata_bytes);
  struct file *program = payload_program();
  struct exec_image image;
  const char *why = "";
  struct uio uio;
  uio_init_kernel(&uio, (void *)argdata, argdata_bytes);
  errno_t e = exec_load(program, &uio, process_first->uuid, thread->tid, &image, NULL, &why);
  if (e == ENOMEM)
    boot_fail("not enough memory for the program; give the machine more (-m)");
  if (e != 0)
    boot_fail("the program can't be run: %s", why);
  file_unref(program);
  process_become(process_first, &image);
  thread->user_start = image.start;
}

/* The first process and its thread, ready to run. */
static struct thread *process_start(bool have_network) {
  static const struct arch_user_start nowhere;
  size_t grants_bytes, era_bytes;
  const char *grants = payload_entry("grants", &grants_bytes);
  const void *era;
  struct thread *thread;
  if (process_create(&process_first) != 0 ||
      thread_create_user(process_first, &nowhere, &thread) != 0)
    boot_fail("not enough memory for a process; give the machine more (-m)");
  process_first->retired_rights = bootfs_find("retired", &era, &era_bytes) == 0;
  grants_install(process_first, grants, grants_bytes, have_network);
  program_load(thread);
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
  thread_wake(process_start(have_network));
  thread_start_scheduler();
}
