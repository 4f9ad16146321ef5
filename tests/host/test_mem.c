// sources: kernel/sys/mem.c kernel/aspace.c kernel/aspace_fault.c kernel/aspace_pages.c
// sources: kernel/aspace_print.c kernel/maptree.c kernel/memobj.c kernel/heap.c kernel/page.c
// sources: kernel/pagecache_room.c
// sources: kernel/fdtable.c kernel/file.c kernel/pagecache.c kernel/uio.c kernel/aspace_share.c
// sources: kernel/pagetree.c kernel/aspace_large.c
// libs: -Wl,--wrap=page_alloc,--wrap=page_alloc_zero,--wrap=kmalloc,--wrap=kzalloc
/* The mem_ calls: which error comes first, roundings, rights. Reference section 6. */
#include "tests/host/fake_aspace.h"
#include "kernel/cpu.h"
#include "kernel/pagecache.h"
#include "kernel/process.h"
#include "kernel/sys/sys.h"
#include "kernel/thread.h"

#define ANON (MAP_ANON | MAP_PRIVATE)
#define NO_FD MAP_ANON_FD
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

errno_t user_put_result(uintptr_t to, const void *value, size_t n) {
  return EFAULT; /* no raw traps here */
}

size_t arch_user_copy(void *dst, const void *src, size_t n) {
  if (output_bad)
    return n;
  memcpy(dst, src, n);
  return 0;
}

/* A file that can be mapped, and one that can't. */
static _Alignas(PAGE_SIZE) char file_bytes[2 * PAGE_SIZE];
static unsigned closed;

static void file_close(struct file *f) {
  (void)f;
  closed++;
}

static errno_t file_memobj(struct file *f, struct memobj **obj) {
  (void)f;
  return memobj_bytes_create(file_bytes, PAGE_SIZE + 10, obj);
}

static const struct file_ops regular_ops = {.close = file_close, .memobj = file_memobj};
static const struct file_ops stream_ops = {.close = file_close};
static struct file regular, stream;

static int setup(void **state) {
  (void)state;
  ram_init(20000);
  return 0;
}

static int begin(void **state) {
  (void)state;
  assert_int_equal(aspace_create(&process.aspace), 0);
  fdtable_init(&process.fds);
  file_init(&regular, &regular_ops, FILETYPE_REGULAR_FILE, 0);
  file_init(&stream, &stream_ops, FILETYPE_SOCKET_STREAM, 0);
  closed = 0;
  output_bad = false;
  return 0;
}

static int end(void **state) {
  (void)state;
  aspace_verify(process.aspace);
  fdtable_destroy(&process.fds);
  aspace_destroy(process.aspace);
  return 0;
}

static fd_t fd_with(struct file *f, rights_t rights) {
  fd_t fd;
  assert_int_equal(fd_install(&process.fds, file_ref(f), rights, 0, &fd), 0);
  return fd;
}

static errno_t map_at(void *at, size_t len, mprot_t prot, mflags_t flags, fd_t fd, filesize_t off,
                      char **mem) {
  void *out = (void *)0x5a5a;
  errno_t e = sys_mem_map(t, at, len, prot, flags, fd, off, &out);
  assert_int_equal(e != 0, out == (void *)0x5a5a); /* untouched by an error */
  if (e == 0 && mem != NULL)
    *mem = out;
  return e;
}

static errno_t map(size_t len, mprot_t prot, mflags_t flags, fd_t fd, filesize_t off) {
  return map_at(NULL, len, prot, flags, fd, off, NULL);
}

static errno_t fault(const char *va, unsigned access) {
  return aspace_fault(process.aspace, (uintptr_t)va, access);
}

static void test_protections(void **state) {
  (void)state;
  char *p;
  assert_int_equal(map_at(NULL, K, 0, ANON, NO_FD, 0, &p), 0);
  for (unsigned prot = 0; prot < 256; prot++) {
    bool ok = prot < 8 && (prot & 3) != 3;
    assert_int_equal(map(K, (mprot_t)prot, ANON, NO_FD, 0), ok ? 0 : ENOTSUP);
    assert_int_equal(sys_mem_protect(t, p, K, (mprot_t)prot), ok ? 0 : ENOTSUP);
  }
  /* It comes first: bad flags, a bad address and a bad descriptor are not looked at. */
  assert_int_equal(map(0, 3, 0xff, 1234, 1), ENOTSUP);
  assert_int_equal(sys_mem_protect(t, (void *)1, 0, 0x10), ENOTSUP);
}

