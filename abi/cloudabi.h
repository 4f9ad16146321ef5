/*
 * The CloudABI binary interface: version 0.21, and what older versions had.
 *
 * Types, constants and structures exactly as the ABI lays them out on a 64-bit
 * machine (the ABI's description, cloudabi.txt). No project include but the two
 * lists beside it: the kernel, the SDK, the programs and the tests all use it.
 *
 * Names carry the prefix CLOUDABI_ or cloudabi_, because a program has a libc's
 * EBADF as well. The kernel has no libc: "kernel/abi.h" takes the prefix away.
 */
#ifndef ABI_CLOUDABI_H
#define ABI_CLOUDABI_H

#include <stddef.h>
#include <stdint.h>

#ifndef ABI
#define ABI(name) CLOUDABI_##name   /* a constant */
#define ABI_T(name) cloudabi_##name /* a type, or the tag of a structure */
#endif

/* Scalars. */
typedef uint8_t ABI_T(advice_t);
typedef uint32_t ABI_T(auxtype_t);
typedef uint32_t ABI_T(clock_id_t);
typedef uint32_t ABI_T(condvar_t);
typedef uint64_t ABI_T(device_t);
typedef uint64_t ABI_T(dircookie_t);
typedef uint16_t ABI_T(errno_t);
typedef uint16_t ABI_T(eventrwflags_t);
typedef uint8_t ABI_T(eventtype_t);
typedef uint32_t ABI_T(exitcode_t);
typedef uint32_t ABI_T(fd_t);
typedef uint16_t ABI_T(fdflags_t);
typedef uint16_t ABI_T(fdsflags_t);
typedef int64_t ABI_T(filedelta_t);
typedef uint64_t ABI_T(filesize_t);
typedef uint16_t ABI_T(fsflags_t);
typedef uint8_t ABI_T(filetype_t);
typedef uint64_t ABI_T(inode_t);
typedef uint32_t ABI_T(linkcount_t);
typedef uint32_t ABI_T(lock_t);
typedef uint32_t ABI_T(lookupflags_t);
typedef uint8_t ABI_T(mflags_t);
typedef uint8_t ABI_T(scope_t);
typedef uint8_t ABI_T(mprot_t);
typedef uint8_t ABI_T(msflags_t);
typedef uint32_t ABI_T(nthreads_t);
typedef uint16_t ABI_T(oflags_t);
typedef uint64_t ABI_T(rights_t);
typedef uint8_t ABI_T(sdflags_t);
typedef uint16_t ABI_T(siflags_t);
typedef uint8_t ABI_T(signal_t);
typedef uint16_t ABI_T(subclockflags_t);
typedef uint16_t ABI_T(subrwflags_t);
typedef uint16_t ABI_T(riflags_t);
typedef uint16_t ABI_T(roflags_t);
typedef uint32_t ABI_T(tid_t);
typedef uint64_t ABI_T(timestamp_t);
typedef uint8_t ABI_T(ulflags_t);
typedef uint64_t ABI_T(userdata_t);
typedef uint8_t ABI_T(whence_t);
typedef uint16_t ABI_T(subflags_t); /* up to v0.15 */

/* Results of system calls; 0 is success. */
enum {
#define ABI_ERRNO(name, number) ABI(E##name) = number,
#include "errno.def"
#undef ABI_ERRNO
};

enum { /* advice */
       ABI(ADVICE_DONTNEED) = 1,
       ABI(ADVICE_NOREUSE) = 2,
       ABI(ADVICE_NORMAL) = 3,
       ABI(ADVICE_RANDOM) = 4,
       ABI(ADVICE_SEQUENTIAL) = 5,
       ABI(ADVICE_WILLNEED) = 6,
};

enum { /* auxtype */
       ABI(AT_ARGDATA) = 256,
       ABI(AT_ARGDATALEN) = 257,
       ABI(AT_BASE) = 7,
       ABI(AT_CANARY) = 258,
       ABI(AT_CANARYLEN) = 259,
       ABI(AT_NCPUS) = 260,
       ABI(AT_NULL) = 0,
       ABI(AT_PAGESZ) = 6,
       ABI(AT_PHDR) = 3,
       ABI(AT_PHNUM) = 4,
       ABI(AT_PID) = 263,
       ABI(AT_SYSINFO_EHDR) = 262,
       ABI(AT_TID) = 261,
};

