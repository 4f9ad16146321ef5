/*
 * Names of rights to sets and back: rights.h.
 *
 * A list is worked off from left to right: a name adds its right, or a word its set; a minus before
 * it takes it away. A list that begins with a minus begins with all.
 */
#include "images/rights.h"

#include <string.h>

#include "images/attributes.h"
#include "kernel/rights.h"

#define WORDS "all, read-only"
#define LISTED_MAX 12 /* accepted rights that a message names one by one */

struct name {
  const char *text;
  uint64_t set;
};

static const struct name words[] = {
    {"all", RIGHTS_ALL_EVER},
    {"read-only", RIGHTS_ALL_EVER & ~RIGHTS_CHANGES},
};

static const struct name names[] = {
    {"fd_datasync", RIGHT_FD_DATASYNC},
    {"fd_read", RIGHT_FD_READ},
    {"fd_seek", RIGHT_FD_SEEK},
    {"fd_stat_put_flags", RIGHT_FD_STAT_PUT_FLAGS},
    {"fd_sync", RIGHT_FD_SYNC},
    {"fd_tell", RIGHT_FD_TELL},
    {"fd_write", RIGHT_FD_WRITE},
    {"file_advise", RIGHT_FILE_ADVISE},
    {"file_allocate", RIGHT_FILE_ALLOCATE},
    {"file_create_directory", RIGHT_FILE_CREATE_DIRECTORY},
    {"file_create_fifo", RIGHT_FILE_CREATE_FIFO},
    {"file_create_file", RIGHT_FILE_CREATE_FILE},
    {"file_link_source", RIGHT_FILE_LINK_SOURCE},
    {"file_link_target", RIGHT_FILE_LINK_TARGET},
    {"file_open", RIGHT_FILE_OPEN},
    {"file_readdir", RIGHT_FILE_READDIR},
    {"file_readlink", RIGHT_FILE_READLINK},
    {"file_rename_source", RIGHT_FILE_RENAME_SOURCE},
    {"file_rename_target", RIGHT_FILE_RENAME_TARGET},
    {"file_stat_fget", RIGHT_FILE_STAT_FGET},
    {"file_stat_fput_size", RIGHT_FILE_STAT_FPUT_SIZE},
    {"file_stat_fput_times", RIGHT_FILE_STAT_FPUT_TIMES},
    {"file_stat_get", RIGHT_FILE_STAT_GET},
    {"file_stat_put_times", RIGHT_FILE_STAT_PUT_TIMES},
    {"file_symlink", RIGHT_FILE_SYMLINK},
    {"file_unlink", RIGHT_FILE_UNLINK},
    {"mem_map", RIGHT_MEM_MAP},
    {"mem_map_exec", RIGHT_MEM_MAP_EXEC},
    {"poll_fd_readwrite", RIGHT_POLL_FD_READWRITE},
    {"poll_modify", RIGHT_POLL_MODIFY},
    {"poll_proc_terminate", RIGHT_POLL_PROC_TERMINATE},
    {"poll_wait", RIGHT_POLL_WAIT},
    {"proc_exec", RIGHT_PROC_EXEC},
    {"sock_accept", RIGHT_SOCK_ACCEPT},
    {"sock_bind_directory", RIGHT_SOCK_BIND_DIRECTORY},
    {"sock_bind_socket", RIGHT_SOCK_BIND_SOCKET},
    {"sock_connect_directory", RIGHT_SOCK_CONNECT_DIRECTORY},
    {"sock_connect_socket", RIGHT_SOCK_CONNECT_SOCKET},
    {"sock_listen", RIGHT_SOCK_LISTEN},
    {"sock_shutdown", RIGHT_SOCK_SHUTDOWN},
    {"sock_stat_get", RIGHT_SOCK_STAT_GET},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* As kernel/grants.c opens them. */
static const struct {
  const char *what;
  filetype_t type;
  uint64_t without;
} kinds[] = {
    [RIGHTS_CONSOLE] = {"the console", FILETYPE_CHARACTER_DEVICE, RIGHT_FD_READ},
    [RIGHTS_FILE] = {"a file of the image", FILETYPE_REGULAR_FILE, RIGHT_FD_WRITE},
    [RIGHTS_DIRECTORY] = {"a directory", FILETYPE_DIRECTORY, 0},
    [RIGHTS_DISK] = {"a file or directory of a disk", FILETYPE_DIRECTORY, 0},
    [RIGHTS_DISK_READ_ONLY] = {"what is not writable", FILETYPE_DIRECTORY, RIGHTS_CHANGES},
    [RIGHTS_SOCKET] = {"a socket", FILETYPE_SOCKET_STREAM, 0},
};

static void maximum(enum rights_kind kind, uint64_t *base, uint64_t *inheriting) {
  rights_max(kinds[kind].type, true, base, inheriting);
  if (kind == RIGHTS_DISK || kind == RIGHTS_DISK_READ_ONLY) { /* which of the two shows at boot */
    uint64_t file_base, file_inheriting;
    rights_max(FILETYPE_REGULAR_FILE, true, &file_base, &file_inheriting);
    *base |= file_base;
  }
  *base &= ~kinds[kind].without;
  *inheriting &= ~kinds[kind].without;
}

static const struct name *find(const struct name *list, size_t count, const char *text,
                               size_t length) {
  for (size_t i = 0; i < count; i++) {
    if (strlen(list[i].text) == length && memcmp(list[i].text, text, length) == 0) {
      return &list[i];
    }
  }
  return NULL;
}

/* ---- Messages -------------------------------------------------------------------------------- */

struct list {
  struct report *report;
  enum rights_kind kind;
  uint64_t max;   /* what its members may be */
  bool of_itself; /* the descriptor's own, while others are given for what is opened through it */
};

/* What a message says is accepted: all names if they are few, else those that begin as `text` does
 * ("file_"), else how they look. */
struct accepted {
  char text[640];
};
static struct accepted accepted(const struct list *list, const char *text, size_t length) {
  struct accepted result = {WORDS};
  const char *underscore = memchr(text, '_', length);
  size_t prefix = underscore != NULL ? (size_t)(underscore + 1 - text) : 0;
  size_t all = (size_t)__builtin_popcountll(list->max), shown = 0;
  for (size_t i = 0; i < COUNT(names); i++) {
    bool alike = prefix > 0 && strncmp(names[i].text, text, prefix) == 0;
    if ((names[i].set & list->max) != 0 && (all <= LISTED_MAX || alike)) {
      strcat(strcat(result.text, ", "), names[i].text);
      shown++;
    }
  }
  if (shown == 0) {
    strcat(result.text, ", or names of rights such as fd_read, file_open");
  }
  return result;
}

static bool impossible(const struct list *list, const struct node *node, const struct name *name) {
  return report_at(list->report, node->at, "%s%s cannot have the right %s; accepted: %s",
                   kinds[list->kind].what, list->of_itself ? " itself" : "", name->text,
                   accepted(list, name->text, strlen(name->text)).text);
}

/* ---- Reading --------------------------------------------------------------------------------- */

/* One member: adds to the set or takes away from it. */
static bool read_member(const struct list *list, const struct node *node, bool first,
                        uint64_t *set) {
  const char *text = node->text;
  size_t length = node->length;
  if (!attributes_is_text(node)) {
    return report_at(list->report, node->at, "a right that is not a name; accepted: %s",
                     accepted(list, "", 0).text);
  }
  bool minus = length > 0 && text[0] == '-';
  text += minus;
  length -= minus;
  const struct name *name = find(words, COUNT(words), text, length);
  if (name == NULL) {
    name = find(names, COUNT(names), text, length);
    if (name == NULL) {
      return report_at(list->report, node->at, "unknown right %s; accepted: %s",
                       report_quote(node->text, node->length).text,
                       accepted(list, text, length).text);
    }
    if ((name->set & list->max) == 0) {
      return impossible(list, node, name);
    }
  }
  if (first && minus) {
    *set = list->max;
  }
  *set = minus ? *set & ~name->set : *set | (name->set & list->max);
  return true;
}

static bool read_list(const struct list *list, const struct node *node, uint64_t *set) {
  *set = 0;
  if (node->kind == NODE_SCALAR) {
    return read_member(list, node, true, set);
  }
  for (const struct node *member = node->first; member != NULL; member = member->next) {
    if (!read_member(list, member, member == node->first, set)) {
      return false;
    }
  }
  return true;
}

bool rights_read(struct report *report, const struct node *base, const struct node *inheriting,
                 struct rights *rights) {
  uint64_t base_max, inheriting_max, set;
  maximum(rights->kind, &base_max, &inheriting_max);
  if (inheriting != NULL && inheriting_max == 0) {
    return report_at(report, inheriting->at,
                     "nothing is opened through %s; accepted: inheriting with a directory or a "
                     "socket",
                     kinds[rights->kind].what);
  }
  rights->base_given = base != NULL;
  rights->inheriting_given = inheriting != NULL || (base != NULL && inheriting_max != 0);
  rights->base = base_max;
  rights->inheriting = inheriting_max;
  struct list list = {.report = report, .kind = rights->kind};
  if (base != NULL) {
    list.of_itself = inheriting != NULL;
    list.max = list.of_itself ? base_max : base_max | inheriting_max;
    if (!read_list(&list, base, &set)) {
      return false;
    }
    rights->base &= set;
    rights->inheriting &= set;
  }
  if (inheriting != NULL) {
    list.of_itself = false;
    list.max = inheriting_max;
    return read_list(&list, inheriting, &rights->inheriting);
  }
  return true;
}

/* ---- Writing --------------------------------------------------------------------------------- */

const char *rights_words(struct arena *arena, const struct rights *rights) {
  const char *base = "", *inheriting = "";
  if (rights->base_given) {
    base = arena_printf(arena, " rights=%llx", (unsigned long long)rights->base);
  }
  if (rights->inheriting_given) {
    inheriting = arena_printf(arena, " inheriting=%llx", (unsigned long long)rights->inheriting);
  }
  return arena_printf(arena, "%s%s", base, inheriting);
}

static void print_set(const char *what, uint64_t set, uint64_t max, FILE *stream) {
  fprintf(stream, "#      %s: ", what);
  for (size_t i = 0; i < COUNT(words); i++) {
    if ((words[i].set & max) == set) {
      fprintf(stream, "%s\n", words[i].text);
      return;
    }
  }
  /* Whichever is shorter: what stays, or what goes. */
  uint64_t gone = max & ~set;
  bool minus = __builtin_popcountll(gone) < __builtin_popcountll(set);
  const char *separator = "[";
  for (size_t i = 0; i < COUNT(names); i++) {
    if ((names[i].set & (minus ? gone : set)) != 0) {
      fprintf(stream, "%s%s%s", separator, minus ? "-" : "", names[i].text);
      separator = ", ";
    }
  }
  fputs(set == 0 ? "[]\n" : "]\n", stream);
}

void rights_print(const struct rights *rights, FILE *stream) {
  uint64_t base_max, inheriting_max;
  maximum(rights->kind, &base_max, &inheriting_max);
  if (rights->base_given) {
    print_set("rights", rights->base, base_max, stream);
  }
  if (rights->inheriting_given) {
    print_set("inheriting", rights->inheriting, inheriting_max, stream);
  }
}
