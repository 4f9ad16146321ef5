/*
 * Shared memory, from inside: {out: fd}. What fd_create1 makes of it, its size, and its mappings.
 * Reference 2.3, 2.8, 6.
 */
#include <program.h>

#include "../check.h"
#include "raw.h"

#define R CLOUDABI_PROT_READ
#define W CLOUDABI_PROT_WRITE
#define X CLOUDABI_PROT_EXEC
#define SHARED CLOUDABI_MAP_SHARED
#define PRIVATE CLOUDABI_MAP_PRIVATE
#define SHM_RIGHTS 0xc180042ul

static cloudabi_fd_t create(void) {
  cloudabi_fd_t fd = RAW_BAD_FD;
  cloudabi_sys_fd_create1(CLOUDABI_FILETYPE_SHARED_MEMORY, &fd);
  return fd;
}

static cloudabi_errno_t resize(cloudabi_fd_t fd, uint64_t size) {
  struct cloudabi_filestat st;
  memset(&st, 0, sizeof(st));
  st.st_size = size;
  return cloudabi_sys_file_stat_fput(fd, &st, CLOUDABI_FILESTAT_SIZE);
}

static uint64_t size_of(cloudabi_fd_t fd) {
  struct cloudabi_filestat st;
  return cloudabi_sys_file_stat_fget(fd, &st) == 0 ? st.st_size : UINT64_MAX;
}

static cloudabi_errno_t map(cloudabi_fd_t fd, size_t len, unsigned prot, unsigned flags,
                            uint64_t off, uint8_t **out) {
  return cloudabi_sys_mem_map(NULL, len, prot, flags, fd, off, (void **)out);
}

/* Whether the kernel can write there; a page that can't be had is EFAULT. */
static bool writable(void *p) {
  return cloudabi_sys_random_get(p, 1) == 0;
}

static void check_descriptor(void) {
  struct cloudabi_fdstat fds;
  struct cloudabi_filestat st;
  cloudabi_fd_t fd = RAW_BAD_FD;
  check_err("fd_create1", "shared memory",
            cloudabi_sys_fd_create1(CLOUDABI_FILETYPE_SHARED_MEMORY, &fd), 0);
  check_err("fd_create1", "to nowhere",
            cloudabi_sys_fd_create1(CLOUDABI_FILETYPE_SHARED_MEMORY, (void *)8), CLOUDABI_EFAULT);
  check_err("fd_stat_get", "shared memory", cloudabi_sys_fd_stat_get(fd, &fds), 0);
  check_eq("fd_create1", "shared memory: its type", fds.fs_filetype,
           CLOUDABI_FILETYPE_SHARED_MEMORY);
  check_eq("fd_create1", "shared memory: no flags", fds.fs_flags, 0);
  check_eq("fd_create1", "shared memory: its rights", fds.fs_rights_base, SHM_RIGHTS);
  check_eq("fd_create1", "shared memory: no inheriting rights", fds.fs_rights_inheriting, 0);
  memset(&st, 0xff, sizeof(st));
  check_err("file_stat_fget", "shared memory", cloudabi_sys_file_stat_fget(fd, &st), 0);
  check_eq("file_stat_fget", "shared memory: its type", st.st_filetype,
           CLOUDABI_FILETYPE_SHARED_MEMORY);
  check_eq("file_stat_fget", "shared memory: empty at first", st.st_size, 0);
  check("file_stat_fget", "shared memory: at most one link", st.st_nlink <= 1);
  uint64_t at;
  check_err("fd_seek", "shared memory", cloudabi_sys_fd_seek(fd, 0, CLOUDABI_WHENCE_SET, &at),
            CLOUDABI_ENOTCAPABLE);
  check_err("fd_sync", "shared memory", cloudabi_sys_fd_sync(fd), CLOUDABI_ENOTCAPABLE);
  check_err("file_allocate", "shared memory", cloudabi_sys_file_allocate(fd, 0, 1),
            CLOUDABI_ENOTCAPABLE);
  check_err("file_stat_fput", "shared memory: times",
            cloudabi_sys_file_stat_fput(fd, &st, CLOUDABI_FILESTAT_MTIM_NOW), CLOUDABI_ENOTCAPABLE);
  check_err("fd_close", "shared memory", cloudabi_sys_fd_close(fd), 0);
}

