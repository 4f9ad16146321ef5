/*
 * What the overlay needs of aarch64: the thread pointer and a change of stack.
 *
 * The thread pointer is TPIDR_EL0, which a program may write. At the start it points to
 * the kernel's tcb.
 */
#ifndef SDK_ARCH_H
#define SDK_ARCH_H

/*
 * Makes block the thread pointer. Its first word becomes the tcb: a copy of the kernel's.
 * The caller must not use thread-locals in the same function.
 */
static inline void arch_thread_pointer_set(void *block) {
  void **tcb;
  __asm__ volatile("mrs %0, tpidr_el0" : "=r"(tcb));
  *(void **)block = *tcb;
  __asm__ volatile("msr tpidr_el0, %0" : : "r"(block) : "memory");
}

/* Calls function, which does not return, on the stack that ends at top. */
_Noreturn static inline void arch_call_on(void *top, void (*function)(void)) {
  __asm__ volatile("mov sp, %0\n\tmov x29, xzr\n\tmov x30, xzr\n\tbr %1"
                   :
                   : "r"((unsigned long)top & -16ul), "r"(function)
                   : "memory");
  __builtin_unreachable();
}

/* The relocation that a static PIE has: add the load address. */
#define ARCH_RELATIVE R_AARCH64_RELATIVE

#endif
