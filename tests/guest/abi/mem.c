/*
 * mem_*, from inside: {out: fd, dir: fd, file: fd of 5000 bytes, byte i being i % 251}.
 * Reference 6.
 *
 * Whether memory can be read and written is asked of the kernel, whose copies fail with EFAULT.
 */
#include <program.h>

#include "../check.h"
#include "machine.h"
#include "raw.h"

#define ANON (CLOUDABI_MAP_ANON | CLOUDABI_MAP_PRIVATE)
#define R CLOUDABI_PROT_READ
#define W CLOUDABI_PROT_WRITE
#define X CLOUDABI_PROT_EXEC
#define NO_FD CLOUDABI_MAP_ANON_FD
#define FILE_BYTES 5000

static cloudabi_fd_t dir, file;

static cloudabi_errno_t map(void *at, size_t len, unsigned prot, unsigned flags, cloudabi_fd_t fd,
                            uint64_t off, void *out) {
  return cloudabi_sys_mem_map(at, len, prot, flags, fd, off, out);
}

static bool readable(const void *p) {
  struct cloudabi_lookup lookup = {dir, 0};
  struct cloudabi_filestat out;
  /* A name of one byte, whatever it is. */
  return cloudabi_sys_file_stat_get(lookup, p, 1, &out) != CLOUDABI_EFAULT;
}

static bool writable(void *p) {
  return cloudabi_sys_random_get(p, 1) == 0;
}

static void check_anonymous(void) {
  uint8_t *p = NULL, *q = NULL;
  check_err("mem_map", "anonymous memory", map(NULL, 123100, R | W, ANON, NO_FD, 0, &p), 0);
  check("mem_map", "anonymous: a page's address",
        p != NULL && ((uintptr_t)p & (RAW_PAGE - 1)) == 0);
  check("mem_map", "anonymous: zeroes, up to the end of the last page", raw_all(p, 126976, 0));
  memset(p, 0xab, 126976);
  check("mem_map", "anonymous: keeps what is written", raw_all(p, 126976, 0xab));
  check_err("mem_map", "shared anonymous memory",
            map(NULL, RAW_PAGE, R | W, CLOUDABI_MAP_ANON | CLOUDABI_MAP_SHARED, NO_FD, 0, &q), 0);
  check("mem_map", "shared anonymous: zeroes", raw_all(q, RAW_PAGE, 0));
  check_err("mem_unmap", "the length that was mapped", cloudabi_sys_mem_unmap(p, 123100), 0);
  check("mem_unmap", "the first byte is gone", !writable(p));
  check("mem_unmap", "the last page is gone", !writable(p + 126975));
  check_err("mem_map", "memory comes back zeroed",
            map(p, 126976, R | W, ANON | CLOUDABI_MAP_FIXED, NO_FD, 0, &p), 0);
  check("mem_map", "memory that comes back is zeroed", raw_all(p, 126976, 0));
  cloudabi_sys_mem_unmap(p, 126976);
  cloudabi_sys_mem_unmap(q, RAW_PAGE);
  check_err("mem_map", "a hint", map((void *)0x123456789000, RAW_PAGE, R | W, ANON, NO_FD, 0, &p),
            0);
  cloudabi_sys_mem_unmap(p, RAW_PAGE);
  check_err("mem_map", "a hint that is no page's address",
            map((void *)0x123456789123, RAW_PAGE, R | W, ANON, NO_FD, 0, &p), 0);
  check("mem_map", "a hint that is no page's address: the result is one",
        ((uintptr_t)p & (RAW_PAGE - 1)) == 0);
  cloudabi_sys_mem_unmap(p, RAW_PAGE);
  check_err("mem_map", "a hint in the kernel",
            map((void *)0xffffffff80000000, RAW_PAGE, R | W, ANON, NO_FD, 0, &p), 0);
  cloudabi_sys_mem_unmap(p, RAW_PAGE);
}

