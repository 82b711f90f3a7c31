/* The machine's libcurl, loaded on first use. */
#include "net/libcurl.h"

#include <string.h>

#include "base/dynlib.h"

static const char *const names[] = {"libcurl.so.4", "libcurl.4.dylib", "libcurl.dylib", NULL};

static const char *const symbols[] = {
#define TL_CURL_NAME(name) "curl_" #name,
    TL_CURL_FUNCTIONS(TL_CURL_NAME)
#undef TL_CURL_NAME
};

const tl_curl *tl_curl_load(tl_error *err)
{
    static tl_curl table;
    static int loaded;
    if (loaded) return &table;
    enum { COUNT = sizeof symbols / sizeof *symbols };
    void *found[COUNT];
    const tl_dynlib lib = {names, "libcurl4", symbols, COUNT};
    if (tl_dynlib_load(&lib, found, err) < 0) return NULL;
    _Static_assert(sizeof table == sizeof found, "one pointer for each function");
    memcpy(&table, found, sizeof table);
    if (table.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        tl_error_set(err, "missing_library", "libcurl cannot be initialised");
        return NULL;
    }
    loaded = 1;
    return &table;
}
