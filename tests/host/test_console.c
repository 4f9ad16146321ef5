// sources: kernel/console.c kernel/uio.c kernel/file.c
/*
 * The console: order and completeness of what is printed, with and without a device, and a
 * program's writes that wait for room.
 */
#include "tests/host/world.h"

#include "kernel/console.h"
#include "kernel/file.h"

static char out[65536]; /* what the machine's console showed */
static size_t out_len;
static size_t device_room; /* bytes that the device takes now */
static bool want_interrupt;

void arch_console_write(const char *s, size_t n) {
  assert_true(out_len + n <= sizeof out);
  memcpy(out + out_len, s, n);
  out_len += n;
}

static size_t put(const char *s, size_t n) {
  if (n > device_room)
    n = device_room;
  arch_console_write(s, n);
  device_room -= n;
  return n;
}

static void set_want_interrupt(bool on) {
  want_interrupt = on;
}

static const struct console_device device = {put, set_want_interrupt};

/* ---- Sleeping: what happens meanwhile is in on_sleep. ---------------------------------------- */

static int sleeps, wakes;
static errno_t (*on_sleep)(struct waitq *q);
static struct waiter *waiting;

errno_t waitq_sleep(struct waitq *q, uint64_t deadline_ns) {
  struct waiter w = {.thread = &world_thread};
  sleeps++;
  list_push_back(&q->waiters, &w.link);
  errno_t e = on_sleep(q);
  list_remove(&w.link);
  return e;
}

void waitq_wake_all(struct waitq *q) {
  wakes++;
  while (list_pop_front(&q->waiters) != NULL)
    continue;
}

void waitq_add(struct waitq *q, struct waiter *w) {
  waiting = w;
  list_push_back(&q->waiters, &w->link);
}

/* The device empties its buffer: takes some bytes at each interrupt until the writer is woken. */
static errno_t drain_until_woken(struct waitq *q) {
  for (int i = 0; i < 1000 && !list_empty(&q->waiters); i++) {
    assert_true(want_interrupt);
    device_room = 16;
    console_drain();
  }
  assert_true(list_empty(&q->waiters));
  return 0;
}

static errno_t die(struct waitq *q) {
  return ECANCELED;
}

static void expect(const char *text) {
  assert_int_equal(out_len, strlen(text));
  assert_memory_equal(out, text, out_len);
}

static void begin(size_t room) {
  console_flush();
  console_attach(&device);
  device_room = room;
  console_fresh_line();
  console_flush();
  out_len = 0;
  sleeps = wakes = 0;
  on_sleep = drain_until_woken;
}

static errno_t write_file(struct file *f, const char *s, size_t n, size_t *written) {
  struct uio uio;
  uio_init_user_buffer(&uio, (void *)s, n);
  errno_t e = f->ops->write(f, &uio);
  *written = n - uio.resid;
  return e;
}

/* Must run first: nothing is attached. */
static void test_without_device(void **state) {
  struct file *f;
  size_t n;
  console_fresh_line();
  expect("");
  console_write("boot\n", 5);
  console_write("a\n\nb", 4);
  expect("boot\r\na\r\n\r\nb");
  console_fresh_line();
  console_fresh_line();
  assert_int_equal(console_open(&f), 0);
  assert_int_equal(write_file(f, "hi\n", 3, &n), 0);
  assert_int_equal(n, 3);
  expect("boot\r\na\r\n\r\nb\r\nhi\r\n");
  file_unref(f);
  out_len = 0;
}

static void test_device(void **state) {
  begin(4);
  console_write("abc\ndef\n", 8);
  expect("abc\r");
  assert_true(want_interrupt);
  device_room = 100;
  console_drain();
  expect("abc\r\ndef\r\n");
  assert_false(want_interrupt);
  device_room = 0;
  console_write("x", 1);
  console_fresh_line(); /* before it has gone out */
  console_write("end\n", 4);
  console_flush();
  expect("abc\r\ndef\r\nx\r\nend\r\n");
}

