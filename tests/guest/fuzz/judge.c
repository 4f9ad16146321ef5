/*
 * The oracle: which rights a success takes, and what new descriptors may have. Reference 2.
 */
#include "fuzz.h"

#define R(name) CLOUDABI_RIGHT_##name

static const struct {
  const char *name;
  cloudabi_rights_t first, second; /* of its descriptors */
} needs[] = {
    {"fd_datasync", R(FD_DATASYNC), 0},
    {"fd_pread", R(FD_READ) | R(FD_SEEK), 0},
    {"fd_pwrite", R(FD_WRITE) | R(FD_SEEK), 0},
    {"fd_read", R(FD_READ), 0},
    {"fd_seek", R(FD_TELL), 0}, /* and fd_seek, if it moves */
    {"fd_sync", R(FD_SYNC), 0},
    {"fd_write", R(FD_WRITE), 0},
    {"file_advise", R(FILE_ADVISE), 0},
    {"file_allocate", R(FILE_ALLOCATE), 0},
    {"file_create", R(FILE_CREATE_DIRECTORY), 0},
    {"file_link", R(FILE_LINK_SOURCE), R(FILE_LINK_TARGET)},
    {"file_open", R(FILE_OPEN), 0},
    {"file_readdir", R(FILE_READDIR), 0},
    {"file_readlink", R(FILE_READLINK), 0},
    {"file_rename", R(FILE_RENAME_SOURCE), R(FILE_RENAME_TARGET)},
    {"file_stat_fget", R(FILE_STAT_FGET), 0},
    {"file_stat_fput", 0, 0}, /* by its flags */
    {"file_stat_get", R(FILE_STAT_GET), 0},
    {"file_stat_put", R(FILE_STAT_PUT_TIMES), 0},
    {"file_symlink", R(FILE_SYMLINK), 0},
    {"file_unlink", R(FILE_UNLINK), 0},
    {"mem_map", R(MEM_MAP), 0},
    {"poll_fd", 0, 0}, /* by what is asked of it */
    {"proc_exec", R(PROC_EXEC), 0},
    {"sock_accept", R(SOCK_ACCEPT), 0},
    {"sock_recv", R(FD_READ), 0},
    {"sock_send", R(FD_WRITE), 0},
    {"sock_shutdown", R(SOCK_SHUTDOWN), 0},
};

/* What changes something that the descriptors lead to: of the files, the temporary ones alone. */
static const char *const changes[] = {"fd_pwrite",   "file_allocate", "file_create",
                                      "file_link",   "file_rename",   "file_symlink",
                                      "file_unlink", "file_stat_put", "file_stat_fput"};

static bool is(const struct fuzz_call *c, const char *name) {
  return strcmp(c->call->name, name) == 0;
}

static bool is_change(const struct fuzz_call *c) {
  for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
    if (is(c, changes[i]))
      return true;
  }
  return false;
}

bool fuzz_fits(const struct fuzz_call *c, unsigned which, const struct fuzz_fd *fd) {
  cloudabi_rights_t needed = 0;
  for (size_t i = 0; i < sizeof(needs) / sizeof(needs[0]); i++) {
    if (is(c, needs[i].name))
      needed = which == 0 ? needs[i].first : needs[i].second;
  }
  return fd->open && (needed & ~fd->base) == 0 && (fd->tmp || !is_change(c));
}

