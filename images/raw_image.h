/*
 * The raw image of an aarch64 machine: what QEMU's -kernel and EFI firmware load.
 *
 * It is the memory of the kernel from its first segment's physical address on, BSS as zeroes, with
 * the payload behind it. It begins with the header of a Linux arm64 `Image`
 * (Documentation/arch/arm64/ booting), which is at the same time that of a PE file; the kernel's
 * build has made both, and left the sizes to the builder.
 */
#ifndef IMAGES_RAW_IMAGE_H
#define IMAGES_RAW_IMAGE_H

#include "images/kernel_elf.h"

/* Whether a file of that name is to be a raw image: it ends in ".image". */
bool raw_image_wanted(const char *name);

/* Writes the image with the payload, zero padded to whole pages. False with a report. */
bool raw_image_write(const struct kernel_elf *kernel, const struct buffer *payload,
                     struct buffer *output, struct report *report);

#endif
