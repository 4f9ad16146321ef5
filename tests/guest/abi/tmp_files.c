/*
 * Contents of files in a temporary directory, from inside: fd_read, fd_write, fd_pread, fd_pwrite,
 * fd_seek, fd_sync, sizes: {out: fd, tmp: a temporary directory}. Reference 2.4, 2.8 and 3.2.
 */
#include <program.h>

#include "tmp.h"

/* The largest offset of all, and the largest size of a file. */
#define LARGEST ((uint64_t)INT64_MAX)
#define LARGEST_SIZE (tmp_on_disk ? (uint64_t)UINT32_MAX << 10 : LARGEST)

static cloudabi_errno_t seek(cloudabi_fd_t fd, int64_t offset, cloudabi_whence_t whence,
                             uint64_t *at) {
  return cloudabi_sys_fd_seek(fd, offset, whence, at);
}

static uint64_t offset_of(cloudabi_fd_t fd) {
  uint64_t at = 99999;
  seek(fd, 0, CLOUDABI_WHENCE_CUR, &at);
  return at;
}

static size_t written(cloudabi_fd_t fd, const char *text) {
  struct cloudabi_iovec iov = {(void *)(uintptr_t)text, strlen(text)};
  size_t n = 99;
  check_err("fd_write", text, cloudabi_sys_fd_write(fd, &iov, 1, &n), 0);
  return n;
}

static void check_offsets(void) {
  char buf[20];
  size_t n = 99;
  uint64_t at = 99;
  cloudabi_fd_t fd = tmp_open("f", CLOUDABI_O_CREAT), twin = RAW_BAD_FD, own;
  check_eq("fd_write", "how much was written", written(fd, "hello"), 5);
  check_eq("fd_write", "more of it", written(fd, " world"), 6);
  check_eq("fd_seek", "writing moves the offset", offset_of(fd), 11);
  check("fd_pread", "all that was written", tmp_contains(fd, "hello world", 11));
  check_eq("fd_pread", "does not move the offset", offset_of(fd), 11);
  check_err("fd_read", "at the end", raw_read(fd, buf, sizeof(buf), &n), 0);
  check_eq("fd_read", "at the end: nothing", n, 0);
  check_err("fd_seek", "from the end", seek(fd, -5, CLOUDABI_WHENCE_END, &at), 0);
  check_eq("fd_seek", "from the end: there", at, 6);
  check_err("fd_read", "up to the end", raw_read(fd, buf, sizeof(buf), &n), 0);
  check("fd_read", "up to the end: what is there", n == 5 && memcmp(buf, "world", 5) == 0);
  check_err("fd_seek", "before the beginning", seek(fd, -12, CLOUDABI_WHENCE_END, &at),
            CLOUDABI_EINVAL);
  check_err("fd_seek", "beyond the largest offset", seek(fd, INT64_MAX, CLOUDABI_WHENCE_CUR, &at),
            CLOUDABI_EOVERFLOW);
  check_eq("fd_seek", "failures leave the offset alone", offset_of(fd), 11);
  check_err("fd_seek", "behind the end", seek(fd, 3, CLOUDABI_WHENCE_CUR, &at), 0);
  check_err("fd_read", "behind the end", raw_read(fd, buf, sizeof(buf), &n), 0);
  check_eq("fd_read", "behind the end: nothing", n, 0);
  check_eq("fd_seek", "behind the end: the size stays", tmp_stat_fd(fd).st_size, 11);
  written(fd, "!");
  check("fd_write", "a gap is zeroes", tmp_contains(fd, "hello world\0\0\0!", 15));

  cloudabi_sys_fd_dup(fd, &twin);
  seek(twin, 2, CLOUDABI_WHENCE_SET, &at);
  check_eq("fd_seek", "a duplicate shares the offset", offset_of(fd), 2);
  own = tmp_open("f", 0);
  check_eq("fd_seek", "a file opened again has its own", offset_of(own), 0);
  cloudabi_sys_fd_close(fd), cloudabi_sys_fd_close(twin), cloudabi_sys_fd_close(own);
  tmp_unlink("f");
}

