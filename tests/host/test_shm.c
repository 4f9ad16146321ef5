// sources: kernel/pagecache_room.c
// sources: kernel/sys/fd_create.c ipc/shm.c kernel/pagecache.c kernel/aspace.c kernel/pagetree.c
// sources: kernel/aspace_fault.c kernel/aspace_pages.c kernel/aspace_share.c kernel/aspace_large.c
// sources: kernel/aspace_print.c kernel/maptree.c kernel/memobj.c kernel/heap.c kernel/page.c
// sources: kernel/uio.c kernel/file.c kernel/fdtable.c kernel/rights.c
// libs: -Wl,--wrap=page_alloc,--wrap=page_alloc_zero,--wrap=kmalloc,--wrap=kzalloc
/* fd_create1 and shared memory: its rights, its size, and that it reads, writes and maps as one. */
#include "tests/host/fake_aspace.h"
#include "ipc/ipc.h"
#include "ipc/shm.h"
#include "kernel/aspace.h"
#include "kernel/cpu.h"
#include "kernel/heap.h"
#include "kernel/process.h"
#include "kernel/sys/poll_set.h"
#include "kernel/sys/sys.h"
#include "kernel/thread.h"

#define RW (PROT_READ | PROT_WRITE)
#define K PAGE_SIZE

struct cpu cpu_boot;
static struct process process;
static struct thread thread = {.process = &process};
static struct thread *const t = &thread;
static bool output_bad;

void log_printf(enum log_level level, const char *format, ...) {
  (void)level;
  (void)format;
}

size_t arch_user_copy(void *dst, const void *src, size_t n) {
  if (output_bad)
    return n;
  memcpy(dst, src, n);
  return 0;
}

errno_t user_put_result(uintptr_t to, const void *value, size_t n) {
  (void)to, (void)value, (void)n;
  return EFAULT;
}

static struct fdtable *set_of;

errno_t poll_set_create(struct fdtable *fds, struct file **set) {
  set_of = fds;
  return shm_create(set); /* for want of a better file */
}

/* Sockets have units of their own. */
errno_t ipc_socket(filetype_t type, struct file **f) {
  (void)type, (void)f;
  return ENOMEM;
}

errno_t ipc_pair(filetype_t type, struct file *ends[2]) {
  (void)type, (void)ends;
  return ENOMEM;
}

errno_t ipc_fifo(struct file *ends[2]) {
  (void)ends;
  return ENOMEM;
}

static int setup(void **state) {
  (void)state;
  ram_init(4000);
  fdtable_init(&process.fds);
  return 0;
}

static void test_fd_create1(void **state) {
  (void)state;
  size_t heap = heap_used_bytes();
  struct fd_entry *entry;
  fd_t fd = 77;
  for (unsigned type = 0; type < 256; type++)
    if (type != FILETYPE_SHARED_MEMORY && type != FILETYPE_POLL && (type & 0xf0) != 0x80)
      assert_int_equal(sys_fd_create1(t, (filetype_t)type, &fd), EINVAL);
  assert_int_equal(fd, 77);
  assert_int_equal(sys_fd_create1(t, FILETYPE_SHARED_MEMORY, &fd), 0);
  assert_int_equal(fd_lookup(&process.fds, fd, &entry), 0);
  assert_int_equal(entry->base, 0xc180042);
  assert_int_equal(entry->inheriting, 0);
  assert_int_equal(entry->file->type, FILETYPE_SHARED_MEMORY);
  assert_int_equal(entry->file->flags, 0);
  assert_int_equal(fd_close(&process.fds, fd), 0);

  assert_int_equal(sys_fd_create1(t, FILETYPE_POLL, &fd), 0);
  assert_ptr_equal(set_of, &process.fds);
  assert_int_equal(fd_lookup(&process.fds, fd, &entry), 0);
  assert_int_equal(entry->base, 0xa0080000);
  assert_int_equal(fd_close(&process.fds, fd), 0);

  output_bad = true;
  assert_int_equal(sys_fd_create1(t, FILETYPE_SHARED_MEMORY, &fd), EFAULT);
  output_bad = false;
  assert_int_equal(process.fds.count, 0);
  for (fail_after = 0; sys_fd_create1(t, FILETYPE_SHARED_MEMORY, &fd) == ENOMEM;) {
    static long n;
    fail_after = ++n;
  }
  fail_after = -1;
  assert_int_equal(process.fds.count, 1);
  fdtable_destroy(&process.fds);
  fdtable_init(&process.fds);
  assert_int_equal(heap_used_bytes(), heap);
}

