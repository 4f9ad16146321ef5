/*
 * What units around files need of the rest of the kernel: an allocator that can run dry, user
 * memory with a hole in it, panic() and boot_fail() that a test can expect, and a thread that never
 * sleeps.
 */
#ifndef TESTS_HOST_WORLD_H
#define TESTS_HOST_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "ipc/ipc.h"
#include "kernel/heap.h"
#include "kernel/list.h"
#include "kernel/log.h"
#include "kernel/page.h"
#include "kernel/process.h"
#include "kernel/thread.h"

/* ---- Memory ---------------------------------------------------------------------------------- */

static long world_allocations_left = -1;                   /* -1: any number */
static size_t world_live;                                  /* blocks handed out now */
static struct list world_blocks = LIST_INIT(world_blocks); /* their heads, 16 bytes each */

void *kmalloc(size_t size) {
  if (world_allocations_left == 0)
    return NULL;
  if (world_allocations_left > 0)
    world_allocations_left--;
  world_live++;
  struct list *head = malloc(sizeof *head + (size != 0 ? size : 1));
  list_push_back(&world_blocks, head);
  return head + 1;
}

void *kzalloc(size_t size) {
  void *p = kmalloc(size);
  return p != NULL ? memset(p, 0, size) : NULL;
}

void kfree(void *p) {
  if (p == NULL)
    return;
  struct list *head = (struct list *)p - 1;
  world_live--;
  list_remove(head);
  free(head);
}

/* Frees what the kernel keeps for ever, or kept when it ended. */
static inline void world_free_all(void) {
  while (!list_empty(&world_blocks))
    kfree((struct list *)world_blocks.next + 1);
}

/* ---- User memory: the host's, but for one page ----------------------------------------------- */

static char world_hole[PAGE_SIZE] __attribute__((aligned(4096)));

static inline size_t world_reachable(const void *p, size_t n) {
  uintptr_t at = (uintptr_t)p, hole = (uintptr_t)world_hole;
  if (at + n <= hole || at >= hole + PAGE_SIZE)
    return n;
  return at < hole ? hole - at : 0;
}

errno_t user_put_result(uintptr_t to, const void *value, size_t n) {
  return EFAULT; /* no raw traps here */
}

size_t arch_user_copy(void *dst, const void *src, size_t n) {
  size_t ok = world_reachable(dst, n), readable = world_reachable(src, n);
  if (readable < ok)
    ok = readable;
  memcpy(dst, src, ok);
  return n - ok;
}

/* ---- Ends ------------------------------------------------------------------------------------ */

static jmp_buf world_jump;
static bool world_jump_set;
static char world_message[512];

static _Noreturn void world_end(const char *format, va_list ap) {
  vsnprintf(world_message, sizeof world_message, format, ap);
  if (!world_jump_set) {
    fprintf(stderr, "the kernel ends: %s\n", world_message);
    abort();
  }
  world_jump_set = false;
  longjmp(world_jump, 1);
}

void panic(const char *format, ...) {
  va_list ap;
  va_start(ap, format);
  world_end(format, ap);
}

void boot_fail(const char *format, ...) {
  va_list ap;
  va_start(ap, format);
  world_end(format, ap);
}

/* The statement must end the kernel with exactly this message. */
#define assert_ends(statement, message)          \
  do {                                           \
    world_jump_set = true;                       \
    if (setjmp(world_jump) == 0) {               \
      statement;                                 \
      world_jump_set = false;                    \
      fail_msg("did not end with: %s", message); \
    }                                            \
    assert_string_equal(world_message, message); \
  } while (0)

/* ---- A process with one thread --------------------------------------------------------------- */

static struct process world_process;
static struct thread world_thread = {.process = &world_process};

/* ---- Opening a FIFO: refused, and noted, where the unit has not the real thing --------------- */

static struct {
  struct vnode *node;
  fdflags_t flags;
  bool read, write;
} world_fifo;

__attribute__((weak)) errno_t ipc_fifo_open(struct vnode *node, fdflags_t flags, bool read,
                                            bool write, struct file **f) {
  world_fifo.node = node;
  world_fifo.flags = flags;
  world_fifo.read = read;
  world_fifo.write = write;
  return ENXIO;
}

#endif