static void test_flags(void **state) {
  (void)state;
  static const mflags_t bad[] = {0,
                                 MAP_ANON,
                                 MAP_ANON | MAP_PRIVATE | MAP_SHARED,
                                 MAP_PRIVATE | MAP_SHARED,
                                 0x10,
                                 ANON | (1 << 4),
                                 ANON | (1 << 7)};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
    assert_int_equal(map(K, RW, bad[i], NO_FD, 0), EINVAL);
  assert_int_equal(map(K, RW, MAP_ANON | MAP_SHARED, NO_FD, 0), 0);
  fd_t fd = fd_with(&regular, ~0ull);
  assert_int_equal(map(K, RW, ANON, fd, 0), EINVAL);
  assert_int_equal(map(K, RW, ANON, NO_FD, K), EINVAL);
  assert_int_equal(map(K, RW, ANON, 1234, 0), EINVAL);
  assert_int_equal(map(K, PROT_READ, MAP_PRIVATE, NO_FD, 0), EBADF);
  assert_int_equal(map(0, PROT_READ, MAP_PRIVATE, 1234, 1), EBADF);
}

static void test_lengths_and_places(void **state) {
  (void)state;
  assert_int_equal(map(0, RW, ANON, NO_FD, 0), EINVAL);
  assert_int_equal(map(SIZE_MAX, RW, ANON, NO_FD, 0), ENOMEM);
  assert_int_equal(map(SIZE_MAX, 0, ANON, NO_FD, 0), ENOMEM);
  assert_int_equal(map(USER_END, 0, ANON, NO_FD, 0), ENOMEM);
  char *p;
  assert_int_equal(map_at(NULL, 123100, RW, ANON, NO_FD, 0, &p), 0);
  assert_int_equal((uintptr_t)p % K, 0);
  assert_int_equal(fault(p + 126975, ARCH_WRITE), 0); /* up to the page's end */
  assert_int_equal(sys_mem_protect(t, p, 123100, PROT_READ), 0);
  assert_int_equal(fault(p + 126975, ARCH_WRITE), EFAULT);
  assert_int_equal(sys_mem_unmap(t, p, 123100), 0);
  assert_int_equal(aspace_mapping_count(process.aspace), 0);

  char *at = (char *)0x40000000, *got;
  assert_int_equal(map_at(at, 5 * K, RW, ANON | MAP_FIXED, NO_FD, 0, &got), 0);
  assert_ptr_equal(got, at);
  assert_int_equal(fault(at + K, ARCH_WRITE), 0);
  assert_int_equal(map_at(at + K, K, PROT_READ, ANON | MAP_FIXED, NO_FD, 0, &got), 0);
  assert_int_equal(fault(at + K, ARCH_WRITE), EFAULT); /* replaced */
  assert_int_equal(fault(at, ARCH_WRITE), 0);
  assert_int_equal(fault(at + 2 * K, ARCH_WRITE), 0);
  assert_int_equal(map_at(at + 1, K, RW, ANON | MAP_FIXED, NO_FD, 0, NULL), EINVAL);
  assert_int_equal(map_at(NULL, K, RW, ANON | MAP_FIXED, NO_FD, 0, NULL), EINVAL);
  assert_int_equal(map_at((void *)USER_END, K, RW, ANON | MAP_FIXED, NO_FD, 0, NULL), EINVAL);
  /* Without FIXED the address is at most a hint, whatever it is. */
  assert_int_equal(map_at(at + 1, K, RW, ANON, NO_FD, 0, NULL), 0);
  assert_int_equal(fault(at, ARCH_WRITE), 0);
}

static void test_more_memory_than_there_is(void **state) {
  (void)state;
  size_t free = page_free_count();
  assert_int_equal(map((free + 1) * K, RW, ANON, NO_FD, 0), ENOMEM);
  assert_int_equal(map((free + 1) * K, 0, ANON, NO_FD, 0), 0); /* addresses are free */
  assert_int_equal(map(free / 2 * K, RW, ANON, NO_FD, 0), 0);
}

