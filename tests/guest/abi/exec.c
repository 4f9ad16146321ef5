/*
 * proc_exec from inside: {out: fd, dir: fd, file: fd, tmp: fd, self: fd}. Reference 1.1
 * to 1.4, 8.2.
 *
 * Children start this program again with a struct request as argument data; what they find there
 * and around them is their exit code, a bit for everything that is wrong.
 */
#include <elf.h>
#include <program.h>
#include <stdatomic.h>
#include <stddef.h>

#include "../check.h"
#include "machine.h"
#include "procs.h"

/* exec.S */
struct machine_state start_state __attribute__((visibility("hidden")));
struct machine_state thread_state __attribute__((visibility("hidden")));
__attribute__((visibility("hidden"))) void thread_started(void);
__attribute__((visibility("hidden"))) unsigned fork_registers(
    cloudabi_errno_t (*fn)(cloudabi_fd_t *, cloudabi_tid_t *), cloudabi_fd_t *, cloudabi_tid_t *);
extern const char tiny_code[] __attribute__((visibility("hidden")));
extern const char tiny_code_end[] __attribute__((visibility("hidden")));
extern const char fixed_code[] __attribute__((visibility("hidden")));
extern const char fixed_code_end[] __attribute__((visibility("hidden")));

void thread_started(void) {
}

static cloudabi_fd_t dir, file, tmp, self;

/* ---- The program that is started ------------------------------------------------------------- */

enum { EXIT, LOOK, CHAIN_FIRST, CHAIN };

struct request {
  char magic[8]; /* no argument data of a map begins so */
  uint32_t mode;
  uint32_t number; /* EXIT: the code; CHAIN: how often again; LOOK: of descriptors */
  uint64_t bytes;  /* of argument data, with this; the rest is a pattern */
  uintptr_t old_memory;
  unsigned char uuid[16];
  cloudabi_rights_t rights[4];
};

#define MAGIC "!again!"

enum { /* what may be wrong */
       BAD_DATA = 1,
       BAD_COUNT = 2,
       BAD_RIGHTS = 4,
       BAD_OFFSET = 8,
       BAD_MEMORY = 16,
       BAD_STATE = 32,
       BAD_UUID = 64, /* its parent's */
       BAD_AUXV = 128,
};

static uint64_t auxv_value(cloudabi_auxtype_t type) {
  const struct cloudabi_auxv *a = (const void *)(uintptr_t)start_state.argument[0];
  for (; a->a_type != CLOUDABI_AT_NULL; a++) {
    if (a->a_type == type)
      return a->a_val;
  }
  return 0;
}

static uint8_t pattern(size_t i) {
  return (uint8_t)(i * 7 + (i >> 8));
}

static bool data_is_wrong(const struct request *r, size_t length) {
  const uint8_t *bytes = (const void *)r;
  if (length != r->bytes)
    return true;
  for (size_t i = sizeof(*r); i < length; i++) {
    if (bytes[i] != pattern(i))
      return true;
  }
  return false;
}

static bool fds_are_wrong(const struct request *r) {
  struct cloudabi_fdstat st;
  for (cloudabi_fd_t fd = 0; fd < 300; fd++) {
    if ((cloudabi_sys_fd_stat_get(fd, &st) == 0) != (fd < r->number))
      return true;
  }
  return false;
}

static bool rights_are_wrong(const struct request *r) {
  for (cloudabi_fd_t fd = 0; fd < r->number; fd++) {
    if (raw_rights(fd) != r->rights[fd])
      return true;
  }
  return false;
}

/* The first descriptors are of the file, whose offset is 5. */
static bool offset_is_wrong(const struct request *r) {
  cloudabi_filesize_t at = 5;
  if (r->number > 0)
    cloudabi_sys_fd_seek(0, 0, CLOUDABI_WHENCE_CUR, &at);
  return at != 5;
}

static bool state_is_wrong(void) {
  const struct machine_state *s = &start_state;
  return !MACHINE_STACK_OK(s) || !MACHINE_FLAGS_OK(s) || !MACHINE_FP_OK(s) ||
         !raw_all(s->other, sizeof(s->other), 0) || s->argument[1] != 0;
}

