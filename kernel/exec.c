/*
 * Loading a program: its ELF segments, the vDSO, the stack with all that the start code reads.
 * Reference sections 1.1 to 1.4.
 *
 * The segments are private mappings of the file's own pages; what has to be written goes through
 * the direct map. From high to low addresses the stack's mapping holds: argument data, random
 * bytes, auxiliary vector, the TLS words of arch_user_stack_init(), and then the stack itself.
 *
 * Called by main.c on the boot stack, and by proc_exec; kernel lock; sleeps where the file does.
 */
#include "kernel/exec.h"

#include "kernel/aspace.h"
#include "kernel/cpu.h"
#include "kernel/elf_era.h"
#include "kernel/elf_source.h"
#include "kernel/heap.h"
#include "kernel/log.h"
#include "kernel/random.h"
#include "kernel/string.h"
#include "kernel/thread.h"
#include "kernel/vdso.h"

#define STACK_BYTES (1ul << 20)
#define GUARD_BYTES (16 * PAGE_SIZE)
#define STACK_WORDS_BYTES 256 /* at most what arch_user_stack_init() writes */
#define PAUSE_BYTES 65536u    /* read without a pause */
#define PROT_ANY (PROT_READ | PROT_WRITE | PROT_EXEC)

_Static_assert(ELF_EXECUTE == PROT_EXEC && ELF_WRITE == PROT_WRITE && ELF_READ == PROT_READ,
               "a segment's flags are the ABI's protection bits");
_Static_assert(ELF_PAGE_BYTES == PAGE_SIZE, "elf_parse() checks by the machine's pages");

/* What the start code finds above its stack. */
struct start_block {
  struct auxv auxv[13];
  uint8_t canary[64];
  uint8_t uuid[16];
};

struct load {
  struct aspace *as;
  struct uio *argdata;
  size_t argdata_bytes;
  struct elf_source source;
  bool (*read)(struct elf_file *file, uint64_t offset, void *to, size_t n); /* the source's own */
  size_t read_bytes;                                                        /* since a pause */
  struct elf_image image;
  struct memobj *file;
  uintptr_t bias; /* where address 0 of the file lies */
  uintptr_t vdso_va;
  uintptr_t stack_low;
  uintptr_t block_va; /* of the start_block */
  uintptr_t argdata_va;
  struct arch_user_start start;
};

static uintptr_t page_down(uintptr_t va) {
  return va & ~(PAGE_SIZE - 1);
}

static uintptr_t page_up(uintptr_t va) {
  return page_down(va + PAGE_SIZE - 1);
}

/* ---- The image ------------------------------------------------------------------------------- */

static errno_t choose_bias(struct load *l, const char **why) {
  const struct elf_image *i = &l->image;
  if (!i->dynamic) {
    *why = "its fixed addresses are not a program's";
    return i->start < USER_START || i->start + i->span_bytes > USER_END ? ENOEXEC : 0;
  }
  /* The bias is a multiple of the alignment; the first segment's address need not be. */
  uintptr_t skip = i->start & (i->align_bytes - 1);
  uintptr_t base = 0;
  errno_t e = aspace_find(l->as, skip + i->span_bytes, i->align_bytes, &base);
  l->bias = base + skip - i->start;
  return e;
}

static const char *segment_name(const struct elf_segment *s) {
  if ((s->flags & PROT_EXEC) != 0)
    return "program: text";
  return (s->flags & PROT_WRITE) != 0 ? "program: data" : "program: constants";
}

static errno_t map_segment(struct load *l, const struct elf_segment *s) {
  mprot_t prot = (mprot_t)s->flags;
  uintptr_t at = page_down(l->bias + s->vaddr);
  uintptr_t file_end = l->bias + s->vaddr + s->filesz_bytes;
  uintptr_t end = page_up(l->bias + s->vaddr + s->memsz_bytes);
  if (s->filesz_bytes > 0) {
    errno_t e = aspace_map(l->as, &at, page_up(file_end) - at, prot, PROT_ANY, MAPPING_FIXED,
                           l->file, page_down(s->offset), segment_name(s));
    if (e == 0 && s->memsz_bytes > s->filesz_bytes)
      e = aspace_write(l->as, file_end, NULL, page_up(file_end) - file_end);
    if (e != 0)
      return e;
    at = page_up(file_end);
  }
  if (at == end)
    return 0;
  return aspace_map(l->as, &at, end - at, prot, PROT_ANY, MAPPING_FIXED, NULL, 0, "program: bss");
}

