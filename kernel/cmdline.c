/*
 * The machine's command line, cut into words once and asked by name.
 *
 * Called at boot only, before there is an allocator: words live in static memory.
 */
#include "kernel/cmdline.h"

#include <stdint.h>

#include "boot/bootinfo.h"
#include "kernel/log.h"
#include "kernel/string.h"

#define WORDS_MAX 64

struct word {
  uint16_t name, value; /* offsets in text[], NUL-terminated there */
  bool known;
};

static char text[BOOT_CMDLINE_MAX];
static struct word words[WORDS_MAX];
static size_t word_count;

static bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Copies the word at `in` to text[*used…] without its quotes, cut at the first '='; returns where
 * it ended. */
static const char *take_word(const char *in, size_t *used) {
  struct word *w = &words[word_count++];
  const char *start = in;
  bool quoted = false, has_value = false;
  w->known = false;
  w->name = (uint16_t)*used;
  for (; *in != '\0' && (quoted || !is_blank(*in)); in++) {
    if (*in == '"') {
      quoted = !quoted;
    } else if (*in == '=' && !has_value) {
      has_value = true;
      text[(*used)++] = '\0';
      w->value = (uint16_t)*used;
    } else {
      text[(*used)++] = *in;
    }
  }
  if (quoted)
    boot_fail("command line: the quote in `%s` is not closed", start);
  if (!has_value)
    w->value = (uint16_t)*used; /* bare: the empty string */
  text[(*used)++] = '\0';
  if (text[w->name] == '\0')
    boot_fail("command line: `%.*s` has no name before its value", (int)(in - start), start);
  return in;
}

void cmdline_init(const char *line) {
  size_t used = 0;
  word_count = 0;
  if (strlen(line) >= sizeof text)
    boot_fail("command line: longer than %zu bytes", sizeof text - 1);
  for (;;) {
    while (is_blank(*line))
      line++;
    if (*line == '\0')
      return;
    if (word_count == WORDS_MAX)
      boot_fail("command line: more than %d words", WORDS_MAX);
    line = take_word(line, &used);
  }
}

static bool named(struct word *w, const char *name) {
  if (strcmp(&text[w->name], name) != 0)
    return false;
  w->known = true;
  return true;
}

const char *cmdline_get_nth(const char *name, size_t i) {
  const char *value = NULL;
  for (size_t w = 0; w < word_count; w++) {
    if (named(&words[w], name) && i-- == 0)
      value = &text[words[w].value];
  }
  return value;
}

const char *cmdline_get(const char *name) {
  if (cmdline_get_nth(name, 1) != NULL)
    boot_fail("command line: `%s` is given more than once", name);
  return cmdline_get_nth(name, 0);
}

void cmdline_check_unknown(void) {
  for (size_t w = 0; w < word_count; w++) {
    if (!words[w].known)
      boot_fail("command line: nothing here is called `%s`", &text[words[w].name]);
  }
}
