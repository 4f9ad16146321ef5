/*
 * QEMU's fw_cfg device by its ports: files that the machine's maker left for its guest.
 *
 * Called while devices are set up; kernel lock.
 */
#include "arch/x86_64/x86.h"
#include "kernel/string.h"

enum {
  PORT_SELECT = 0x510,
  PORT_DATA = 0x511,
  KEY_SIGNATURE = 0,
  KEY_DIRECTORY = 0x19,
  FILES_MAX = 256,
};

/* Big-endian numbers. */
struct fwcfg_file {
  uint8_t size[4];
  uint8_t key[2];
  uint8_t reserved[2];
  char name[56];
};

static void read_bytes(void *buf, size_t n) {
  __asm__ volatile("rep insb" : "+D"(buf), "+c"(n) : "d"(PORT_DATA) : "memory");
}

size_t x86_fwcfg_read(const char *name, void *buf, size_t max) {
  uint8_t word[4];
  struct fwcfg_file file;

  x86_out16(PORT_SELECT, KEY_SIGNATURE);
  read_bytes(word, 4);
  if (memcmp(word, "QEMU", 4) != 0)
    return 0;
  x86_out16(PORT_SELECT, KEY_DIRECTORY);
  read_bytes(word, 4);
  for (unsigned left = word[2] << 8 | word[3]; left > 0 && left < FILES_MAX; left--) {
    read_bytes(&file, sizeof file);
    if (strncmp(file.name, name, sizeof file.name) != 0)
      continue;
    size_t size =
        (size_t)file.size[0] << 24 | file.size[1] << 16 | file.size[2] << 8 | file.size[3];
    size = size < max ? size : max;
    x86_out16(PORT_SELECT, (uint16_t)(file.key[0] << 8 | file.key[1]));
    read_bytes(buf, size);
    return size;
  }
  return 0;
}
