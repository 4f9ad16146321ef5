/* The tags of grants.h, one function each, and the numbers of descriptors. */
#include "images/grants.h"

#include <string.h>

#include "images/attributes.h"
#include "images/grant_kinds.h"

#define TAGS "!executable, !fd, !file, !socket"

bool grant_rights(struct grants *grants, const struct node *rights, const struct node *inheriting,
                  struct grant *grant) {
  if (!rights_read(grants->report, rights, inheriting, &grant->rights)) {
    return false;
  }
  grant->line =
      arena_printf(grants->arena, "%s%s", grant->line, rights_words(grants->arena, &grant->rights));
  return true;
}

/* `!fd stdout`, or with a map where there is more to say. */
static bool grant_fd(struct grants *grants, struct node *node, struct grant *grant) {
  struct attributes attributes = {
      .tag = "!fd",
      .names = {"fd", "rights"},
      .accepted = "fd, rights",
      .may_list = {false, true},
  };
  const struct node *fd = node;
  grant->kind = GRANT_FD;
  grant->rights.kind = RIGHTS_CONSOLE;
  if (node->kind == NODE_SEQ) {
    return report_at(grants->report, node->at,
                     "!fd with a sequence; accepted: stdout, stderr, or a map with fd, rights");
  }
  if (node->kind == NODE_MAP) {
    if (!attributes_read(grants->report, node, &attributes)) {
      return false;
    }
    fd = attributes.values[0];
  }
  if (fd == NULL) {
    return report_at(grants->report, node->at,
                     "!fd without its attribute fd; accepted: fd with stdout or stderr");
  }
  if (!node_is(fd, "stdout") && !node_is(fd, "stderr")) {
    bool number = fd->length > 0 && strspn(fd->text, "0123456789") == fd->length;
    return report_at(grants->report, fd->at, "!fd %s%s; accepted: stdout, stderr",
                     report_quote(fd->text, fd->length).text,
                     number                 ? ": a virtual machine inherits no descriptors"
                     : node_is(fd, "stdin") ? ": the console takes output only"
                                            : "");
  }
  grant->line = arena_printf(grants->arena, "fd %s", fd->text);
  return grant_rights(grants, attributes.values[1], NULL, grant);
}

/* `!executable` with nothing behind it, or with a map. */
static bool grant_executable(struct grants *grants, struct node *node, struct grant *grant) {
  struct attributes attributes = {
      .tag = "!executable", .names = {"rights"}, .accepted = "rights", .may_list = {true}};
  grant->kind = GRANT_EXECUTABLE;
  grant->rights.kind = RIGHTS_FILE;
  if (node->kind == NODE_SEQ) {
    return report_at(grants->report, node->at,
                     "!executable with a sequence; accepted: nothing behind it, or a map with "
                     "rights");
  }
  if (node->kind == NODE_MAP && !attributes_read(grants->report, node, &attributes)) {
    return false;
  }
  grant->line = "executable";
  return grant_rights(grants, attributes.values[0], NULL, grant);
}

static bool grant_switchboard(struct grants *grants, struct node *node, struct grant *grant) {
  (void)grant;
  return report_at(grants->report, node->at,
                   "!flower_switchboard_handle is not served by this system; accepted: " TAGS);
}

static const struct {
  const char *name;
  bool (*grant)(struct grants *grants, struct node *node, struct grant *grant);
} tags[] = {
    {"fd", grant_fd},
    {"file", grant_file},
    {"socket", grant_socket},
    {"executable", grant_executable},
    {"flower_switchboard_handle", grant_switchboard},
};

/* The value that the program sees: the descriptor's number. */
static void put_descriptor(struct grants *grants, struct node *node, size_t number) {
  enum { FD_BYTES = 5 };
  struct ad_writer writer;
  uint8_t *bytes = arena_alloc(grants->arena, FD_BYTES);
  ad_writer_init(&writer, bytes, FD_BYTES);
  ad_put_fd(&writer, (uint32_t)number);
  node->value = (struct ad_value){.bytes = bytes, .length = writer.length};
}

static void append(struct grants *grants, const struct grant *grant) {
  if (grants->count == grants->capacity) {
    size_t capacity = grants->capacity == 0 ? 16 : 2 * grants->capacity;
    struct grant *list = arena_alloc(grants->arena, capacity * sizeof(*list));
    if (grants->count > 0) {
      memcpy(list, grants->list, grants->count * sizeof(*list));
    }
    grants->list = list;
    grants->capacity = capacity;
  }
  grants->list[grants->count++] = *grant;
}

/* The number of a grant. The console and the program's file are one descriptor however often they
 * stand there, as cloudabi-run numbers them; a path or an address is opened anew each time. */
static size_t number_of(struct grants *grants, const struct grant *grant) {
  bool shared = grant->kind == GRANT_FD || grant->kind == GRANT_EXECUTABLE;
  for (size_t i = 0; shared && i < grants->count; i++) {
    if (strcmp(grants->list[i].line, grant->line) == 0) {
      return i;
    }
  }
  append(grants, grant);
  return grants->count - 1;
}

bool grants_add(struct grants *grants, struct node *node) {
  const char *name = node->tag + strlen(TAG_CLOUDABI);
  for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]); i++) {
    if (strcmp(name, tags[i].name) == 0) {
      struct grant grant = {.at = node->at, .where = node->at};
      if (!tags[i].grant(grants, node, &grant)) {
        return false;
      }
      put_descriptor(grants, node, number_of(grants, &grant));
      return true;
    }
  }
  return report_at(grants->report, node->at, "unknown tag !%.60s; accepted: " TAGS, name);
}