static void test_unmap(void **state) {
  (void)state;
  char *p;
  assert_int_equal(map_at(NULL, 10 * K, RW, ANON, NO_FD, 0, &p), 0);
  assert_int_equal(sys_mem_unmap(t, p + 1, K), EINVAL);
  assert_int_equal(sys_mem_unmap(t, p, 0), EINVAL);
  assert_int_equal(sys_mem_unmap(t, p, SIZE_MAX), EINVAL);
  assert_int_equal(sys_mem_unmap(t, NULL, K), EINVAL);
  assert_int_equal(sys_mem_unmap(t, p + 3 * K, 2 * K), 0);
  assert_int_equal(sys_mem_unmap(t, p + 2 * K, 4 * K), 0); /* with a hole */
  assert_int_equal(sys_mem_unmap(t, p + 3 * K, K), 0);     /* nothing but a hole */
  assert_int_equal(fault(p + K, ARCH_READ), 0);
  assert_int_equal(fault(p + 2 * K, ARCH_READ), EFAULT);
  assert_int_equal(fault(p + 6 * K, ARCH_READ), 0);
}

static void test_protect(void **state) {
  (void)state;
  char *p;
  assert_int_equal(map_at(NULL, 4 * K, RW, ANON, NO_FD, 0, &p), 0);
  assert_int_equal(sys_mem_protect(t, p + 8, K, PROT_READ), EINVAL);
  assert_int_equal(sys_mem_protect(t, p, 0, PROT_READ), 0);
  assert_int_equal(sys_mem_protect(t, p, SIZE_MAX, PROT_READ), ENOMEM);
  assert_int_equal(sys_mem_protect(t, p + K, 4 * K, PROT_READ), ENOMEM);
  assert_int_equal(fault(p + K, ARCH_WRITE), 0); /* nothing has changed */
  assert_int_equal(sys_mem_protect(t, p, 4 * K, PROT_READ | PROT_EXEC), 0);
  assert_int_equal(fault(p + K, ARCH_EXEC), 0);
  assert_int_equal(sys_mem_protect(t, p, 4 * K, RW), 0);
  assert_int_equal(sys_mem_protect(t, p, 4 * K, PROT_EXEC), 0);
}

static void test_advise(void **state) {
  (void)state;
  char *p;
  assert_int_equal(map_at(NULL, 4 * K, RW, ANON, NO_FD, 0, &p), 0);
  assert_int_equal(fault(p, ARCH_WRITE), 0);
  pa_t pa;
  arch_aspace_query(aspace_arch(process.aspace), (uintptr_t)p, &pa, NULL);
  *(char *)pa_to_va(pa) = 'k';
  for (unsigned advice = 0; advice < 256; advice++) {
    bool ok = advice >= 1 && advice <= 6 && advice != ADVICE_NOREUSE;
    assert_int_equal(sys_mem_advise(t, p, 4 * K, (advice_t)advice), ok ? 0 : EINVAL);
  }
  assert_true(arch_aspace_query(aspace_arch(process.aspace), (uintptr_t)p, &pa, NULL));
  assert_int_equal(*(char *)pa_to_va(pa), 'k'); /* after DONTNEED too */
  assert_int_equal(sys_mem_advise(t, p, 5 * K, ADVICE_NORMAL), ENOMEM);
  assert_int_not_equal(sys_mem_advise(t, (void *)UINTPTR_MAX, 100, ADVICE_NORMAL), 0);
}

static void test_sync(void **state) {
  (void)state;
  char *p;
  assert_int_equal(map_at(NULL, 4 * K, RW, ANON, NO_FD, 0, &p), 0);
  for (unsigned flags = 0; flags < 256; flags++) {
    unsigned kind = flags & ~(unsigned)MS_INVALIDATE;
    bool ok = kind == MS_ASYNC || kind == MS_SYNC;
    assert_int_equal(sys_mem_sync(t, p, 4 * K, (msflags_t)flags), ok ? 0 : EINVAL);
    assert_int_equal(sys_mem_sync(t, p + 4 * K, K, (msflags_t)flags), ok ? ENOMEM : EINVAL);
  }
}

static struct {
  struct pagecache pc;
  uint64_t synced_from, synced_bytes;
  unsigned syncs;
} disk;