/* The rights beyond those of the table. */
static cloudabi_rights_t more_needed(const struct fuzz_call *c) {
  cloudabi_rights_t more = 0;
  if (is(c, "fd_seek") && ((uint8_t)c->args[2] != CLOUDABI_WHENCE_CUR || c->args[1] != 0))
    more |= R(FD_SEEK);
  if (is(c, "mem_map") && (c->args[2] & (CLOUDABI_PROT_READ | CLOUDABI_PROT_WRITE)) != 0)
    more |= R(FD_READ);
  if (is(c, "mem_map") && (c->args[2] & CLOUDABI_PROT_EXEC) != 0)
    more |= R(MEM_MAP_EXEC);
  if (is(c, "mem_map") && (c->args[2] & CLOUDABI_PROT_WRITE) != 0 &&
      (c->args[3] & CLOUDABI_MAP_SHARED) != 0)
    more |= R(FD_WRITE);
  if (is(c, "file_open") && (c->args[3] & CLOUDABI_O_CREAT) != 0)
    more |= R(FILE_CREATE_FILE);
  if (is(c, "poll_fd"))
    more |= (c->args[2] > 0 ? R(POLL_MODIFY) : 0) | (c->args[4] > 0 ? R(POLL_WAIT) : 0);
  if (is(c, "file_stat_fput"))
    more |= (c->args[2] & CLOUDABI_FILESTAT_SIZE) != 0 ? R(FILE_STAT_FPUT_SIZE)
                                                       : R(FILE_STAT_FPUT_TIMES);
  return more;
}

/* What is read-only stays as it is. */
static const char *judge_change(const struct fuzz_call *c) {
  bool change = is_change(c);
  if (is(c, "file_stat_put") && (uint16_t)c->args[4] == 0)
    change = false;
  if (is(c, "file_open") && (c->args[3] & CLOUDABI_O_TRUNC) != 0)
    change = true;
  if (is(c, "fd_write") && c->fd[0]->type == CLOUDABI_FILETYPE_REGULAR_FILE)
    change = true;
  for (unsigned i = 0; change && i < c->fds; i++) {
    if (!c->fd[i]->tmp)
      return "it changed what is read-only";
  }
  return NULL;
}

static const char *judge_rights(const struct fuzz_call *c) {
  if (is(c, "sock_accept"))
    return "nobody connects";
  if (is(c, "proc_exec"))
    return "there is no program";
  if (is(c, "mem_map") && (c->args[3] & CLOUDABI_MAP_ANON) != 0)
    return NULL; /* which it can't be with a descriptor */
  for (unsigned i = 0; i < c->fds; i++) {
    if (c->fd[i] == NULL)
      return "its descriptor is not open";
  }
  for (size_t i = 0; i < sizeof(needs) / sizeof(needs[0]); i++) {
    if (!is(c, needs[i].name) || c->fds == 0)
      continue;
    if (((needs[i].first | more_needed(c)) & ~c->fd[0]->base) != 0)
      return "its descriptor lacks the right";
    if (c->fds > 1 && (needs[i].second & ~c->fd[1]->base) != 0)
      return "its second descriptor lacks the right";
  }
  return judge_change(c);
}

/* ---- The model ------------------------------------------------------------------------------- */

static struct fuzz_fd *free_slot(struct fuzz_worker *w) {
  for (unsigned i = 0; i < FUZZ_FDS; i++) {
    if (!w->fds[i].open)
      return &w->fds[i];
  }
  return NULL;
}

/* A new number: compared with what it must have at most, or exactly. */
static const char *enter(struct fuzz_worker *w, cloudabi_fd_t fd, cloudabi_rights_t base,
                         cloudabi_rights_t inheriting, bool exactly, bool tmp) {
  struct cloudabi_fdstat st;
  struct fuzz_fd *slot = free_slot(w);
  if (cloudabi_sys_fd_stat_get(fd, &st) != 0)
    return "the new descriptor is not open";
  if ((st.fs_rights_base & ~base) != 0 || (st.fs_rights_inheriting & ~inheriting) != 0)
    return "the new descriptor has rights that nobody gave";
  if (exactly && (st.fs_rights_base != base || st.fs_rights_inheriting != inheriting))
    return "the new descriptor lacks rights";
  if (slot == NULL) {
    cloudabi_sys_fd_close(fd);
    return NULL;
  }
  *slot =
      (struct fuzz_fd){true, fd, tmp, st.fs_filetype, st.fs_rights_base, st.fs_rights_inheriting};
  return NULL;
}