static bool auxv_is_wrong(const struct request *r, size_t length) {
  return auxv_value(CLOUDABI_AT_ARGDATALEN) != length ||
         auxv_value(CLOUDABI_AT_ARGDATA) != (uintptr_t)r || auxv_value(CLOUDABI_AT_CANARYLEN) < 8 ||
         auxv_value(CLOUDABI_AT_TID) < 2 || auxv_value(CLOUDABI_AT_SYSINFO_EHDR) == 0 ||
         auxv_value(CLOUDABI_AT_BASE) == 0;
}

static unsigned look(const struct request *r, size_t length) {
  unsigned wrong = 0;
  if (data_is_wrong(r, length))
    wrong |= BAD_DATA;
  if (fds_are_wrong(r))
    wrong |= BAD_COUNT;
  if (rights_are_wrong(r))
    wrong |= BAD_RIGHTS;
  if (offset_is_wrong(r))
    wrong |= BAD_OFFSET;
  if (cloudabi_sys_random_get((void *)r->old_memory, 1) != CLOUDABI_EFAULT)
    wrong |= BAD_MEMORY;
  if (state_is_wrong())
    wrong |= BAD_STATE;
  if (memcmp((const void *)(uintptr_t)auxv_value(CLOUDABI_AT_PID), r->uuid, 16) == 0)
    wrong |= BAD_UUID;
  if (auxv_is_wrong(r, length))
    wrong |= BAD_AUXV;
  return wrong;
}

static struct request request_of(uint32_t mode, uint32_t number) {
  struct request r = {.magic = MAGIC, .mode = mode, .number = number, .bytes = sizeof(r)};
  memcpy(r.uuid, (const void *)(uintptr_t)auxv_value(CLOUDABI_AT_PID), sizeof(r.uuid));
  return r;
}

static unsigned again(const struct request *r, size_t length) {
  struct request next = request_of(CHAIN, r->number - 1);
  static const cloudabi_fd_t fds[] = {0};
  switch (r->mode) {
    case LOOK:
      return look(r, length);
    case CHAIN:
      if (memcmp(r->uuid, next.uuid, sizeof(r->uuid)) != 0)
        return 50;
      if (r->number == 0)
        return 0;
      return 100u + cloudabi_sys_proc_exec(0, &next, sizeof(next), fds, 1);
    case CHAIN_FIRST:
      return 100u + cloudabi_sys_proc_exec(0, &next, sizeof(next), fds, 1);
    default:
      return r->number;
  }
}

/* ---- Starting it ----------------------------------------------------------------------------- */

/* What a child executes. */
struct start {
  cloudabi_fd_t program;
  const void *data;
  size_t bytes;
  const cloudabi_fd_t *fds;
  size_t n;
};

static const struct start *starting;

static cloudabi_errno_t start_now(cloudabi_fd_t *unused, cloudabi_tid_t *unused_too) {
  const struct start *s = starting;
  (void)unused, (void)unused_too;
  return cloudabi_sys_proc_exec(s->program, s->data, s->bytes, s->fds, s->n);
}

/* With something in every register. */
static unsigned start_program(void *arg) {
  starting = arg;
  return 5000 + fork_registers(start_now, NULL, NULL);
}

/* How a program ends that a child starts; 5000 and the error if it does not start. */
static unsigned run(struct start s) {
  return proc_end(proc_spawn(start_program, &s));
}

static unsigned run_file(cloudabi_fd_t program) {
  struct request r = request_of(EXIT, 77);
  return run((struct start){program, &r, sizeof(r), NULL, 0});
}

/* The same, with memory that the program will look for. */
static unsigned start_looking(void *arg) {
  const struct start *s = arg;
  ((struct request *)(uintptr_t)s->data)->old_memory = (uintptr_t)raw_memory(RAW_PAGE);
  return start_program(arg);
}

/* ---- What it finds --------------------------------------------------------------------------- */