/* Checks the file. */
static errno_t parse(struct load *l, struct file *program, const char **why) {
  errno_t e = elf_source_init(&l->source, program);
  if (e != 0)
    return e;
  if (elf_parse(&l->source.elf, ARCH_ELF_MACHINE, &l->image, why))
    return 0;
  return l->source.error != 0 ? l->source.error : ENOEXEC;
}

static errno_t load_image(struct load *l, const char **why) {
  struct file *program = l->source.file;
  errno_t e = choose_bias(l, why);
  if (e == 0)
    e = program->ops->memobj(program, &l->file);
  for (unsigned i = 0; e == 0 && i < l->image.segment_count; i++)
    e = map_segment(l, &l->image.segments[i]);
  return e;
}

/* Maps `bytes` of the kernel's own memory at va. */
static errno_t map_kernel_bytes(struct load *l, uintptr_t va, const void *data, size_t bytes,
                                mprot_t prot, const char *name) {
  struct memobj *obj;
  errno_t e = memobj_bytes_create(data, bytes, &obj);
  if (e != 0)
    return e;
  e = aspace_map(l->as, &va, page_up(bytes), prot, prot, MAPPING_FIXED, obj, 0, name);
  memobj_unref(obj);
  return e;
}

/* The vDSO, and directly below it the page that it reads. */
static errno_t load_vdso(struct load *l) {
  uintptr_t va = 0;
  errno_t e = aspace_find(l->as, VDSO_DATA_BYTES + page_up(vdso_image_bytes), PAGE_SIZE, &va);
  l->vdso_va = va + VDSO_DATA_BYTES;
  if (e == 0)
    e = map_kernel_bytes(l, va, vdso_data_page, VDSO_DATA_BYTES, PROT_READ, "vdso: data");
  if (e == 0)
    e = map_kernel_bytes(l, l->vdso_va, vdso_image, vdso_image_bytes, PROT_READ | PROT_EXEC,
                         "vdso");
  return e;
}

/* ---- The stack ------------------------------------------------------------------------------- */

static errno_t map_stack(struct load *l) {
  if (l->argdata_bytes > USER_END / 4)
    return ENOMEM;
  size_t block_bytes = (sizeof(struct start_block) + l->argdata_bytes + 15) & ~15ul;
  size_t size = STACK_BYTES + page_up(block_bytes);
  uintptr_t guard;
  errno_t e = aspace_map(l->as, &guard, GUARD_BYTES + size, 0, 0, 0, NULL, 0, "stack guard");
  if (e != 0)
    return e;
  l->stack_low = guard + GUARD_BYTES;
  l->block_va = l->stack_low + size - block_bytes;
  l->argdata_va = l->block_va + sizeof(struct start_block);
  return aspace_map(l->as, &l->stack_low, size, PROT_READ | PROT_WRITE, PROT_ANY, MAPPING_FIXED,
                    NULL, 0, "stack");
}

static void fill_block(struct start_block *b, const struct load *l, const uint8_t uuid[16],
                       tid_t tid) {
  const struct elf_image *i = &l->image;
  const struct {
    auxtype_t type;
    uintptr_t value;
  } entries[] = {
      {AT_ARGDATA, l->argdata_va},
      {AT_ARGDATALEN, l->argdata_bytes},
      {AT_BASE, l->bias},
      {AT_CANARY, l->block_va + offsetof(struct start_block, canary)},
      {AT_CANARYLEN, sizeof b->canary},
      {AT_NCPUS, 1},
      {AT_PAGESZ, PAGE_SIZE},
      {AT_PHDR, i->has_phdr_vaddr ? l->bias + i->phdr_vaddr : 0},
      {AT_PHNUM, i->has_phdr_vaddr ? i->phdr_count : 0},
      {AT_PID, l->block_va + offsetof(struct start_block, uuid)},
      {AT_SYSINFO_EHDR, l->vdso_va},
      {AT_TID, tid},
      {AT_NULL, 0},
  };
  _Static_assert(sizeof entries / sizeof entries[0] == sizeof b->auxv / sizeof b->auxv[0],
                 "the block has room for exactly these");
  memset(b->auxv, 0, sizeof b->auxv); /* its padding too */
  for (size_t n = 0; n < sizeof entries / sizeof entries[0]; n++) {
    b->auxv[n].a_type = entries[n].type;
    b->auxv[n].a_val = entries[n].value;
  }
  random_bytes(b->canary, sizeof b->canary);
  memcpy(b->uuid, uuid, sizeof b->uuid);
}