static void check_map_arguments(void) {
  void *p = (void *)0x1234;
  char what[60];
  static const unsigned bad_prot[] = {W | X, R | W | X, 8, 0x80, 0xff};
  for (size_t i = 0; i < sizeof(bad_prot) / sizeof(bad_prot[0]); i++) {
    snprintf(what, sizeof(what), "protection %#x", bad_prot[i]);
    check_err("mem_map", what, map(NULL, RAW_PAGE, bad_prot[i], ANON, NO_FD, 0, &p),
              CLOUDABI_ENOTSUP);
  }
  static const unsigned bad_flags[] = {
      0,
      CLOUDABI_MAP_ANON,
      CLOUDABI_MAP_ANON | CLOUDABI_MAP_PRIVATE | CLOUDABI_MAP_SHARED,
      CLOUDABI_MAP_FIXED,
      ANON | 0x10,
      0xff};
  for (size_t i = 0; i < sizeof(bad_flags) / sizeof(bad_flags[0]); i++) {
    snprintf(what, sizeof(what), "flags %#x", bad_flags[i]);
    check_err("mem_map", what, map(NULL, RAW_PAGE, R, bad_flags[i], NO_FD, 0, &p), CLOUDABI_EINVAL);
  }
  check_err("mem_map", "anonymous with a descriptor", map(NULL, RAW_PAGE, R, ANON, file, 0, &p),
            CLOUDABI_EINVAL);
  check_err("mem_map", "anonymous with an offset",
            map(NULL, RAW_PAGE, R, ANON, NO_FD, RAW_PAGE, &p), CLOUDABI_EINVAL);
  check_err("mem_map", "anonymous of length 0", map(NULL, 0, R, ANON, NO_FD, 0, &p),
            CLOUDABI_EINVAL);
  check("mem_map", "anonymous of length SIZE_MAX", map(NULL, SIZE_MAX, R, ANON, NO_FD, 0, &p) != 0);
  check_err("mem_map", "anonymous, more than the address space",
            map(NULL, 1ull << 60, R, ANON, NO_FD, 0, &p), CLOUDABI_ENOMEM);
  check_err("mem_map", "a bad protection before bad flags", map(NULL, 0, W | X, 0, 5, 1, &p),
            CLOUDABI_ENOTSUP);
  check_err("mem_map", "bad flags before a bad descriptor", map(NULL, 0, R, 0, RAW_BAD_FD, 1, &p),
            CLOUDABI_EINVAL);
  check_eq("mem_map", "failures leave the result alone", (uintptr_t)p, 0x1234);
}

static void check_fixed(void) {
  uint8_t *p = raw_memory(5 * RAW_PAGE), *out = (void *)0x1234;
  const unsigned fixed = ANON | CLOUDABI_MAP_FIXED;
  memset(p, 1, 5 * RAW_PAGE);
  check_err("mem_map", "fixed, over what is there",
            map(p + RAW_PAGE, RAW_PAGE, R | W, fixed, NO_FD, 0, &out), 0);
  check("mem_map", "fixed: exactly there", out == p + RAW_PAGE);
  check("mem_map", "fixed: replaced", raw_all(p + RAW_PAGE, RAW_PAGE, 0));
  check("mem_map", "fixed: what lies around stays",
        raw_all(p, RAW_PAGE, 1) && raw_all(p + 2 * RAW_PAGE, 3 * RAW_PAGE, 1));
  out = (void *)0x1234;
  check_err("mem_map", "fixed at no page's address",
            map(p + 1, RAW_PAGE, R | W, fixed, NO_FD, 0, &out), CLOUDABI_EINVAL);
  static const uintptr_t outside[] = {0,
                                      0xffff800000000000,
                                      0xffffffff80000000,
                                      MACHINE_USER_END,
                                      MACHINE_USER_END - RAW_PAGE,
                                      0xfffffffffffff000,
                                      0xffff000000000000};
  for (size_t i = 0; i < sizeof(outside) / sizeof(outside[0]); i++) {
    char what[60];
    snprintf(what, sizeof(what), "fixed at %#lx", (unsigned long)outside[i]);
    cloudabi_errno_t e = map((void *)outside[i], 2 * RAW_PAGE, R | W, fixed, NO_FD, 0, &out);
    check_either("mem_map", what, e, CLOUDABI_EINVAL, CLOUDABI_ENOMEM);
  }
  cloudabi_errno_t e = map(p, SIZE_MAX & ~(RAW_PAGE - 1), R, fixed, NO_FD, 0, &out);
  check_either("mem_map", "fixed, wrapping", e, CLOUDABI_EINVAL, CLOUDABI_ENOMEM);
  check("mem_map", "fixed: failures leave everything",
        out == (void *)0x1234 && raw_all(p, RAW_PAGE, 1));
  cloudabi_sys_mem_unmap(p, 5 * RAW_PAGE);
}

