#ifndef TL_DOCKER_ENGINE_H
#define TL_DOCKER_ENGINE_H

#include "base/buf.h"
#include "base/error.h"
#include "net/http.h"

/* Where a Docker engine listens and how it is spoken to. */
typedef struct tl_engine tl_engine;

typedef struct tl_engine_options {
    const char *host;      /* "unix:///…", "tcp://host:port", "https://…"; NULL: the first usual socket */
    const char *cert_path; /* folder with ca.pem, cert.pem, key.pem, which mean TLS; NULL: none */
    int tls_verify;        /* -1: not said, which is no where there are certificates, else yes */
} tl_engine_options;

/* Reads addresses and certificates, without talking to the engine. Kind "usage" where the host cannot be used. Free with
 * tl_engine_free. */
tl_engine *tl_engine_new(const tl_engine_options *options, tl_error *err);
void tl_engine_free(tl_engine *engine);
/* One owner more: it takes one tl_engine_free more until the engine is gone. Returns its argument. */
tl_engine *tl_engine_share(tl_engine *engine);
/* The host as given or found: "unix:///var/run/docker.sock". */
const char *tl_engine_host(const tl_engine *engine);

/* The newest version of the API that this client knows. */
#define TL_ENGINE_API "1.47"
/* Chooses the version of the API: the older one of the engine's and ours. -1 where the engine is too old for us. */
int tl_engine_negotiate(tl_engine *engine, const char *engine_version, tl_error *err);
/* The version chosen, "" before. */
const char *tl_engine_api(const tl_engine *engine);

/* Aims a request at the engine: URL (built in `url`, which must live as long as the options), socket, TLS, no proxy. `path`
 * starts with a slash and has no version, its query included. */
void tl_engine_aim(const tl_engine *engine, const char *path, tl_buf *url, tl_http_options *options);
void tl_engine_aim_stream(const tl_engine *engine, tl_buf *url, tl_stream_options *options);
/* "/v1.41" + path, as tl_engine_aim puts it. */
void tl_engine_path(const tl_engine *engine, const char *path, tl_buf *out);

/* Says better what went wrong with the connection: the engine is not running (kind "connect"), the socket may not be used
 * ("denied"), with the next step as hint. Fills *err from `failure`, which stays as it is. Returns -1. */
int tl_engine_unreachable(const tl_engine *engine, const tl_error *failure, tl_error *err);
/* The error of an answer with status >= 400: the engine's message; kinds "usage", "denied", "not_found", "conflict",
 * "no_space", "engine"; err->status is the HTTP status. Returns -1. */
int tl_engine_refused(int status, const char *body, size_t length, tl_error *err);

#endif