static void check_positioned(void) {
  char buf[20];
  size_t n = 99;
  cloudabi_fd_t fd = tmp_open("f", CLOUDABI_O_CREAT);
  written(fd, "0123456789");
  check_err("fd_pwrite", "in the middle", tmp_pwrite(fd, "ab", 2, 4, &n), 0);
  check_eq("fd_pwrite", "how much was written", n, 2);
  check("fd_pwrite", "there and nowhere else", tmp_contains(fd, "0123ab6789", 10));
  check_eq("fd_pwrite", "does not move the offset", offset_of(fd), 10);
  check_err("fd_pwrite", "behind the end", tmp_pwrite(fd, "z", 1, 12, &n), 0);
  check("fd_pwrite", "behind the end: zeroes between", tmp_contains(fd, "0123ab6789\0\0z", 13));
  check_err("fd_pread", "in the middle", tmp_pread(fd, buf, 3, 3, &n), 0);
  check("fd_pread", "in the middle: these bytes", n == 3 && memcmp(buf, "3ab", 3) == 0);
  check_err("fd_pread", "at the largest offset", tmp_pread(fd, buf, 3, LARGEST, &n), 0);
  check_eq("fd_pread", "at the largest offset: nothing", n, 0);
  check_err("fd_pread", "beyond the largest offset", tmp_pread(fd, buf, 3, LARGEST + 1, &n),
            CLOUDABI_EINVAL);
  check_err("fd_pwrite", "beyond the largest offset", tmp_pwrite(fd, buf, 3, LARGEST + 1, &n),
            CLOUDABI_EINVAL);
  check_err("fd_pwrite", "nothing", tmp_pwrite(fd, buf, 0, 1000, &n), 0);
  check_eq("fd_pwrite", "nothing does not extend", tmp_stat_fd(fd).st_size, 13);
  cloudabi_sys_fd_close(fd);
  tmp_unlink("f");
}

static void check_append(void) {
  size_t n;
  uint64_t at;
  cloudabi_fd_t a = 0, b = tmp_open("f", CLOUDABI_O_CREAT);
  tmp_open_from(tmp, "f", 0, 0, CLOUDABI_FDFLAG_APPEND, TMP_INHERITING, &a);
  written(b, "one");
  written(a, "two");
  check("fd_write", "APPEND writes at the end", tmp_contains(b, "onetwo", 6));
  check_eq("fd_seek", "APPEND moves the offset to the end", offset_of(a), 6);
  check_eq("fd_seek", "APPEND moves nobody else's", offset_of(b), 3);
  written(b, "TWO3");
  seek(a, 1, CLOUDABI_WHENCE_SET, &at);
  written(a, "4");
  check("fd_write", "APPEND goes to the end of the moment", tmp_contains(b, "oneTWO34", 8));
  check_err("fd_pwrite", "APPEND", tmp_pwrite(a, "X", 1, 0, &n), 0);
  check("fd_pwrite", "APPEND: writes where it is told", tmp_contains(b, "XneTWO34", 8));
  struct cloudabi_fdstat st;
  memset(&st, 0, sizeof(st));
  cloudabi_sys_fd_stat_put(a, &st, CLOUDABI_FDSTAT_FLAGS);
  seek(a, 1, CLOUDABI_WHENCE_SET, &at);
  written(a, "N");
  check("fd_write", "APPEND taken away", tmp_contains(b, "XNeTWO34", 8));
  cloudabi_sys_fd_close(a), cloudabi_sys_fd_close(b);
  tmp_unlink("f");
}

