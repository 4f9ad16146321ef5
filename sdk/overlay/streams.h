/*
 * The standard streams of a program. Descriptors 0, 1 and 2 mean nothing in CloudABI, so a
 * stream takes the descriptor that the argument data gives it by name.
 */
#ifndef SDK_OVERLAY_STREAMS_H
#define SDK_OVERLAY_STREAMS_H

#include "sdk/overlay/overlay.h"

/*
 * The descriptor for a stream: the argument data itself if it is one, or the value of that
 * key (or of the other, which may be NULL) if it is a map. −1 if there is none.
 */
HIDDEN int __stdio_descriptor(const char *key, const char *other);

#endif
