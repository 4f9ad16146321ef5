/*
 * Instructions without effect that a counting emulator recognises: MARK(n) with 0 ≤ n ≤
 * 99, a decimal literal. CALIBRATE() executes a million times two instructions and one or
 * two before them, to show that the counting is right.
 */
#ifndef MARKER_H
#define MARKER_H

#if defined(__x86_64__)
/* nopl 0x4d4b00NN(%rax) */
#define MARK(n) __asm__ volatile(".byte 0x0f,0x1f,0x80," #n ",0,0x4b,0x4d" ::: "memory")
#define CALIBRATE() __asm__ volatile("mov $1000000,%%ecx\n1: dec %%ecx\njnz 1b" ::: "ecx", "cc")
#elif defined(__aarch64__)
/* movz xzr, #0x4dNN, lsl #48 */
#define MARK(n) __asm__ volatile("movz xzr, #(0x4d00 + " #n "), lsl #48" ::: "memory")
#define CALIBRATE()                                                                        \
  __asm__ volatile("mov w9, #16960\nmovk w9, #15, lsl #16\n1: subs w9, w9, #1\nb.ne 1b" :: \
                       : "w9", "cc")
#endif

#endif