static void check_program(void) {
  cloudabi_filesize_t at;
  cloudabi_fd_t weak =
      raw_dup_with(file, CLOUDABI_RIGHT_FD_READ | CLOUDABI_RIGHT_FD_SEEK | CLOUDABI_RIGHT_FD_TELL);
  cloudabi_fd_t fds[] = {file, weak, weak, dir};
  struct request r = request_of(LOOK, 4);
  struct start s = {self, &r, sizeof(r), fds, 4};
  for (int i = 0; i < 4; i++)
    r.rights[i] = raw_rights(fds[i]);
  cloudabi_sys_fd_seek(file, 5, CLOUDABI_WHENCE_SET, &at);
  unsigned wrong = proc_end(proc_spawn(start_looking, &s));
  check("proc_exec", "the program runs", wrong < 1000);
  check("proc_exec", "it has the argument data", (wrong & BAD_DATA) == 0);
  check("proc_exec", "it has the listed descriptors and no others", (wrong & BAD_COUNT) == 0);
  check("proc_exec", "they have their rights", (wrong & BAD_RIGHTS) == 0);
  check("proc_exec", "they share their descriptions", (wrong & BAD_OFFSET) == 0);
  check("proc_exec", "no memory of the program before is there", (wrong & BAD_MEMORY) == 0);
  check("proc_exec", "no register has anything of the program before", (wrong & BAD_STATE) == 0);
  check("proc_exec", "the auxiliary vector is its own", (wrong & BAD_AUXV) == 0);
  check("proc_fork", "a child has a UUID of its own", (wrong & BAD_UUID) == 0);
  cloudabi_sys_fd_seek(file, 0, CLOUDABI_WHENCE_SET, &at);
  cloudabi_sys_fd_close(weak);
}

static void check_argument_sizes(void) {
  static const size_t sizes[] = {0, 1000, 2048, 4095, 4096, 4097, 100000, 1 << 20};
  static union {
    struct request r;
    uint8_t bytes[(1 << 20) + 1];
  } data;
  char what[60];
  for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
    for (size_t j = 0; j < sizes[i]; j++)
      data.bytes[j] = pattern(j);
    data.r = request_of(LOOK, 0);
    data.r.bytes = sizes[i] < sizeof(data.r) ? sizeof(data.r) : sizes[i];
    struct start s = {self, &data, data.r.bytes, NULL, 0};
    snprintf(what, sizeof(what), "argument data of %zu bytes", (size_t)data.r.bytes);
    check_eq("proc_exec", what, proc_end(proc_spawn(start_looking, &s)), 0);
  }
  /* Without a request: what the C library makes of it does not matter here. */
  check("proc_exec", "no argument data", run((struct start){self, NULL, 0, NULL, 0}) < 5000);
  check_err("proc_exec", "too much argument data",
            cloudabi_sys_proc_exec(self, &data, sizeof(data), NULL, 0), CLOUDABI_E2BIG);
  check_err("proc_exec", "argument data without end",
            cloudabi_sys_proc_exec(self, &data, SIZE_MAX, NULL, 0), CLOUDABI_E2BIG);
}

/* ---- Errors ---------------------------------------------------------------------------------- */