enum { /* clockid */
       ABI(CLOCK_MONOTONIC) = 1,
       ABI(CLOCK_PROCESS_CPUTIME_ID) = 2,
       ABI(CLOCK_REALTIME) = 3,
       ABI(CLOCK_THREAD_CPUTIME_ID) = 4,
};

enum { /* condvar */
       ABI(CONDVAR_HAS_NO_WAITERS) = 0,
};

enum { /* dircookie */
       ABI(DIRCOOKIE_START) = 0,
};

enum { /* eventrwflags */
       ABI(EVENT_FD_READWRITE_HANGUP) = 0x01,
};

enum { /* eventtype */
       ABI(EVENTTYPE_CLOCK) = 1,
       ABI(EVENTTYPE_CONDVAR) = 2,
       ABI(EVENTTYPE_FD_READ) = 3,
       ABI(EVENTTYPE_FD_WRITE) = 4,
       ABI(EVENTTYPE_LOCK_RDLOCK) = 5,
       ABI(EVENTTYPE_LOCK_WRLOCK) = 6,
       ABI(EVENTTYPE_PROC_TERMINATE) = 7,
};

enum { /* fd */
       ABI(PROCESS_CHILD) = 0xffffffff,
       ABI(MAP_ANON_FD) = 0xffffffff,
};

enum { /* fdflags */
       ABI(FDFLAG_APPEND) = 0x01,
       ABI(FDFLAG_DSYNC) = 0x02,
       ABI(FDFLAG_NONBLOCK) = 0x04,
       ABI(FDFLAG_RSYNC) = 0x08,
       ABI(FDFLAG_SYNC) = 0x10,
};

enum { /* fdsflags */
       ABI(FDSTAT_FLAGS) = 0x01,
       ABI(FDSTAT_RIGHTS) = 0x02,
};

enum { /* fsflags */
       ABI(FILESTAT_ATIM) = 0x01,
       ABI(FILESTAT_ATIM_NOW) = 0x02,
       ABI(FILESTAT_MTIM) = 0x04,
       ABI(FILESTAT_MTIM_NOW) = 0x08,
       ABI(FILESTAT_SIZE) = 0x10,
};

enum { /* filetype */
       ABI(FILETYPE_UNKNOWN) = 0x00,
       ABI(FILETYPE_BLOCK_DEVICE) = 0x10,
       ABI(FILETYPE_CHARACTER_DEVICE) = 0x11,
       ABI(FILETYPE_DIRECTORY) = 0x20,
       ABI(FILETYPE_PROCESS) = 0x50,
       ABI(FILETYPE_REGULAR_FILE) = 0x60,
       ABI(FILETYPE_SHARED_MEMORY) = 0x70,
       ABI(FILETYPE_SOCKET_DGRAM) = 0x80,
       ABI(FILETYPE_SOCKET_STREAM) = 0x82,
       ABI(FILETYPE_SYMBOLIC_LINK) = 0x90,
       ABI(FILETYPE_FIFO) = 0x30,             /* up to v0.14 */
       ABI(FILETYPE_POLL) = 0x40,             /* up to v0.15 */
       ABI(FILETYPE_SOCKET_SEQPACKET) = 0x81, /* up to v0.10 */
};

enum { /* lock */
       ABI(LOCK_UNLOCKED) = 0,
       ABI(LOCK_WRLOCKED) = 0x40000000,
       ABI(LOCK_KERNEL_MANAGED) = 0x80000000,
       ABI(LOCK_BOGUS) = 0x80000000,
};

enum { /* lookupflags */
       ABI(LOOKUP_SYMLINK_FOLLOW) = 1,
};

enum { /* mflags */
       ABI(MAP_ANON) = 0x01,
       ABI(MAP_FIXED) = 0x02,
       ABI(MAP_PRIVATE) = 0x04,
       ABI(MAP_SHARED) = 0x08,
};

enum { /* scope */
       ABI(SCOPE_PRIVATE) = 0x04,
       ABI(SCOPE_SHARED) = 0x08,
};