static void check_unmap(void) {
  uint8_t *p = raw_memory(5 * RAW_PAGE);
  memset(p, 1, 5 * RAW_PAGE);
  check_err("mem_unmap", "a page in the middle", cloudabi_sys_mem_unmap(p + 2 * RAW_PAGE, 1), 0);
  check("mem_unmap", "a page in the middle: gone", !writable(p + 2 * RAW_PAGE));
  check("mem_unmap", "a page in the middle: its neighbours stay",
        raw_all(p, 2 * RAW_PAGE, 1) && raw_all(p + 3 * RAW_PAGE, 2 * RAW_PAGE, 1));
  check_err("mem_unmap", "with holes", cloudabi_sys_mem_unmap(p, 5 * RAW_PAGE), 0);
  check_err("mem_unmap", "nothing but a hole", cloudabi_sys_mem_unmap(p, 5 * RAW_PAGE), 0);
  p = raw_memory(RAW_PAGE);
  check_err("mem_unmap", "no page's address", cloudabi_sys_mem_unmap(p + 8, 8), CLOUDABI_EINVAL);
  check_err("mem_unmap", "length 0", cloudabi_sys_mem_unmap(p, 0), CLOUDABI_EINVAL);
  check_err("mem_unmap", "length SIZE_MAX", cloudabi_sys_mem_unmap(p, SIZE_MAX), CLOUDABI_EINVAL);
  check_err("mem_unmap", "the kernel", cloudabi_sys_mem_unmap((void *)0xffffffff80000000, RAW_PAGE),
            CLOUDABI_EINVAL);
  check_err("mem_unmap", "from here to the end of all", cloudabi_sys_mem_unmap(p, -(uintptr_t)p),
            CLOUDABI_EINVAL);
  check("mem_unmap", "failures unmap nothing", writable(p));
  cloudabi_sys_mem_unmap(p, RAW_PAGE);
}

static void check_protect(void) {
  uint8_t *p = raw_memory(5 * RAW_PAGE);
  memset(p, 1, 5 * RAW_PAGE);
  check_err("mem_protect", "read-only", cloudabi_sys_mem_protect(p + RAW_PAGE, 2 * RAW_PAGE - 7, R),
            0);
  check("mem_protect", "read-only: can't be written",
        !writable(p + RAW_PAGE) && !writable(p + 3 * RAW_PAGE - 1));
  check("mem_protect", "read-only: keeps its contents", raw_all(p, 5 * RAW_PAGE, 1));
  check("mem_protect", "read-only: its neighbours can be written",
        writable(p + RAW_PAGE - 1) && writable(p + 3 * RAW_PAGE));
  check_err("mem_protect", "nothing", cloudabi_sys_mem_protect(p + RAW_PAGE, RAW_PAGE, 0), 0);
  check("mem_protect", "nothing: can't be read", !readable(p + RAW_PAGE));
  check_err("mem_protect", "executable", cloudabi_sys_mem_protect(p + RAW_PAGE, RAW_PAGE, R | X),
            0);
  check("mem_protect", "executable: can't be written", !writable(p + RAW_PAGE));
  check_err("mem_protect", "executable alone", cloudabi_sys_mem_protect(p + RAW_PAGE, RAW_PAGE, X),
            0);
  check_err("mem_protect", "writable again",
            cloudabi_sys_mem_protect(p + RAW_PAGE, 2 * RAW_PAGE, R | W), 0);
  check("mem_protect", "writable again: with its contents", raw_all(p + RAW_PAGE + 1, 100, 1));
  check("mem_protect", "writable again: is", writable(p + RAW_PAGE));

  static const unsigned bad[] = {W | X, R | W | X, 8, 0xff};
  for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
    char what[40];
    snprintf(what, sizeof(what), "protection %#x", bad[i]);
    check_err("mem_protect", what, cloudabi_sys_mem_protect(p, RAW_PAGE, bad[i]), CLOUDABI_ENOTSUP);
    snprintf(what, sizeof(what), "protection %#x of a bad address", bad[i]);
    check_err("mem_protect", what, cloudabi_sys_mem_protect((void *)1, 0, bad[i]),
              CLOUDABI_ENOTSUP);
  }
  check_err("mem_protect", "no page's address", cloudabi_sys_mem_protect(p + 4, 4, R),
            CLOUDABI_EINVAL);
  cloudabi_sys_mem_unmap(p + 2 * RAW_PAGE, RAW_PAGE);
  check_err("mem_protect", "across a hole", cloudabi_sys_mem_protect(p, 5 * RAW_PAGE, R),
            CLOUDABI_ENOMEM);
  check("mem_protect", "across a hole: changes nothing", writable(p) && writable(p + 4 * RAW_PAGE));
  check("mem_protect", "length SIZE_MAX", cloudabi_sys_mem_protect(p, SIZE_MAX, R) != 0);
  check("mem_protect", "the kernel",
        cloudabi_sys_mem_protect((void *)0xffffffff80000000, RAW_PAGE, R) != 0);
  cloudabi_sys_mem_unmap(p, 5 * RAW_PAGE);
}