static void check_errors(void) {
  static const cloudabi_fd_t bad[] = {0, RAW_BAD_FD};
  struct cloudabi_fdstat st;
  cloudabi_fd_t open, set = RAW_BAD_FD;
  cloudabi_fd_t weak = raw_dup_with(file, ~CLOUDABI_RIGHT_PROC_EXEC);
  check_err("proc_exec", "a closed number", cloudabi_sys_proc_exec(RAW_BAD_FD, "", 0, NULL, 0),
            CLOUDABI_EBADF);
  check_err("proc_exec", "a directory", cloudabi_sys_proc_exec(dir, "", 0, NULL, 0),
            CLOUDABI_ENOTCAPABLE);
  check_err("proc_exec", "without the right", cloudabi_sys_proc_exec(weak, "", 0, NULL, 0),
            CLOUDABI_ENOTCAPABLE);
  check_err("proc_exec", "a closed number in the list", cloudabi_sys_proc_exec(self, "", 0, bad, 2),
            CLOUDABI_EBADF);
  check_err("proc_exec", "the right is looked at before the list",
            cloudabi_sys_proc_exec(weak, "", 0, bad, 2), CLOUDABI_ENOTCAPABLE);
  check_err("proc_exec", "the list is looked at before the file",
            cloudabi_sys_proc_exec(file, "", 0, bad, 2), CLOUDABI_EBADF);
  check_err("proc_exec", "too long a list", cloudabi_sys_proc_exec(self, "", 0, bad, 1ul << 32),
            CLOUDABI_E2BIG);
  check_err("proc_exec", "a list that is nowhere", cloudabi_sys_proc_exec(self, "", 0, NULL, 1),
            CLOUDABI_EFAULT);
  check_err("proc_exec", "argument data that is nowhere",
            cloudabi_sys_proc_exec(self, NULL, 1, NULL, 0), CLOUDABI_EFAULT);
  check_err("proc_exec", "a file that is no program", cloudabi_sys_proc_exec(file, "", 0, NULL, 0),
            CLOUDABI_ENOEXEC);
  raw_open(dir, "empty", 0, CLOUDABI_RIGHT_PROC_EXEC, &open);
  check_err("proc_exec", "an empty file", cloudabi_sys_proc_exec(open, "", 0, NULL, 0),
            CLOUDABI_ENOEXEC);
  if (cloudabi_sys_fd_create1(CLOUDABI_FILETYPE_POLL, &set) == 0)
    check_err("proc_exec", "a poll set in the list", cloudabi_sys_proc_exec(self, "", 0, &set, 1),
              CLOUDABI_EINVAL);
  check_err("proc_exec", "after errors everything is there", cloudabi_sys_fd_stat_get(weak, &st),
            0);
  cloudabi_sys_fd_close(set);
  cloudabi_sys_fd_close(open);
  cloudabi_sys_fd_close(weak);
}

/* ---- Threads --------------------------------------------------------------------------------- */

static void tick(struct raw_thread *t) {
  proc_count(t->arg);
}

static void start_in_thread(struct raw_thread *t) {
  struct request r = request_of(EXIT, 21);
  while (*(volatile uint64_t *)t->arg < 10)
    cloudabi_sys_thread_yield();
  cloudabi_sys_proc_exec(self, &r, sizeof(r), NULL, 0);
}

/* Starts from a thread of its own while others run, sleep, and wait for a lock. */
static unsigned start_among_threads(void *arg) {
  static struct raw_thread threads[4];
  static cloudabi_lock_t lock;
  struct cloudabi_event ev;
  lock = 2 | CLOUDABI_LOCK_WRLOCKED;
  for (int i = 0; i < 3; i++)
    raw_spawn(&threads[i], tick, arg);
  raw_spawn(&threads[3], start_in_thread, arg);
  raw_wait(raw_lock_sub(&lock, CLOUDABI_EVENTTYPE_LOCK_WRLOCK), 0, &ev);
  return 9;
}

static void check_threads(void) {
  volatile uint64_t *count = proc_shared(RAW_PAGE);
  check_eq("proc_exec", "by one of many threads",
           proc_end(proc_spawn(start_among_threads, (void *)(uintptr_t)count)), 21);
  check("proc_exec", "the other threads are gone", !proc_counts(count));
}

/* ---- Identity -------------------------------------------------------------------------------- */

static unsigned start_and_sleep(void *arg) {
  raw_sleep(20 * RAW_MS);
  return start_program(arg);
}

static unsigned start_chain(void *arg) {
  struct request r = request_of(CHAIN_FIRST, *(uint32_t *)arg);
  const cloudabi_fd_t fds[] = {self};
  return 100u + cloudabi_sys_proc_exec(self, &r, sizeof(r), fds, 1);
}

static void check_identity(void) {
  struct request r = request_of(EXIT, 33);
  struct start s = {self, &r, sizeof(r), NULL, 0};
  uint32_t times = 40;
  cloudabi_fd_t fd = proc_spawn(start_and_sleep, &s);
  check_eq("proc_exec", "the process keeps its descriptor", proc_end(fd), 33);
  check_eq("proc_exec", "again and again, and the UUID stays",
           proc_end(proc_spawn(start_chain, &times)), 0);
}

