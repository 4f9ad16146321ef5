/*
 * The YAML reader of yaml.h: libyaml's events put together to a tree. The tree is built with a
 * stack of its own, so depth costs no recursion here.
 */
#include "images/yaml.h"

#include <string.h>
#include <yaml.h>

struct reader {
  struct arena *arena;
  struct report *report;
  yaml_parser_t parser;
  const char *text;
  struct node *root;
  struct node **open[YAML_DEPTH_MAX]; /* for each open container, where its next child goes */
  unsigned depth;
};

bool node_is(const struct node *node, const char *text) {
  return node->length == strlen(text) && memcmp(node->text, text, node->length) == 0;
}

static struct position position(yaml_mark_t mark) {
  return (struct position){.line = (unsigned)mark.line + 1, .column = (unsigned)mark.column + 1};
}

/* The position of a byte: libyaml's complaints about the encoding come with an offset only. */
static struct position position_of(const char *text, size_t offset) {
  struct position at = {.line = 1, .column = 1};
  for (size_t i = 0; i < offset; i++) {
    if (text[i] == '\n') {
      at.line++;
      at.column = 1;
    } else if ((text[i] & 0xc0) != 0x80) {
      at.column++;
    }
  }
  return at;
}

static bool syntax_error(struct reader *reader) {
  yaml_parser_t *parser = &reader->parser;
  const char *problem = parser->problem != NULL ? parser->problem : "no reason known";
  if (parser->error == YAML_READER_ERROR) {
    return report_at(reader->report, position_of(reader->text, parser->problem_offset),
                     "%s; accepted: YAML in UTF-8", problem);
  }
  if (parser->context == NULL) {
    return report_at(reader->report, position(parser->problem_mark), "%s; accepted: YAML 1.1",
                     problem);
  }
  return report_at(reader->report, position(parser->problem_mark),
                   "%s, %s that begins on line %u; accepted: YAML 1.1", problem, parser->context,
                   position(parser->context_mark).line);
}

static struct node *new_node(struct reader *reader, enum node_kind kind, const yaml_event_t *event,
                             const yaml_char_t *tag) {
  struct node *node = arena_alloc(reader->arena, sizeof(*node));
  node->kind = kind;
  node->at = position(event->start_mark);
  if (tag != NULL) {
    node->tag = arena_copy(reader->arena, tag, strlen((const char *)tag));
  }
  return node;
}

/* Puts a finished or just begun node where it belongs. */
static void attach(struct reader *reader, struct node *node) {
  if (reader->depth == 0) {
    reader->root = node;
    return;
  }
  *reader->open[reader->depth - 1] = node;
  reader->open[reader->depth - 1] = &node->next;
}

static bool enter(struct reader *reader, struct node *node) {
  if (reader->depth == YAML_DEPTH_MAX) {
    return report_at(reader->report, node->at, "nested too deeply; accepted: %d levels",
                     YAML_DEPTH_MAX);
  }
  attach(reader, node);
  reader->open[reader->depth++] = &node->first;
  return true;
}

static void add_scalar(struct reader *reader, const yaml_event_t *event) {
  struct node *node = new_node(reader, NODE_SCALAR, event, event->data.scalar.tag);
  node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
  node->length = event->data.scalar.length;
  node->text = arena_copy(reader->arena, event->data.scalar.value, node->length);
  attach(reader, node);
}

/* Takes one event in; false when it is refused. *done: the document is complete. */
static bool take(struct reader *reader, const yaml_event_t *event, bool *done) {
  switch (event->type) {
    case YAML_SCALAR_EVENT:
      add_scalar(reader, event);
      return true;
    case YAML_SEQUENCE_START_EVENT:
      return enter(reader, new_node(reader, NODE_SEQ, event, event->data.sequence_start.tag));
    case YAML_MAPPING_START_EVENT:
      return enter(reader, new_node(reader, NODE_MAP, event, event->data.mapping_start.tag));
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
      reader->depth--;
      return true;
    case YAML_ALIAS_EVENT:
      return report_at(reader->report, position(event->start_mark),
                       "alias *%s; accepted: the value itself, written out",
                       (const char *)event->data.alias.anchor);
    case YAML_DOCUMENT_END_EVENT:
    case YAML_STREAM_END_EVENT:
      *done = true;
      return true;
    default:
      return true;
  }
}

static bool read_document(struct reader *reader) {
  for (bool done = false; !done;) {
    yaml_event_t event;
    if (!yaml_parser_parse(&reader->parser, &event)) {
      return syntax_error(reader);
    }
    bool taken = take(reader, &event, &done);
    yaml_event_delete(&event);
    if (!taken) {
      return false;
    }
  }
  return true;
}

struct node *yaml_read(struct arena *arena, struct report *report, const char *text,
                       size_t length) {
  struct reader reader = {.arena = arena, .report = report, .text = text};
  if (!yaml_parser_initialize(&reader.parser)) {
    report_plain(report, "mkimage: out of memory");
    return NULL;
  }
  yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
  yaml_parser_set_input_string(&reader.parser, (const unsigned char *)text, length);
  bool read = read_document(&reader);
  yaml_parser_delete(&reader.parser);
  if (!read) {
    return NULL;
  }
  if (reader.root == NULL) { /* no document at all */
    reader.root = arena_alloc(arena, sizeof(*reader.root));
    reader.root->at = (struct position){1, 1};
    reader.root->plain = true;
    reader.root->text = "";
  }
  return reader.root;
}
