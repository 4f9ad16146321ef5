/*
 * From nodes to argdata: config.h. Two walks over the tree: the first gives every scalar its value
 * and makes the grants, in document order with keys before values, which is the order in which
 * descriptors are numbered; the second writes it all down.
 */
#include "images/config.h"

#include <string.h>

#include "images/hostfile.h"
#include "images/typing.h"

#define CONFIG_BYTES_MAX (16u << 20)
#define TAG_LINE "%TAG ! " TAG_CLOUDABI
#define ALL_TAGS "!executable, !fd, !file, !socket and YAML's own"

static bool starts_with(const char *text, const char *start) {
  return strncmp(text, start, strlen(start)) == 0;
}

/* A tag of nobody's: most often one of ours without the %TAG line. */
static bool unknown_tag(struct report *report, const struct node *node) {
  static const char *const ours[] = {"!fd", "!file", "!socket", "!executable",
                                     "!flower_switchboard_handle"};
  for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
    if (strcmp(node->tag, ours[i]) == 0) {
      return report_at(report, node->at,
                       "tag %s without its prefix; accepted: a file that begins with the lines "
                       "\"%s\" and \"---\"",
                       node->tag, TAG_LINE);
    }
  }
  return report_at(report, node->at, "unknown tag %.80s; accepted: " ALL_TAGS, node->tag);
}

static bool resolve(struct config *config, struct node *node) {
  struct report *report = config->grants.report;
  const char *tag = node->tag;
  if (tag != NULL && starts_with(tag, TAG_CLOUDABI)) {
    return grants_add(&config->grants, node);
  }
  bool standard = tag == NULL || strcmp(tag, "!") == 0 || starts_with(tag, TAG_YAML);
  if (!standard) {
    return unknown_tag(report, node);
  }
  if (node->kind == NODE_SCALAR) {
    return typing_scalar(config->grants.arena, report, node);
  }
  if (tag != NULL && tag[1] != '\0' && !typing_container(report, node)) {
    return false;
  }
  for (struct node *child = node->first; child != NULL; child = child->next) {
    if (!resolve(config, child)) {
      return false;
    }
  }
  return true;
}

static bool is_grant(const struct node *node) {
  return node->tag != NULL && starts_with(node->tag, TAG_CLOUDABI);
}

static void emit(struct ad_writer *writer, const struct node *node) {
  if (node->kind == NODE_SCALAR || is_grant(node)) {
    ad_put_value(writer, node->value);
    return;
  }
  size_t mark = ad_open(writer, node->kind == NODE_MAP ? AD_MAP : AD_SEQ);
  for (const struct node *child = node->first; child != NULL; child = child->next) {
    emit(writer, child);
  }
  ad_close(writer, mark);
}

static const char *directory_of(struct arena *arena, const char *path) {
  const char *slash = strrchr(path, '/');
  return slash == NULL ? "" : arena_copy(arena, path, (size_t)(slash + 1 - path));
}

bool config_parse(struct config *config, struct arena *arena, struct report *report,
                  const char *text, size_t length) {
  *config = (struct config){
      .grants = {.arena = arena,
                 .report = report,
                 .directory = directory_of(arena, report->config)},
  };
  config->root = yaml_read(arena, report, text, length);
  if (config->root == NULL || !resolve(config, config->root)) {
    return false;
  }
  struct ad_writer writer;
  ad_writer_init(&writer, NULL, 0);
  emit(&writer, config->root);
  size_t size = writer.length;
  uint8_t *bytes = arena_alloc(arena, size);
  ad_writer_init(&writer, bytes, size);
  emit(&writer, config->root);
  config->argdata = (struct ad_value){.bytes = bytes, .length = size};
  return true;
}

bool config_load(struct config *config, struct arena *arena, struct report *report) {
  struct buffer text = {0};
  const char *error = hostfile_read(report->config, &text);
  if (error != NULL) {
    return report_plain(report, "%s: %s; accepted: a YAML file", report->config, error);
  }
  bool loaded = false;
  if (text.length > CONFIG_BYTES_MAX) {
    report_plain(report, "%s: %zu bytes; accepted: a YAML file of at most %u", report->config,
                 text.length, CONFIG_BYTES_MAX);
  } else {
    loaded = config_parse(config, arena, report, (const char *)text.bytes, text.length);
  }
  buffer_free(&text);
  return loaded;
}
