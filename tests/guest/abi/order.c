/*
 * The order in which calls check their arguments, and what they leave alone, for all of them: {out:
 * fd, dir: fd, file: fd}. Reference 0.3, 2.4 and 2.7: flags, then EBADF, then ENOTCAPABLE, then the
 * operation.
 */
#include <program.h>

#include "../check.h"
#include "cases.h"

static const struct call_case *c;
static const struct table_call *call;

/* Makes the call with outputs that can be told from untouched ones. */
static cloudabi_errno_t make(const uint64_t args[TABLE_ARGS_MAX]) {
  memset(cases_out, 0xee, sizeof(cases_out));
  return table_make(call, args);
}

static bool untouched(void) {
  return raw_all(cases_out, sizeof(cases_out), 0xee);
}

static void copy_args(uint64_t args[TABLE_ARGS_MAX]) {
  memcpy(args, c->args, sizeof(c->args));
}

static void expect(const char *what, const uint64_t args[TABLE_ARGS_MAX], cloudabi_errno_t want) {
  char text[120];
  cloudabi_errno_t e = make(args);
  check_err(c->name, what, e, want);
  if (e != 0 && !untouched()) {
    snprintf(text, sizeof(text), "%s: the results are left alone", what);
    check(c->name, text, false);
  }
}

/* What fits in a register beside a small integer is not looked at. */
static uint64_t garbage(unsigned i) {
  const char *type = call->type[i];
  if (strcmp(type, "fd_t") == 0 || strcmp(type, "clock_id_t") == 0)
    return 0xdeadbeef00000000;
  if (strcmp(type, "whence_t") == 0 || strcmp(type, "advice_t") == 0 ||
      strcmp(type, "scope_t") == 0 || strcmp(type, "mprot_t") == 0 ||
      strcmp(type, "mflags_t") == 0 || strcmp(type, "filetype_t") == 0 ||
      strcmp(type, "ulflags_t") == 0 || strcmp(type, "sdflags_t") == 0)
    return 0xdeadbeefabcdef00;
  if (strcmp(type, "oflags_t") == 0 || strcmp(type, "fdsflags_t") == 0 ||
      strcmp(type, "fsflags_t") == 0)
    return 0xdeadbeefabcd0000;
  return 0;
}

static void check_baseline(void) {
  uint64_t args[TABLE_ARGS_MAX];
  copy_args(args);
  expect("with good arguments", args, c->result);
  bool any = false;
  for (unsigned i = 0; i < call->count; i++) {
    args[i] |= garbage(i);
    any = any || garbage(i) != 0;
  }
  if (any)
    expect("with garbage in the unused parts of registers", args, c->result);
}

static void check_flag(void) {
  uint64_t args[TABLE_ARGS_MAX];
  copy_args(args);
  args[c->flag_at - 1] = c->bad_flag;
  expect("a bad flag", args, c->flag_error);
  if (c->fd_at == 0)
    return;
  args[c->fd_at - 1] = RAW_BAD_FD;
  expect("a bad flag before a closed number", args, c->flag_error);
}

static void spoil_pointers(uint64_t args[TABLE_ARGS_MAX]) {
  for (unsigned i = 0; i < call->count; i++) {
    if (strchr(call->type[i], '*') != NULL)
      args[i] = 8;
  }
}

static void check_closed(int at, const char *what) {
  uint64_t args[TABLE_ARGS_MAX];
  char text[80];
  static const uint32_t closed[] = {RAW_BAD_FD, 0x7fffffff, 0x80000000, 0xffffffff};
  for (size_t i = 0; i < sizeof(closed) / sizeof(closed[0]); i++) {
    copy_args(args);
    args[at] = closed[i];
    snprintf(text, sizeof(text), "%s: %#x is not open", what, (unsigned)closed[i]);
    expect(text, args, CLOUDABI_EBADF);
    if (c->reads_first)
      continue;
    spoil_pointers(args);
    snprintf(text, sizeof(text), "%s: %#x is not open, before bad pointers", what,
             (unsigned)closed[i]);
    expect(text, args, CLOUDABI_EBADF);
  }
}

/* Without one of the rights that it needs, all pointers being bad: those come later. */
static void check_rights(int at, const char *what, cloudabi_rights_t needed) {
  uint64_t args[TABLE_ARGS_MAX];
  char text[80];
  for (cloudabi_rights_t right = 1; right != 0 && right <= needed; right <<= 1) {
    if ((right & needed) == 0)
      continue;
    cloudabi_fd_t less = raw_dup_with(c->args[at], ~right);
    copy_args(args);
    args[at] = less;
    snprintf(text, sizeof(text), "%s: without the right %#llx", what, (unsigned long long)right);
    expect(text, args, CLOUDABI_ENOTCAPABLE);
    if (!c->reads_first)
      spoil_pointers(args);
    snprintf(text, sizeof(text), "%s: without the right %#llx, before bad pointers", what,
             (unsigned long long)right);
    expect(text, args, CLOUDABI_ENOTCAPABLE);
    cloudabi_sys_fd_close(less);
  }
}

/* With these rights and no others it works. */
static void check_enough(void) {
  uint64_t args[TABLE_ARGS_MAX];
  if (c->fd2_at > 0 || c->result == CLOUDABI_ENOTCAPABLE)
    return;
  cloudabi_fd_t less = RAW_BAD_FD;
  cloudabi_sys_fd_dup(c->args[c->fd_at - 1], &less);
  raw_set_rights(less, c->rights, c->kind == DIR ? CLOUDABI_RIGHT_FD_READ : 0);
  copy_args(args);
  args[c->fd_at - 1] = less;
  expect("with the rights that it needs alone", args, c->result);
  cloudabi_sys_fd_close(less);
}

/* A right by itself does not make a wrong kind of descriptor right: it can't even be had. */
static void check_kind(cloudabi_fd_t wrong) {
  uint64_t args[TABLE_ARGS_MAX];
  if (c->rights == 0 || (raw_rights(wrong) & c->rights) == c->rights)
    return;
  copy_args(args);
  args[c->fd_at - 1] = wrong;
  expect("another kind of descriptor", args, CLOUDABI_ENOTCAPABLE);
}

void program_main(const argdata_t *ad) {
  check_begin(ad);
  cloudabi_fd_t dir = arg_fd(ad, "dir"), file = arg_fd(ad, "file");
  cases_init(dir, file, check_fd);
  for (size_t i = 0; i < case_count; i++) {
    c = &cases[i];
    call = table_find(c->name);
    if (call == NULL) {
      check(c->name, "is in the list of calls", false);
      continue;
    }
    check_baseline();
    if (c->flag_at > 0)
      check_flag();
    if (c->fd_at == 0)
      continue;
    check_closed(c->fd_at - 1, "fd");
    if (c->fd2_at > 0)
      check_closed(c->fd2_at - 1, "fd2");
    check_rights(c->fd_at - 1, "fd", c->rights);
    if (c->fd2_at > 0)
      check_rights(c->fd2_at - 1, "fd2", c->rights2);
    check_enough();
    check_kind(check_fd);
    check_kind(c->kind == DIR ? file : dir);
  }
  check_end();
}
