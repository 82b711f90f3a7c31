#ifndef TL_CHART_PATCH_H
#define TL_CHART_PATCH_H

#include "base/error.h"
#include "data/value.h"

typedef enum tl_patch_type { TL_PATCH_STRATEGIC, TL_PATCH_MERGE } tl_patch_type;

/* The patch that brings `live` from `original` (the manifest applied last; null: none) to `target`, as helm 3 computes
 * it (pkg/kube/client.go, createPatch): a three-way strategic merge patch for kinds of Kubernetes itself, for all
 * others a JSON merge patch from original to target. All three are objects as JSON has them (integers exact). *out
 * is an empty map where nothing changes; parts of `target` are shared. */
int tl_patch_create(tl_value *out, tl_patch_type *type, tl_arena *arena, tl_value original, tl_value target,
                    tl_value live,
                    tl_error *err);

/* What a strategic merge patch makes of an object. Kind "usage" where the kind is none of Kubernetes' own. Parts of both
 * are shared. */
int tl_patch_apply(tl_value *out, tl_arena *arena, tl_value object, tl_value patch, tl_error *err);

/* How the elements of a field are merged; the knowledge that Kubernetes' Go types carry in their tags. */
typedef enum tl_patch_place {
    TL_PLACE_PLAIN, /* nothing special below */
    TL_PLACE_OBJECT,
    TL_PLACE_META,
    TL_PLACE_SPEC,
    TL_PLACE_STATUS,
    TL_PLACE_TEMPLATE, /* of pods */
    TL_PLACE_JOB_TEMPLATE,
    TL_PLACE_POD_SPEC,
    TL_PLACE_CONTAINER,
    TL_PLACE_WEBHOOK
} tl_patch_place;

typedef struct tl_patch_field {
    int merge;       /* a list merged by its elements, not replaced */
    const char *key; /* their identity; NULL for a list of scalars */
    int retain_keys; /* of the map, or of each element */
    int replace;     /* a map replaced as a whole */
    tl_patch_place next;
} tl_patch_field;

/* What is known of `field` in an object of this kind at this place. */
tl_patch_field tl_patch_lookup(tl_patch_place place, const char *kind, const char *field);
/* 1 where the group of the apiVersion is one of Kubernetes' own, whose types have merge keys. */
int tl_patch_known_group(const char *api_version);

#endif
