// sources: kernel/pagecache_room.c
// sources: kernel/pagecache.c kernel/aspace.c kernel/aspace_fault.c kernel/aspace_pages.c
// sources: kernel/pagetree.c kernel/aspace_share.c kernel/aspace_print.c kernel/maptree.c
// sources: kernel/memobj.c kernel/heap.c kernel/page.c kernel/uio.c kernel/aspace_large.c
// libs: -Wl,--wrap=page_alloc,--wrap=page_alloc_zero,--wrap=kmalloc,--wrap=kzalloc
/* Page caches: bytes against a model, mappings of the same pages, owners that refuse or are slow.
 */
#include "tests/host/fake_aspace.h"
#include "kernel/aspace.h"
#include "kernel/cpu.h"
#include "kernel/heap.h"
#include "kernel/pagecache.h"

#define RW (PROT_READ | PROT_WRITE)
#define K PAGE_SIZE

struct cpu cpu_boot;

void log_printf(enum log_level level, const char *format, ...) {
  (void)level;
  (void)format;
}

static size_t copy_limit = SIZE_MAX; /* bytes that user copies move before they fault */

size_t arch_user_copy(void *dst, const void *src, size_t n) {
  size_t moved = n < copy_limit ? n : copy_limit;
  memcpy(dst, src, moved);
  if (copy_limit != SIZE_MAX)
    copy_limit -= moved;
  return n - moved;
}

static int setup(void **state) {
  (void)state;
  ram_init(20000);
  return 0;
}

/* ---- An owner with a limit ------------------------------------------------------------------- */

struct file {
  struct pagecache pc;
  size_t charged, limit;
  bool destroyed;
};

static struct file *file_of(struct pagecache *pc) {
  return container_of(pc, struct file, pc);
}

static errno_t file_charge(struct pagecache *pc) {
  if (file_of(pc)->charged == file_of(pc)->limit)
    return ENOSPC;
  file_of(pc)->charged++;
  return 0;
}

static void file_uncharge(struct pagecache *pc, size_t n) {
  assert_in_range(n, 1, file_of(pc)->charged);
  file_of(pc)->charged -= n;
}

static void file_destroy(struct pagecache *pc) {
  file_of(pc)->destroyed = true;
}

static const struct pagecache_ops file_ops = {
    .charge = file_charge, .uncharge = file_uncharge, .destroy = file_destroy};

static void file_create(struct file *f, size_t limit) {
  *f = (struct file){.limit = limit};
  pagecache_init(&f->pc, &file_ops);
}

static void file_end(struct file *f) {
  assert_int_equal(f->charged, f->pc.tree.pages);
  assert_int_equal(f->pc.obj.refs, 1);
  memobj_unref(&f->pc.obj);
  assert_true(f->destroyed);
  assert_int_equal(f->charged, 0);
}

static errno_t write_at(struct pagecache *pc, const void *data, size_t n, uint64_t offset,
                        size_t *moved) {
  struct uio uio;
  uio_init_user_buffer(&uio, (void *)data, n);
  errno_t e = pagecache_write(pc, &uio, offset);
  if (moved != NULL)
    *moved = n - uio.resid;
  return e;
}

static size_t read_at(struct pagecache *pc, void *data, size_t n, uint64_t offset) {
  struct uio uio;
  uio_init_user_buffer(&uio, data, n);
  assert_int_equal(pagecache_read(pc, &uio, offset), 0);
  return n - uio.resid;
}

/* ---- Bytes ----------------------------------------------------------------------------------- */

#define MODEL_BYTES (600 * K)
static char model[MODEL_BYTES], buffer[MODEL_BYTES], got[MODEL_BYTES];
static uint64_t model_size;

static void model_write(size_t at, size_t n) {
  if (n == 0)
    return;
  memcpy(model + at, buffer, n);
  if (at + n > model_size)
    model_size = at + n;
}