/* Retired. */
static void check_lock(void) {
  uint8_t *p = raw_memory(2 * RAW_PAGE);
  check_err("mem_lock", "mapped memory", cloudabi_sys_mem_lock(p, 2 * RAW_PAGE), 0);
  check_err("mem_unlock", "mapped memory", cloudabi_sys_mem_unlock(p, 2 * RAW_PAGE), 0);
  cloudabi_sys_mem_unmap(p + RAW_PAGE, RAW_PAGE);
  check_err("mem_lock", "unmapped memory", cloudabi_sys_mem_lock(p, 2 * RAW_PAGE), CLOUDABI_ENOMEM);
  check_err("mem_unlock", "unmapped memory", cloudabi_sys_mem_unlock(p, 2 * RAW_PAGE),
            CLOUDABI_ENOMEM);
  check_err("mem_lock", "the kernel", cloudabi_sys_mem_lock((void *)0xffffffff80000000, RAW_PAGE),
            CLOUDABI_ENOMEM);
  cloudabi_sys_mem_unmap(p, RAW_PAGE);
}

static void check_advise(void) {
  uint8_t *p = raw_memory(2 * RAW_PAGE);
  char what[40];
  memset(p, 7, 2 * RAW_PAGE);
  for (unsigned advice = 0; advice <= 7; advice++) {
    bool good = advice != 0 && advice != CLOUDABI_ADVICE_NOREUSE && advice != 7;
    snprintf(what, sizeof(what), "advice %u", advice);
    check_err("mem_advise", what, cloudabi_sys_mem_advise(p, 2 * RAW_PAGE, advice),
              good ? 0 : CLOUDABI_EINVAL);
  }
  check("mem_advise", "DONTNEED keeps the contents", raw_all(p, 2 * RAW_PAGE, 7));
  cloudabi_sys_mem_unmap(p + RAW_PAGE, RAW_PAGE);
  check_err("mem_advise", "unmapped memory",
            cloudabi_sys_mem_advise(p, 2 * RAW_PAGE, CLOUDABI_ADVICE_NORMAL), CLOUDABI_ENOMEM);
  check("mem_advise", "a range that wraps",
        cloudabi_sys_mem_advise((void *)UINTPTR_MAX, 100, CLOUDABI_ADVICE_NORMAL) != 0);
  check(
      "mem_advise", "the kernel",
      cloudabi_sys_mem_advise((void *)0xffffffff80000000, RAW_PAGE, CLOUDABI_ADVICE_WILLNEED) != 0);
  for (unsigned flags = 0; flags <= 8; flags++) {
    bool good = flags == CLOUDABI_MS_ASYNC || flags == CLOUDABI_MS_SYNC || flags == 3 || flags == 6;
    snprintf(what, sizeof(what), "flags %u", flags);
    check_err("mem_sync", what, cloudabi_sys_mem_sync(p, RAW_PAGE, flags),
              good ? 0 : CLOUDABI_EINVAL);
    if (!good) {
      snprintf(what, sizeof(what), "flags %u before a bad address", flags);
      check_err("mem_sync", what, cloudabi_sys_mem_sync((void *)1, 1, flags), CLOUDABI_EINVAL);
    }
  }
  check_err("mem_sync", "unmapped memory", cloudabi_sys_mem_sync(p, 2 * RAW_PAGE, CLOUDABI_MS_SYNC),
            CLOUDABI_ENOMEM);
  check("mem_sync", "a range that wraps",
        cloudabi_sys_mem_sync((void *)UINTPTR_MAX, 100, CLOUDABI_MS_SYNC) != 0);
  cloudabi_sys_mem_unmap(p, RAW_PAGE);
}

