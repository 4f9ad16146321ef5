/*
 * Pointers that are none, for every pointer of every call: {out: fd, dir: fd, file: fd}. All give
 * EFAULT, whatever lies there, and nothing else happens.
 */
#include <program.h>

#include "../check.h"
#include "cases.h"

/* Memory of each kind, a page each; the last byte before it ends is what a pointer leads to. */
static struct {
  const char *what;
  uintptr_t at;
  bool readable;
} bad[] = {
    {"NULL", 0, false},
    {"address 1", 1, false},
    {"the first page", 0xff8, false},
    {"below all programs", 0xfff8, false},
    {"the kernel's image", 0xffffffff80100000, false},
    {"the kernel's memory", 0xffff800000000000, false},
    {"the other machine's kernel", 0xffff000000000000, false},
    {"the first address that is none", 0x0000800000000000, false},
    {"in the middle of those that are none", 0x8000000000000000, false},
    {"the last page of the lower half", 0x00007ffffffff000, false},
    {"the last byte of the lower half", 0x00007fffffffffff, false},
    {"the last byte of all", UINTPTR_MAX, false},
    {"the last word of all", UINTPTR_MAX - 7, false},
    {"the last page of all", UINTPTR_MAX - 4095, false},
    {"unmapped memory", 0, false},
    {"memory with no protection", 0, false},
    {"the end of memory", 0, false},
    {"read-only memory", 0, true},
    {"code", 0, true},
    {"the vDSO", 0, true},
};

enum { FIRST_OWN = 14 };

static void make_memory(void) {
  char *p = raw_memory(8 * RAW_PAGE);
  memset(p, 0, 8 * RAW_PAGE);
  cloudabi_sys_mem_unmap(p, RAW_PAGE);
  cloudabi_sys_mem_protect(p + RAW_PAGE, RAW_PAGE, 0);
  cloudabi_sys_mem_unmap(p + 3 * RAW_PAGE, RAW_PAGE);
  cloudabi_sys_mem_protect(p + 4 * RAW_PAGE, RAW_PAGE, CLOUDABI_PROT_READ);
  bad[FIRST_OWN].at = (uintptr_t)p;
  bad[FIRST_OWN + 1].at = (uintptr_t)p + RAW_PAGE;
  bad[FIRST_OWN + 2].at = (uintptr_t)p + 3 * RAW_PAGE - 1;
  bad[FIRST_OWN + 3].at = (uintptr_t)p + 4 * RAW_PAGE;
  bad[FIRST_OWN + 4].at = (uintptr_t)make_memory;
  bad[FIRST_OWN + 5].at = (uintptr_t)table_find("fd_close")->call;
}

#define BAD_COUNT (sizeof(bad) / sizeof(bad[0]))

/* Whether the i-th argument is a pointer that the call reads or writes through. */
static bool is_pointer(const struct table_call *call, unsigned i) {
  if (strchr(call->type[i], '*') == NULL)
    return false;
  /* These are addresses: nothing lies there before. */
  return strcmp(call->arg[i], "mapping") != 0 && strcmp(call->arg[i], "addr") != 0;
}

static bool only_read(const struct table_call *call, unsigned i) {
  return strncmp(call->type[i], "const ", 6) == 0 ||
         strcmp(call->type[i], "struct threadattr *") == 0;
}

static void check_argument(const struct call_case *c, const struct table_call *call, unsigned i) {
  char what[100];
  bool good = true, untouched = true;
  bool word = strcmp(call->type[i], "lock_t *") == 0 || strcmp(call->type[i], "condvar_t *") == 0;
  for (size_t b = 0; b < BAD_COUNT; b++) {
    if (bad[b].readable && only_read(call, i))
      continue;
    uint64_t args[TABLE_ARGS_MAX];
    memcpy(args, c->args, sizeof(args));
    args[i] = word ? bad[b].at & ~3ull : bad[b].at;
    if (word && b == FIRST_OWN + 2)
      continue; /* a whole word lies there */
    memset(cases_out, 0xee, sizeof(cases_out));
    cloudabi_errno_t e = table_make(call, args);
    if (e != CLOUDABI_EFAULT) {
      snprintf(what, sizeof(what), "%s is %s", call->arg[i], bad[b].what);
      check_err(c->name, what, e, CLOUDABI_EFAULT);
      good = false;
    }
    untouched = untouched && raw_all(cases_out, 64, 0xee);
  }
  snprintf(what, sizeof(what), "%s is no address, in %zu ways", call->arg[i], BAD_COUNT);
  check(c->name, what, good);
  snprintf(what, sizeof(what), "%s is no address: the results are left alone", call->arg[i]);
  check(c->name, what, untouched);
}