static void op_write(struct file *f, size_t at, size_t n) {
  if (n > MODEL_BYTES - at)
    n = MODEL_BYTES - at;
  memset(buffer, (int)(1 + ram_random(255)), n);
  size_t moved, kind = ram_random(6);
  if (kind == 0)
    copy_limit = ram_random((uint32_t)n + 1);
  if (kind == 1)
    fail_after = ram_random(5);
  errno_t e = write_at(&f->pc, buffer, n, at, &moved);
  copy_limit = SIZE_MAX;
  fail_after = -1;
  if (moved < n)
    assert_true(moved > 0 ? e == 0 : e == EFAULT || e == ENOSPC || e == ENOMEM);
  else
    assert_int_equal(e, 0);
  model_write(at, moved);
}

static void op_resize(struct file *f, uint64_t size) {
  assert_int_equal(pagecache_resize(&f->pc, size), 0);
  if (size < model_size)
    memset(model + size, 0, model_size - size);
  model_size = size;
}

/* Seen through a mapping: zeroes behind the end as well. */
static void op_touch(struct aspace *as, uintptr_t va, size_t index) {
  errno_t e = aspace_fault(as, va + index * K, ARCH_WRITE);
  if (index * K >= model_size) {
    assert_int_equal(e, ERANGE);
    return;
  }
  if (e == ENOSPC)
    return;
  assert_int_equal(e, 0);
  pa_t pa;
  assert_true(arch_aspace_query(aspace_arch(as), va + index * K, &pa, NULL));
  size_t n = model_size - index * K < K ? model_size - index * K : K;
  assert_memory_equal(pa_to_va(pa), model + index * K, n);
  model[index * K] = *(char *)pa_to_va(pa) = (char)ram_random(256);
  if (n < K)
    ((char *)pa_to_va(pa))[n] = 'x'; /* nobody shall ever find it in the file */
}

static void test_random_use_against_a_model(void **state) {
  (void)state;
  size_t pages = page_free_count(), heap = heap_used_bytes();
  struct file f;
  struct aspace *as;
  uintptr_t va;
  file_create(&f, 400);
  assert_int_equal(aspace_create(&as), 0);
  assert_int_equal(
      aspace_map(as, &va, MODEL_BYTES + K, RW, RW, MAPPING_SHARED, &f.pc.obj, 0, "file"), 0);
  for (int i = 0; i < 6000; i++) {
    size_t at = ram_random(ram_random(2) ? 5 * K : MODEL_BYTES);
    size_t n = ram_random(ram_random(3) ? 3000 : 40 * K);
    switch (ram_random(6)) {
      case 0:
      case 1:
        op_write(&f, at, n);
        break;
      case 2:
        if (ram_random(4) == 0)
          op_resize(&f, ram_random(3) ? at : at & ~(K - 1));
        break;
      case 3:
        op_touch(as, va, ram_random(8) ? ram_random(600) : model_size / K);
        break;
      default: {
        size_t expected = at >= model_size ? 0 : model_size - at < n ? model_size - at : n;
        assert_int_equal(read_at(&f.pc, got, n, at), expected);
        assert_memory_equal(got, model + at, expected);
      }
    }
    assert_int_equal(f.pc.size_bytes, model_size);
    assert_int_equal(f.charged, f.pc.tree.pages);
    if (i % 100 == 0)
      aspace_verify(as);
  }
  assert_int_equal(read_at(&f.pc, got, MODEL_BYTES, 0), model_size);
  assert_memory_equal(got, model, model_size);
  aspace_destroy(as);
  file_end(&f);
  assert_int_equal(heap_used_bytes(), heap);
  assert_in_range(page_free_count(), pages - 4, pages + 4);
  page_check();
  heap_check();
}