/* ---- Files ----------------------------------------------------------------------------------- */

/* A file of the temporary directory with these bytes, open to be executed and read. */
static cloudabi_fd_t store(const char *name, const void *bytes, size_t n) {
  cloudabi_fd_t fd = RAW_BAD_FD;
  raw_open(tmp, name, CLOUDABI_O_CREAT | CLOUDABI_O_TRUNC,
           CLOUDABI_RIGHT_FD_WRITE | CLOUDABI_RIGHT_FD_SEEK | CLOUDABI_RIGHT_PROC_EXEC, &fd);
  raw_write(fd, bytes, n);
  cloudabi_sys_fd_close(fd);
  raw_open(tmp, name, 0, CLOUDABI_RIGHT_FD_READ | CLOUDABI_RIGHT_PROC_EXEC, &fd);
  return fd;
}

static void check_copies(void) {
  static char copy[1 << 20];
  struct cloudabi_iovec iov = {copy, sizeof(copy)};
  size_t n = 0;
  cloudabi_sys_fd_pread(self, &iov, 1, 0, &n);
  cloudabi_fd_t fd = store("copy", copy, n);
  check_eq("proc_exec", "a file of a temporary directory", run_file(fd), 77);
  cloudabi_fd_t only = raw_dup_with(fd, CLOUDABI_RIGHT_PROC_EXEC);
  check_eq("proc_exec", "a file that can't be read", run_file(only), 77);
  cloudabi_fd_t writable = RAW_BAD_FD;
  raw_open(tmp, "copy", 0,
           CLOUDABI_RIGHT_FD_WRITE | CLOUDABI_RIGHT_FD_SEEK | CLOUDABI_RIGHT_PROC_EXEC, &writable);
  check_err("proc_exec", "by a descriptor that can write",
            cloudabi_sys_proc_exec(writable, "", 0, NULL, 0), CLOUDABI_EBADF);
  cloudabi_sys_fd_close(writable);
  cloudabi_sys_file_unlink(tmp, "copy", 4, 0);
  check_eq("proc_exec", "a file without a name", run_file(only), 77);
  cloudabi_sys_fd_close(only);
  cloudabi_sys_fd_close(fd);
  fd = store("short", copy, 100);
  check_err("proc_exec", "a program that is cut off", cloudabi_sys_proc_exec(fd, "", 0, NULL, 0),
            CLOUDABI_ENOEXEC);
  cloudabi_sys_fd_close(fd);
}

/* ---- Programs made by hand ------------------------------------------------------------------- */

#define HEADERS 0x80 /* one program header, and room */

struct elf {
  Elf64_Ehdr ehdr;
  Elf64_Phdr phdr[3];
  char room[0x2100];
};

static void elf_begin(struct elf *e, unsigned type, uint64_t entry, unsigned phdrs) {
  memset(e, 0, sizeof(*e));
  memcpy(e->ehdr.e_ident, "\177ELF\2\1\1\21", 8);
  e->ehdr.e_type = type;
  e->ehdr.e_machine = MACHINE_ELF;
  e->ehdr.e_version = 1;
  e->ehdr.e_entry = entry;
  e->ehdr.e_phoff = offsetof(struct elf, phdr);
  e->ehdr.e_ehsize = sizeof(Elf64_Ehdr);
  e->ehdr.e_phentsize = sizeof(Elf64_Phdr);
  e->ehdr.e_phnum = phdrs;
}

/* 390 bytes, no section, no thread-locals, one segment that is smaller than a page. */
static void tiny_program(struct elf *e) {
  elf_begin(e, ET_DYN, HEADERS, 1);
  e->phdr[0] = (Elf64_Phdr){.p_type = PT_LOAD,
                            .p_flags = PF_R | PF_X,
                            .p_filesz = 0x86,
                            .p_memsz = 0x86,
                            .p_align = 0x200000};
  memcpy((char *)e + HEADERS, tiny_code, (size_t)(tiny_code_end - tiny_code));
}

