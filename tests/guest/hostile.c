/*
 * A program that attacks: {out: fd, file: regular file of 5000 bytes, how: name}. It is to die of
 * it; one that lives exits with status 42, or 43 when a call did what it must not.
 */
#include "hostile.h"

#include <program.h>
#include <stdatomic.h>
#include <stdio.h>

#include "abi/raw.h"
#include "args.h"
#include "machine.h"

static cloudabi_fd_t out, file;
static const char constant[64] = "constant";
static const volatile char *const kernel = (const char *)0xffffffff80100000;

static void call(const void *at) {
  ((void (*)(void))(uintptr_t)at)();
}

/* ---- Execution ------------------------------------------------------------------------------- */

static void exec_stack(void) {
  unsigned char code[sizeof(machine_return)];
  memcpy(code, machine_return, sizeof(code));
  call(code);
}

static void exec_memory(void) {
  char *p = raw_memory(RAW_PAGE);
  memcpy(p, machine_return, sizeof(machine_return));
  call(p);
}

static void exec_constants(void) {
  call(machine_return);
}

static void exec_null(void) {
  call(NULL);
}

static void exec_kernel(void) {
  call((const void *)(uintptr_t)kernel);
}

/* Written first, executable afterwards: this is allowed, and no attack. */
static void exec_made(void) {
  char *p = raw_memory(RAW_PAGE);
  memcpy(p, machine_return, sizeof(machine_return));
  if (cloudabi_sys_mem_protect(p, RAW_PAGE, CLOUDABI_PROT_READ | CLOUDABI_PROT_EXEC) != 0)
    exit(43);
  call(p);
}

/* ---- Reading and writing --------------------------------------------------------------------- */

static void read_kernel(void) {
  exit(*kernel);
}

static void read_kernel_memory(void) {
  exit(*(const volatile char *)0xffff800000100000);
}

static void write_kernel(void) {
  *(volatile char *)(uintptr_t)kernel = 1;
}

static void write_constant(void) {
  *(volatile char *)(uintptr_t)constant = 1;
}

static void read_nothing(void) {
  exit(*(volatile char *)raw_map(RAW_PAGE, 0));
}

static void write_read_only(void) {
  volatile char *p = raw_memory(RAW_PAGE);
  *p = 1;
  cloudabi_sys_mem_protect((void *)(uintptr_t)p, RAW_PAGE, CLOUDABI_PROT_READ);
  *p = 2;
}

static void read_behind_file(void) {
  char *p = NULL;
  cloudabi_sys_mem_map(NULL, 4 * RAW_PAGE, CLOUDABI_PROT_READ, CLOUDABI_MAP_PRIVATE, file, 0,
                       (void **)&p);
  exit(*(volatile char *)(p + 3 * RAW_PAGE));
}

/* ---- Shared memory --------------------------------------------------------------------------- */

static cloudabi_errno_t shared_resize(cloudabi_fd_t fd, size_t size) {
  struct cloudabi_filestat st;
  memset(&st, 0, sizeof(st));
  st.st_size = size;
  return cloudabi_sys_file_stat_fput(fd, &st, CLOUDABI_FILESTAT_SIZE);
}

static char *shared_memory(size_t size, size_t mapped, cloudabi_mprot_t prot, cloudabi_fd_t *fd) {
  char *p = NULL;
  if (cloudabi_sys_fd_create1(CLOUDABI_FILETYPE_SHARED_MEMORY, fd) != 0 ||
      shared_resize(*fd, size) != 0 ||
      cloudabi_sys_mem_map(NULL, mapped, prot, CLOUDABI_MAP_SHARED, *fd, 0, (void **)&p) != 0)
    exit(43);
  return p;
}

static void read_behind_shared(void) {
  cloudabi_fd_t fd;
  volatile char *p = shared_memory(RAW_PAGE + 1, 3 * RAW_PAGE, CLOUDABI_PROT_READ, &fd);
  if (p[2 * RAW_PAGE - 1] != 0)
    exit(43);
  exit(p[2 * RAW_PAGE]);
}

