/*
 * The vDSO as the kernel carries it: whole pages of its read-only data (kernel/vdso.h).
 */
  .section .vdso, "a"
  .balign 4096
  .globl vdso_image, vdso_image_bytes
vdso_image:
  .incbin VDSO_FILE
  .balign 4096
vdso_end:
  .section .rodata, "a"
  .balign 8
vdso_image_bytes:
  .quad vdso_end - vdso_image