static void test_sparse_up_to_the_largest_offset(void **state) {
  (void)state;
  struct file f;
  char c;
  file_create(&f, 100);
  const uint64_t places[] = {0, 5, 63 * K, 64 * K, 1ull << 30, 1ull << 40, INT64_MAX - 1};
  const size_t count = sizeof places / sizeof places[0];
  for (size_t i = 0; i < count; i++)
    assert_int_equal(write_at(&f.pc, &"abcdefgh"[i], 1, places[i], NULL), 0);
  assert_int_equal(f.pc.size_bytes, INT64_MAX);
  assert_int_equal(f.pc.tree.pages, count - 1);
  for (size_t i = 0; i < count; i++) {
    assert_int_equal(read_at(&f.pc, &c, 1, places[i]), 1);
    assert_int_equal(c, "abcdefgh"[i]);
    assert_int_equal(read_at(&f.pc, &c, 1, (1ull << 50) + places[i] / 2 * 2 % (1ull << 49)), 1);
    assert_int_equal(c, 0);
  }
  assert_int_equal(f.pc.tree.pages, count - 1); /* holes stay holes when they are read */
  assert_int_equal(pagecache_resize(&f.pc, 64 * K + 1), 0);
  assert_int_equal(f.pc.tree.pages, 3);
  assert_int_equal(pagecache_resize(&f.pc, INT64_MAX), 0);
  assert_int_equal(f.pc.tree.pages, 3);
  assert_int_equal(read_at(&f.pc, &c, 1, 1ull << 30), 1);
  assert_int_equal(c, 0);
  assert_int_equal(read_at(&f.pc, &c, 1, 64 * K), 1);
  assert_int_equal(c, 'd');
  assert_int_equal(pagecache_resize(&f.pc, 0), 0);
  assert_int_equal(f.pc.tree.pages, 0);
  file_end(&f);
}

static void test_what_did_move_counts(void **state) {
  (void)state;
  struct file f;
  size_t moved;
  file_create(&f, 2);
  memset(buffer, 'm', 10 * K);
  assert_int_equal(write_at(&f.pc, buffer, 10 * K, 100, &moved), 0);
  assert_int_equal(moved, 2 * K - 100);
  assert_int_equal(f.pc.size_bytes, 2 * K);
  assert_int_equal(write_at(&f.pc, buffer, 1, 2 * K, &moved), ENOSPC);
  assert_int_equal(moved, 0);
  assert_int_equal(f.pc.size_bytes, 2 * K);
  assert_int_equal(pagecache_allocate(&f.pc, 0, 2 * K), 0);
  assert_int_equal(pagecache_allocate(&f.pc, 0, 2 * K + 1), ENOSPC);
  assert_int_equal(pagecache_allocate(&f.pc, 10 * K, 0), 0);
  /* Behind the end nothing stays of a write that failed. */
  assert_int_equal(pagecache_resize(&f.pc, K), 0);
  copy_limit = 0;
  assert_int_equal(write_at(&f.pc, buffer, 1, 50 * K, &moved), EFAULT);
  copy_limit = SIZE_MAX;
  assert_int_equal(f.pc.size_bytes, K);
  assert_int_equal(f.pc.tree.pages, 1);
  assert_int_equal(write_at(&f.pc, buffer, 0, 50 * K, &moved), 0);
  assert_int_equal(f.pc.size_bytes, K);
  file_end(&f);
}

/* The last pages are the kernel's. */
static void test_memory_runs_out_before_all_is_gone(void **state) {
  (void)state;
  struct file f;
  size_t free = page_free_count();
  file_create(&f, SIZE_MAX);
  assert_int_equal(pagecache_allocate(&f.pc, 0, (free + 1) * K), ENOMEM);
  assert_in_range(page_free_count(), PAGE_RESERVE - 2, PAGE_RESERVE);
  assert_int_equal(write_at(&f.pc, "x", 1, 10 * free * K, NULL), ENOMEM);
  file_end(&f);
  assert_in_range(page_free_count(), free - 2, free);
}

/* ---- Mappings -------------------------------------------------------------------------------- */

static char *touch(struct aspace *as, uintptr_t va, unsigned access) {
  pa_t pa;
  assert_int_equal(aspace_fault(as, va, access), 0);
  assert_true(arch_aspace_query(aspace_arch(as), va, &pa, NULL));
  return (char *)pa_to_va(pa) + va % K;
}

static bool present(struct aspace *as, uintptr_t va) {
  return arch_aspace_query(aspace_arch(as), va, NULL, NULL);
}