static void check_flags(void) {
  static const cloudabi_fdflags_t flags[] = {CLOUDABI_FDFLAG_DSYNC, CLOUDABI_FDFLAG_NONBLOCK,
                                             CLOUDABI_FDFLAG_RSYNC, CLOUDABI_FDFLAG_SYNC, 0x1f};
  char what[60], buf[4];
  for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
    cloudabi_fd_t fd = RAW_BAD_FD;
    size_t n = 99;
    struct cloudabi_fdstat st;
    tmp_open_from(tmp, "f", 0, CLOUDABI_O_CREAT, flags[i], TMP_INHERITING, &fd);
    cloudabi_sys_fd_stat_get(fd, &st);
    snprintf(what, sizeof(what), "flags %#x", flags[i]);
    check_eq("fd_stat_get", what, st.fs_flags, flags[i]);
    check_err("fd_write", what, raw_write(fd, "abc", 3), 0);
    check_err("fd_pread", what, tmp_pread(fd, buf, 4, 0, &n), 0);
    check("fd_pread", what, n == 3 && memcmp(buf, "abc", 3) == 0);
    cloudabi_sys_fd_close(fd);
    tmp_unlink("f");
  }
  cloudabi_fd_t fd = tmp_open("f", CLOUDABI_O_CREAT);
  check_err("fd_sync", "a file that changes", cloudabi_sys_fd_sync(fd), 0);
  check_err("fd_datasync", "a file that changes", cloudabi_sys_fd_datasync(fd), 0);
  check_err("fd_sync", "a directory that changes", cloudabi_sys_fd_sync(tmp), 0);
  check_err("fd_datasync", "a directory", cloudabi_sys_fd_datasync(tmp), CLOUDABI_ENOTCAPABLE);
  check_err("file_advise", "a file that changes",
            cloudabi_sys_file_advise(fd, 0, 100, CLOUDABI_ADVICE_DONTNEED), 0);
  cloudabi_sys_fd_close(fd);
  tmp_unlink("f");
}

static void check_vectors(void) {
  char a[3], b[2], c[10];
  size_t n = 99;
  cloudabi_fd_t fd = tmp_open("f", CLOUDABI_O_CREAT);
  struct cloudabi_iovec out[] = {{"ab", 2}, {NULL, 0}, {"cde", 3}, {"f", 1}};
  check_err("fd_pwrite", "a vector", cloudabi_sys_fd_pwrite(fd, out, 4, 1, &n), 0);
  check_eq("fd_pwrite", "a vector: all of it", n, 6);
  struct cloudabi_iovec in[] = {{a, 3}, {b, 2}, {c, 10}};
  check_err("fd_pread", "a vector", cloudabi_sys_fd_pread(fd, in, 3, 0, &n), 0);
  check("fd_pread", "a vector: filled in order",
        n == 7 && memcmp(a, "\0ab", 3) == 0 && memcmp(b, "cd", 2) == 0 && memcmp(c, "ef", 2) == 0);
  struct cloudabi_iovec bad[] = {{"gh", 2}, {(void *)8, 100}};
  check_err("fd_write", "a vector with an end that is not there",
            cloudabi_sys_fd_write(fd, bad, 2, &n), 0);
  check("fd_write", "a vector with an end that is not there: what is there counts",
        n == 2 && offset_of(fd) == 2 && tmp_stat_fd(fd).st_size == 7);
  check_err("fd_write", "memory that is not there", cloudabi_sys_fd_write(fd, bad + 1, 1, &n),
            CLOUDABI_EFAULT);
  check("fd_write", "memory that is not there: nothing changes",
        n == 2 && offset_of(fd) == 2 && tmp_stat_fd(fd).st_size == 7);
  check_err("fd_pread", "into memory that is not there", tmp_pread(fd, (void *)8, 5, 0, &n),
            CLOUDABI_EFAULT);
  check_err("fd_pread", "behind the end into memory that is not there",
            tmp_pread(fd, (void *)8, 5, 100, &n), 0);
  cloudabi_sys_fd_close(fd);
  tmp_unlink("f");
}

