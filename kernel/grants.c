/*
 * The grant table's reader.
 *
 * Runs at boot, before the first thread. Whatever the table asks for is there afterwards, or the
 * boot ends with a message: a program never starts with less than it was promised. Rights:
 * reference 2.3.
 */
#include "kernel/grants.h"

#include "fs/bootfs.h"
#include "fs/disks.h"
#include "fs/lookup.h"
#include "fs/tmpfs.h"
#include "fs/vfile.h"
#include "kernel/console.h"
#include "kernel/log.h"
#include "kernel/process.h"
#include "kernel/rights.h"
#include "kernel/string.h"
#include "net/net.h"

#define WORDS_MAX 6
#define NAME_MAX_BYTES 63 /* of the payload's entries that grants name */

struct word {
  const char *s;
  size_t len;
};

struct line {
  const char *text;
  size_t len;
  struct word word[WORDS_MAX];
  size_t words;
  rights_t base, inheriting; /* what it leaves of the rights; all: it doesn't say */
};

/* A grant: a file, with the rights of its descriptor. */
struct grant {
  struct file *file;
  rights_t base, inheriting;
  bool retired_rights; /* in: those of retired calls, too */
};

static _Noreturn void bad(const struct line *l, const char *why) {
  boot_fail("grant `%.*s`: %s", (int)l->len, l->text, why);
}

static void check(const struct line *l, errno_t e) {
  if (e == ENOMEM)
    bad(l, "not enough memory; give the machine more (-m)");
  if (e == EADDRINUSE)
    bad(l, "the address is in use");
  if (e == EADDRNOTAVAIL)
    bad(l, "the machine does not have this address");
  if (e == ENOENT)
    bad(l, "the payload has no such entry");
  if (e != 0)
    boot_fail("grant `%.*s`: error %u", (int)l->len, l->text, e);
}

/* `digits`: the value's hexadecimal ones. */
static rights_t parse_rights(const struct line *l, struct word digits) {
  rights_t value = 0;
  if (digits.len == 0 || digits.len > 2 * sizeof value)
    bad(l, "malformed");
  for (size_t i = 0; i < digits.len; i++) {
    char c = digits.s[i];
    if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f'))
      bad(l, "malformed");
    value = value << 4 | (rights_t)(c <= '9' ? c - '0' : c - 'a' + 10);
  }
  return value;
}

static bool is(struct word w, const char *s) {
  return w.len == strlen(s) && memcmp(w.s, s, w.len) == 0;
}

static bool word_is(const struct line *l, size_t i, const char *s) {
  return i < l->words && is(l->word[i], s);
}

/* A word `key=value`; they stand behind the others. False: `w` is none. */
static bool option(struct line *l, struct word w) {
  const char *sign = memchr(w.s, '=', w.len);
  if (sign == NULL)
    return false;
  struct word key = {w.s, (size_t)(sign - w.s)}, value = {sign + 1, w.len - key.len - 1};
  if (is(key, "rights"))
    l->base &= parse_rights(l, value);
  else if (is(key, "inheriting"))
    l->inheriting &= parse_rights(l, value);
  else
    bad(l, "of words with `=`, this kernel knows rights=… and inheriting=…");
  return true;
}

static void split(struct line *l) {
  bool options = false;
  l->base = l->inheriting = RIGHTS_ALL_EVER;
  for (size_t at = 0; at <= l->len; at++) {
    struct word w = {.s = l->text + at};
    while (at < l->len && l->text[at] != ' ')
      at++;
    w.len = (size_t)(l->text + at - w.s);
    if (option(l, w)) {
      options = true;
      continue;
    }
    if (options || l->words == WORDS_MAX || w.len == 0)
      bad(l, "malformed");
    l->word[l->words++] = w;
  }
}

/* ---- The kinds ------------------------------------------------------------------------------- */

