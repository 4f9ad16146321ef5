/*
 * The console's ring, and the console as a file.
 *
 * Writers push, the serial driver's interrupt pulls; without a driver, and when the machine ends,
 * bytes go out by polling. The kernel lock covers all; console_drain() runs in interrupt context,
 * which never interrupts kernel code. Only a program's write sleeps.
 */
#include "kernel/console.h"

#include <stdbool.h>

#include "arch/arch.h"
#include "kernel/file.h"
#include "kernel/heap.h"
#include "kernel/string.h"

#define RING_SIZE 4096u
#define WAKE_LEVEL (RING_SIZE / 2) /* writers go on when no more than this is left */

static char ring[RING_SIZE];
static uint32_t head, tail; /* free running: put in at head, taken out at tail */
static const struct console_device *device;
static bool interrupt_wanted;
static struct waitq writers = {LIST_INIT(writers.waiters)};
static bool mid_line; /* the last byte written was not a newline */

static size_t ring_used(void) {
  return head - tail;
}

static size_t ring_room(void) {
  return RING_SIZE - ring_used();
}

/* The oldest bytes that lie in one piece. */
static size_t ring_front(const char **s) {
  size_t at = tail % RING_SIZE, used = ring_used();
  *s = &ring[at];
  return used < RING_SIZE - at ? used : RING_SIZE - at;
}

static void wake_writers(void) {
  if (ring_used() <= WAKE_LEVEL && !list_empty(&writers.waiters))
    waitq_wake_all(&writers);
}

/* ---- Out ------------------------------------------------------------------------------------- */

void console_drain(void) {
  const char *s;
  size_t n, taken;
  do {
    n = ring_front(&s);
    taken = n > 0 ? device->put(s, n) : 0;
    tail += (uint32_t)taken;
  } while (taken == n && n > 0);
  if (interrupt_wanted != (n > 0)) {
    interrupt_wanted = n > 0;
    device->want_interrupt(interrupt_wanted);
  }
  wake_writers();
}

void console_flush(void) {
  const char *s;
  size_t n;
  while ((n = ring_front(&s)) > 0) {
    arch_console_write(s, n);
    tail += (uint32_t)n;
  }
  wake_writers();
}

void console_attach(const struct console_device *dev) {
  device = dev;
}

/* ---- In -------------------------------------------------------------------------------------- */

static void push(const char *s, size_t n) {
  if (device == NULL) {
    arch_console_write(s, n);
    return;
  }
  while (n > 0) {
    if (ring_room() == 0)
      console_flush();
    size_t at = head % RING_SIZE, chunk = RING_SIZE - at;
    if (chunk > ring_room())
      chunk = ring_room();
    if (chunk > n)
      chunk = n;
    memcpy(&ring[at], s, chunk);
    head += (uint32_t)chunk;
    s += chunk;
    n -= chunk;
  }
}

static void push_text(const char *s, size_t n) {
  if (n > 0)
    mid_line = s[n - 1] != '\n';
  while (n > 0) {
    const char *newline = memchr(s, '\n', n);
    size_t plain = newline != NULL ? (size_t)(newline - s) : n;
    push(s, plain);
    if (newline == NULL)
      return;
    push("\r\n", 2);
    s = newline + 1;
    n -= plain + 1;
  }
}

static void start_output(void) {
  if (device != NULL)
    console_drain();
}

void console_write(const char *s, size_t n) {
  push_text(s, n);
  start_output();
}

void console_fresh_line(void) {
  if (mid_line)
    console_write("\n", 1);
}

/* ---- The file -------------------------------------------------------------------------------- */

/* How many bytes a program may push now: each may be a newline and become two. */
static size_t program_room(void) {
  return device == NULL ? RING_SIZE : ring_room() / 2;
}

/* Pushes as much as there is room for. */
static errno_t push_from(struct uio *uio) {
  char buf[128];
  size_t room;
  while (uio->resid > 0 && (room = program_room()) > 0) {
    size_t n = uio->resid < sizeof buf ? uio->resid : sizeof buf;
    n = n < room ? n : room;
    errno_t e = uio_copy_from(uio, buf, n);
    if (e != 0)
      return e;
    push_text(buf, n);
  }
  return 0;
}

static errno_t console_file_write(struct file *f, struct uio *uio) {
  size_t wanted = uio->resid;
  for (;;) {
    errno_t e = push_from(uio);
    start_output();
    if (e != 0 || uio->resid == 0)
      return e;
    if (program_room() > 0)
      continue;
    if (f->flags & FDFLAG_NONBLOCK)
      return uio->resid < wanted ? 0 : EAGAIN;
    e = waitq_sleep(&writers, NEVER_NS);
    if (e != 0)
      return e;
  }
}

static errno_t console_file_read(struct file *f, struct uio *uio) {
  return 0; /* end of file: nobody types */
}

static void console_file_poll(struct file *f, eventtype_t type, struct poll_state *st,
                              struct waiter *w) {
  *st = (struct poll_state){.ready = true};
  if (type != EVENTTYPE_FD_WRITE)
    return;
  st->nbytes = program_room();
  st->ready = st->nbytes > 0;
  waitq_leave(&writers, w, st->ready);
}

static void console_file_close(struct file *f) {
  kfree(f);
}

static const struct file_ops console_file_ops = {
    .close = console_file_close,
    .read = console_file_read,
    .write = console_file_write,
    .poll = console_file_poll,
};

errno_t console_open(struct file **f) {
  struct file *file = kmalloc(sizeof *file);
  if (file == NULL)
    return ENOMEM;
  file_init(file, &console_file_ops, FILETYPE_CHARACTER_DEVICE, 0);
  *f = file;
  return 0;
}