static void test_a_file_that_shrinks_leaves_every_mapping(void **state) {
  (void)state;
  struct file f;
  struct aspace *a, *b;
  uintptr_t shared, other, private;
  file_create(&f, 100);
  assert_int_equal(aspace_create(&a), 0);
  assert_int_equal(aspace_create(&b), 0);
  memset(buffer, 'f', 10 * K);
  assert_int_equal(write_at(&f.pc, buffer, 10 * K, 0, NULL), 0);
  assert_int_equal(aspace_map(a, &shared, 10 * K, RW, RW, MAPPING_SHARED, &f.pc.obj, 0, "s"), 0);
  assert_int_equal(aspace_map(b, &other, 6 * K, RW, RW, MAPPING_SHARED, &f.pc.obj, 4 * K, "o"), 0);
  assert_int_equal(aspace_map(a, &private, 10 * K, RW, RW, 0, &f.pc.obj, 0, "p"), 0);
  /* In pieces, as unmapping and protecting makes them. */
  assert_int_equal(aspace_protect(a, shared + 5 * K, K, PROT_READ), 0);
  assert_int_equal(aspace_unmap(a, shared + 8 * K, K), 0);
  for (size_t i = 0; i < 10; i++) {
    if (i != 8)
      assert_int_equal(*touch(a, shared + i * K, ARCH_READ), 'f');
    if (i >= 4)
      assert_int_equal(*touch(b, other + (i - 4) * K, ARCH_READ), 'f');
    touch(a, private + i * K, i % 2 ? ARCH_WRITE : ARCH_READ);
  }
  *touch(a, private + 7 * K, ARCH_WRITE) = 'p';
  *touch(b, other + K, ARCH_WRITE) = 'w';
  assert_int_equal(*touch(a, shared + 5 * K, ARCH_READ), 'w');

  assert_int_equal(pagecache_resize(&f.pc, 5 * K + 1), 0);
  for (size_t i = 0; i < 10; i++) {
    assert_int_equal(present(a, shared + i * K), i < 6);
    if (i >= 4)
      assert_int_equal(present(b, other + (i - 4) * K), i < 6);
    assert_int_equal(present(a, private + i * K), i < 6 || i % 2 == 1);
  }
  assert_int_equal(*touch(a, private + 7 * K, ARCH_READ), 'p'); /* its own copy */
  assert_int_equal(aspace_fault(a, private + 6 * K, ARCH_READ), ERANGE);
  assert_int_equal(aspace_fault(a, shared + 6 * K, ARCH_READ), ERANGE);
  assert_int_equal(aspace_fault(b, other + 2 * K, ARCH_WRITE), ERANGE);
  assert_int_equal(*touch(b, other + K, ARCH_READ), 'w');
  assert_int_equal(*touch(b, other + K + 1, ARCH_READ), 0);
  assert_int_equal(f.charged, 6);
  /* And when it grows again there are zeroes. */
  assert_int_equal(pagecache_resize(&f.pc, 10 * K), 0);
  assert_int_equal(*touch(a, shared + 6 * K, ARCH_READ), 0);
  aspace_verify(a);
  aspace_verify(b);
  aspace_destroy(a);
  assert_int_equal(*touch(b, other + K, ARCH_READ), 'w');
  aspace_destroy(b);
  assert_true(list_empty(&f.pc.obj.mappings));
  file_end(&f);
}

static void test_shared_memory_without_a_name(void **state) {
  (void)state;
  size_t heap = heap_used_bytes(), free = page_free_count();
  struct pagecache *pc;
  struct aspace *as;
  uintptr_t p, q;
  assert_int_equal(pagecache_create_anonymous(&pc), 0);
  assert_int_equal(pc->size_bytes, 0);
  assert_int_equal(aspace_create(&as), 0);
  assert_int_equal(aspace_map(as, &p, 4 * K, RW, RW, MAPPING_SHARED, &pc->obj, 0, "p"), 0);
  assert_int_equal(aspace_map(as, &q, 4 * K, RW, RW, MAPPING_SHARED, &pc->obj, 0, "q"), 0);
  assert_int_equal(aspace_fault(as, p, ARCH_READ), ERANGE);
  assert_int_equal(pagecache_resize(pc, 2 * K), 0);
  *touch(as, p + K, ARCH_WRITE) = 's';
  assert_int_equal(*touch(as, q + K, ARCH_READ), 's');
  assert_int_equal(aspace_fault(as, q + 2 * K, ARCH_READ), ERANGE);
  assert_int_equal(aspace_fault(as, q, ARCH_READ), 0);
  memobj_unref(&pc->obj);
  assert_int_equal(*touch(as, q + K, ARCH_READ), 's');
  aspace_destroy(as);
  assert_int_equal(heap_used_bytes(), heap);
  assert_in_range(page_free_count(), free - 4, free);
}