static void test_kernel_overflow(void **state) {
  static char expected[20000];
  size_t len = 0;
  begin(0);
  for (int i = 0; i < 1500; i++) {
    char line[16];
    int n = snprintf(line, sizeof line, "line %d\n", i);
    console_write(line, (size_t)n);
    len += (size_t)sprintf(expected + len, "line %d\r\n", i);
  }
  console_flush();
  expect(expected);
}

static void fill_text(char *text, char *expected, size_t n) {
  for (size_t i = 0; i < n; i++) {
    text[i] = i % 7 == 0 ? '\n' : (char)('a' + i % 26);
    if (text[i] == '\n')
      *expected++ = '\r';
    *expected++ = text[i];
  }
  *expected = '\0';
}

static void test_program_waits(void **state) {
  static char text[20000], expected[40000];
  struct file *f;
  size_t n;
  begin(0);
  fill_text(text, expected, sizeof text);
  assert_int_equal(console_open(&f), 0);
  assert_int_equal(f->type, FILETYPE_CHARACTER_DEVICE);
  assert_int_equal(write_file(f, text, sizeof text, &n), 0);
  assert_int_equal(n, sizeof text);
  assert_in_range(sleeps, 5, 15); /* half a ring each, not a few bytes */
  console_flush();
  expect(expected);
  file_unref(f);
}

static void test_program_does_not_wait(void **state) {
  static char text[20000], expected[40000];
  struct file *f;
  struct poll_state st;
  struct waiter w = {.thread = &world_thread};
  size_t n, more;
  begin(0);
  fill_text(text, expected, sizeof text);
  assert_int_equal(console_open(&f), 0);
  f->flags = FDFLAG_NONBLOCK;
  f->ops->poll(f, EVENTTYPE_FD_WRITE, &st, &w);
  assert_true(st.ready);
  assert_int_equal(st.nbytes, 2048);
  assert_int_equal(write_file(f, text, sizeof text, &n), 0);
  assert_in_range(n, 2048, 4096);
  assert_int_equal(write_file(f, text + n, sizeof text - n, &more), EAGAIN);
  assert_int_equal(more, 0);
  f->ops->poll(f, EVENTTYPE_FD_WRITE, &st, NULL);
  assert_false(st.ready);
  f->ops->poll(f, EVENTTYPE_FD_WRITE, &st, &w);
  assert_ptr_equal(waiting, &w);
  assert_int_equal(wakes, 0);
  console_flush();
  assert_int_equal(wakes, 1);
  f->ops->poll(f, EVENTTYPE_FD_WRITE, &st, NULL);
  assert_true(st.ready);
  assert_int_equal(write_file(f, text + n, 1000, &more), 0);
  assert_int_equal(more, 1000);
  console_flush();
  assert_memory_equal(out, expected, out_len);
  assert_int_equal(sleeps, 0);
  file_unref(f);
}

static void test_program_dies_or_faults(void **state) {
  static char text[20000];
  struct file *f;
  struct uio uio;
  size_t n;
  begin(0);
  on_sleep = die;
  assert_int_equal(console_open(&f), 0);
  assert_int_equal(write_file(f, text, sizeof text, &n), ECANCELED);
  console_flush();
  assert_int_equal(write_file(f, world_hole, 5, &n), EFAULT);
  uio_init_user_buffer(&uio, text, 5);
  assert_int_equal(f->ops->read(f, &uio), 0);
  assert_int_equal(uio.resid, 5); /* end of file */
  file_unref(f);
  assert_int_equal(world_live, 0);
  world_allocations_left = 0;
  assert_int_equal(console_open(&f), ENOMEM);
  world_allocations_left = -1;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_without_device),        cmocka_unit_test(test_device),
      cmocka_unit_test(test_kernel_overflow),       cmocka_unit_test(test_program_waits),
      cmocka_unit_test(test_program_does_not_wait), cmocka_unit_test(test_program_dies_or_faults),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
