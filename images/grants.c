/* The tags of grants.h, one function each. */
#include "images/grants.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "images/attributes.h"

#define TAGS "!executable, !fd, !file, !socket"

static bool grant_fd(struct grants *grants, struct node *node, struct grant *grant) {
  grant->kind = GRANT_FD;
  if (node->kind != NODE_SCALAR) {
    return report_at(grants->report, node->at, "!fd with a %s; accepted: stdout, stderr",
                     node->kind == NODE_SEQ ? "sequence" : "map");
  }
  if (!node_is(node, "stdout") && !node_is(node, "stderr")) {
    bool number = node->length > 0 && strspn(node->text, "0123456789") == node->length;
    return report_at(grants->report, node->at, "!fd %s%s; accepted: stdout, stderr",
                     report_quote(node->text, node->length).text,
                     number                   ? ": a virtual machine inherits no descriptors"
                     : node_is(node, "stdin") ? ": the console takes output only"
                                              : "");
  }
  grant->line = arena_printf(grants->arena, "fd %s", node->text);
  return true;
}

static bool grant_executable(struct grants *grants, struct node *node, struct grant *grant) {
  grant->kind = GRANT_EXECUTABLE;
  if (node->kind != NODE_SCALAR) {
    return report_at(grants->report, node->at, "!executable with a %s; accepted: nothing behind it",
                     node->kind == NODE_SEQ ? "sequence" : "map");
  }
  grant->line = "executable";
  return true;
}

/* Looks at the host's file: it must be there, readable, and a file or a directory. */
static bool check_file(struct grants *grants, const struct node *path, struct grant *grant) {
  struct stat status;
  if (stat(grant->path, &status) != 0 || access(grant->path, R_OK) != 0) {
    return report_at(grants->report, path->at, "cannot open %s: %s; accepted: a file or directory",
                     grant->path, strerror(errno));
  }
  if (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode)) {
    return report_at(grants->report, path->at,
                     "%s is a device, pipe or socket; accepted: a file "
                     "or directory",
                     grant->path);
  }
  grant->directory = S_ISDIR(status.st_mode);
  return true;
}

static bool grant_file(struct grants *grants, struct node *node, struct grant *grant) {
  struct attributes attributes = {.tag = "!file", .names = {"path"}, .accepted = "path"};
  grant->kind = GRANT_FILE;
  if (!attributes_read(grants->report, node, &attributes)) {
    return false;
  }
  const struct node *path = attributes.values[0];
  if (path == NULL) {
    return report_at(grants->report, node->at,
                     "!file without its attribute path; accepted: path with the name of a file or "
                     "directory");
  }
  grant->where = path->at;
  if (path->length == 0 || strlen(path->text) != path->length) {
    return report_at(grants->report, path->at,
                     "a path that is empty or contains a NUL; accepted: the name of a file or "
                     "directory");
  }
  grant->path = arena_printf(grants->arena, "%s%s", path->text[0] == '/' ? "" : grants->directory,
                             path->text);
  if (!check_file(grants, path, grant)) {
    return false;
  }
  grant->line = arena_printf(grants->arena, "file files/%zu %s", grants->count,
                             grant->directory ? "directory" : "file");
  return true;
}

static bool socket_type(struct grants *grants, const struct node *type, struct grant *grant) {
  if (type == NULL || node_is(type, "stream")) {
    return true;
  }
  if (node_is(type, "dgram")) {
    grant->dgram = true;
    return true;
  }
  return report_at(grants->report, type->at, "socket type %s; accepted: stream, dgram",
                   report_quote(type->text, type->length).text);
}

/* Two sockets cannot have one address. */
static bool check_free(struct grants *grants, const struct grant *grant) {
  for (size_t i = 0; i < grants->count && !grant->connect; i++) {
    const struct grant *other = &grants->list[i];
    if (other->kind == GRANT_SOCKET && !other->connect && other->dgram == grant->dgram &&
        strcmp(other->address.text, grant->address.text) == 0) {
      return report_at(grants->report, grant->where,
                       "address %s is bound on line %u already; accepted: another address or port",
                       grant->address.text, other->where.line);
    }
  }
  return true;
}

static bool grant_socket(struct grants *grants, struct node *node, struct grant *grant) {
  struct attributes attributes = {
      .tag = "!socket",
      .names = {"bind", "connect", "type"},
      .accepted = "bind, connect, type",
  };
  grant->kind = GRANT_SOCKET;
  if (!attributes_read(grants->report, node, &attributes)) {
    return false;
  }
  const struct node *bind = attributes.values[0], *connect = attributes.values[1];
  if (bind == NULL && connect == NULL) {
    return report_at(grants->report, node->at,
                     "!socket without an address; accepted: bind or connect with " ADDRESS_FORMS);
  }
  if (bind != NULL && connect != NULL) {
    return report_at(grants->report, node->at,
                     "!socket with both bind and connect; accepted: one "
                     "of them");
  }
  const struct node *address = bind != NULL ? bind : connect;
  grant->where = address->at;
  grant->connect = connect != NULL;
  const char *error = address_parse(address->text, address->length, &grant->address);
  if (error != NULL) {
    return report_at(grants->report, address->at, "address %s %s",
                     report_quote(address->text, address->length).text, error);
  }
  if (grant->connect && grant->address.any) {
    return report_at(grants->report, address->at,
                     "connect to %s, which is nobody's address; "
                     "accepted: " ADDRESS_FORMS,
                     grant->address.text);
  }
  if (!socket_type(grants, attributes.values[2], grant) || !check_free(grants, grant)) {
    return false;
  }
  const char *role = grant->connect ? "connect" : grant->dgram ? "bind" : "listen";
  grant->line = arena_printf(grants->arena, "socket %s %s %s", grant->dgram ? "dgram" : "stream",
                             role, grant->address.text);
  return true;
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