void fuzz_adopt(struct fuzz_worker *w) {
  cloudabi_fd_t fd;
  unsigned which = fuzz_below(w, FUZZ_GRANTED + 1);
  if (which == FUZZ_GRANTED)
    which = FUZZ_TMP;         /* where most can happen */
  if (free_slot(w) == NULL) { /* one that has lost its rights, perhaps */
    struct fuzz_fd *old = &w->fds[fuzz_below(w, FUZZ_FDS)];
    old->open = cloudabi_sys_fd_close(old->fd) != 0;
  }
  if (cloudabi_sys_fd_dup(fuzz.granted[which], &fd) == 0)
    enter(w, fd, UINT64_MAX, UINT64_MAX, false, which == FUZZ_TMP);
}

static cloudabi_fd_t result_fd(const struct fuzz_call *c, unsigned i) {
  cloudabi_fd_t fd;
  memcpy(&fd, (const void *)(uintptr_t)c->args[i], sizeof(fd));
  return fd;
}

/* Another worker may have unmapped or overwritten a result in an arena. */
static bool result_is_mine(const struct fuzz_worker *w, const struct fuzz_call *c, unsigned i) {
  return c->args[i] >= (uintptr_t)w->out && c->args[i] < (uintptr_t)w->out + FUZZ_AREA_BYTES;
}

static const char *judge_stat_put(const struct fuzz_call *c) {
  const struct cloudabi_fdstat *st = c->request;
  struct fuzz_fd *fd = c->fd[0];
  if ((uint16_t)c->args[2] == CLOUDABI_FDSTAT_FLAGS)
    return (fd->base & R(FD_STAT_PUT_FLAGS)) == 0 ? "its descriptor lacks the right" : NULL;
  if (st == NULL || (uintptr_t)st != c->args[1]) { /* read from an arena: ask */
    struct cloudabi_fdstat now;
    cloudabi_sys_fd_stat_get(fd->fd, &now);
    bool more =
        (now.fs_rights_base & ~fd->base) != 0 || (now.fs_rights_inheriting & ~fd->inheriting) != 0;
    fd->base = now.fs_rights_base;
    fd->inheriting = now.fs_rights_inheriting;
    return more ? "rights came out of nothing" : NULL;
  }
  if ((st->fs_rights_base & ~fd->base) != 0 || (st->fs_rights_inheriting & ~fd->inheriting) != 0)
    return "rights came out of nothing";
  fd->base = st->fs_rights_base;
  fd->inheriting = st->fs_rights_inheriting;
  return NULL;
}

/* ---- New things ------------------------------------------------------------------------------ */

static bool is_socket(cloudabi_filetype_t type) {
  return type == CLOUDABI_FILETYPE_SOCKET_STREAM || type == CLOUDABI_FILETYPE_SOCKET_DGRAM ||
         type == FUZZ_FILETYPE_SOCKET_SEQPACKET;
}

static const char *judge_create1(struct fuzz_worker *w, const struct fuzz_call *c) {
  const cloudabi_filetype_t type = (cloudabi_filetype_t)c->args[0];
  const cloudabi_rights_t poll = R(FILE_STAT_FGET) | R(POLL_MODIFY) | R(POLL_WAIT);
  if (!result_is_mine(w, c, 1))
    return NULL;
  if (type == CLOUDABI_FILETYPE_SHARED_MEMORY)
    return enter(w, result_fd(c, 1), 0xc180042, 0, true, true);
  if (type == FUZZ_FILETYPE_POLL)
    return enter(w, result_fd(c, 1), poll, 0, true, false);
  if (is_socket(type))
    return enter(w, result_fd(c, 1), 0x1ea1008004a, 0x1ffffffffff, true, true);
  return "there is no such type";
}

/* One that never waits, and nobody can change that. */
static void tame(struct fuzz_worker *w, cloudabi_fd_t fd) {
  struct cloudabi_fdstat st = {.fs_flags = CLOUDABI_FDFLAG_NONBLOCK};
  for (unsigned i = 0; i < FUZZ_FDS; i++) {
    struct fuzz_fd *slot = &w->fds[i];
    if (!slot->open || slot->fd != fd)
      continue;
    cloudabi_sys_fd_stat_put(fd, &st, CLOUDABI_FDSTAT_FLAGS);
    slot->base &= ~(cloudabi_rights_t)R(FD_STAT_PUT_FLAGS);
    raw_set_rights(fd, slot->base, slot->inheriting);
  }
}

