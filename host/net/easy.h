#ifndef TL_NET_EASY_H
#define TL_NET_EASY_H

#include "net/libcurl.h"
#include "net/http.h"

/* What requests and streams have in common: one easy handle aimed at a server. For the files of this folder. */
typedef struct tl_easy {
    const tl_curl *curl;
    CURL *handle;
    struct curl_slist *connect_to;
    char *peer;        /* "host:port" or the socket's path, for messages */
    char *host_header; /* "Host: …" where TLS wants another name than the server's, or NULL */
    int64_t connect_timeout_ms;
    char text[CURL_ERROR_SIZE]; /* libcurl's own words on the failure */
} tl_easy;

typedef struct tl_easy_target {
    const char *url, *unix_socket, *proxy;
    const tl_tls *tls;
    int64_t connect_timeout_ms;
} tl_easy_target;

/* Makes the handle and sets address, TLS, proxy and limits. On failure the struct is disposed. */
int tl_easy_open(tl_easy *easy, const tl_curl *curl, const tl_easy_target *target, tl_error *err);
/* Frees the handle; it must be in no multi handle. */
void tl_easy_dispose(tl_easy *easy);
/* Fills *err from the result of a transfer: kind, message with the peer's name, hint. */
void tl_easy_error(tl_easy *easy, CURLcode code, tl_error *err);

#endif
