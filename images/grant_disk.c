/*
 * The attribute `disk` of the tag !file: a file or directory of a disk that the machine has.
 *
 * Nobody sees the disk when the image is built: the kernel looks for all of it when it starts. The
 * payload's line is in kernel/grants.h.
 */
#include <string.h>

#include "images/attributes.h"
#include "images/grant_kinds.h"
#include "images/scalars.h"

#define NAME_MAX_BYTES 108 /* of a label, the longest name there is */
#define PATH_MAX_BYTES 1023
#define NUMBER_MAX 9999 /* of disks and partitions */

/* A word of the payload's line: what could end it, or be taken for an option, becomes %XX. */
static const char *word(struct arena *arena, const char *text) {
  char *out = arena_alloc(arena, 3 * strlen(text) + 1), *p = out;
  for (; *text != '\0'; text++) {
    unsigned char c = (unsigned char)*text;
    if (c > ' ' && c < 0x7f && c != '%' && c != '=') {
      *p++ = (char)c;
    } else {
      *p++ = '%';
      *p++ = "0123456789abcdef"[c >> 4];
      *p++ = "0123456789abcdef"[c & 15];
    }
  }
  *p = '\0';
  return out;
}

static bool parse_number(const char *text, size_t length, unsigned *number) {
  struct scalar_int value;
  if (length == 0 || strspn(text, "0123456789") != length ||
      scalar_int(text, length, &value) != PARSED || value.bits > NUMBER_MAX) {
    return false;
  }
  *number = (unsigned)value.bits;
  return true;
}

/* `0`, `serial=NAME` or `label=NAME`: the two words "order 0", "serial NAME", … */
static bool parse_disk(struct grants *grants, const struct node *disk, const char **words) {
  static const char *const kinds[] = {"serial", "label"};
  const char *text = disk->text;
  unsigned order;
  if (parse_number(text, disk->length, &order)) {
    *words = arena_printf(grants->arena, "order %u", order);
    return true;
  }
  for (size_t i = 0; i < 2 && strlen(text) == disk->length; i++) {
    size_t n = strlen(kinds[i]);
    size_t name = disk->length > n ? disk->length - n - 1 : 0;
    if (strncmp(text, kinds[i], n) == 0 && text[n] == '=' && name > 0 && name <= NAME_MAX_BYTES) {
      *words = arena_printf(grants->arena, "%s %s", kinds[i], word(grants->arena, text + n + 1));
      return true;
    }
  }
  return report_at(grants->report, disk->at,
                   "disk %s; accepted: 0, 1, … by order, serial=NAME, label=NAME",
                   report_quote(text, disk->length).text);
}

static bool parse_partition(struct grants *grants, const struct disk_nodes *nodes,
                            unsigned *number) {
  const struct node *partition = nodes->partition;
  *number = 0;
  if (partition == NULL) {
    return true;
  }
  if (strncmp(nodes->disk->text, "label=", 6) == 0) {
    return report_at(grants->report, partition->at,
                     "partition of a disk that is given by label; accepted: a label alone, which "
                     "finds partitions too");
  }
  if (!parse_number(partition->text, partition->length, number) || *number == 0) {
    return report_at(grants->report, partition->at, "partition %s; accepted: a number from 1",
                     report_quote(partition->text, partition->length).text);
  }
  return true;
}

/* Whether `..` is one of a path's names. */
static bool climbs(const char *path) {
  for (const char *p = strstr(path, ".."); p != NULL; p = strstr(p + 1, "..")) {
    if ((p == path || p[-1] == '/') && (p[2] == '/' || p[2] == '\0')) {
      return true;
    }
  }
  return false;
}

static bool parse_path(struct grants *grants, const struct node *path, const char **text) {
  *text = path != NULL ? path->text : "/";
  if (path != NULL && (path->length == 0 || strlen(path->text) != path->length ||
                       path->length > PATH_MAX_BYTES || climbs(path->text))) {
    return report_at(grants->report, path->at,
                     "path %s on a disk; accepted: the name of a file or directory there, without "
                     "..",
                     report_quote(path->text, path->length).text);
  }
  return true;
}

bool grant_disk(struct grants *grants, const struct disk_nodes *nodes, struct grant *grant) {
  const struct node *writable = nodes->writable;
  const char *disk, *path;
  unsigned partition;
  bool write = false;
  grant->kind = GRANT_DISK;
  if (!parse_disk(grants, nodes->disk, &disk) || !parse_partition(grants, nodes, &partition) ||
      !parse_path(grants, nodes->path, &path)) {
    return false;
  }
  if (writable != NULL && scalar_bool(writable->text, writable->length, &write) != PARSED) {
    return report_at(grants->report, writable->at, "writable %s; accepted: true, false",
                     report_quote(writable->text, writable->length).text);
  }
  grant->rights.kind = write ? RIGHTS_DISK : RIGHTS_DISK_READ_ONLY;
  grant->line = arena_printf(grants->arena, "disk %s %u %s %s", disk, partition,
                             write ? "write" : "read", word(grants->arena, path));
  return true;
}
