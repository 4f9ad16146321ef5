/*
 * The arguments of cases.h.
 */
#include "cases.h"

#define R(name) CLOUDABI_RIGHT_##name
#define P(thing) (uint64_t)(uintptr_t)(thing)

uint8_t cases_out[CASES_OUT_BYTES] __attribute__((aligned(64)));

/* Results may be several: each has a place of its own. */
#define OUT P(cases_out)
#define OUT_BUF P(cases_out + 128)

static char input[16] = "#\n"; /* what is written */
static struct cloudabi_iovec in_iov = {input, 2};
static struct cloudabi_iovec out_iov = {cases_out + 128, 4};
static struct cloudabi_fdstat flags_stat;                                 /* for fd_stat_put */
static struct cloudabi_fdstat open_stat = {.fs_rights_base = R(FD_READ)}; /* for file_open */
static struct cloudabi_filestat times;
static struct cloudabi_subscription now = {.type = CLOUDABI_EVENTTYPE_CLOCK,
                                           .clock.clock_id = CLOUDABI_CLOCK_MONOTONIC};
static struct cloudabi_recv_in recv_in = {.ri_data = &out_iov, .ri_data_len = 1};
static struct cloudabi_send_in send_in = {.si_data = &in_iov, .si_data_len = 1};
static uint32_t words[2];

static void thread_main(cloudabi_tid_t tid, void *arg) {
  (void)arg;
  cloudabi_lock_t lock = tid | CLOUDABI_LOCK_WRLOCKED;
  cloudabi_sys_thread_exit(&lock, CLOUDABI_SCOPE_PRIVATE);
}

static uint8_t stack[8192] __attribute__((aligned(16)));
static struct cloudabi_threadattr thread = {thread_main, stack, sizeof(stack), NULL};

#define CALL(call) .name = #call
#define ON(what, right) .kind = what, .fd_at = 1, .rights = right
#define BAD(index, value, error) \
  .flag_at = (index) + 1, .bad_flag = value, .flag_error = CLOUDABI_##error
#define ERROR(name) .result = CLOUDABI_##name

