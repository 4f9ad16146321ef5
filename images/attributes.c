/* Reading a tag's attributes: attributes.h. */
#include "images/attributes.h"

#include <string.h>

#include "images/typing.h"

bool attributes_is_text(const struct node *node) {
  return node->kind == NODE_SCALAR && (node->tag == NULL || strcmp(node->tag, "!") == 0 ||
                                       strcmp(node->tag, TAG_YAML "str") == 0);
}

static int find(const struct attributes *attributes, const struct node *key) {
  for (int i = 0; i < ATTRIBUTES_MAX && attributes->names[i] != NULL; i++) {
    if (node_is(key, attributes->names[i])) {
      return i;
    }
  }
  return -1;
}

static bool read_one(struct report *report, const struct node *key, struct attributes *attributes) {
  const struct node *value = key->next;
  if (!attributes_is_text(key)) {
    return report_at(report, key->at, "an attribute of %s that is not a name; accepted: %s",
                     attributes->tag, attributes->accepted);
  }
  int index = find(attributes, key);
  const char *name = key->text;
  if (index < 0) {
    return report_at(report, key->at, "unknown attribute %s of %s; accepted: %s",
                     report_quote(name, key->length).text, attributes->tag, attributes->accepted);
  }
  if (attributes->values[index] != NULL) {
    return report_at(report, key->at,
                     "attribute %s of %s is given twice (also on line %u); "
                     "accepted: once",
                     name, attributes->tag, attributes->values[index]->at.line);
  }
  bool list = attributes->may_list[index] && value->kind == NODE_SEQ && value->tag == NULL;
  if (!list && !attributes_is_text(value)) {
    const char *wanted = attributes->may_list[index] ? "a string or a sequence" : "a string";
    return report_at(report, value->at, "attribute %s of %s is not %s; accepted: %s", name,
                     attributes->tag, wanted, wanted);
  }
  attributes->values[index] = value;
  return true;
}

bool attributes_read(struct report *report, const struct node *map, struct attributes *attributes) {
  if (map->kind != NODE_MAP) {
    return report_at(report, map->at, "%s with a %s; accepted: a map with %s", attributes->tag,
                     map->kind == NODE_SEQ ? "sequence" : "scalar", attributes->accepted);
  }
  for (const struct node *key = map->first; key != NULL; key = key->next->next) {
    if (!read_one(report, key, attributes)) {
      return false;
    }
  }
  return true;
}
