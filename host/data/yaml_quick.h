#ifndef TL_DATA_YAML_QUICK_H
#define TL_DATA_YAML_QUICK_H

#include <stddef.h>

#include "data/value.h"
#include "data/yaml.h"

/* Reads the first document without libyaml where it holds nothing but what charts are mostly written in: block maps and
 * lists, scalars without tags, anchors and aliases, flow collections on one line. Returns 1 with *out, or 0 where the
 * text has anything else in it, faults included: then libyaml is to read it from the start. What is read has the value
 * that libyaml's events would give. */
int tl_yaml_quick(tl_arena *arena, const char *text, size_t length, const tl_yaml_options *options, tl_value *out);

#endif
