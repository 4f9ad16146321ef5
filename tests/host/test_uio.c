// sources: kernel/uio.c
/*
 * Scatter/gather lists: every split of the bytes over buffers, limits, and bad addresses.
 */
#include "tests/host/world.h"

#include "kernel/uio.h"

static char *bad(size_t offset) {
  return world_hole + offset;
}

static void test_limits(void **state) {
  struct uio u;
  struct iovec iov[UIO_IOV_MAX + 1] = {0};
  assert_int_equal(uio_init_user(&u, NULL, 0), 0);
  assert_int_equal(u.resid, 0);
  assert_int_equal(uio_copy_to(&u, "x", 1), 0);
  uio_destroy(&u);
  assert_int_equal(uio_init_user(&u, iov, UIO_IOV_MAX + 1), EINVAL);
  assert_int_equal(uio_init_user(&u, iov, SIZE_MAX), EINVAL);
  assert_int_equal(uio_init_user(&u, iov, UIO_IOV_MAX), 0);
  uio_destroy(&u);
  assert_int_equal(uio_init_user(&u, NULL, 1), EFAULT);
  assert_int_equal(uio_init_user(&u, (struct iovec *)bad(0), 1), EFAULT);
  assert_int_equal(uio_init_user(&u, (struct iovec *)bad(0), 100), EFAULT);
  iov[0].buf_len = INT64_MAX;
  assert_int_equal(uio_init_user(&u, iov, 20), 0);
  uio_destroy(&u);
  iov[9].buf_len = 1;
  assert_int_equal(uio_init_user(&u, iov, 20), EINVAL);
  iov[0].buf_len = SIZE_MAX;
  assert_int_equal(uio_init_user(&u, iov, 2), EINVAL);
  world_allocations_left = 0;
  assert_int_equal(uio_init_user(&u, iov, 20), ENOMEM);
  world_allocations_left = -1;
  assert_int_equal(world_live, 0);
}

/* 0 to 12 buffers of lengths 0 to 4, moved in pieces of 1 to 7 bytes, both ways. */
static void test_splits(void **state) {
  const char text[] = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
  for (size_t count = 0; count <= 12; count++) {
    for (size_t piece = 1; piece <= 7; piece++) {
      char space[64], back[64];
      struct iovec iov[12];
      struct uio u;
      size_t total = 0;
      for (size_t i = 0; i < count; i++) {
        iov[i] = (struct iovec){space + total, (i * 3 + piece) % 5};
        total += iov[i].buf_len;
      }
      memset(space, '.', sizeof space);
      assert_int_equal(uio_init_user(&u, iov, count), 0);
      assert_int_equal(u.resid, total);
      for (size_t at = 0; at < total; at += piece) {
        assert_int_equal(u.resid, total - at);
        assert_int_equal(uio_copy_to(&u, text + at, piece), 0); /* the last one is cut */
      }
      assert_int_equal(u.resid, 0);
      assert_memory_equal(space, text, total);
      assert_int_equal(space[total], '.');
      uio_destroy(&u);

      assert_int_equal(uio_init_user(&u, iov, count), 0);
      memset(back, '.', sizeof back);
      for (size_t at = 0; at < total; at += piece)
        assert_int_equal(uio_copy_from(&u, back + at, piece), 0);
      assert_memory_equal(back, text, total);
      assert_int_equal(back[total], '.');
      uio_destroy(&u);
      assert_int_equal(world_live, 0);
    }
  }
}

static void test_faults(void **state) {
  char good[8];
  struct iovec iov[2] = {{good, 4}, {bad(100), 4}};
  struct uio u;
  assert_int_equal(uio_init_user(&u, iov, 2), 0);
  assert_int_equal(uio_copy_to(&u, "abcdefgh", 8), EFAULT);
  assert_int_equal(u.resid, 4); /* four bytes came through */
  assert_memory_equal(good, "abcd", 4);
  iov[1].buf = (void *)(uintptr_t)(USER_END - 2);
  assert_int_equal(uio_init_user(&u, iov, 2), 0);
  assert_int_equal(uio_copy_from(&u, (char[8]){0}, 8), EFAULT);
  iov[1] = (struct iovec){NULL, 4};
  assert_int_equal(uio_init_user(&u, iov, 2), 0);
  assert_int_equal(uio_zero(&u, 8), EFAULT);
  iov[1] = (struct iovec){NULL, 0}; /* an empty buffer may lie anywhere */
  assert_int_equal(uio_init_user(&u, iov, 2), 0);
  assert_int_equal(uio_copy_to(&u, "abcdefgh", 8), 0);
}

static void test_zero_and_kernel(void **state) {
  static char big[2000];
  struct iovec iov[3] = {{big, 700}, {big + 700, 1}, {big + 701, 900}};
  struct uio u;
  memset(big, 'x', sizeof big);
  assert_int_equal(uio_init_user(&u, iov, 3), 0);
  assert_int_equal(uio_zero(&u, 1500), 0);
  assert_int_equal(u.resid, 101);
  for (size_t i = 0; i < sizeof big; i++)
    assert_int_equal(big[i], i < 1500 ? 0 : 'x');
  uio_init_kernel(&u, world_hole, 5); /* the kernel's buffers are not checked */
  assert_int_equal(uio_copy_to(&u, "hello, world", 12), 0);
  assert_memory_equal(world_hole, "hello", 6);
  uio_init_user_buffer(&u, world_hole, 5);
  assert_int_equal(uio_copy_to(&u, "hello", 5), EFAULT);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_limits),
      cmocka_unit_test(test_splits),
      cmocka_unit_test(test_faults),
      cmocka_unit_test(test_zero_and_kernel),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
