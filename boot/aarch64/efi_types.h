/*
 * The part of the UEFI interface (UEFI 2.10) that efi.c uses: layouts as the firmware has them.
 * What lies between the members that are used is counted, not named.
 */
#ifndef BOOT_AARCH64_EFI_TYPES_H
#define BOOT_AARCH64_EFI_TYPES_H

#include <stddef.h>
#include <stdint.h>

typedef uint64_t efi_status; /* the highest bit: an error */
typedef void *efi_handle;
typedef uint16_t efi_char;

#define EFI_ERROR(n) (1ull << 63 | (n))
enum { EFI_OK = 0 };
#define EFI_LOAD_ERROR EFI_ERROR(1)
#define EFI_INVALID_PARAMETER EFI_ERROR(2)
#define EFI_BUFFER_TOO_SMALL EFI_ERROR(5)

struct efi_guid {
  uint32_t a;
  uint16_t b, c;
  uint8_t d[8];
};

struct efi_time {
  uint16_t year;
  uint8_t month, day, hour, minute, second, pad1;
  uint32_t nanosecond;
  int16_t time_zone; /* minutes west of UTC */
  uint8_t daylight, pad2;
};
enum { EFI_TIME_ZONE_UNTOLD = 2047 };

struct efi_memory {
  uint32_t type, pad;
  uint64_t start_pa, start_va, pages, attributes;
};
enum {
  EFI_LOADER_CODE = 1,
  EFI_LOADER_DATA = 2,
  EFI_BOOT_CODE = 3,
  EFI_BOOT_DATA = 4,
  EFI_CONVENTIONAL = 7,
  EFI_MEMORY_WRITE_BACK = 8,
  EFI_PAGE_BYTES = 4096,
  EFI_ALLOCATE_ANY = 0,
};

struct efi_boot_services {
  uint8_t header[24];
  void *unused1[2]; /* task priorities */
  efi_status (*allocate_pages)(int how, int type, size_t pages, uint64_t *pa);
  void *unused2; /* free pages */
  efi_status (*get_memory_map)(size_t *bytes, void *map, size_t *key, size_t *entry_bytes,
                               uint32_t *version);
  efi_status (*allocate_pool)(int type, size_t bytes, void **buffer);
  efi_status (*free_pool)(void *buffer);
  void *unused3[9]; /* events, installing protocols */
  efi_status (*handle_protocol)(efi_handle handle, const struct efi_guid *which, void **interface);
  void *unused4[9]; /* finding handles, images */
  efi_status (*exit_boot_services)(efi_handle image, size_t key);
  void *unused5[10]; /* waiting, drivers, open protocols */
  efi_status (*locate_protocol)(const struct efi_guid *which, void *registration, void **interface);
};
_Static_assert(offsetof(struct efi_boot_services, handle_protocol) == 152, "UEFI 4.4");
_Static_assert(offsetof(struct efi_boot_services, exit_boot_services) == 232, "UEFI 4.4");
_Static_assert(offsetof(struct efi_boot_services, locate_protocol) == 320, "UEFI 4.4");

struct efi_runtime_services {
  uint8_t header[24];
  efi_status (*get_time)(struct efi_time *now, void *capabilities);
};

struct efi_text_output {
  void *reset;
  efi_status (*output_string)(struct efi_text_output *self, const efi_char *text);
};

struct efi_configuration {
  struct efi_guid which;
  void *table;
};

struct efi_system_table {
  uint8_t header[24];
  void *unused1[4]; /* vendor, revision, console input */
  efi_handle console_handle;
  struct efi_text_output *console;
  void *unused2[2]; /* error output */
  struct efi_runtime_services *runtime;
  struct efi_boot_services *boot;
  size_t configuration_count;
  struct efi_configuration *configuration;
};
_Static_assert(offsetof(struct efi_system_table, console) == 64, "UEFI 4.3");
_Static_assert(offsetof(struct efi_system_table, configuration) == 112, "UEFI 4.3");

struct efi_loaded_image {
  uint32_t revision, pad1;
  void *unused1[2]; /* parent, system table */
  efi_handle device;
  void *unused2[2]; /* path */
  uint32_t options_bytes, pad2;
  const efi_char *options;
  void *base;
  uint64_t bytes;
};
_Static_assert(offsetof(struct efi_loaded_image, base) == 64, "UEFI 9.1");

struct efi_file {
  uint64_t revision;
  efi_status (*open)(struct efi_file *self, struct efi_file **file, const efi_char *name,
                     uint64_t mode, uint64_t attributes);
  efi_status (*close)(struct efi_file *self);
  void *unused; /* delete */
  efi_status (*read)(struct efi_file *self, size_t *bytes, void *buffer);
};
enum { EFI_FILE_READ = 1 };

struct efi_file_system {
  uint64_t revision;
  efi_status (*open_volume)(struct efi_file_system *self, struct efi_file **root);
};

struct efi_rng {
  void *unused; /* what algorithms there are */
  efi_status (*get)(struct efi_rng *self, const struct efi_guid *algorithm, size_t bytes,
                    uint8_t *buffer);
};

#endif