static unsigned run_elf(const struct elf *e, size_t n) {
  cloudabi_fd_t fd = store("program", e, n);
  unsigned how = run((struct start){fd, NULL, 0, NULL, 0});
  cloudabi_sys_fd_close(fd);
  return how;
}

/* What an old linker makes: fixed addresses, and offsets that only agree with them within a page.
 */
static void fixed_program(struct elf *e) {
  static const uint32_t data = 0x12345678;
  elf_begin(e, ET_EXEC, 0x400180, 2);
  e->phdr[0] = (Elf64_Phdr){.p_type = PT_LOAD,
                            .p_flags = PF_R | PF_X,
                            .p_vaddr = 0x400000,
                            .p_filesz = 0x300,
                            .p_memsz = 0x300,
                            .p_align = 0x200000};
  e->phdr[1] = (Elf64_Phdr){.p_type = PT_LOAD,
                            .p_flags = PF_R | PF_W,
                            .p_offset = 0x1010,
                            .p_vaddr = 0x601010,
                            .p_filesz = 4,
                            .p_memsz = 0x3000,
                            .p_align = 0x200000};
  memcpy((char *)e + 0x180, fixed_code, (size_t)(fixed_code_end - fixed_code));
  memset((char *)e + 0x1000, 0xee, 0x1000);
  memcpy((char *)e + 0x1010, &data, sizeof(data));
}

static void check_bad_programs(void) {
  static struct elf e;
  static const struct {
    const char *what;
    size_t at;
    unsigned char value;
  } changes[] = {
      {"of another system", EI_OSABI, 0},
      {"of another byte order", EI_DATA, 2},
      {"of 32 bits", EI_CLASS, 1},
      {"of another machine", offsetof(Elf64_Ehdr, e_machine), 3},
      {"an object file", offsetof(Elf64_Ehdr, e_type), ET_REL},
      {"without a segment", offsetof(Elf64_Ehdr, e_phnum), 0},
      {"with an interpreter", offsetof(struct elf, phdr[0].p_type), PT_INTERP},
      {"writable code", offsetof(struct elf, phdr[0].p_flags), PF_R | PF_W | PF_X},
      {"an entry that is no code", offsetof(struct elf, phdr[0].p_flags), PF_R},
      {"a segment behind the end", offsetof(struct elf, phdr[0].p_filesz) + 2, 1},
  };
  char what[60];
  for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
    tiny_program(&e);
    ((unsigned char *)&e)[changes[i].at] = changes[i].value;
    snprintf(what, sizeof(what), "a program %s", changes[i].what);
    check_eq("proc_exec", what, run_elf(&e, 390), 5000 + CLOUDABI_ENOEXEC);
  }
}

static void check_made_programs(void) {
  static struct elf e;
  tiny_program(&e);
  check_eq("start", "a program of one segment, smaller than a page", run_elf(&e, 390),
           1000 + MACHINE_TINY_SIGNAL);
  fixed_program(&e);
  check_eq("start", "a program at fixed addresses, not aligned in its file", run_elf(&e, 0x1020),
           1000 + CLOUDABI_SIGTRAP);
  e.phdr[0].p_vaddr = 0; /* the page of the null pointer */
  check_eq("start", "fixed addresses that no program can have", run_elf(&e, 0x1020),
           5000 + CLOUDABI_ENOEXEC);
}

void program_main(const argdata_t *ad) {
  const void *data;
  size_t length;
  program_get_raw_argdata(&data, &length);
  if (length >= sizeof(struct request) && memcmp(data, MAGIC, sizeof(MAGIC)) == 0)
    cloudabi_sys_proc_exit(again(data, length));
  if (length == 0)
    cloudabi_sys_proc_exit(0);
  check_begin(ad);
  dir = arg_fd(ad, "dir");
  file = arg_fd(ad, "file");
  tmp = arg_fd(ad, "tmp");
  self = arg_fd(ad, "self");
  check_program();
  check_argument_sizes();
  check_errors();
  check_threads();
  check_identity();
  check_copies();
  check_made_programs();
  check_bad_programs();
  check_end();
}
