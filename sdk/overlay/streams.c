/*
 * Which descriptor a standard stream has (overlay/streams.h).
 */
#include "argdata/value.h"
#include "sdk/overlay/streams.h"

int __stdio_descriptor(const char *key, const char *other) {
  struct ad_value root = value_encoded(__startup_argdata());
  struct ad_value value = root;
  uint32_t fd;

  if (ad_type(root) == AD_MAP && !ad_map_find(root, key, &value) &&
      (other == NULL || !ad_map_find(root, other, &value)))
    return -1;
  return ad_get_fd(value, &fd) == AD_OK ? (int)fd : -1;
}
