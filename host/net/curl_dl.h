#ifndef TL_NET_CURL_DL_H
#define TL_NET_CURL_DL_H

#include <curl/curl.h>

#include "base/error.h"

/* The functions of libcurl that are used, loaded on first use: linking it would cost every command 4 ms and 6 MB. */
#define TL_CURL_FUNCTIONS(X) \
    X(global_init)           \
    X(free)                  \
    X(slist_append)          \
    X(slist_free_all)        \
    X(url)                   \
    X(url_cleanup)           \
    X(url_get)               \
    X(url_set)               \
    X(easy_init)             \
    X(easy_cleanup)          \
    X(easy_setopt)           \
    X(easy_getinfo)          \
    X(easy_strerror)         \
    X(easy_pause)            \
    X(easy_recv)             \
    X(easy_send)             \
    X(multi_init)            \
    X(multi_cleanup)         \
    X(multi_setopt)          \
    X(multi_add_handle)      \
    X(multi_remove_handle)   \
    X(multi_socket_action)   \
    X(multi_assign)          \
    X(multi_info_read)       \
    X(multi_strerror)        \
    X(version_info)

typedef struct tl_curl {
#define TL_CURL_MEMBER(name) __typeof__(&curl_##name) name;
    TL_CURL_FUNCTIONS(TL_CURL_MEMBER)
#undef TL_CURL_MEMBER
} tl_curl;

/* The loaded and initialised library, the same table at every call; NULL and kind "missing_library" where it cannot be
 * loaded. */
const tl_curl *tl_curl_load(tl_error *err);

#endif