static bool is_file(const uint8_t *p, size_t from, size_t n) {
  for (size_t i = 0; i < n; i++) {
    if (p[i] != (from + i) % 251)
      return false;
  }
  return true;
}

static void check_file(void) {
  uint8_t *p = NULL, *q = NULL;
  const unsigned private = CLOUDABI_MAP_PRIVATE, shared = CLOUDABI_MAP_SHARED;
  check_err("mem_map", "a file, private", map(NULL, FILE_BYTES, R, private, file, 0, &p), 0);
  check("mem_map", "a file: its contents", is_file(p, 0, FILE_BYTES));
  check("mem_map", "a file: zeroes behind its end", raw_all(p + FILE_BYTES, 8192 - FILE_BYTES, 0));
  check("mem_map", "a file, read-only: can't be written", !writable(p));
  check_err("mem_map", "a file, shared", map(NULL, FILE_BYTES, R, shared, file, 0, &q), 0);
  check("mem_map", "a file, shared: its contents", is_file(q, 0, FILE_BYTES));
  cloudabi_sys_mem_unmap(q, FILE_BYTES);
  check_err("mem_map", "a file from its second page",
            map(NULL, 100, R, private, file, RAW_PAGE, &q), 0);
  check("mem_map", "a file from its second page: contents",
        is_file(q, RAW_PAGE, FILE_BYTES - RAW_PAGE));
  cloudabi_sys_mem_unmap(q, 100);
  check_err("mem_map", "a file, private and writable",
            map(NULL, FILE_BYTES, R | W, private, file, 0, &q), 0);
  q[0] = 0xfe;
  check("mem_map", "a private change is seen there alone",
        q[0] == 0xfe && p[0] == 0 && is_file(q + 1, 1, 99));
  cloudabi_sys_mem_unmap(q, FILE_BYTES);
  check_err("mem_map", "a file, executable", map(NULL, FILE_BYTES, R | X, private, file, 0, &q), 0);
  cloudabi_sys_mem_unmap(q, FILE_BYTES);

  q = (void *)0x1234;
  check_err("mem_map", "a read-only file, shared and writable",
            map(NULL, FILE_BYTES, R | W, shared, file, 0, &q), CLOUDABI_ENOTCAPABLE);
  check_err("mem_map", "an offset inside a page", map(NULL, 1, R, private, file, 1, &q),
            CLOUDABI_EINVAL);
  check_err("mem_map", "a file of length 0", map(NULL, 0, R, private, file, 0, &q),
            CLOUDABI_EINVAL);
  check("mem_map", "a file of length SIZE_MAX", map(NULL, SIZE_MAX, R, private, file, 0, &q) != 0);
  check("mem_map", "a file at an offset that wraps",
        map(NULL, 2 * RAW_PAGE, R, private, file, UINT64_MAX & ~(RAW_PAGE - 1), &q) != 0);
  check_err("mem_map", "a file by 0xffffffff", map(NULL, 1, R, private, NO_FD, 0, &q),
            CLOUDABI_EBADF);
  check_err("mem_map", "a closed number", map(NULL, 0, R, private, RAW_BAD_FD, 1, &q),
            CLOUDABI_EBADF);
  check_err("mem_map", "a directory", map(NULL, 0, R, private, dir, 1, &q), CLOUDABI_ENOTCAPABLE);
  check_err("mem_map", "the console", map(NULL, 1, R, private, check_fd, 0, &q),
            CLOUDABI_ENOTCAPABLE);
  check_eq("mem_map", "a file: failures leave the result alone", (uintptr_t)q, 0x1234);

  cloudabi_fd_t a = raw_dup_with(file, CLOUDABI_RIGHT_FD_READ);
  check_err("mem_map", "without the right mem_map", map(NULL, 1, R, private, a, 0, &q),
            CLOUDABI_ENOTCAPABLE);
  cloudabi_sys_fd_close(a);
  a = raw_dup_with(file, CLOUDABI_RIGHT_MEM_MAP);
  check_err("mem_map", "without the right fd_read", map(NULL, 1, R, private, a, 0, &q),
            CLOUDABI_ENOTCAPABLE);
  cloudabi_sys_fd_close(a);
  a = raw_dup_with(file, CLOUDABI_RIGHT_MEM_MAP | CLOUDABI_RIGHT_FD_READ);
  check_err("mem_map", "without the right mem_map_exec", map(NULL, 1, R | X, private, a, 0, &q),
            CLOUDABI_ENOTCAPABLE);
  check_err("mem_map", "for reading without mem_map_exec", map(NULL, 1, R, private, a, 0, &q), 0);
  cloudabi_sys_fd_close(a);
  check("mem_map", "a mapping outlives its descriptor", is_file(q, 0, RAW_PAGE));
  check_err("mem_protect", "executable, which the descriptor did not allow",
            cloudabi_sys_mem_protect(q, RAW_PAGE, R | X), CLOUDABI_EACCES);
  check_err("mem_sync", "a file's mapping", cloudabi_sys_mem_sync(p, FILE_BYTES, CLOUDABI_MS_SYNC),
            0);
  check_err("mem_map", "more than the file", map(NULL, 4 * RAW_PAGE, R, private, file, 0, &q), 0);
  check("mem_map", "whole pages beyond the end can't be read by the kernel either",
        !readable(q + 2 * RAW_PAGE));
}

