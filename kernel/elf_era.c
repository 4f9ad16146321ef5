/*
 * The search of elf_era.h.
 *
 * C libraries hold the names of all calls that they know side by side, each with a NUL behind it.
 * So a program that has the last call's name takes its calls from the vDSO, and what looks like a
 * trap in its code is chance. Of names all that counts is lower-case letters and underscores, and
 * the shortest has seven: to find them, looking at every seventh byte is enough.
 */
#include "kernel/elf_era.h"

#include "kernel/elf_format.h"
#include "kernel/string.h"

#define NAME_MIN 7
#define PREFIX "cloudabi_sys_" /* may stand before a name */
#define PREFIX_LENGTH (sizeof PREFIX - 1)
#define OVERLAP 32 /* more than the longest name with all that belongs to it */
#define PIECE 512

static const struct {
  const char *name;
  uint8_t length;
} retired[] = {
#define NAME(name) \
  { name, sizeof name - 1 }
    NAME("poll_fd"),     NAME("mem_lock"),      NAME("mem_unlock"),
    NAME("sock_accept"), NAME("sock_bind"),     NAME("sock_connect"),
    NAME("sock_listen"), NAME("sock_stat_get"), NAME("thread_tcb_set"),
};

/* In every version's list. */
static const char always[] = "thread_yield";

/* What has been found so far. */
struct finds {
  bool retired, always, trap;
};

static bool is_letter(uint8_t c) {
  return (c >= 'a' && c <= 'z') || c == '_';
}

static bool equal(const uint8_t *word, size_t n, const char *name, size_t length) {
  return n == length && memcmp(word, name, n) == 0;
}

/* A word of letters with a NUL behind it. */
static void judge_word(struct finds *finds, const uint8_t *word, size_t n) {
  if (n > PREFIX_LENGTH && memcmp(word, PREFIX, PREFIX_LENGTH) == 0) {
    word += PREFIX_LENGTH;
    n -= PREFIX_LENGTH;
  }
  for (unsigned i = 0; i < sizeof retired / sizeof retired[0]; i++)
    finds->retired = finds->retired || equal(word, n, retired[i].name, retired[i].length);
  finds->always = finds->always || equal(word, n, always, sizeof always - 1);
}

/* `first`: what is before the bytes can't belong to a name in them. */
static void find_names(struct finds *finds, const uint8_t *bytes, size_t n, bool first) {
  size_t done = 0; /* what lies before belongs to words that were judged */
  for (size_t i = NAME_MIN - 1; i < n; i += NAME_MIN) {
    if (!is_letter(bytes[i]))
      continue;
    size_t start = i, end = i + 1;
    while (start > done && is_letter(bytes[start - 1]))
      start--;
    while (end < n && is_letter(bytes[end]))
      end++;
    if (end < n && bytes[end] == '\0' && (start > 0 || first))
      judge_word(finds, bytes + start, end - start);
    done = end;
    i = end; /* no letter: the next word may begin behind it */
  }
}

/* SYSCALL. Two bytes may be many things; not code is what two zeroes follow, but a number. */
static bool has_x86_trap(const uint8_t *bytes, size_t n, bool last) {
  for (size_t i = 0; i + 1 < n && (last || i + 3 < n); i++) {
    if (bytes[i] == 0x0f && bytes[i + 1] == 0x05 &&
        !(i + 3 < n && bytes[i + 2] == 0 && bytes[i + 3] == 0))
      return true;
  }
  return false;
}

/* SVC #0, of four aligned bytes. */
static bool has_a64_trap(const uint8_t *bytes, size_t n) {
  for (size_t i = 0; i + 4 <= n; i += 4) {
    if (elf_read32(bytes + i) == 0xd4000001)
      return true;
  }
  return false;
}

static bool has_trap(const uint8_t *bytes, size_t n, bool last, unsigned machine) {
  return machine == ELF_MACHINE_X86_64 ? has_x86_trap(bytes, n, last) : has_a64_trap(bytes, n);
}

/* By pieces: so much of each is in the next one again that no name and no instruction is missed. */
static void look_at(struct finds *finds, struct elf_file *file, const struct elf_segment *s,
                    unsigned machine) {
  uint8_t piece[PIECE];
  bool code = (s->flags & ELF_EXECUTE) != 0;
  for (uint64_t at = 0; !finds->retired; at += PIECE - OVERLAP) {
    uint64_t left = s->filesz_bytes - at;
    size_t n = left < PIECE ? (size_t)left : PIECE;
    if (!elf_file_read(file, s->offset + at, piece, n))
      return;
    find_names(finds, piece, n, at == 0);
    if (code && !finds->always && !finds->trap)
      finds->trap = has_trap(piece, n, left <= PIECE, machine);
    if (left <= PIECE)
      return;
  }
}

bool elf_is_retired(struct elf_file *file, const struct elf_image *image, unsigned machine) {
  struct finds finds = {0};
  for (unsigned i = 0; i < image->segment_count; i++) {
    const struct elf_segment *s = &image->segments[i];
    if ((s->flags & ELF_WRITE) == 0 && s->filesz_bytes > 0)
      look_at(&finds, file, s, machine);
  }
  return finds.retired || (finds.trap && !finds.always);
}
