/*
 * Walking over argdata containers: the iterators and the callbacks of argdata.h. Called by
 * programs and host tools.
 *
 * One implementation serves maps and sequences: a sequence is a walk without keys. A step over
 * encoded bytes decodes the entry into the iterator itself, where get() finds it.
 */
#include "argdata/value.h"

#include <errno.h>

struct walk {
  const argdata_t *const *keys; /* of a value in memory; NULL for encoded ones */
  const argdata_t *const *values;
  size_t left; /* entries in memory, the current one included */
  bool encoded;
  bool map;
  struct ad_iter iter;
  argdata_t key; /* the current entry, when encoded */
  argdata_t value;
};

_Static_assert(sizeof(struct walk) <= sizeof(((argdata_map_iterator_t *)0)->state), "iterator");
_Static_assert(_Alignof(struct walk) <= _Alignof(argdata_map_iterator_t), "iterator");

/* Decodes the next entry; its index becomes `index`. */
static void decode(argdata_map_iterator_t *it, struct walk *walk, size_t index) {
  struct ad_value key, value;
  enum ad_step step =
      walk->map ? ad_iter_pair(&walk->iter, &key, &value) : ad_iter_next(&walk->iter, &value);
  if (step != AD_MORE) {
    it->index = step == AD_END ? ARGDATA_ITERATOR_END : ARGDATA_ITERATOR_INVALID;
    return;
  }
  if (walk->map) {
    walk->key = value_child(&walk->key, key);
  }
  walk->value = value_child(&walk->value, value);
  it->index = index;
}

static void iterate(const argdata_t *container, argdata_map_iterator_t *it, bool map) {
  struct walk *walk = (struct walk *)&it->state;
  *walk = (struct walk){.map = map};
  if (container->kind == VALUE_BYTES) {
    walk->encoded = true;
    walk->key = walk->value = *container;
    if (ad_iter_begin(&walk->iter, value_encoded(container), map ? AD_MAP : AD_SEQ) == AD_OK) {
      decode(it, walk, 0);
    } else {
      it->index = ARGDATA_ITERATOR_INVALID;
    }
  } else if (container->kind == (map ? VALUE_MAP : VALUE_SEQ)) {
    walk->keys = container->list.keys;
    walk->values = container->list.values;
    walk->left = container->list.count;
    it->index = walk->left > 0 ? 0 : ARGDATA_ITERATOR_END;
  } else {
    it->index = ARGDATA_ITERATOR_INVALID;
  }
}

static bool at_entry(const argdata_map_iterator_t *it) {
  return it->index != ARGDATA_ITERATOR_END && it->index != ARGDATA_ITERATOR_INVALID;
}

void argdata_map_iterate(const argdata_t *map, argdata_map_iterator_t *it) {
  iterate(map, it, true);
}

void argdata_seq_iterate(const argdata_t *seq, argdata_seq_iterator_t *it) {
  iterate(seq, it, false);
}

bool argdata_map_get(const argdata_map_iterator_t *it, const argdata_t **key,
                     const argdata_t **value) {
  const struct walk *walk = (const struct walk *)&it->state;
  if (!at_entry(it)) {
    return false;
  }
  *key = walk->encoded ? &walk->key : *walk->keys;
  *value = walk->encoded ? &walk->value : *walk->values;
  return true;
}

bool argdata_seq_get(const argdata_seq_iterator_t *it, const argdata_t **element) {
  const struct walk *walk = (const struct walk *)&it->state;
  if (!at_entry(it)) {
    return false;
  }
  *element = walk->encoded ? &walk->value : *walk->values;
  return true;
}

void argdata_map_next(argdata_map_iterator_t *it) {
  struct walk *walk = (struct walk *)&it->state;
  if (!at_entry(it)) {
    return;
  }
  if (walk->encoded) {
    decode(it, walk, it->index + 1);
    return;
  }
  walk->values++;
  if (walk->map) {
    walk->keys++;
  }
  walk->left--;
  it->index = walk->left > 0 ? it->index + 1 : ARGDATA_ITERATOR_END;
}

void argdata_seq_next(argdata_seq_iterator_t *it) {
  argdata_map_next(it);
}

int argdata_iterate_map(const argdata_t *map,
                        bool (*callback)(const argdata_t *key, const argdata_t *value, void *thunk),
                        void *thunk) {
  argdata_map_iterator_t it;
  const argdata_t *key, *value;
  for (argdata_map_iterate(map, &it); argdata_map_get(&it, &key, &value); argdata_map_next(&it)) {
    if (!callback(key, value, thunk)) {
      return 0;
    }
  }
  return it.index == ARGDATA_ITERATOR_END ? 0 : EINVAL;
}

int argdata_iterate_seq(const argdata_t *seq,
                        bool (*callback)(const argdata_t *element, void *thunk), void *thunk) {
  argdata_seq_iterator_t it;
  const argdata_t *element;
  for (argdata_seq_iterate(seq, &it); argdata_seq_get(&it, &element); argdata_seq_next(&it)) {
    if (!callback(element, thunk)) {
      return 0;
    }
  }
  return it.index == ARGDATA_ITERATOR_END ? 0 : EINVAL;
}
