#ifndef TL_NET_LIBCURL_H
#define TL_NET_LIBCURL_H

#include <curl/curl.h>

#include "base/error.h"

/* The functions of libcurl that are used. They are linked in (libcurl_linked.c) where host/libcurl.sh has made a library
 * for that, otherwise loaded on first use (libcurl_loaded.c): linking the shared one costs every command 4 ms and 8 MB. */
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

/* The library, initialised on first use, the same table at every call; NULL and kind "missing_library" where it cannot
 * be loaded or initialised. */
const tl_curl *tl_curl_load(tl_error *err);

#endif
