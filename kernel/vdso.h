/*
 * The vDSO: the ELF shared object through which programs call the kernel (reference 1.6).
 *
 * A program's address space shows [vdso_data, vdso_image]: the data page readable, and directly
 * behind it the image, readable and executable. AT_SYSINFO_EHDR is the image's address.
 */
#ifndef KERNEL_VDSO_H
#define KERNEL_VDSO_H

#include <stddef.h>
#include <stdint.h>

#include "arch/arch.h"
#include "kernel/vdso_layout.h"

/* Page aligned, whole pages; made from arch/$(ARCH)/vdso.S. */
extern const uint8_t vdso_image[];
extern const uint64_t vdso_image_bytes;

/* What the vDSO reads to answer without a trap. */
struct vdso_data {
  struct arch_clock_params clock;
  uint64_t realtime_offset_ns; /* realtime − monotonic */
};

/* VDSO_DATA_BYTES, page aligned: what programs see below the image. */
extern uint8_t vdso_data_page[];

/* Fills the data page. Once, after clock_init(). */
void vdso_init(void);

#endif