static errno_t disk_sync(struct pagecache *pc, uint64_t offset, uint64_t len) {
  assert_ptr_equal(pc, &disk.pc);
  disk.synced_from = offset;
  disk.synced_bytes = len;
  return ++disk.syncs < 3 ? 0 : EIO;
}

static void test_sync_of_a_file(void **state) {
  (void)state;
  static const struct pagecache_ops ops = {.sync = disk_sync};
  pagecache_init(&disk.pc, &ops);
  uintptr_t va;
  assert_int_equal(
      aspace_map(process.aspace, &va, 8 * K, RW, RW, MAPPING_SHARED, &disk.pc.obj, 2 * K, "disk"),
      0);
  assert_int_equal(sys_mem_sync(t, (void *)(va + K + 5), K, MS_SYNC), 0);
  assert_int_equal(disk.synced_from, 3 * K);
  assert_int_equal(disk.synced_bytes, 2 * K);
  assert_int_equal(sys_mem_sync(t, (void *)va, 9 * K, MS_SYNC), ENOMEM);
  assert_int_equal(disk.syncs, 1);
  assert_int_equal(sys_mem_sync(t, (void *)va, 8 * K, MS_ASYNC), 0);
  assert_int_equal(sys_mem_sync(t, (void *)va, 8 * K, MS_SYNC), EIO);
  assert_int_equal(sys_mem_unmap(t, (void *)va, 8 * K), 0);
  assert_int_equal(
      aspace_map(process.aspace, &va, 8 * K, RW, RW, 0, &disk.pc.obj, 0, "disk, private"), 0);
  assert_int_equal(sys_mem_sync(t, (void *)va, 8 * K, MS_SYNC), 0); /* no concern of the file's */
  assert_int_equal(disk.syncs, 3);
}

static void test_lock(void **state) {
  (void)state;
  char *p;
  assert_int_equal(map_at(NULL, 4 * K, RW, ANON, NO_FD, 0, &p), 0);
  errno_t (*const calls[])(struct thread *, const void *, size_t) = {sys_mem_lock, sys_mem_unlock};
  for (int i = 0; i < 2; i++) {
    assert_int_equal(calls[i](t, p, 4 * K), 0);
    assert_int_equal(calls[i](t, p + 7, 100), 0);
    assert_int_equal(calls[i](t, p, 4 * K + 1), ENOMEM);
    assert_int_equal(calls[i](t, p + 4 * K, 1), ENOMEM);
    assert_int_equal(calls[i](t, (void *)UINTPTR_MAX, 100), ENOMEM);
    assert_int_equal(calls[i](t, (void *)(UINTPTR_MAX - 2 * K), K), ENOMEM);
  }
}

static void test_shared_anonymous(void **state) {
  (void)state;
  char *p, *q;
  struct aspace *child;
  pa_t a, b;
  assert_int_equal(map_at(NULL, 2 * K, RW, MAP_ANON | MAP_SHARED, NO_FD, 0, &p), 0);
  assert_int_equal(map_at(NULL, 2 * K, RW, MAP_ANON | MAP_SHARED, NO_FD, 0, &q), 0);
  assert_int_equal(aspace_fork(process.aspace, &child), 0);
  assert_int_equal(fault(p, ARCH_WRITE), 0);
  assert_int_equal(fault(q, ARCH_WRITE), 0);
  assert_int_equal(aspace_fault(child, (uintptr_t)p, ARCH_WRITE), 0);
  assert_true(arch_aspace_query(aspace_arch(process.aspace), (uintptr_t)p, &a, NULL));
  assert_true(arch_aspace_query(aspace_arch(child), (uintptr_t)p, &b, NULL));
  assert_int_equal(a, b);
  assert_true(arch_aspace_query(aspace_arch(process.aspace), (uintptr_t)q, &b, NULL));
  assert_int_not_equal(a, b);
  aspace_destroy(child);
  assert_int_equal(sys_mem_protect(t, p, 2 * K, PROT_READ | PROT_EXEC), 0);
  size_t free = page_free_count();
  assert_int_equal(map((free + 1) * K, RW, MAP_ANON | MAP_SHARED, NO_FD, 0), ENOMEM);
  assert_int_equal(map(USER_END, 0, MAP_ANON | MAP_SHARED, NO_FD, 0), ENOMEM);
  assert_int_equal(page_free_count(), free);
}