enum { /* mprot */
       ABI(PROT_EXEC) = 0x01,
       ABI(PROT_WRITE) = 0x02,
       ABI(PROT_READ) = 0x04,
};

enum { /* msflags */
       ABI(MS_ASYNC) = 0x01,
       ABI(MS_INVALIDATE) = 0x02,
       ABI(MS_SYNC) = 0x04,
};

enum { /* oflags */
       ABI(O_CREAT) = 0x01,
       ABI(O_DIRECTORY) = 0x02,
       ABI(O_EXCL) = 0x04,
       ABI(O_TRUNC) = 0x08,
};

enum { /* rights */
       ABI(RIGHT_FD_DATASYNC) = 0x0000000000000001,
       ABI(RIGHT_FD_READ) = 0x0000000000000002,
       ABI(RIGHT_FD_SEEK) = 0x0000000000000004,
       ABI(RIGHT_FD_STAT_PUT_FLAGS) = 0x0000000000000008,
       ABI(RIGHT_FD_SYNC) = 0x0000000000000010,
       ABI(RIGHT_FD_TELL) = 0x0000000000000020,
       ABI(RIGHT_FD_WRITE) = 0x0000000000000040,
       ABI(RIGHT_FILE_ADVISE) = 0x0000000000000080,
       ABI(RIGHT_FILE_ALLOCATE) = 0x0000000000000100,
       ABI(RIGHT_FILE_CREATE_DIRECTORY) = 0x0000000000000200,
       ABI(RIGHT_FILE_CREATE_FILE) = 0x0000000000000400,
       ABI(RIGHT_FILE_LINK_SOURCE) = 0x0000000000001000,
       ABI(RIGHT_FILE_LINK_TARGET) = 0x0000000000002000,
       ABI(RIGHT_FILE_OPEN) = 0x0000000000004000,
       ABI(RIGHT_FILE_READDIR) = 0x0000000000008000,
       ABI(RIGHT_FILE_READLINK) = 0x0000000000010000,
       ABI(RIGHT_FILE_RENAME_SOURCE) = 0x0000000000020000,
       ABI(RIGHT_FILE_RENAME_TARGET) = 0x0000000000040000,
       ABI(RIGHT_FILE_STAT_FGET) = 0x0000000000080000,
       ABI(RIGHT_FILE_STAT_FPUT_SIZE) = 0x0000000000100000,
       ABI(RIGHT_FILE_STAT_FPUT_TIMES) = 0x0000000000200000,
       ABI(RIGHT_FILE_STAT_GET) = 0x0000000000400000,
       ABI(RIGHT_FILE_STAT_PUT_TIMES) = 0x0000000000800000,
       ABI(RIGHT_FILE_SYMLINK) = 0x0000000001000000,
       ABI(RIGHT_FILE_UNLINK) = 0x0000000002000000,
       ABI(RIGHT_MEM_MAP) = 0x0000000004000000,
       ABI(RIGHT_MEM_MAP_EXEC) = 0x0000000008000000,
       ABI(RIGHT_POLL_FD_READWRITE) = 0x0000000010000000,
       ABI(RIGHT_POLL_PROC_TERMINATE) = 0x0000000040000000,
       ABI(RIGHT_PROC_EXEC) = 0x0000000100000000,
       ABI(RIGHT_SOCK_SHUTDOWN) = 0x0000008000000000,
       ABI(RIGHT_FILE_CREATE_FIFO) = 0x800,              /* up to v0.14 */
       ABI(RIGHT_POLL_MODIFY) = 0x20000000,              /* up to v0.15 */
       ABI(RIGHT_POLL_WAIT) = 0x80000000,                /* up to v0.15 */
       ABI(RIGHT_SOCK_ACCEPT) = 0x200000000,             /* up to v0.13 */
       ABI(RIGHT_SOCK_BIND_DIRECTORY) = 0x400000000,     /* up to v0.12 */
       ABI(RIGHT_SOCK_BIND_SOCKET) = 0x800000000,        /* up to v0.12 */
       ABI(RIGHT_SOCK_CONNECT_DIRECTORY) = 0x1000000000, /* up to v0.12 */
       ABI(RIGHT_SOCK_CONNECT_SOCKET) = 0x2000000000,    /* up to v0.12 */
       ABI(RIGHT_SOCK_LISTEN) = 0x4000000000,            /* up to v0.12 */
       ABI(RIGHT_SOCK_STAT_GET) = 0x10000000000,         /* up to v0.13 */
};

