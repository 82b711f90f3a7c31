#ifndef TL_DATA_YAML_ORDER_H
#define TL_DATA_YAML_ORDER_H

#include "data/value.h"
#include "data/yaml.h"

/* Fills `out` with the map->count live entries in go-yaml's order of keys, in which runs of digits compare as numbers. */
void tl_yaml_sort(tl_entry **out, const tl_map *map, tl_yaml_style style);

#endif