static const char *judge_create2(struct fuzz_worker *w, const struct fuzz_call *c) {
  const bool fifo = (cloudabi_filetype_t)c->args[0] == FUZZ_FILETYPE_FIFO;
  if (!fifo && !is_socket((cloudabi_filetype_t)c->args[0]))
    return "there is no such type";
  bool apart = c->args[1] + sizeof(cloudabi_fd_t) <= c->args[2] ||
               c->args[2] + sizeof(cloudabi_fd_t) <= c->args[1];
  for (unsigned i = apart ? 1 : 2; i <= 2; i++) { /* the second one is stored last */
    if (!result_is_mine(w, c, i))
      continue;
    cloudabi_fd_t fd = result_fd(c, i);
    const char *wrong = fifo ? enter(w, fd, 0x1008004a, 0, false, true)
                             : enter(w, fd, 0x1ea1008004a, 0x1ffffffffff, true, true);
    if (wrong != NULL)
      return wrong;
    tame(w, fd);
  }
  return NULL;
}

/* What came along is closed again. */
static void drop_received(const struct fuzz_worker *w, const struct fuzz_call *c) {
  struct cloudabi_recv_in in;
  struct cloudabi_recv_out out;
  bool mine = c->args[1] >= (uintptr_t)w->in && c->args[1] < (uintptr_t)w->in + FUZZ_AREA_BYTES;
  if (!mine || !result_is_mine(w, c, 2))
    return;
  memcpy(&in, (const void *)(uintptr_t)c->args[1], sizeof(in));
  memcpy(&out, (const void *)(uintptr_t)c->args[2], sizeof(out));
  for (size_t i = 0; i < out.ro_fdslen; i++)
    cloudabi_sys_fd_close(in.ri_fds[i]);
}

bool fuzz_is_child(const struct fuzz_call *c, cloudabi_errno_t result) {
  return is(c, "proc_fork") && result == 0 && result_fd(c, 0) == CLOUDABI_PROCESS_CHILD;
}

static const char *judge_fork(struct fuzz_worker *w, const struct fuzz_call *c) {
  const cloudabi_rights_t process = R(FILE_STAT_FGET) | R(POLL_PROC_TERMINATE);
  return fuzz_is_child(c, 0) ? NULL : enter(w, result_fd(c, 0), process, 0, true, false);
}

static const char *update(struct fuzz_worker *w, const struct fuzz_call *c) {
  struct fuzz_fd *fd = c->fd[0];
  if (is(c, "fd_close")) {
    fd->open = false;
  } else if (is(c, "proc_fork")) {
    return judge_fork(w, c);
  } else if (is(c, "fd_create1")) {
    return judge_create1(w, c);
  } else if (is(c, "fd_create2")) {
    return judge_create2(w, c);
  } else if (is(c, "sock_recv")) {
    drop_received(w, c);
  } else if (is(c, "fd_dup")) {
    return result_is_mine(w, c, 1)
               ? enter(w, result_fd(c, 1), fd->base, fd->inheriting, true, fd->tmp)
               : NULL;
  } else if (is(c, "fd_replace")) {
    cloudabi_fd_t number = c->fd[1]->fd;
    *c->fd[1] = *fd;
    c->fd[1]->fd = number;
  } else if (is(c, "fd_stat_put")) {
    return judge_stat_put(c);
  } else if (is(c, "file_open")) {
    return result_is_mine(w, c, 5)
               ? enter(w, result_fd(c, 5), fd->inheriting, fd->inheriting, false, fd->tmp)
               : NULL;
  }
  return NULL;
}

const char *fuzz_judge(struct fuzz_worker *w, const struct fuzz_call *c, cloudabi_errno_t result) {
  if (c->stack != NULL && result != 0)
    c->stack->lock = 0;
  if (result > CLOUDABI_ENOTCAPABLE)
    return "no error number";
  if (result == CLOUDABI_ENOSYS)
    return "it is not there";
  if (result != 0)
    return NULL;
  const char *wrong = judge_rights(c);
  return wrong != NULL ? wrong : update(w, c);
}