static void write_after_shrinking(void) {
  cloudabi_fd_t fd;
  volatile char *p =
      shared_memory(3 * RAW_PAGE, 3 * RAW_PAGE, CLOUDABI_PROT_READ | CLOUDABI_PROT_WRITE, &fd);
  p[2 * RAW_PAGE] = 1;
  if (shared_resize(fd, 2 * RAW_PAGE) != 0)
    exit(43);
  p[2 * RAW_PAGE - 1] = 1;
  p[2 * RAW_PAGE] = 2;
}

/* The code that runs is cut off. */
static void exec_after_shrinking(void) {
  cloudabi_fd_t fd;
  char *w = shared_memory(RAW_PAGE, RAW_PAGE, CLOUDABI_PROT_READ | CLOUDABI_PROT_WRITE, &fd);
  void *x = NULL;
  memcpy(w, machine_return, sizeof(machine_return));
  if (cloudabi_sys_mem_map(NULL, RAW_PAGE, CLOUDABI_PROT_READ | CLOUDABI_PROT_EXEC,
                           CLOUDABI_MAP_SHARED, fd, 0, &x) != 0)
    exit(43);
  call(x);
  if (shared_resize(fd, 0) != 0)
    exit(43);
  call(x);
}

/* Each is small enough, all of them are not. */
static void use_all_shared(void) {
  for (;;) {
    cloudabi_fd_t fd;
    const size_t size = 16ul << 20;
    volatile char *p = shared_memory(size, size, CLOUDABI_PROT_READ | CLOUDABI_PROT_WRITE, &fd);
    cloudabi_fd_t other;
    char *q = shared_memory(size, size, CLOUDABI_PROT_READ | CLOUDABI_PROT_WRITE, &other);
    for (size_t at = 0; at < size; at += RAW_PAGE)
      p[at] = q[at] = 1;
  }
}

/* By fd_write there is an error. */
static void fill_shared(void) {
  static char block[1 << 16];
  cloudabi_fd_t fd;
  cloudabi_errno_t e = cloudabi_sys_fd_create1(CLOUDABI_FILETYPE_SHARED_MEMORY, &fd);
  while (e == 0)
    e = raw_write(fd, block, sizeof(block));
  if (e != CLOUDABI_ENOMEM)
    exit(43);
}

/* ---- The ground under one's feet ------------------------------------------------------------- */

static void unmap_stack(void) {
  volatile char here = 0;
  uintptr_t page = (uintptr_t)&here & ~(RAW_PAGE - 1);
  cloudabi_sys_mem_unmap((void *)(page - 4 * RAW_PAGE), 8 * RAW_PAGE);
}

static void unmap_program(void) {
  uintptr_t page = (uintptr_t)unmap_program & ~(RAW_PAGE - 1);
  cloudabi_sys_mem_unmap((void *)page, 4 * RAW_PAGE);
}

/* All that there can be. */
static void unmap_everything(void) {
  cloudabi_sys_mem_unmap((void *)0x10000, MACHINE_USER_END - 0x10000);
}

static volatile int endless = 1;

static void stack_overflow_deep(int depth) {
  volatile char frame[1024];
  frame[0] = (char)depth;
  if (endless)
    stack_overflow_deep(depth + 1);
  frame[1] = 0;
}

static void stack_overflow(void) {
  stack_overflow_deep(0);
}

static void overflow_in_thread(struct raw_thread *t) {
  (void)t;
  stack_overflow_deep(0);
}

static struct raw_thread thread, others[40];

static void wait_for_the_end(void) {
  raw_sleep(5000 * RAW_MS);
}

static void thread_overflow(void) {
  raw_map(16 * RAW_PAGE, 0); /* below the stack */
  raw_spawn(&thread, overflow_in_thread, NULL);
  wait_for_the_end();
}

/* ---- Threads --------------------------------------------------------------------------------- */

static void start_at(uintptr_t entry) {
  struct cloudabi_threadattr attr = {NULL, raw_memory(RAW_STACK_BYTES), RAW_STACK_BYTES, NULL};
  cloudabi_tid_t tid;
  memcpy(&attr.entry_point, &entry, sizeof(entry));
  if (cloudabi_sys_thread_create(&attr, &tid) != 0)
    exit(43);
  wait_for_the_end();
}

static void thread_at_data(void) {
  start_at((uintptr_t)&thread);
}