/* Stores the block and makes the pages below it present that are written to later. */
static errno_t store_block(struct load *l, const uint8_t uuid[16], tid_t tid) {
  struct start_block block;
  fill_block(&block, l, uuid, tid);
  errno_t e = aspace_write(l->as, l->block_va - STACK_WORDS_BYTES, NULL, STACK_WORDS_BYTES);
  return e == 0 ? aspace_write(l->as, l->block_va, &block, sizeof block) : e;
}

/* Piece by piece: it may be the memory of a program, in another address space. */
static errno_t store_argdata(struct load *l) {
  uint8_t *piece = kmalloc(PAGE_SIZE);
  if (piece == NULL)
    return ENOMEM;
  errno_t e = 0;
  for (uintptr_t va = l->argdata_va; e == 0 && l->argdata->resid > 0;) {
    size_t n = PAGE_SIZE - (va & (PAGE_SIZE - 1));
    n = n < l->argdata->resid ? n : l->argdata->resid;
    e = uio_copy_from(l->argdata, piece, n);
    if (e == 0)
      e = aspace_write(l->as, va, piece, n);
    va += n;
  }
  kfree(piece);
  return e;
}

/* The first thread's registers, and the words that they point to, which store_block() made room
 * for: a fault would be served by the address space of the current process. */
static errno_t start_thread(struct load *l) {
  struct aspace *before = this_cpu()->aspace;
  l->start.pc = l->bias + l->image.entry;
  l->start.arg0 = l->block_va;
  thread_use_aspace(l->as);
  errno_t e = arch_user_stack_init(&l->start, l->stack_low, l->block_va);
  thread_use_aspace(before);
  return e;
}

/* ---- All of it ------------------------------------------------------------------------------- */

static errno_t load(struct load *l, const uint8_t uuid[16], tid_t tid, const char **why) {
  errno_t e = aspace_create(&l->as);
  if (e == 0)
    e = load_image(l, why);
  if (e == 0)
    e = load_vdso(l);
  if (e == 0)
    e = map_stack(l);
  if (e == 0)
    e = store_block(l, uuid, tid);
  if (e == 0)
    e = store_argdata(l);
  if (e == 0)
    e = start_thread(l);
  return e == ERANGE ? ENOEXEC : e; /* the file has become shorter meanwhile */
}

/* Long work on a long file: now and then it is others' turn. */
static bool read_with_pauses(struct elf_file *elf, uint64_t offset, void *to, size_t n) {
  struct load *l = container_of(elf, struct load, source.elf);
  l->read_bytes += n;
  if (l->read_bytes >= PAUSE_BYTES) {
    l->read_bytes = 0;
    if (thread_pause() != 0)
      return false;
  }
  return l->read(elf, offset, to, n);
}

static bool is_retired(struct load *l) {
  l->read = l->source.elf.read;
  l->source.elf.read = read_with_pauses;
  return elf_is_retired(&l->source.elf, &l->image, ARCH_ELF_MACHINE);
}

/* The message lies in what is about to be freed. */
static const char *keep_reason(const char *reason) {
  static char text[ELF_WHY_BYTES];
  size_t n = strnlen(reason, sizeof text - 1);
  memcpy(text, reason, n);
  text[n] = '\0';
  return text;
}

errno_t exec_load(struct file *program, struct uio *argdata, const uint8_t uuid[16], tid_t tid,
                  struct exec_image *image, bool *retired, const char **why) {
  struct load *l = kzalloc(sizeof *l);
  if (l == NULL)
    return ENOMEM;
  l->argdata = argdata;
  l->argdata_bytes = argdata->resid;
  const char *reason = "";
  errno_t e = parse(l, program, &reason);
  if (e == 0)
    e = load(l, uuid, tid, &reason);
  if (e == 0 && retired != NULL)
    *retired = is_retired(l);
  if (e == 0) {
    *image = (struct exec_image){l->as, file_ref(program), l->bias, l->start};
  } else {
    aspace_destroy(l->as);
    if (why != NULL)
      *why = keep_reason(reason);
  }
  memobj_unref(l->file);
  kfree(l);
  return e;
}

void exec_image_destroy(struct exec_image *image) {
  aspace_destroy(image->aspace);
  file_unref(image->program);
}