static void test_files(void **state) {
  (void)state;
  const rights_t mm = RIGHT_MEM_MAP, r = RIGHT_FD_READ, w = RIGHT_FD_WRITE, x = RIGHT_MEM_MAP_EXEC;
  const struct {
    rights_t rights;
    mprot_t prot;
    mflags_t flags;
    errno_t expected;
  } cases[] = {
      {r | w | x, 0, MAP_PRIVATE, ENOTCAPABLE},
      {mm, 0, MAP_PRIVATE, 0},
      {mm, PROT_READ, MAP_PRIVATE, ENOTCAPABLE},
      {mm | r, PROT_READ, MAP_PRIVATE, 0},
      {mm | r, RW, MAP_PRIVATE, 0}, /* a copy */
      {mm | r, RW, MAP_SHARED, ENOTCAPABLE},
      {mm | w, PROT_WRITE, MAP_SHARED, ENOTCAPABLE}, /* it could be read */
      {mm | r | w, RW, MAP_SHARED, 0},
      {mm | r, PROT_READ | PROT_EXEC, MAP_PRIVATE, ENOTCAPABLE},
      {mm | r | x, PROT_READ | PROT_EXEC, MAP_PRIVATE, 0},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    fd_t fd = fd_with(&regular, cases[i].rights);
    assert_int_equal(map(K, cases[i].prot, cases[i].flags, fd, 0), cases[i].expected);
    /* Length and offset are looked at after the rights. */
    errno_t later = cases[i].expected == 0 ? EINVAL : ENOTCAPABLE;
    assert_int_equal(map(0, cases[i].prot, cases[i].flags, fd, 0), later);
    assert_int_equal(map(K, cases[i].prot, cases[i].flags, fd, 100), later);
    assert_int_equal(fd_close(&process.fds, fd), 0);
  }
  fd_t fd = fd_with(&stream, ~0ull);
  assert_int_equal(map(K, PROT_READ, MAP_PRIVATE, fd, 0), ENODEV);
  assert_int_equal(stream.refs, 2);
  assert_int_equal(regular.refs, 1);
}

static void test_a_mapping_outlives_its_descriptor(void **state) {
  (void)state;
  fd_t fd = fd_with(&regular, RIGHT_MEM_MAP | RIGHT_FD_READ);
  char *p;
  assert_int_equal(map_at(NULL, 3 * K, PROT_READ, MAP_PRIVATE, fd, 0, &p), 0);
  assert_int_equal(fd_close(&process.fds, fd), 0);
  assert_int_equal(fault(p, ARCH_READ), 0);
  assert_int_equal(fault(p + K, ARCH_READ), 0);
  assert_int_equal(fault(p + 2 * K, ARCH_READ), ERANGE); /* SIGBUS */
  /* What the rights did not give at first, they don't give later. */
  assert_int_equal(sys_mem_protect(t, p, K, PROT_READ | PROT_EXEC), EACCES);
  assert_int_equal(sys_mem_protect(t, p, K, RW), 0);
  assert_int_equal(fault(p, ARCH_WRITE), 0);
}

static void test_bad_output_pointer(void **state) {
  (void)state;
  output_bad = true;
  void *out;
  assert_int_equal(sys_mem_map(t, NULL, K, RW, ANON, NO_FD, 0, &out), EFAULT);
  assert_int_equal(sys_mem_map(t, NULL, K, RW, ANON, NO_FD, 0, NULL), EFAULT);
  assert_int_equal(aspace_mapping_count(process.aspace), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_protections),
      TEST(test_flags),
      TEST(test_lengths_and_places),
      TEST(test_more_memory_than_there_is),
      TEST(test_unmap),
      TEST(test_protect),
      TEST(test_advise),
      TEST(test_sync),
      TEST(test_sync_of_a_file),
      TEST(test_lock),
      TEST(test_shared_anonymous),
      TEST(test_files),
      TEST(test_a_mapping_outlives_its_descriptor),
      TEST(test_bad_output_pointer),
  };
  return cmocka_run_group_tests(tests, setup, NULL);
}
