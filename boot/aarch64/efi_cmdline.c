/*
 * The command line of a machine that EFI firmware started.
 *
 * Load options come first: a boot entry's, the shell's, or QEMU's -append. A disk that the firmware
 * found by itself has none; then it is the first line of `virga.cmdline` at the root of the file
 * system that the image was loaded from, where images/mkdisk puts it. Runs under the firmware's
 * identity mapping, like efi.c.
 */
#include "boot/aarch64/efi.h"
#include "boot/aarch64/efi_types.h"

static const struct efi_guid file_system_guid = {
    0x964e5b22, 0x6459, 0x11d2, {0x8e, 0x39, 0x00, 0xa0, 0xc9, 0x69, 0x72, 0x3b}};
static const efi_char file_name[] = u"\\virga.cmdline";

/* The shell puts the program's name first: its length with the blanks behind it, else 0. */
static size_t name_length(const efi_char *text, size_t n) {
  size_t end = 0;
  while (end < n && text[end] != ' ' && text[end] != 0)
    end++;
  if (end < 4 || text[end - 4] != '.' || (text[end - 3] | 32) != 'e' ||
      (text[end - 2] | 32) != 'f' || (text[end - 1] | 32) != 'i')
    return 0;
  while (end < n && text[end] == ' ')
    end++;
  return end;
}

static void use_options(struct bootinfo *boot, const efi_char *text, size_t n) {
  size_t to = 0;
  for (size_t i = name_length(text, n); i < n && text[i] != 0 && to < BOOT_CMDLINE_MAX - 1; i++)
    boot->cmdline[to++] = text[i] < 128 ? (char)text[i] : '?';
  boot->cmdline[to] = '\0';
}

static void read_file(struct bootinfo *boot, struct efi_file *root) {
  struct efi_file *file;
  size_t n = BOOT_CMDLINE_MAX - 1;
  if (root->open(root, &file, file_name, EFI_FILE_READ, 0) != EFI_OK)
    return;
  if (file->read(file, &n, boot->cmdline) != EFI_OK)
    n = 0;
  file->close(file);
  size_t end = 0;
  while (end < n && boot->cmdline[end] != '\n' && boot->cmdline[end] != '\r')
    end++;
  boot->cmdline[end] = '\0';
}

void efi_read_cmdline(struct bootinfo *boot, struct efi_system_table *table,
                      const struct efi_loaded_image *image) {
  void *found;
  struct efi_file *root;

  if (image->options != NULL)
    use_options(boot, image->options, image->options_bytes / sizeof(efi_char));
  if (boot->cmdline[0] != '\0' ||
      table->boot->handle_protocol(image->device, &file_system_guid, &found) != EFI_OK)
    return;
  struct efi_file_system *volume = found;
  if (volume->open_volume(volume, &root) != EFI_OK)
    return;
  read_file(boot, root);
  root->close(root);
}
