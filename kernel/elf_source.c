/*
 * Reading ELF files by the operations of open files. See elf_source.h.
 *
 * Called by exec.c, and by symbols.c for a crash report; on the stack of a thread.
 */
#include "kernel/elf_source.h"

#include "kernel/uio.h"

static bool source_read(struct elf_file *elf, uint64_t offset, void *to, size_t n) {
  struct elf_source *s = (struct elf_source *)elf;
  struct uio uio;
  uio_init_kernel(&uio, to, n);
  errno_t e = s->file->ops->pread(s->file, &uio, offset);
  if (e == 0 && uio.resid > 0)
    e = EIO; /* it has become shorter meanwhile */
  if (e != 0)
    s->error = e;
  return e == 0;
}

errno_t elf_source_init(struct elf_source *s, struct file *f) {
  struct filestat st;
  if (f->type != FILETYPE_REGULAR_FILE || f->ops->pread == NULL || f->ops->memobj == NULL)
    return EACCES;
  errno_t e = f->ops->stat(f, &st);
  *s = (struct elf_source){.elf = {.size = st.st_size, .read = source_read}, .file = f};
  return e;
}