static void grant_console(const struct line *l, struct grant *g) {
  if (l->words != 2 || (!word_is(l, 1, "stdout") && !word_is(l, 1, "stderr")))
    bad(l, "expected `fd stdout` or `fd stderr`");
  check(l, console_open(&g->file));
  rights_max(FILETYPE_CHARACTER_DEVICE, g->retired_rights, &g->base, &g->inheriting);
  g->base &= ~RIGHT_FD_READ; /* open for writing only */
}

static void open_payload(const struct line *l, const char *name, filetype_t type, struct grant *g) {
  check(l, bootfs_open(name, &g->file));
  if (g->file->type != type)
    bad(l, "the payload's entry is of another type");
  rights_max(type, g->retired_rights, &g->base, &g->inheriting);
  if (type == FILETYPE_REGULAR_FILE)
    g->base &= ~RIGHT_FD_WRITE; /* open for reading only */
}

static void grant_file(const struct line *l, struct grant *g) {
  char name[NAME_MAX_BYTES + 1];
  bool directory = word_is(l, 2, "directory");
  if (l->words != 3 || (!directory && !word_is(l, 2, "file")))
    bad(l, "expected `file NAME file` or `file NAME directory`");
  if (l->word[1].len > NAME_MAX_BYTES)
    bad(l, "the name is too long");
  memcpy(name, l->word[1].s, l->word[1].len);
  name[l->word[1].len] = '\0';
  open_payload(l, name, directory ? FILETYPE_DIRECTORY : FILETYPE_REGULAR_FILE, g);
}

static uint64_t parse_number(const struct line *l, struct word digits, const char *expected) {
  uint64_t size = 0;
  for (size_t i = 0; i < digits.len; i++) {
    char c = digits.s[i];
    if (c < '0' || c > '9' || __builtin_mul_overflow(size, 10, &size) ||
        __builtin_add_overflow(size, (uint64_t)(c - '0'), &size))
      bad(l, expected);
  }
  return size;
}

static void grant_tmpfs(const struct line *l, struct grant *g) {
  struct vnode *root;
  if (l->words != 2)
    bad(l, "expected `tmpfs BYTES`");
  check(l, tmpfs_create(parse_number(l, l->word[1], "expected `tmpfs BYTES`"), &root));
  check(l, vfile_create(root, 0, &g->file));
  vnode_unref(root);
  rights_max(FILETYPE_DIRECTORY, g->retired_rights, &g->base, &g->inheriting);
}

/* The text that a word stands for: %XX is a byte. to[max], NUL included; its length. */
static size_t unescape(const struct line *l, struct word w, char *to, size_t max) {
  size_t n = 0;
  for (size_t i = 0; i < w.len; n++) {
    bool escaped = w.s[i] == '%';
    if (n + 1 >= max || (escaped && w.len - i < 3))
      bad(l, "malformed");
    to[n] = escaped ? (char)parse_rights(l, (struct word){w.s + i + 1, 2}) : w.s[i];
    i += escaped ? 3 : 1;
  }
  to[n] = '\0';
  return n;
}

#define DISK_EXPECTED "expected `disk HOW WHICH PARTITION read PATH`, or `write`"

static void parse_disk(const struct line *l, struct disk_place *place, bool *writable) {
  *writable = word_is(l, 4, "write");
  if (l->words != 6 || (!*writable && !word_is(l, 4, "read")))
    bad(l, DISK_EXPECTED);
  *place = (struct disk_place){.partition = (unsigned)parse_number(l, l->word[3], DISK_EXPECTED)};
  if (word_is(l, 1, "order")) {
    place->by = DISK_BY_ORDER;
    place->order = (unsigned)parse_number(l, l->word[2], DISK_EXPECTED);
    return;
  }
  if (!word_is(l, 1, "serial") && !word_is(l, 1, "label"))
    bad(l, "of disks, this kernel finds those with order, serial or label");
  place->by = word_is(l, 1, "serial") ? DISK_BY_SERIAL : DISK_BY_LABEL;
  unescape(l, l->word[2], place->name, sizeof place->name);
}