struct call_case cases[] = {
    {CALL(clock_res_get), BAD(0, 9, EINVAL), .args = {CLOUDABI_CLOCK_REALTIME, OUT}},
    /* The kernel's part of it: other clocks may be read without its help. */
    {CALL(clock_time_get), BAD(0, 9, EINVAL), .args = {CLOUDABI_CLOCK_THREAD_CPUTIME_ID, 0, OUT}},
    {CALL(fd_datasync), ON(REGULAR, R(FD_DATASYNC))},
    {CALL(fd_dup), ON(REGULAR, 0), .args = {0, OUT}},
    {CALL(fd_pread), ON(REGULAR, R(FD_READ) | R(FD_SEEK)), .args = {0, P(&out_iov), 1, 2, OUT}},
    {CALL(fd_read), ON(REGULAR, R(FD_READ)), .args = {0, P(&out_iov), 1, OUT}},
    {CALL(fd_seek), ON(REGULAR, R(FD_SEEK) | R(FD_TELL)), BAD(2, 7, EINVAL),
     .args = {0, 0, CLOUDABI_WHENCE_SET, OUT}},
    {CALL(fd_stat_get), ON(REGULAR, 0), .args = {0, OUT}},
    {CALL(fd_stat_put), ON(REGULAR, R(FD_STAT_PUT_FLAGS)), BAD(2, 3, EINVAL),
     .args = {0, P(&flags_stat), CLOUDABI_FDSTAT_FLAGS}},
    {CALL(fd_sync), ON(REGULAR, R(FD_SYNC))},
    {CALL(fd_write), ON(CONSOLE, R(FD_WRITE)), .args = {0, P(&in_iov), 1, OUT}},
    {CALL(file_advise), ON(REGULAR, R(FILE_ADVISE)), BAD(3, 0, EINVAL),
     .args = {0, 0, 1, CLOUDABI_ADVICE_NORMAL}},
    {CALL(file_create), ON(DIR, R(FILE_CREATE_DIRECTORY)), BAD(3, 0x60, EINVAL), ERROR(EEXIST),
     .args = {0, P("sub"), 3, CLOUDABI_FILETYPE_DIRECTORY}},
    {CALL(file_link), ON(DIR, R(FILE_LINK_SOURCE)), .fd2_at = 4, .rights2 = R(FILE_LINK_TARGET),
     ERROR(EEXIST), .args = {0, P("a.txt"), 5, 0, P("link"), 4}},
    {CALL(file_open), ON(DIR, R(FILE_OPEN)), BAD(3, 0x40, EINVAL),
     .args = {0, P("a.txt"), 5, 0, P(&open_stat), OUT}},
    {CALL(file_readdir), ON(DIR, R(FILE_READDIR)), .args = {0, OUT_BUF, 100, 0, OUT}},
    {CALL(file_readlink), ON(DIR, R(FILE_READLINK)), .args = {0, P("link"), 4, OUT_BUF, 10, OUT}},
    {CALL(file_rename), ON(DIR, R(FILE_RENAME_SOURCE)), .fd2_at = 4,
     .rights2 = R(FILE_RENAME_TARGET), ERROR(EISDIR), .args = {0, P("a.txt"), 5, 0, P("sub"), 3}},
    {CALL(file_stat_fget), ON(REGULAR, R(FILE_STAT_FGET)), .args = {0, OUT}},
    {CALL(file_stat_get), ON(DIR, R(FILE_STAT_GET)), .args = {0, P("a.txt"), 5, OUT}},
    {CALL(file_stat_put), ON(DIR, R(FILE_STAT_PUT_TIMES)), BAD(4, 0x10, EINVAL),
     .args = {0, P("a.txt"), 5, P(&times), 0}},
    {CALL(file_symlink), .kind = DIR, .fd_at = 3, .rights = R(FILE_SYMLINK), ERROR(EEXIST),
     .args = {P("x/"), 2, 0, P("link"), 4}},
    {CALL(file_unlink), ON(DIR, R(FILE_UNLINK)), BAD(3, 8, EINVAL), ERROR(EPERM),
     .args = {0, P("sub"), 3, 0}},
    {CALL(lock_unlock), BAD(1, 3, EINVAL), .args = {P(&words[0]), CLOUDABI_SCOPE_PRIVATE}},
    {CALL(mem_map), BAD(2, 8, ENOTSUP),
     .args = {P(cases_out), RAW_PAGE, CLOUDABI_PROT_READ, CLOUDABI_MAP_ANON | CLOUDABI_MAP_PRIVATE,
              CLOUDABI_MAP_ANON_FD, 0, OUT}},
    {CALL(poll), .args = {P(&now), OUT_BUF, 1, OUT}},
    {CALL(random_get), .args = {OUT_BUF, 64}},
    {CALL(sock_recv), ON(REGULAR, R(FD_READ)), ERROR(ENOTSOCK), .args = {0, P(&recv_in), OUT}},
    {CALL(sock_send), ON(CONSOLE, R(FD_WRITE)), ERROR(ENOTSOCK), .args = {0, P(&send_in), OUT}},
    {CALL(sock_shutdown), ON(CONSOLE, R(SOCK_SHUTDOWN)), BAD(1, 4, EINVAL), ERROR(ENOTCAPABLE),
     .args = {0, CLOUDABI_SHUT_RD}},
    {CALL(sock_accept), ON(CONSOLE, R(SOCK_ACCEPT)), ERROR(ENOTCAPABLE), .args = {0, OUT_BUF, OUT}},
    {CALL(thread_create), .args = {P(&thread), OUT}},
};
const size_t case_count = sizeof(cases) / sizeof(cases[0]);

void cases_init(cloudabi_fd_t dir, cloudabi_fd_t file, cloudabi_fd_t console) {
  for (size_t i = 0; i < case_count; i++) {
    struct call_case *c = &cases[i];
    uint64_t fd = c->kind == DIR ? dir : c->kind == REGULAR ? file : console;
    if (c->fd_at > 0)
      c->args[c->fd_at - 1] = fd;
    if (c->fd2_at > 0)
      c->args[c->fd2_at - 1] = fd;
  }
}