static void check_size(void) {
  cloudabi_fd_t fd = create();
  check_err("file_stat_fput", "shared memory: its size", resize(fd, 10000), 0);
  uint64_t size = size_of(fd);
  check("file_stat_fput", "shared memory: as long as asked for", size == 10000 || size == 12288);
  check("file_stat_fput", "shared memory: more than there is", resize(fd, 1ul << 60) != 0);
  check_err("file_stat_fput", "shared memory: beyond all offsets", resize(fd, UINT64_MAX),
            CLOUDABI_EINVAL);
  check_eq("file_stat_fput", "shared memory: failures leave the size alone", size_of(fd), size);
  check_err("file_stat_fput", "shared memory: shorter", resize(fd, 1), 0);
  check_err("file_stat_fput", "shared memory: nothing again", resize(fd, 0), 0);
  check_eq("file_stat_fput", "shared memory: nothing is left", size_of(fd), 0);
  cloudabi_fd_t weak = raw_dup_with(fd, ~CLOUDABI_RIGHT_FILE_STAT_FPUT_SIZE);
  check_err("file_stat_fput", "shared memory without the right", resize(weak, 1),
            CLOUDABI_ENOTCAPABLE);
  cloudabi_sys_fd_close(weak);
  cloudabi_sys_fd_close(fd);
}

static void check_mappings(void) {
  cloudabi_fd_t fd = create();
  uint8_t *p = NULL, *q = NULL, *own = NULL;
  resize(fd, 3 * RAW_PAGE);
  check_err("mem_map", "shared memory", map(fd, 3 * RAW_PAGE, R | W, SHARED, 0, &p), 0);
  check("mem_map", "shared memory: zeroes", raw_all(p, 3 * RAW_PAGE, 0));
  check_err("mem_map", "shared memory, again from its second page",
            map(fd, 2 * RAW_PAGE, R | W, SHARED, RAW_PAGE, &q), 0);
  p[RAW_PAGE + 5] = 'p';
  q[RAW_PAGE] = 'q';
  check_eq("mem_map", "shared memory: the second mapping sees the first", q[5], 'p');
  check_eq("mem_map", "shared memory: the first mapping sees the second", p[2 * RAW_PAGE], 'q');
  check_err("mem_map", "shared memory, private", map(fd, 2 * RAW_PAGE, R | W, PRIVATE, 0, &own), 0);
  check_eq("mem_map", "shared memory, private: its contents", own[RAW_PAGE + 5], 'p');
  own[RAW_PAGE + 5] = 'o';
  check_eq("mem_map", "shared memory, private: a change stays there", p[RAW_PAGE + 5], 'p');
  p[RAW_PAGE + 5] = 'P';
  check_eq("mem_map", "shared memory, private: and is not undone", own[RAW_PAGE + 5], 'o');
  check_err("mem_sync", "shared memory",
            cloudabi_sys_mem_sync(p, 3 * RAW_PAGE, CLOUDABI_MS_SYNC | CLOUDABI_MS_INVALIDATE), 0);
  check_err("mem_protect", "shared memory, read-only", cloudabi_sys_mem_protect(q, RAW_PAGE, R), 0);
  check("mem_protect", "shared memory, read-only: there alone", !writable(q) && writable(p));
  check_err("mem_map", "shared memory, executable", map(fd, RAW_PAGE, R | X, SHARED, 0, &own), 0);

  cloudabi_fd_t weak = raw_dup_with(fd, ~CLOUDABI_RIGHT_FD_WRITE);
  check_err("mem_map", "shared memory for writing without fd_write",
            map(weak, RAW_PAGE, R | W, SHARED, 0, &own), CLOUDABI_ENOTCAPABLE);
  check_err("mem_map", "shared memory for reading without fd_write",
            map(weak, RAW_PAGE, R, SHARED, 0, &own), 0);
  check_err("mem_protect", "writable, which the descriptor did not allow",
            cloudabi_sys_mem_protect(own, RAW_PAGE, R | W), CLOUDABI_EACCES);
  cloudabi_sys_fd_close(weak);

  cloudabi_sys_fd_close(fd);
  q[RAW_PAGE] = 'Q';
  check_eq("mem_map", "shared memory lives as long as its mappings", p[2 * RAW_PAGE], 'Q');
  cloudabi_sys_mem_unmap(p, 3 * RAW_PAGE);
  check_eq("mem_unmap", "shared memory: the other mapping stays", q[RAW_PAGE], 'Q');
  cloudabi_sys_mem_unmap(q, 2 * RAW_PAGE);
}