/* A buffer that begins well. */
static void check_lengths(const struct call_case *c, const struct table_call *call, unsigned i) {
  static const uint64_t lengths[] = {SIZE_MAX, SIZE_MAX / 2, SIZE_MAX / 2 + 1, 1ull << 49,
                                     SIZE_MAX - 4095};
  char what[100];
  bool good = true;
  for (size_t n = 0; n < sizeof(lengths) / sizeof(lengths[0]); n++) {
    uint64_t args[TABLE_ARGS_MAX];
    memcpy(args, c->args, sizeof(args));
    args[i] = lengths[n];
    memset(cases_out, 0xee, sizeof(cases_out));
    cloudabi_errno_t e = table_make(call, args);
    /* A buffer may be longer than what there is to put into it. */
    bool fine =
        e == c->result && strcmp(call->arg[i], "buf_len") == 0 && strncmp(c->name, "file_", 5) == 0;
    fine = fine || (e != 0 && e != CLOUDABI_ENOSYS);
    if (!fine) {
      snprintf(what, sizeof(what), "%s is %#llx", call->arg[i], (unsigned long long)lengths[n]);
      check_err(c->name, what, e, CLOUDABI_EFAULT);
    }
    good = good && fine;
  }
  snprintf(what, sizeof(what), "%s is up to SIZE_MAX", call->arg[i]);
  check(c->name, what, good);
}

static void check_calls(void) {
  for (size_t n = 0; n < case_count; n++) {
    const struct call_case *c = &cases[n];
    const struct table_call *call = table_find(c->name);
    if (c->result == CLOUDABI_ENOTCAPABLE || c->result == CLOUDABI_ENOTSOCK)
      continue; /* sock.c has a descriptor for these */
    for (unsigned i = 0; i < call->count; i++) {
      if (is_pointer(call, i))
        check_argument(c, call, i);
      else if (strcmp(call->type[i], "size_t") == 0)
        check_lengths(c, call, i);
    }
  }
}

/* ---- Pointers inside of what pointers lead to ------------------------------------------------ */

static void nested(const char *call, const char *what, cloudabi_errno_t (*make)(uintptr_t at),
                   bool reads) {
  char text[100];
  bool good = true;
  for (size_t b = 0; b < BAD_COUNT; b++) {
    if (bad[b].readable && reads)
      continue;
    cloudabi_errno_t e = make(bad[b].at);
    if (e != CLOUDABI_EFAULT) {
      snprintf(text, sizeof(text), "%s is %s", what, bad[b].what);
      check_err(call, text, e, CLOUDABI_EFAULT);
      good = false;
    }
  }
  snprintf(text, sizeof(text), "%s is no address, in %zu ways", what, BAD_COUNT);
  check(call, text, good);
}

static cloudabi_fd_t dir, file;

static cloudabi_errno_t read_to(uintptr_t at) {
  size_t n;
  struct cloudabi_iovec iov[2] = {{cases_out, 2}, {(void *)at, 2}};
  return cloudabi_sys_fd_pread(file, iov, 2, 0, &n);
}

static cloudabi_errno_t read_at(uintptr_t at) {
  size_t n;
  uint64_t offset;
  struct cloudabi_iovec iov = {(void *)at, 2};
  cloudabi_sys_fd_seek(file, 0, CLOUDABI_WHENCE_SET, &offset);
  return cloudabi_sys_fd_read(file, &iov, 1, &n);
}

static cloudabi_errno_t write_from(uintptr_t at) {
  size_t n;
  struct cloudabi_iovec iov = {(void *)at, 2};
  return cloudabi_sys_fd_write(check_fd, &iov, 1, &n);
}

static cloudabi_errno_t stack_at(uintptr_t at) {
  cloudabi_tid_t tid;
  struct cloudabi_threadattr attr = {raw_thread_main, (void *)at, 2048, NULL};
  return cloudabi_sys_thread_create(&attr, &tid);
}

static cloudabi_errno_t event_error(struct cloudabi_subscription s) {
  struct cloudabi_event ev = {.error = 0};
  cloudabi_errno_t e = raw_wait(s, RAW_MS, &ev);
  return e != 0 ? e : ev.error;
}

static cloudabi_errno_t wrlock_at(uintptr_t at) {
  return event_error(raw_lock_sub((void *)(at & ~3ull), CLOUDABI_EVENTTYPE_LOCK_WRLOCK));
}

static cloudabi_errno_t rdlock_at(uintptr_t at) {
  return event_error(raw_lock_sub((void *)(at & ~3ull), CLOUDABI_EVENTTYPE_LOCK_RDLOCK));
}

static cloudabi_lock_t lock;
static cloudabi_condvar_t condvar;

static cloudabi_errno_t condvar_at(uintptr_t at) {
  struct cloudabi_event ev;
  lock = 0;
  raw_wait(raw_lock_sub(&lock, CLOUDABI_EVENTTYPE_LOCK_WRLOCK), 0, &ev);
  return event_error(raw_condvar_sub((void *)(at & ~3ull), &lock));
}

static cloudabi_errno_t condvar_lock_at(uintptr_t at) {
  return event_error(raw_condvar_sub(&condvar, (void *)(at & ~3ull)));
}

