/* cJSON, loaded on first use. */
#include "data/cjson_dl.h"

#include <string.h>

#include "base/dynlib.h"

static tl_cjson table;

const tl_cjson *tl_cjson_load(tl_error *err)
{
    static const char *const names[] = {"libcjson.so.1", "libcjson.1.dylib", "libcjson.so", NULL};
    static const char *const symbols[] = {"cJSON_ParseWithLength", "cJSON_Delete", "cJSON_GetObjectItemCaseSensitive"};
    enum { COUNT = sizeof symbols / sizeof *symbols };
    const tl_dynlib lib = {names, "libcjson1", symbols, COUNT};
    void *found[COUNT];
    if (table.Delete) return &table;
    if (tl_dynlib_load(&lib, found, err) < 0) return NULL;
    _Static_assert(sizeof table == sizeof found, "one pointer for each function");
    memcpy(&table, found, sizeof table);
    return &table;
}

const char *tl_cjson_text(const cJSON *object, const char *name)
{
    const cJSON *item = table.GetObjectItemCaseSensitive(object, name);
    return item && (item->type & 0xFF) == cJSON_String ? item->valuestring : NULL;
}

double tl_cjson_number(const cJSON *object, const char *name, double fallback)
{
    const cJSON *item = table.GetObjectItemCaseSensitive(object, name);
    return item && (item->type & 0xFF) == cJSON_Number ? item->valuedouble : fallback;
}
