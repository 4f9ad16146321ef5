/* The tag !socket: an address that the program listens on, is bound to, or is connected to. */
#include <string.h>

#include "images/attributes.h"
#include "images/grant_kinds.h"

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

bool grant_socket(struct grants *grants, struct node *node, struct grant *grant) {
  struct attributes attributes = {
      .tag = "!socket",
      .names = {"bind", "connect", "type", "rights", "inheriting"},
      .accepted = "bind, connect, type, rights, inheriting",
      .may_list = {false, false, false, true, true},
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
  grant->rights.kind = RIGHTS_SOCKET;
  return grant_rights(grants, attributes.values[3], attributes.values[4], grant);
}
