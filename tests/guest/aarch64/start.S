/*
 * Entries that note the machine's state before anything else: the program's, which goes on to the C
 * library's, and a thread's, which goes on to thread_started() (abi/start.c).
 *
 * The first store needs an address in a register: x16, whose own value goes to the stack before.
 */
#include "machine.h"

.macro NOTE state
  str x16, [sp, #-16]
  adrp x16, \state
  add x16, x16, :lo12:\state
  stp x0, x1, [x16, #STATE_ARGUMENTS]
  stp x2, x3, [x16, #STATE_OTHER]
  stp x4, x5, [x16, #STATE_OTHER + 16]
  stp x6, x7, [x16, #STATE_OTHER + 32]
  stp x8, x9, [x16, #STATE_OTHER + 48]
  stp x10, x11, [x16, #STATE_OTHER + 64]
  stp x12, x13, [x16, #STATE_OTHER + 80]
  stp x14, x15, [x16, #STATE_OTHER + 96]
  ldr x15, [sp, #-16]
  stp x15, x17, [x16, #STATE_OTHER + 112]
  stp x18, x19, [x16, #STATE_OTHER + 128]
  stp x20, x21, [x16, #STATE_OTHER + 144]
  stp x22, x23, [x16, #STATE_OTHER + 160]
  stp x24, x25, [x16, #STATE_OTHER + 176]
  stp x26, x27, [x16, #STATE_OTHER + 192]
  stp x28, x29, [x16, #STATE_OTHER + 208]
  str x30, [x16, #STATE_OTHER + 224]
  mov x15, sp
  str x15, [x16, #STATE_STACK]
  mrs x15, tpidr_el0
  str x15, [x16, #STATE_TCB]
  mrs x15, nzcv
  str x15, [x16, #STATE_FLAGS]
  mrs x15, fpcr
  str w15, [x16, #STATE_FP]
  mrs x15, fpsr
  str w15, [x16, #STATE_FP + 4]
  add x15, x16, #STATE_OTHER + 232
  st1 {v0.2d-v3.2d}, [x15], #64
  st1 {v4.2d-v7.2d}, [x15], #64
  st1 {v8.2d-v11.2d}, [x15], #64
  st1 {v12.2d-v15.2d}, [x15], #64
  st1 {v16.2d-v19.2d}, [x15], #64
  st1 {v20.2d-v23.2d}, [x15], #64
  st1 {v24.2d-v27.2d}, [x15], #64
  st1 {v28.2d-v31.2d}, [x15], #64
.endm

  .text
  .globl test_entry, thread_entry
test_entry:
  NOTE start_state
  b _start

thread_entry:
  NOTE thread_state
  b thread_started