enum { /* sdflags */
       ABI(SHUT_RD) = 0x01,
       ABI(SHUT_WR) = 0x02,
};

enum { /* signal */
       ABI(SIGABRT) = 1,
       ABI(SIGALRM) = 2,
       ABI(SIGBUS) = 3,
       ABI(SIGCHLD) = 4,
       ABI(SIGCONT) = 5,
       ABI(SIGFPE) = 6,
       ABI(SIGHUP) = 7,
       ABI(SIGILL) = 8,
       ABI(SIGINT) = 9,
       ABI(SIGKILL) = 10,
       ABI(SIGPIPE) = 11,
       ABI(SIGQUIT) = 12,
       ABI(SIGSEGV) = 13,
       ABI(SIGSTOP) = 14,
       ABI(SIGSYS) = 15,
       ABI(SIGTERM) = 16,
       ABI(SIGTRAP) = 17,
       ABI(SIGTSTP) = 18,
       ABI(SIGTTIN) = 19,
       ABI(SIGTTOU) = 20,
       ABI(SIGURG) = 21,
       ABI(SIGUSR1) = 22,
       ABI(SIGUSR2) = 23,
       ABI(SIGVTALRM) = 24,
       ABI(SIGXCPU) = 25,
       ABI(SIGXFSZ) = 26,
};

enum { /* subclockflags */
       ABI(SUBSCRIPTION_CLOCK_ABSTIME) = 0x01,
};

enum { /* subrwflags */
       ABI(SUBSCRIPTION_FD_READWRITE_POLL) = 0x01,
};

enum { /* riflags */
       ABI(SOCK_RECV_PEEK) = 0x04,
       ABI(SOCK_RECV_WAITALL) = 0x10,
};

enum { /* roflags */
       ABI(SOCK_RECV_FDS_TRUNCATED) = 0x01,
       ABI(SOCK_RECV_DATA_TRUNCATED) = 0x08,
};

enum { /* ulflags */
       ABI(UNLINK_REMOVEDIR) = 0x01,
};

enum { /* whence */
       ABI(WHENCE_CUR) = 1,
       ABI(WHENCE_END) = 2,
       ABI(WHENCE_SET) = 3,
};

/* Structures. Those that pad say so by their offsets, checked below. */
struct ABI_T(auxv) {
  ABI_T(auxtype_t) a_type;
  union {
    size_t a_val;
    void *a_ptr;
  };
};

struct ABI_T(iovec) { /* iovec and ciovec */
  void *buf;
  size_t buf_len;
};

struct ABI_T(dirent) { /* followed by d_namlen bytes of name */
  ABI_T(dircookie_t) d_next;
  ABI_T(inode_t) d_ino;
  uint32_t d_namlen;
  ABI_T(filetype_t) d_type;
};

struct ABI_T(event) {
  ABI_T(userdata_t) userdata;
  ABI_T(errno_t) error;
  ABI_T(eventtype_t) type;
  union {
    struct {
      ABI_T(userdata_t) identifier; /* up to v0.16 */
    } clock;
    struct {
      void *condvar; /* up to v0.16 */
    } condvar;
    struct {
      ABI_T(filesize_t) nbytes;
      ABI_T(fd_t) fd; /* up to v0.16 */
      ABI_T(eventrwflags_t) flags;
    } fd_readwrite;
    struct {
      void *lock; /* up to v0.16 */
    } lock;
    struct {
      ABI_T(fd_t) fd; /* up to v0.16 */
      ABI_T(signal_t) signal;
      ABI_T(exitcode_t) exitcode;
    } proc_terminate;
  };
};

struct ABI_T(fdstat) {
  ABI_T(filetype_t) fs_filetype;
  ABI_T(fdflags_t) fs_flags;
  ABI_T(rights_t) fs_rights_base;
  ABI_T(rights_t) fs_rights_inheriting;
};

