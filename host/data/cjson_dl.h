#ifndef TL_DATA_CJSON_DL_H
#define TL_DATA_CJSON_DL_H

#include <cjson/cJSON.h>

#include "base/error.h"

/* cJSON, loaded on first use, for small foreign documents of known shape; data/json.h reads everything else. */
typedef struct tl_cjson {
    __typeof__(&cJSON_ParseWithLength) ParseWithLength;
    __typeof__(&cJSON_Delete) Delete;
    __typeof__(&cJSON_GetObjectItemCaseSensitive) GetObjectItemCaseSensitive;
} tl_cjson;

/* The same table at every call; NULL and kind "missing_library" where it cannot be loaded. */
const tl_cjson *tl_cjson_load(tl_error *err);
/* The member's text, NULL where it is absent or no string. */
const char *tl_cjson_text(const cJSON *object, const char *name);
/* The member's number, `fallback` where it is absent or none. */
double tl_cjson_number(const cJSON *object, const char *name, double fallback);

#endif