static void thread_at_nothing(void) {
  start_at(0x10000);
}

/* Its entry returns to where nothing was called from. */
static void plain_entry(cloudabi_tid_t tid, void *arg) {
  (void)tid;
  (void)arg;
}

static void thread_return(void) {
  start_at((uintptr_t)plain_entry);
}

static void spin(struct raw_thread *t) {
  for (;;)
    t->step++;
}

static void nap(struct raw_thread *t) {
  (void)t;
  wait_for_the_end();
}

/* One thread's fault is the end of all, whatever they do. */
static void crash_among_many(void) {
  for (int i = 0; i < 40; i++)
    raw_spawn(&others[i], i % 2 ? spin : nap, NULL);
  raw_sleep(50 * RAW_MS);
  write_kernel();
}

static void exit_among_many(void) {
  for (int i = 0; i < 40; i++)
    raw_spawn(&others[i], i % 2 ? spin : nap, NULL);
  raw_sleep(50 * RAW_MS);
  exit(42);
}

static void last_thread_exits(void) {
  cloudabi_lock_t lock = 0;
  cloudabi_sys_thread_exit(&lock, CLOUDABI_SCOPE_PRIVATE);
}

/* The lock of an exit is no address: the thread ends anyway. */
static void exit_with_bad_lock(void) {
  cloudabi_sys_thread_exit((void *)(uintptr_t)kernel, CLOUDABI_SCOPE_PRIVATE);
}

/* ---- Memory ---------------------------------------------------------------------------------- */

static void use_all_memory(void) {
  for (;;) {
    volatile char *p = raw_map(64 * RAW_PAGE, 0);
    if (p == NULL || cloudabi_sys_mem_protect((void *)(uintptr_t)p, 64 * RAW_PAGE,
                                              CLOUDABI_PROT_READ | CLOUDABI_PROT_WRITE) != 0)
      exit(43);
    for (int i = 0; i < 64; i++)
      p[i * RAW_PAGE] = 1;
  }
}

static const struct attack attacks[] = {
    {"exec-stack", exec_stack},
    {"exec-memory", exec_memory},
    {"exec-constants", exec_constants},
    {"exec-null", exec_null},
    {"exec-kernel", exec_kernel},
    {"exec-made", exec_made},
    {"read-kernel", read_kernel},
    {"read-kernel-memory", read_kernel_memory},
    {"write-kernel", write_kernel},
    {"write-constant", write_constant},
    {"read-nothing", read_nothing},
    {"write-read-only", write_read_only},
    {"read-behind-file", read_behind_file},
    {"read-behind-shared", read_behind_shared},
    {"write-after-shrinking", write_after_shrinking},
    {"exec-after-shrinking", exec_after_shrinking},
    {"use-all-shared", use_all_shared},
    {"fill-shared", fill_shared},
    {"unmap-stack", unmap_stack},
    {"unmap-program", unmap_program},
    {"unmap-everything", unmap_everything},
    {"stack-overflow", stack_overflow},
    {"thread-overflow", thread_overflow},
    {"thread-at-data", thread_at_data},
    {"thread-at-nothing", thread_at_nothing},
    {"thread-return", thread_return},
    {"crash-among-many", crash_among_many},
    {"exit-among-many", exit_among_many},
    {"last-thread-exits", last_thread_exits},
    {"exit-with-bad-lock", exit_with_bad_lock},
    {"use-all-memory", use_all_memory},
};

static void run(const struct attack *a) {
  a->run();
  dprintf(out, "survived\n");
  exit(42);
}

void program_main(const argdata_t *ad) {
  const char *how = arg_str(ad, "how");
  out = arg_fd(ad, "out");
  file = arg_fd(ad, "file");
  for (size_t i = 0; i < sizeof(attacks) / sizeof(attacks[0]); i++) {
    if (strcmp(attacks[i].name, how) == 0)
      run(&attacks[i]);
  }
  for (const struct attack *a = machine_attacks; a->name != NULL; a++) {
    if (strcmp(a->name, how) == 0)
      run(a);
  }
  if (strncmp(how, "raise-", 6) == 0)
    cloudabi_sys_proc_raise(atoi(how + 6));
  exit(44);
}