static void check_nested(void) {
  nested("fd_pread", "the second piece", read_to, false);
  nested("fd_read", "the piece", read_at, false);
  nested("fd_write", "the piece", write_from, true);
  nested("thread_create", "the stack", stack_at, false);
  /* A word at the end of memory is a whole one, and what code is as a lock is no matter here. */
  bad[FIRST_OWN + 2].at = bad[FIRST_OWN + 4].at = bad[FIRST_OWN + 5].at = bad[FIRST_OWN].at;
  nested("poll", "a lock to write", wrlock_at, false);
  nested("poll", "a lock to read", rdlock_at, false);
  nested("poll", "a condition variable", condvar_at, false);
  bad[FIRST_OWN + 3].at = bad[FIRST_OWN].at;
  nested("poll", "a condition variable's lock", condvar_lock_at, false);
  for (uintptr_t odd = 1; odd < 4; odd++) {
    void *at = (char *)&lock + odd;
    char what[60];
    snprintf(what, sizeof(what), "a lock at an address that is %lu modulo 4", (unsigned long)odd);
    check_err("lock_unlock", what, cloudabi_sys_lock_unlock(at, CLOUDABI_SCOPE_PRIVATE),
              CLOUDABI_EFAULT);
    check_err("poll", what, event_error(raw_lock_sub(at, CLOUDABI_EVENTTYPE_LOCK_WRLOCK)),
              CLOUDABI_EFAULT);
    check_err("condvar_signal", what, cloudabi_sys_condvar_signal(at, CLOUDABI_SCOPE_PRIVATE, 1),
              CLOUDABI_EFAULT);
  }
}

/* All other results may lie at any address. */
static void check_misaligned(void) {
  char *at = (char *)cases_out + 33;
  uint64_t time = 0;
  check_err("clock_res_get", "a result at an odd address",
            cloudabi_sys_clock_res_get(1, (void *)at), 0);
  check_err("fd_stat_get", "a result at an odd address", cloudabi_sys_fd_stat_get(file, (void *)at),
            0);
  memcpy(&time, at + 8, sizeof(time));
  check_eq("fd_stat_get", "a result at an odd address is whole", time, raw_rights(file));
  struct cloudabi_subscription s = raw_clock(0, 0);
  memcpy(cases_out + 129, &s, sizeof(s));
  check_err("poll", "arrays at odd addresses",
            cloudabi_sys_poll((void *)(cases_out + 129), (void *)(cases_out + 257), 1, (void *)at),
            0);
}

/* ---- Memory that goes while the call waits --------------------------------------------------- */

static void wait_into(struct raw_thread *t) {
  struct cloudabi_subscription s = raw_clock(30 * RAW_MS, 0);
  size_t n;
  t->step = 1;
  cloudabi_errno_t e = cloudabi_sys_poll(&s, t->arg, 1, &n);
  t->step = 2 + e;
}

static void check_unmapped_meanwhile(void) {
  struct raw_thread t;
  void *p = raw_memory(RAW_PAGE);
  raw_spawn(&t, wait_into, p);
  raw_until(&t.step, 1);
  raw_sleep(5 * RAW_MS);
  cloudabi_sys_mem_unmap(p, RAW_PAGE);
  raw_join(&t);
  check_err("poll", "out is unmapped by another thread during the call", t.step - 2,
            CLOUDABI_EFAULT);
  p = raw_memory(RAW_PAGE);
  raw_spawn(&t, wait_into, p);
  raw_until(&t.step, 1);
  raw_sleep(5 * RAW_MS);
  cloudabi_sys_mem_protect(p, RAW_PAGE, CLOUDABI_PROT_READ);
  raw_join(&t);
  check_err("poll", "out becomes read-only during the call", t.step - 2, CLOUDABI_EFAULT);
}

static void check_mappings(void) {
  static const uintptr_t odd[] = {1, 0xffffffff80100001, UINTPTR_MAX, 0x800000000001};
  for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
    void *p = (void *)odd[i];
    char what[60];
    snprintf(what, sizeof(what), "address %#lx", (unsigned long)odd[i]);
    check_err("mem_unmap", what, cloudabi_sys_mem_unmap(p, RAW_PAGE), CLOUDABI_EINVAL);
    check_err("mem_protect", what, cloudabi_sys_mem_protect(p, RAW_PAGE, CLOUDABI_PROT_READ),
              CLOUDABI_EINVAL);
    check("mem_advise", what, cloudabi_sys_mem_advise(p, RAW_PAGE, CLOUDABI_ADVICE_NORMAL) != 0);
    check("mem_sync", what, cloudabi_sys_mem_sync(p, RAW_PAGE, CLOUDABI_MS_SYNC) != 0);
  }
}

void program_main(const argdata_t *ad) {
  check_begin(ad);
  dir = arg_fd(ad, "dir");
  file = arg_fd(ad, "file");
  cases_init(dir, file, check_fd);
  make_memory();
  check_calls();
  check_nested();
  check_misaligned();
  check_unmapped_meanwhile();
  check_mappings();
  check_end();
}
