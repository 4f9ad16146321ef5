/*
 * Which argdata type a YAML scalar becomes: section 12.2 and 12.3 of the semantics reference.
 *
 * The last two generations of cloudabi-run agree on most plain scalars; those are taken as they
 * take them. Where they differ, the last one counts, unless it answers with an error; then the
 * one before it counts. So yes and 2015-07-01 are strings, 0x10 is 16, 1.5 is a float, True is a
 * boolean. A number that cannot be represented is an error, never another type.
 */
#ifndef IMAGES_TYPING_H
#define IMAGES_TYPING_H

#include "images/yaml.h"

#define TAG_YAML "tag:yaml.org,2002:"

/*
 * Sets node->value of a scalar that has no tag, the tag "!" or one of YAML's own. False with a
 * report: its text is not what its tag says, or the tag is not for scalars.
 */
bool typing_scalar(struct arena *arena, struct report *report, struct node *node);

/* Whether YAML's own tag fits the sequence or map; reports when not. */
bool typing_container(struct report *report, const struct node *node);

#endif
