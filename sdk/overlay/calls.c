/*
 * The system calls of CloudABI as functions: cloudabi_sys_NAME calls what the vDSO offers
 * under that name.
 *
 * Each call has a slot, a pointer and the name, in a section of its own, so that a program
 * carries the slots of the calls that it makes; the linker puts them side by side and
 * link.c fills them. The names of types come without prefix here, as abi/syscalls.def
 * spells them: this file must not include a header of libc.
 */
#define ABI(name) name
#define ABI_T(name) name
#include "abi/cloudabi.h"

struct slot {
  errno_t (*function)();
  char name[16];
};

#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)

/* 24 bytes: struct slot, as link.c has it too. */
#define SLOT(call)                                                                    \
  __asm__(".section cloudabi_calls,\"aw\",%progbits,unique," TEXT(__COUNTER__) "\n" \
          ".balign 8\n.hidden __slot_" #call "\n.globl __slot_" #call "\n" \
          "__slot_" #call ":\n.quad 0\n.asciz \"" #call "\"\n.org __slot_" #call " + 24\n" \
          ".text"); \
  extern struct slot __slot_##call __attribute__((visibility("hidden")));

/* The call itself: what is in the slot has the prototype of the function around it. */
#define GO(call, types, arguments) \
  { return ((errno_t(*) types)__slot_##call.function)arguments; }

#define SYSCALL0(call, none) SLOT(call) errno_t cloudabi_sys_##call(none) GO(call, (none), ())
#define SYSCALL1(call, t0, n0) SLOT(call) errno_t cloudabi_sys_##call(t0 n0) GO(call, (t0), (n0))
#define SYSCALL2(call, t0, n0, t1, n1) \
  SLOT(call) errno_t cloudabi_sys_##call(t0 n0, t1 n1) GO(call, (t0, t1), (n0, n1))
#define SYSCALL3(call, t0, n0, t1, n1, t2, n2) \
  SLOT(call) errno_t cloudabi_sys_##call(t0 n0, t1 n1, t2 n2) GO(call, (t0, t1, t2), (n0, n1, n2))
#define SYSCALL4(call, t0, n0, t1, n1, t2, n2, t3, n3)    \
  SLOT(call)                                              \
  errno_t cloudabi_sys_##call(t0 n0, t1 n1, t2 n2, t3 n3) \
      GO(call, (t0, t1, t2, t3), (n0, n1, n2, n3))
#define SYSCALL5(call, t0, n0, t1, n1, t2, n2, t3, n3, t4, n4)   \
  SLOT(call)                                                     \
  errno_t cloudabi_sys_##call(t0 n0, t1 n1, t2 n2, t3 n3, t4 n4) \
      GO(call, (t0, t1, t2, t3, t4), (n0, n1, n2, n3, n4))
#define SYSCALL6(call, t0, n0, t1, n1, t2, n2, t3, n3, t4, n4, t5, n5)  \
  SLOT(call)                                                            \
  errno_t cloudabi_sys_##call(t0 n0, t1 n1, t2 n2, t3 n3, t4 n4, t5 n5) \
      GO(call, (t0, t1, t2, t3, t4, t5), (n0, n1, n2, n3, n4, n5))
#define SYSCALL7(call, t0, n0, t1, n1, t2, n2, t3, n3, t4, n4, t5, n5, t6, n6) \
  SLOT(call)                                                                   \
  errno_t cloudabi_sys_##call(t0 n0, t1 n1, t2 n2, t3 n3, t4 n4, t5 n5, t6 n6) \
      GO(call, (t0, t1, t2, t3, t4, t5, t6), (n0, n1, n2, n3, n4, n5, n6))

#include "abi/syscalls.def"
