/*
 * The Linux Image header (Linux: Documentation/arm64/booting.rst), at the very beginning of the
 * image, and behind it the PE header that makes the same file an EFI application.
 *
 * text_offset: the image lies one page above a multiple of 2 MiB, so that QEMU, which keeps the
 * first page of memory for itself, has room for it in the first 2 MiB. In fact any page will do. The
 * image builder sets the size anew when it has put the payload in.
 */
#define TEXT_OFFSET 0x1000
#define FLAGS 0xa /* little-endian, 4 KiB pages, anywhere in memory */
#define PE_OFFSET 64

  .section .head, "ax"
  .globl a64_image, a64_image_size
a64_image:
  .long 0xfa405a4d /* "MZ" for PE; as an instruction it changes the flags only */
  b a64_entry
  .quad TEXT_OFFSET
a64_image_size:
  .quad kernel_image_bytes
  .quad FLAGS
  .quad 0, 0, 0
  .ascii "ARM\x64"
  .long PE_OFFSET

#include "boot/aarch64/pe_header.inc"
