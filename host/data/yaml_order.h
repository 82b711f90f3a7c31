#ifndef TL_DATA_YAML_ORDER_H
#define TL_DATA_YAML_ORDER_H

#include "data/value.h"
#include "data/yaml.h"

/* The live entries in go-yaml's order of keys, in which runs of digits compare as numbers; an arena array of
 * map->count pointers. */
tl_entry **tl_yaml_sorted(const tl_map *map, tl_yaml_style style, tl_arena *arena);

#endif