static uint64_t size_of(struct file *f) {
  struct filestat st = {0};
  assert_int_equal(f->ops->stat(f, &st), 0);
  return st.st_size;
}

static errno_t resize(struct file *f, uint64_t size) {
  struct filestat st = {.st_size = size};
  return f->ops->set_stat(f, &st, FILESTAT_SIZE);
}

static void test_size(void **state) {
  (void)state;
  struct file *f;
  size_t free = page_free_count();
  assert_int_equal(shm_create(&f), 0);
  assert_int_equal(size_of(f), 0);
  assert_int_equal(resize(f, 12345), 0);
  assert_int_equal(size_of(f), 12345);
  assert_int_equal(resize(f, INT64_MAX), ENOMEM);
  assert_int_equal(resize(f, (free + 1) * K), ENOMEM);
  assert_int_equal(size_of(f), 12345);
  assert_int_equal(resize(f, free / 2 * K), 0);
  assert_true(page_free_count() + 2 >= free); /* pages come on demand */
  assert_int_equal(resize(f, 0), 0);
  file_unref(f);
}

static void test_reads_writes_and_maps_as_one(void **state) {
  (void)state;
  size_t heap = heap_used_bytes(), free = page_free_count();
  struct file *f;
  struct memobj *obj;
  struct aspace *as;
  struct uio uio;
  uintptr_t va;
  pa_t pa;
  filesize_t end;
  char text[6] = "";
  assert_int_equal(shm_create(&f), 0);
  assert_int_equal(aspace_create(&as), 0);
  assert_int_equal(f->ops->memobj(f, &obj), 0);
  assert_int_equal(aspace_map(as, &va, 2 * K, RW, RW, MAPPING_SHARED, obj, 0, "shm"), 0);
  memobj_unref(obj);
  assert_int_equal(aspace_fault(as, va, ARCH_WRITE), ERANGE);
  uio_init_kernel(&uio, "hello", 5);
  assert_int_equal(f->ops->pwrite(f, &uio, K - 2, false, &end), 0);
  assert_int_equal(end, K + 3);
  assert_int_equal(size_of(f), K + 3);
  assert_int_equal(aspace_fault(as, va + K, ARCH_WRITE), 0);
  assert_true(arch_aspace_query(aspace_arch(as), va + K, &pa, NULL));
  assert_memory_equal(pa_to_va(pa), "llo", 4);
  memcpy(pa_to_va(pa), "LL", 2);
  uio_init_kernel(&uio, text, 5);
  assert_int_equal(f->ops->pread(f, &uio, K - 2), 0);
  assert_string_equal(text, "heLLo");
  uio_init_kernel(&uio, "!", 1);
  assert_int_equal(f->ops->pwrite(f, &uio, 0, true, &end), 0);
  assert_int_equal(end, K + 4);
  uio_init_kernel(&uio, "!", 1);
  assert_int_equal(f->ops->pwrite(f, &uio, INT64_MAX, false, &end), EFBIG);
  file_unref(f); /* the mapping keeps it */
  assert_int_equal(aspace_fault(as, va, ARCH_READ), 0);
  aspace_destroy(as);
  assert_int_equal(heap_used_bytes(), heap);
  assert_in_range(page_free_count(), free - 4, free);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_fd_create1),
      cmocka_unit_test(test_size),
      cmocka_unit_test(test_reads_writes_and_maps_as_one),
  };
  return cmocka_run_group_tests(tests, setup, NULL);
}