static void grant_disk(const struct line *l, struct grant *g) {
  struct disk_place place;
  bool writable;
  static char path[PATH_BYTES_MAX + 1];
  parse_disk(l, &place, &writable);
  size_t len = unescape(l, l->word[5], path, sizeof path);
  disk_open(disk_claim(&place, writable), path, len, &g->file);
  rights_max(g->file->type, g->retired_rights, &g->base, &g->inheriting);
  if (!writable) {
    g->base &= ~RIGHTS_CHANGES;
    g->inheriting &= ~RIGHTS_CHANGES;
  }
}

static void grant_socket(const struct line *l, bool have_network, struct grant *g) {
  struct net_address address;
  if (l->words != 4 || (!word_is(l, 1, "stream") && !word_is(l, 1, "dgram")))
    bad(l, "expected `socket stream listen ADDRESS`");
  if (!word_is(l, 1, "stream") || !word_is(l, 2, "listen"))
    bad(l, "of sockets, this kernel has only listening stream sockets (bind, type stream)");
  if (!net_address_parse(l->word[3].s, l->word[3].len, &address))
    bad(l, "expected an address and a port, like 0.0.0.0:80 or [::]:80");
  if (!have_network)
    boot_fail(
        "the configuration asks for a socket on %.*s, but the machine has no network device; "
        "add: -netdev user,id=n0 -device virtio-net-pci,netdev=n0",
        (int)l->word[3].len, l->word[3].s);
  check(l, net_listen(&address, &g->file));
  rights_max(g->file->type, true, &g->base, &g->inheriting);
}

static void grant_executable(const struct line *l, struct grant *g) {
  if (l->words != 1)
    bad(l, "malformed");
  open_payload(l, "program", FILETYPE_REGULAR_FILE, g);
}

static void grant_line(const struct line *l, bool have_network, struct grant *g) {
  if (word_is(l, 0, "fd"))
    grant_console(l, g);
  else if (word_is(l, 0, "file"))
    grant_file(l, g);
  else if (word_is(l, 0, "tmpfs"))
    grant_tmpfs(l, g);
  else if (word_is(l, 0, "disk"))
    grant_disk(l, g);
  else if (word_is(l, 0, "socket"))
    grant_socket(l, have_network, g);
  else if (word_is(l, 0, "executable"))
    grant_executable(l, g);
  else
    bad(l,
        "this kernel has no such grant; expected fd, file, tmpfs, disk, "
        "socket or executable");
}

/* The line at *text, which moves on. False: there is none. */
static bool next_line(const char **text, const char *end, struct line *l) {
  if (*text >= end)
    return false;
  const char *newline = memchr(*text, '\n', (size_t)(end - *text));
  *l = (struct line){.text = *text};
  l->len = (size_t)((newline != NULL ? newline : end) - *text);
  *text += l->len + 1;
  split(l);
  return true;
}

/* All grants of one disk share it, and say together whether it is written to. */
static void claim_disks(const char *text, const char *end) {
  struct line line;
  struct disk_place place;
  bool writable;
  while (next_line(&text, end, &line)) {
    if (!word_is(&line, 0, "disk"))
      continue;
    parse_disk(&line, &place, &writable);
    disk_claim(&place, writable);
  }
}

void grants_install(struct process *p, const char *text, size_t bytes, bool have_network) {
  const char *end = text + bytes;
  struct line line;
  claim_disks(text, end);
  for (fd_t expected = 0; next_line(&text, end, &line); expected++) {
    struct grant grant = {.retired_rights = p->retired_rights};
    fd_t fd;
    grant_line(&line, have_network, &grant);
    grant.base &= line.base;
    grant.inheriting &= line.inheriting;
    check(&line, fd_install(&p->fds, grant.file, grant.base, grant.inheriting, &fd));
    ASSERT(fd == expected);
  }
}