static void check_end_of_memory(void) {
  cloudabi_fd_t fd = create();
  uint8_t *p = NULL, *own = NULL;
  check_err("mem_map", "shared memory, more than there is yet",
            map(fd, 4 * RAW_PAGE, R | W, SHARED, 0, &p), 0);
  check("mem_map", "shared memory: nothing to be had behind the end", !writable(p));
  resize(fd, 3 * RAW_PAGE);
  check("mem_map", "shared memory: what was added can be had", writable(p + 3 * RAW_PAGE - 1));
  check("mem_map", "shared memory: up to the end", !writable(p + 3 * RAW_PAGE));
  memset(p, 7, 3 * RAW_PAGE);
  map(fd, 3 * RAW_PAGE, R | W, PRIVATE, 0, &own);
  own[RAW_PAGE] = 8;
  own[2 * RAW_PAGE] = 9;
  check_err("file_stat_fput", "shared memory: shorter, while mapped", resize(fd, RAW_PAGE + 1), 0);
  check("file_stat_fput", "shared memory: the page that was cut off is gone",
        !writable(p + 2 * RAW_PAGE));
  check("file_stat_fput", "shared memory: the last page stays", writable(p + RAW_PAGE));
  check("file_stat_fput", "shared memory: zeroes behind the end",
        raw_all(p + RAW_PAGE + 1, RAW_PAGE - 1, 0));
  check("file_stat_fput", "shared memory: private changes stay",
        own[RAW_PAGE] == 8 && own[RAW_PAGE + 1] == 7);
  check_err("file_stat_fput", "shared memory: longer again", resize(fd, 4 * RAW_PAGE), 0);
  check("file_stat_fput", "shared memory: what comes back is zeroed",
        raw_all(p + RAW_PAGE + 1, 3 * RAW_PAGE - 1, 0) && raw_all(p, RAW_PAGE, 7));
  cloudabi_sys_mem_unmap(p, 4 * RAW_PAGE);
  cloudabi_sys_mem_unmap(own, 3 * RAW_PAGE);
  cloudabi_sys_fd_close(fd);
}

/* Shared memory that is made and dropped again takes none for ever. */
static void check_nothing_stays(void) {
  const size_t size = 4ul << 20;
  bool good = true;
  for (unsigned i = 0; good && i < 40; i++) {
    uint8_t *p = NULL;
    cloudabi_fd_t fd = create();
    good = resize(fd, size) == 0 && map(fd, size, R | W, SHARED, 0, &p) == 0;
    for (size_t at = 0; good && at < size; at += RAW_PAGE)
      p[at] = 1;
    cloudabi_sys_fd_close(fd);
    good = good && cloudabi_sys_mem_unmap(p, size) == 0;
  }
  check("fd_create1", "shared memory, again and again", good);
}

void program_main(const argdata_t *ad) {
  check_begin(ad);
  check_descriptor();
  check_size();
  check_mappings();
  check_end_of_memory();
  check_nothing_stays();
  check_end();
}