/* Whether the first word of each page is its address, but for a part that is of zeroes. */
static bool is_filled(const uint8_t *p, size_t bytes, size_t hole, size_t hole_bytes) {
  for (size_t at = 0; at < bytes; at += RAW_PAGE) {
    bool in_hole = at >= hole && at - hole < hole_bytes;
    if (*(const uintptr_t *)(p + at) != (in_hole ? 0 : (uintptr_t)p + at))
      return false;
  }
  return true;
}

/* So much that the machine may use large pages for it: nothing of that may show. */
static void check_much(void) {
  enum { MUCH = 16 << 20, LARGE = 2 << 20 };
  uint8_t *p = raw_memory(MUCH);
  uint8_t *at = (uint8_t *)(((uintptr_t)p + LARGE - 1) & ~(uintptr_t)(LARGE - 1));
  check("mem_map", "much memory: zeroes", raw_all(p, MUCH, 0));
  for (size_t i = 0; i < MUCH; i += RAW_PAGE)
    *(uintptr_t *)(p + i) = (uintptr_t)p + i;
  check_err("mem_protect", "much memory: a page inside",
            cloudabi_sys_mem_protect(at + 5 * RAW_PAGE, RAW_PAGE, R), 0);
  check("mem_protect", "much memory: that page alone",
        !writable(at + 5 * RAW_PAGE) && writable(at + 5 * RAW_PAGE - 1) &&
            writable(at + 6 * RAW_PAGE + 8));
  check_err("mem_protect", "much memory: the middle",
            cloudabi_sys_mem_protect(at + LARGE, 3 * LARGE, R), 0);
  check("mem_protect", "much memory: the middle can't be written",
        !writable(at + LARGE) && !writable(at + 4 * LARGE - 1) && writable(at + 4 * LARGE + 8));
  check_err("mem_protect", "much memory: all again", cloudabi_sys_mem_protect(p, MUCH, R | W), 0);
  check("mem_protect", "much memory: keeps its contents", is_filled(p, MUCH, 0, 0));
  check_err("mem_unmap", "much memory: from inside to inside",
            cloudabi_sys_mem_unmap(at + LARGE + 3 * RAW_PAGE, 2 * LARGE), 0);
  check("mem_unmap", "much memory: the part is gone",
        writable(at + LARGE + 3 * RAW_PAGE - 1) && !writable(at + LARGE + 3 * RAW_PAGE) &&
            !writable(at + 3 * LARGE + 3 * RAW_PAGE - 1) &&
            writable(at + 3 * LARGE + 3 * RAW_PAGE + 8));
  void *again;
  check_err(
      "mem_map", "much memory: a part again",
      map(at + LARGE + 3 * RAW_PAGE, 2 * LARGE, R | W, ANON | CLOUDABI_MAP_FIXED, NO_FD, 0, &again),
      0);
  check("mem_map", "much memory: zeroes in that part alone",
        is_filled(p, MUCH, (size_t)(at - p) + LARGE + 3 * RAW_PAGE, 2 * LARGE));
  check_err("mem_unmap", "much memory", cloudabi_sys_mem_unmap(p, MUCH), 0);
}

void program_main(const argdata_t *ad) {
  check_begin(ad);
  dir = arg_fd(ad, "dir");
  file = arg_fd(ad, "file");
  check_anonymous();
  check_map_arguments();
  check_fixed();
  check_unmap();
  check_protect();
  check_advise();
  check_lock();
  check_file();
  check_much();
  check_end();
}