/* ---- An owner with a medium ------------------------------------------------------------------ */

static unsigned fills, dirtied;
static errno_t medium_error;
static uint64_t medium_bad = UINT64_MAX;        /* a page that can't be read */
static void (*meanwhile)(struct pagecache *pc); /* done while a page is read, once */

static errno_t medium_fill(struct pagecache *pc, uint64_t index, void **pages, unsigned n) {
  fills++;
  for (unsigned i = 0; i < n; i++)
    memset(pages[i], (int)('A' + index + i), K);
  void (*now)(struct pagecache *) = meanwhile;
  meanwhile = NULL;
  if (now != NULL)
    now(pc);
  return medium_bad - index < n ? EIO : medium_error;
}

static errno_t medium_dirty(struct pagecache *pc, uint64_t index) {
  (void)pc;
  (void)index;
  dirtied++;
  return medium_error;
}

static const struct pagecache_ops medium_ops = {.charge = file_charge,
                                                .uncharge = file_uncharge,
                                                .destroy = file_destroy,
                                                .fill = medium_fill,
                                                .dirty = medium_dirty};

static void medium_create(struct file *f) {
  *f = (struct file){.limit = 50};
  pagecache_init(&f->pc, &medium_ops);
  f->pc.size_bytes = 20 * K;
  fills = dirtied = 0;
  medium_error = 0;
}

static void cut_off(struct pagecache *pc) {
  assert_int_equal(pagecache_resize(pc, 3 * K), 0);
  assert_int_equal(pagecache_resize(pc, 20 * K), 0);
}

static void fill_too(struct pagecache *pc) {
  void *page;
  assert_int_equal(pagecache_get(pc, 7, true, &page), 0);
  memset(page, 'w', K);
}

static void test_pages_come_from_the_medium(void **state) {
  (void)state;
  struct file f;
  struct aspace *as;
  uintptr_t va;
  char text[3] = "";
  medium_create(&f);
  assert_int_equal(read_at(&f.pc, text, 2, 5 * K - 1), 2);
  assert_string_equal(text, "EF");
  assert_int_equal(write_at(&f.pc, "x", 1, 5 * K, NULL), 0);
  assert_int_equal(read_at(&f.pc, text, 2, 5 * K), 2);
  assert_string_equal(text, "xF");
  assert_int_equal(fills, 1); /* both pages at once */
  assert_int_equal(aspace_create(&as), 0);
  assert_int_equal(aspace_map(as, &va, 10 * K, RW, RW, MAPPING_SHARED, &f.pc.obj, 0, "m"), 0);
  assert_int_equal(*touch(as, va + 9 * K, ARCH_READ), 'J');
  assert_int_equal(dirtied, 0);
  *touch(as, va + 9 * K, ARCH_WRITE) = 'w'; /* told before the first write */
  assert_int_equal(dirtied, 1);
  medium_error = EIO;
  assert_int_equal(aspace_fault(as, va + 8 * K, ARCH_READ), EIO);
  assert_int_equal(aspace_fault(as, va + 5 * K, ARCH_WRITE), EIO);
  struct uio uio;
  uio_init_user_buffer(&uio, got, 10);
  assert_int_equal(pagecache_read(&f.pc, &uio, 8 * K), EIO);
  assert_int_equal(pagecache_resize(&f.pc, 12 * K + 1), EIO); /* but the end is where it should */
  assert_int_equal(f.pc.size_bytes, 12 * K + 1);
  assert_int_equal(pagecache_resize(&f.pc, 20 * K), EIO); /* here it is not */
  assert_int_equal(f.pc.size_bytes, 12 * K + 1);
  assert_int_equal(f.charged, f.pc.tree.pages);
  medium_error = 0;
  aspace_destroy(as);
  file_end(&f);
}