struct ABI_T(filestat) {
  ABI_T(device_t) st_dev;
  ABI_T(inode_t) st_ino;
  ABI_T(filetype_t) st_filetype;
  ABI_T(linkcount_t) st_nlink;
  ABI_T(filesize_t) st_size;
  ABI_T(timestamp_t) st_atim;
  ABI_T(timestamp_t) st_mtim;
  ABI_T(timestamp_t) st_ctim;
};

struct ABI_T(lookup) { /* passed by value, in one register */
  ABI_T(fd_t) fd;
  ABI_T(lookupflags_t) flags;
};

struct ABI_T(recv_in) {
  const struct ABI_T(iovec) * ri_data;
  size_t ri_data_len;
  ABI_T(fd_t) * ri_fds;
  size_t ri_fds_len;
  ABI_T(riflags_t) ri_flags;
};

struct ABI_T(recv_out) {
  size_t ro_datalen;
  size_t ro_fdslen;
  char ro_unused[40]; /* up to v0.11: the names of both ends */
  ABI_T(roflags_t) ro_flags;
};

struct ABI_T(send_in) {
  const struct ABI_T(iovec) * si_data;
  size_t si_data_len;
  const ABI_T(fd_t) * si_fds;
  size_t si_fds_len;
  ABI_T(siflags_t) si_flags;
};

struct ABI_T(send_out) {
  size_t so_datalen;
};

struct ABI_T(subscription) {
  ABI_T(userdata_t) userdata;
  ABI_T(subflags_t) flags; /* of poll_fd, up to v0.15; poll ignores them */
  ABI_T(eventtype_t) type;
  union {
    struct {
      ABI_T(userdata_t) identifier;
      ABI_T(clock_id_t) clock_id;
      ABI_T(timestamp_t) timeout;
      ABI_T(timestamp_t) precision;
      ABI_T(subclockflags_t) flags;
    } clock;
    struct {
      ABI_T(condvar_t) * condvar;
      ABI_T(lock_t) * lock;
      ABI_T(scope_t) condvar_scope;
      ABI_T(scope_t) lock_scope;
    } condvar;
    struct {
      ABI_T(fd_t) fd;
      ABI_T(subrwflags_t) flags;
    } fd_readwrite;
    struct {
      ABI_T(lock_t) * lock;
      ABI_T(scope_t) lock_scope;
    } lock;
    struct {
      ABI_T(fd_t) fd;
    } proc_terminate;
  };
};

struct ABI_T(tcb) {
  void *parent;
};

struct ABI_T(threadattr) {
  void (*entry_point)(ABI_T(tid_t) tid, void *aux);
  void *stack; /* its lowest address */
  size_t stack_len;
  void *argument;
};

_Static_assert(sizeof(struct ABI_T(auxv)) == 16, "auxv");
_Static_assert(sizeof(struct ABI_T(iovec)) == 16, "iovec");
_Static_assert(sizeof(struct ABI_T(dirent)) == 24, "dirent");
_Static_assert(sizeof(struct ABI_T(event)) == 32, "event");
_Static_assert(offsetof(struct ABI_T(event), fd_readwrite.flags) == 28, "event");
_Static_assert(offsetof(struct ABI_T(event), proc_terminate.exitcode) == 24, "event");
_Static_assert(sizeof(struct ABI_T(fdstat)) == 24, "fdstat");
_Static_assert(sizeof(struct ABI_T(filestat)) == 56, "filestat");
_Static_assert(sizeof(struct ABI_T(lookup)) == 8, "lookup");
_Static_assert(sizeof(struct ABI_T(recv_in)) == 40, "recv_in");
_Static_assert(sizeof(struct ABI_T(recv_out)) == 64, "recv_out");
_Static_assert(offsetof(struct ABI_T(recv_out), ro_flags) == 56, "recv_out");
_Static_assert(sizeof(struct ABI_T(send_in)) == 40, "send_in");
_Static_assert(sizeof(struct ABI_T(subscription)) == 56, "subscription");
_Static_assert(offsetof(struct ABI_T(subscription), clock.flags) == 48, "subscription");
_Static_assert(offsetof(struct ABI_T(subscription), condvar.lock_scope) == 33, "subscription");
_Static_assert(sizeof(struct ABI_T(threadattr)) == 32, "threadattr");

#include "retired.h"

#endif
