/* The libcurl that is linked into the program, initialised on first use. */
#include "net/libcurl.h"

const tl_curl *tl_curl_load(tl_error *err)
{
    static const tl_curl table = {
#define TL_CURL_ADDRESS(name) .name = curl_##name,
        TL_CURL_FUNCTIONS(TL_CURL_ADDRESS)
#undef TL_CURL_ADDRESS
    };
    static int ready;
    if (!ready && curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        tl_error_set(err, "missing_library", "libcurl cannot be initialised");
        return NULL;
    }
    ready = 1;
    return &table;
}
