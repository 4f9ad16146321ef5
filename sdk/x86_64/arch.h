/*
 * What the overlay needs of x86-64: the thread pointer and a change of stack.
 *
 * Compiled code finds its thread-locals through the word at %fs:0. The kernel chooses the
 * FS base; the word there is the program's, and at the start points to the kernel's tcb.
 */
#ifndef SDK_ARCH_H
#define SDK_ARCH_H

/*
 * Makes block the thread pointer. Its first word becomes the tcb: a copy of the kernel's.
 * The caller must not use thread-locals in the same function.
 */
static inline void arch_thread_pointer_set(void *block) {
  void **tcb;
  __asm__ volatile("mov %%fs:0, %0" : "=r"(tcb));
  *(void **)block = *tcb;
  __asm__ volatile("mov %0, %%fs:0" : : "r"(block) : "memory");
}

/* Calls function, which does not return, on the stack that ends at top. */
_Noreturn static inline void arch_call_on(void *top, void (*function)(void)) {
  __asm__ volatile("mov %0, %%rsp\n\txor %%ebp, %%ebp\n\tcall *%1"
                   :
                   : "r"((unsigned long)top & -16ul), "r"(function)
                   : "memory");
  __builtin_unreachable();
}

/* The relocation that a static PIE has: add the load address. */
#define ARCH_RELATIVE R_X86_64_RELATIVE

#endif
