/*
 * Threads: their start, their identity and their end, as musl's pthreads want them.
 *
 * A thread ends while another may be waiting to free its stack. musl learns that a thread
 * is gone from a word that "the kernel" clears and wakes last. Here the dying thread does
 * that itself, holding the futex lock, on a stack that this lock guards; the kernel then
 * releases the lock as the thread disappears (thread_exit), without touching memory after.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <stdarg.h>

#include "arch.h"
#include "pthread_impl.h"
#include "sdk/overlay/overlay.h"

_Thread_local struct overlay_thread __overlay_thread;

/* For the dying thread; guarded by the futex lock. */
static struct {
  void *mapping; /* to unmap: its own stack, or NULL */
  size_t length;
  volatile int *clear;
} dying;
/* Roomy, for a vDSO that does its work in the program; only what is used becomes memory. */
static char dying_stack[16384] __attribute__((aligned(16)));

/* Runs without thread pointer: the memory it points to may be gone. */
static _Noreturn void disappear(void) {
  if (dying.mapping != NULL)
    cloudabi_sys_mem_unmap(dying.mapping, dying.length);
  if (dying.clear != NULL) {
    __atomic_store_n(dying.clear, 0, __ATOMIC_SEQ_CST);
    __futex_wake_locked(dying.clear, 1);
  }
  cloudabi_sys_thread_exit(&__futex_lock_word, CLOUDABI_SCOPE_PRIVATE);
}

static _Noreturn void thread_end(void *mapping, size_t length) {
  __futex_lock();
  dying.mapping = mapping;
  dying.length = length;
  dying.clear = __overlay_thread.clear_at_exit;
  arch_call_on(dying_stack + sizeof(dying_stack), disappear);
}

CALL_ENTRY(exit) {
  thread_end(NULL, 0);
}

/* musl's way out for a detached thread, which frees its own stack. */
void __unmapself(void *mapping, size_t length) {
  thread_end(mapping, length);
}

CALL1(set_tid_address, volatile int *, clear_at_exit) {
  if (__overlay_thread.tid == 0)
    __overlay_thread.tid = __startup.tid;
  __overlay_thread.clear_at_exit = clear_at_exit;
  return __overlay_thread.tid;
}

CALL0(gettid) {
  return __overlay_thread.tid;
}

CALL0(sched_yield) {
  return __error(cloudabi_sys_thread_yield());
}

__attribute__((noinline)) int __set_thread_area(void *pointer) {
  arch_thread_pointer_set(pointer);
  return 0;
}

/* What a new thread is told; on the top of its stack. */
struct beginning {
  int (*function)(void *);
  void *argument;
  void *thread_pointer;
  int *tid;
  volatile int *clear_at_exit;
};

static __attribute__((noinline)) void begin(const struct beginning *beginning, cloudabi_tid_t tid) {
  __overlay_thread.tid = tid;
  __overlay_thread.clear_at_exit = beginning->clear_at_exit;
  *beginning->tid = tid;
  beginning->function(beginning->argument);
  thread_end(NULL, 0);
}

static void thread_entry(cloudabi_tid_t tid, void *argument) {
  const struct beginning *beginning = argument;

  __set_thread_area(beginning->thread_pointer);
  begin(beginning, tid);
}

/*
 * musl calls this for new threads, and for new processes, which do not exist. The stack
 * begins where the new thread's descriptor says: musl passes only its end.
 */
int __clone(int (*function)(void *), void *stack, int flags, void *argument, ...) {
  va_list more;

  if (!(flags & CLONE_THREAD))
    return -ENOSYS;
  va_start(more, argument);
  int *tid_out = va_arg(more, int *);
  void *thread_pointer = va_arg(more, void *);
  volatile int *clear_at_exit = va_arg(more, volatile int *);
  va_end(more);

  struct beginning *beginning = (struct beginning *)((uintptr_t)stack & -16ul) - 1;
  *beginning = (struct beginning){function, argument, thread_pointer, tid_out, clear_at_exit};
  const struct pthread *self = __pthread_self();
  const struct pthread *new =
      (struct pthread *)((char *)thread_pointer - ((char *)TP_ADJ(self) - (char *)self));
  char *low = (char *)new->stack - new->stack_size;
  char *high = (char *)((uintptr_t)beginning & -16ul);
  struct cloudabi_threadattr attr = {
      .entry_point = thread_entry,
      .stack = low,
      .stack_len = high - low,
      .argument = beginning,
  };
  cloudabi_tid_t tid;
  cloudabi_errno_t error = cloudabi_sys_thread_create(&attr, &tid);
  if (error != 0)
    return __error(error);
  *tid_out = tid; /* the new thread stores it as well: either may be first */
  return tid;
}