static void check_sizes(void) {
  size_t n = 99;
  cloudabi_fd_t fd = tmp_open("f", CLOUDABI_O_CREAT);
  written(fd, "0123456789");
  check_err("file_stat_fput", "a smaller size", tmp_resize(fd, 4), 0);
  check("file_stat_fput", "a smaller size: cut off", tmp_contains(fd, "0123", 4));
  check_err("file_stat_fput", "a larger size", tmp_resize(fd, 6), 0);
  check("file_stat_fput", "a larger size: zeroes", tmp_contains(fd, "0123\0\0", 6));
  check_eq("file_stat_fput", "the offset stays", offset_of(fd), 10);
  check_err("file_stat_fput", "the largest size", tmp_resize(fd, LARGEST_SIZE), 0);
  check_eq("file_stat_fput", "the largest size: it has it", tmp_stat_fd(fd).st_size, LARGEST_SIZE);
  check_err("fd_pread", "in a hole", tmp_pread(fd, &n, 1, LARGEST_SIZE / 2, &n), 0);
  check_eq("fd_pread", "in a hole: bytes", n, 1);
  check_err("file_stat_fput", "a larger size still", tmp_resize(fd, LARGEST + 1), CLOUDABI_EINVAL);
  check_err("fd_pwrite", "at the largest size", tmp_pwrite(fd, "x", 1, LARGEST_SIZE, &n),
            CLOUDABI_EFBIG);
  check_err("fd_pwrite", "across the largest size", tmp_pwrite(fd, "xyz", 3, LARGEST_SIZE - 2, &n),
            0);
  check_eq("fd_pwrite", "across the largest size: as much as there is room for", n, 2);
  check_err("file_allocate", "beyond the largest size",
            cloudabi_sys_file_allocate(fd, LARGEST_SIZE - 1, 2), CLOUDABI_EFBIG);
  check_err("file_allocate", "from beyond the largest size",
            cloudabi_sys_file_allocate(fd, LARGEST + 1, 2), CLOUDABI_EFBIG);
  tmp_resize(fd, 0);
  check_err("file_allocate", "behind the end", cloudabi_sys_file_allocate(fd, 10, 12), 0);
  check("file_allocate", "behind the end: zeroes up to there",
        tmp_contains(fd, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 22));
  tmp_pwrite(fd, "abc", 3, 0, &n);
  check_err("file_allocate", "before the end", cloudabi_sys_file_allocate(fd, 0, 5), 0);
  check("file_allocate", "before the end: changes nothing",
        tmp_contains(fd, "abc\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 22));
  check_err("file_allocate", "0 bytes", cloudabi_sys_file_allocate(fd, 0, 0), CLOUDABI_EINVAL);
  cloudabi_sys_fd_close(fd);
  tmp_unlink("f");
}

static void check_without_name(void) {
  cloudabi_fd_t fd = tmp_open("f", CLOUDABI_O_CREAT);
  written(fd, "abc");
  uint64_t ino = tmp_stat_fd(fd).st_ino;
  tmp_unlink("f");
  check_eq("file_stat_fget", "a file without a name has no links", tmp_stat_fd(fd).st_nlink, 0);
  written(fd, "def");
  check("fd_pread", "a file without a name", tmp_contains(fd, "abcdef", 6));
  cloudabi_fd_t new = tmp_open("f", CLOUDABI_O_CREAT | CLOUDABI_O_EXCL);
  check("file_open", "the next of that name is another", tmp_stat_fd(new).st_ino != ino);
  written(new, "new");
  tmp_make("g");
  tmp_rename("g", "f");
  check("fd_pread", "a file whose name another took", tmp_contains(new, "new", 3));
  cloudabi_sys_fd_close(fd), cloudabi_sys_fd_close(new);
  tmp_unlink("f");
}

static void check_mapped(void) {
  char *map = NULL;
  size_t n = 0;
  cloudabi_fd_t fd = tmp_open("f", CLOUDABI_O_CREAT);
  written(fd, "abc");
  check_err("mem_map", "a file of a temporary directory, shared",
            cloudabi_sys_mem_map(NULL, RAW_PAGE, CLOUDABI_PROT_READ | CLOUDABI_PROT_WRITE,
                                 CLOUDABI_MAP_SHARED, fd, 0, (void **)&map),
            0);
  if (map == NULL)
    return;
  check("mem_map", "shows what was written", memcmp(map, "abc", 4) == 0);
  tmp_pwrite(fd, "X", 1, 1, &n);
  check("mem_map", "shows what is written afterwards", memcmp(map, "aXc", 4) == 0);
  struct cloudabi_filestat before = tmp_stat_fd(fd);
  map[2] = 'Y';
  check("fd_pread", "reads what a mapping wrote", tmp_contains(fd, "aXY", 3));
  check_err("mem_sync", "a file of a temporary directory",
            cloudabi_sys_mem_sync(map, RAW_PAGE, CLOUDABI_MS_SYNC), 0);
  check("file_stat_fget", "writing by a mapping is a modification",
        tmp_stat_fd(fd).st_mtim >= before.st_mtim);
  tmp_unlink("f");
  cloudabi_sys_fd_close(fd);
  check("mem_map", "stays without a name and a descriptor", memcmp(map, "aXY", 4) == 0);
  cloudabi_sys_mem_unmap(map, RAW_PAGE);
}

/* ---- Several threads append to one file ------------------------------------------------------ */

#define THREADS 4
#define RECORDS 200
#define RECORD 100

static cloudabi_fd_t shared;

static void append(struct raw_thread *t) {
  uint8_t record[RECORD];
  for (unsigned i = 0; i < RECORDS; i++) {
    memset(record, (int)(uintptr_t)t->arg, RECORD);
    memcpy(record, &i, sizeof(i));
    struct cloudabi_iovec iov[] = {{record, 7}, {record + 7, RECORD - 7}};
    size_t n;
    if (cloudabi_sys_fd_write(shared, iov, 2, &n) == 0 && n == RECORD)
      t->step++;
    cloudabi_sys_thread_yield();
  }
}

static void check_threads(void) {
  static struct raw_thread threads[THREADS];
  static uint8_t all[THREADS * RECORDS * RECORD + 1];
  unsigned next[THREADS] = {0}, whole = 0;
  size_t n = 0;
  tmp_open_from(tmp, "f", 0, CLOUDABI_O_CREAT, CLOUDABI_FDFLAG_APPEND, TMP_INHERITING, &shared);
  for (uintptr_t i = 0; i < THREADS; i++)
    raw_spawn(&threads[i], append, (void *)(i + 1));
  for (unsigned i = 0; i < THREADS; i++)
    raw_join(&threads[i]);
  tmp_pread(shared, all, sizeof(all), 0, &n);
  check_eq("fd_write", "four threads append: nothing is lost", n, THREADS * RECORDS * RECORD);
  for (const uint8_t *r = all; r < all + n; r += RECORD) {
    unsigned thread = r[RECORD - 1] - 1u, number;
    memcpy(&number, r, sizeof(number));
    if (thread < THREADS && number == next[thread]++ &&
        raw_all(r + sizeof(number), RECORD - sizeof(number), (uint8_t)(thread + 1)))
      whole++;
  }
  check_eq("fd_write", "four threads append: each record whole, in its thread's order", whole,
           THREADS * RECORDS);
  cloudabi_sys_fd_close(shared);
  tmp_unlink("f");
}

void program_main(const argdata_t *ad) {
  check_begin(ad);
  tmp_begin(ad);
  check_offsets();
  check_positioned();
  check_append();
  check_flags();
  check_vectors();
  check_sizes();
  check_without_name();
  check_mapped();
  check_threads();
  check_end();
}