static void test_what_happens_while_a_page_is_read(void **state) {
  (void)state;
  struct file f;
  void *page;
  medium_create(&f);
  meanwhile = fill_too;
  assert_int_equal(pagecache_get(&f.pc, 7, true, &page), 0);
  assert_int_equal(*(char *)page, 'w'); /* the one that somebody has written to already */
  assert_int_equal(f.pc.tree.pages, 1);
  meanwhile = cut_off;
  unsigned before = fills;
  assert_int_equal(pagecache_get(&f.pc, 9, true, &page), 0);
  assert_int_equal(fills, before + 2); /* asked again: the medium knows of the cut by now */
  assert_int_equal(f.pc.tree.pages, 1);
  file_end(&f);
}

static void read_page(struct file *f, uint64_t index) {
  char text[2] = "";
  assert_int_equal(read_at(&f->pc, text, 1, index * K), 1);
  assert_int_equal(text[0], 'A' + index);
}

static void test_reading_in_order_reads_ahead(void **state) {
  (void)state;
  struct file f;
  struct uio uio;
  medium_create(&f);
  for (uint64_t i = 0; i < 20; i++)
    read_page(&f, i);
  assert_int_equal(fills, 5); /* 0, 1, 2-5, 6-17, 18-19 */
  file_end(&f);
  medium_create(&f);
  const uint64_t others[] = {7, 3, 18, 12, 4, 19, 13, 6};
  for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
    read_page(&f, others[i]);
  assert_int_equal(f.pc.tree.pages, fills);
  read_page(&f, 14); /* 12 and 13 are there: as far as somebody has read already */
  assert_int_equal(f.pc.tree.pages, fills + 3);
  file_end(&f);
  medium_create(&f);
  medium_bad = 5;
  for (uint64_t i = 0; i < 5; i++)
    read_page(&f, i); /* what lies behind them is nobody's fault yet */
  uio_init_user_buffer(&uio, got, 1);
  assert_int_equal(pagecache_read(&f.pc, &uio, 5 * K), EIO);
  medium_bad = UINT64_MAX;
  file_end(&f);
}

/* Once memory is short a page goes for each that comes, and none that is mapped or dirty. */
static void test_pages_make_room_for_pages(void **state) {
  (void)state;
  struct file f;
  size_t least = page_total() / 8;
  medium_create(&f);
  f.limit = SIZE_MAX;
  f.pc.size_bytes = 40000 * K;
  for (uint64_t i = 0; i < 40000; i += 2) {
    void *page;
    assert_int_equal(pagecache_get(&f.pc, i, true, &page), 0);
    assert_in_range(page_free_count(), least - 20, page_total());
  }
  assert_in_range(page_free_count(), least - 20, least + 20);
  assert_null(pagetree_get(&f.pc.tree, 0));
  assert_non_null(pagetree_get(&f.pc.tree, 39998));
  memobj_unref(&f.pc.obj);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_random_use_against_a_model),
      cmocka_unit_test(test_sparse_up_to_the_largest_offset),
      cmocka_unit_test(test_what_did_move_counts),
      cmocka_unit_test(test_memory_runs_out_before_all_is_gone),
      cmocka_unit_test(test_a_file_that_shrinks_leaves_every_mapping),
      cmocka_unit_test(test_shared_memory_without_a_name),
      cmocka_unit_test(test_pages_come_from_the_medium),
      cmocka_unit_test(test_what_happens_while_a_page_is_read),
      cmocka_unit_test(test_reading_in_order_reads_ahead),
      cmocka_unit_test(test_pages_make_room_for_pages),
  };
  return cmocka_run_group_tests(tests, setup, NULL);
}
