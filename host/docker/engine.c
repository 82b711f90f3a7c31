/* The address of a Docker engine, the version of its API and the words for its errors. */
#include "docker/engine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "data/cjson_dl.h"

#define OLDEST_API "1.24"
#define DEFAULT_SOCKET "/var/run/docker.sock"
#define MOST_PEM ((size_t)1 << 20)

struct tl_engine {
    char *host;
    char *socket; /* path, or NULL */
    char *base;   /* "http://docker" or "https://host:port" */
    char *ca, *cert, *key;
    tl_tls tls;
    int uses_tls, owners;
    char api[16];
};

static char *home_path(const char *rest)
{
    const char *home = getenv("HOME");
    tl_buf path = TL_BUF_INIT(SIZE_MAX);
    tl_buf_addf(&path, "%s%s", home ? home : "", rest);
    return tl_buf_take(&path);
}

/* The first socket that exists; the system's where none does, so that the message names the one people expect. */
static char *usual_socket(void)
{
    static const char *const in_home[] = {"/.docker/run/docker.sock", "/.docker/desktop/docker.sock",
                                          "/.orbstack/run/docker.sock", "/.colima/default/docker.sock", "/.rd/docker.sock"};
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    if (access(DEFAULT_SOCKET, F_OK) == 0) return tl_strdup(DEFAULT_SOCKET);
    if (runtime && *runtime) {
        tl_buf path = TL_BUF_INIT(SIZE_MAX);
        tl_buf_addf(&path, "%s/docker.sock", runtime);
        if (access(path.data, F_OK) == 0) return tl_buf_take(&path);
        tl_buf_dispose(&path);
    }
    for (size_t i = 0; i < sizeof in_home / sizeof *in_home; i++) {
        char *path = home_path(in_home[i]);
        if (access(path, F_OK) == 0) return path;
        free(path);
    }
    return tl_strdup(DEFAULT_SOCKET);
}

/* *out stays NULL where there is no such file. */
static int read_pem(const char *folder, const char *name, char **out, tl_error *err)
{
    tl_buf path = TL_BUF_INIT(SIZE_MAX), text = TL_BUF_INIT(MOST_PEM);
    tl_buf_addf(&path, "%s/%s", folder, name);
    int result = 0, fd = open(path.data, O_RDONLY | O_CLOEXEC);
    int missing = fd < 0 && errno == ENOENT;
    ssize_t got = fd < 0 ? -1 : 1;
    while (got > 0) {
        char *room = tl_buf_reserve(&text, 8192);
        if (!room) break;
        got = read(fd, room, 8192);
        if (got > 0) tl_buf_add_len(&text, (size_t)got);
    }
    if (got >= 0)
        *out = tl_buf_take(&text);
    else if (!missing)
        result = tl_error_errno(err, errno, "cannot read %s for the Docker engine", path.data);
    if (fd >= 0) close(fd);
    tl_buf_dispose(&path);
    tl_buf_dispose(&text);
    return result;
}

/* As Docker's own client: certificates mean TLS, each of the files may be missing, and unless it is said the engine's
 * certificate is not verified. */
static int set_tls(tl_engine *e, const tl_engine_options *o, tl_error *err)
{
    e->tls.insecure = o->cert_path ? o->tls_verify <= 0 : o->tls_verify == 0;
    if (!o->cert_path) return 0;
    e->uses_tls = 1;
    if (read_pem(o->cert_path, "ca.pem", &e->ca, err) < 0 || read_pem(o->cert_path, "cert.pem", &e->cert, err) < 0 ||
        read_pem(o->cert_path, "key.pem", &e->key, err) < 0)
        return -1;
    if (!e->ca && !e->cert) {
        tl_error_set(err, "not_found", "there is neither %s/ca.pem nor a cert.pem for the Docker engine", o->cert_path);
        tl_error_hint(err, "DOCKER_CERT_PATH names a folder with ca.pem, cert.pem and key.pem");
        return -1;
    }
    e->tls.ca_pem = e->ca;
    e->tls.cert_pem = e->cert;
    e->tls.key_pem = e->key;
    return 0;
}

static int set_host(tl_engine *e, const tl_engine_options *o, tl_error *err)
{
    tl_buf base = TL_BUF_INIT(SIZE_MAX);
    const char *host = e->host;
    if (!strncmp(host, "unix://", 7) && host[7] == '/') {
        e->socket = tl_strdup(host + 7);
        e->base = tl_strdup("http://docker");
        return 0;
    }
    const char *scheme = strstr(host, "://");
    size_t length = scheme ? (size_t)(scheme - host) : 0;
    int is_https = length == 5 && !strncmp(host, "https", 5);
    if (!is_https && !(length == 3 && !strncmp(host, "tcp", 3)) && !(length == 4 && !strncmp(host, "http", 4))) {
        tl_error_set(err, "usage", "the Docker host %s cannot be used", host);
        tl_error_hint(err, "unix:///path/to/docker.sock and tcp://host:port can; for ssh:// forward the socket first");
        return -1;
    }
    if (length != 4 && set_tls(e, o, err) < 0) return -1;
    tl_buf_addf(&base, "%s%s", is_https || e->uses_tls ? "https" : "http", scheme);
    while (base.len && base.data[base.len - 1] == '/') base.data[--base.len] = 0;
    const char *name = strstr(base.data, "://") + 3;
    if (!strchr(name, ':')) tl_buf_adds(&base, is_https || e->uses_tls ? ":2376" : ":2375");
    e->base = tl_buf_take(&base);
    e->uses_tls = is_https || e->uses_tls;
    return 0;
}

tl_engine *tl_engine_new(const tl_engine_options *o, tl_error *err)
{
    tl_engine *e = tl_calloc(1, sizeof *e);
    e->owners = 1;
    if (o->host && *o->host) {
        e->host = tl_strdup(o->host);
    } else {
        char *socket = usual_socket();
        tl_buf text = TL_BUF_INIT(SIZE_MAX);
        tl_buf_addf(&text, "unix://%s", socket);
        e->host = tl_buf_take(&text);
        free(socket);
    }
    if (set_host(e, o, err) == 0) return e;
    tl_engine_free(e);
    return NULL;
}

void tl_engine_free(tl_engine *e)
{
    if (!e || --e->owners) return;
    if (e->key) tl_cleanse(e->key, strlen(e->key));
    free(e->host);
    free(e->socket);
    free(e->base);
    free(e->ca);
    free(e->cert);
    free(e->key);
    free(e);
}

tl_engine *tl_engine_share(tl_engine *e)
{
    e->owners++;
    return e;
}

const char *tl_engine_host(const tl_engine *e)
{
    return e->host;
}

static int compare_versions(const char *a, const char *b)
{
    int a1 = 0, a2 = 0, b1 = 0, b2 = 0;
    sscanf(a, "%d.%d", &a1, &a2);
    sscanf(b, "%d.%d", &b1, &b2);
    return a1 != b1 ? a1 - b1 : a2 - b2;
}

int tl_engine_negotiate(tl_engine *e, const char *engine_version, tl_error *err)
{
    if (compare_versions(engine_version, OLDEST_API) < 0) {
        tl_error_set(err, "engine", "the Docker engine at %s speaks API %s, too old for todo-lua", e->host, engine_version);
        tl_error_hint(err, "install Docker 1.12 or newer");
        return -1;
    }
    const char *chosen = compare_versions(engine_version, TL_ENGINE_API) < 0 ? engine_version : TL_ENGINE_API;
    snprintf(e->api, sizeof e->api, "%s", chosen);
    return 0;
}

const char *tl_engine_api(const tl_engine *e)
{
    return e->api;
}

void tl_engine_path(const tl_engine *e, const char *path, tl_buf *out)
{
    if (e->api[0]) tl_buf_addf(out, "/v%s", e->api);
    tl_buf_adds(out, path);
}

void tl_engine_aim(const tl_engine *e, const char *path, tl_buf *url, tl_http_options *o)
{
    tl_buf_adds(url, e->base);
    tl_engine_path(e, path, url);
    o->url = url->data;
    o->unix_socket = e->socket;
    o->tls = e->uses_tls ? &e->tls : NULL;
    if (e->socket) o->proxy = "";
    o->http1 = 1;
}

void tl_engine_aim_stream(const tl_engine *e, tl_buf *url, tl_stream_options *o)
{
    tl_buf_adds(url, e->base);
    o->url = url->data;
    o->unix_socket = e->socket;
    o->tls = e->uses_tls ? &e->tls : NULL;
    if (e->socket) o->proxy = "";
}

int tl_engine_unreachable(const tl_engine *e, const tl_error *failure, tl_error *err)
{
    if (!strcmp(failure->kind, "denied")) {
        tl_error_set(err, "denied", "the Docker socket %s may not be used by this user", e->socket ? e->socket : e->host);
        tl_error_hint(err, "sudo usermod -aG docker \"$USER\", then log in again (or run newgrp docker)");
    } else if (!strcmp(failure->kind, "connect")) {
        tl_error_set(err, "connect", "no Docker engine answers at %s: %s", e->host, failure->message);
        if (e->socket && !strcmp(e->socket, DEFAULT_SOCKET))
            tl_error_hint(err, "start it (sudo systemctl start docker, Docker Desktop, or sudo dockerd), or set DOCKER_HOST");
        else
            tl_error_hint(err, "start it, or correct the address (DOCKER_HOST, or the Docker context in use)");
    } else if (!strcmp(failure->kind, "timeout")) {
        tl_error_set(err, "timeout", "the Docker engine at %s hangs: %s", e->host, failure->message);
        tl_error_hint(err, "restart it (sudo systemctl restart docker, or Docker Desktop's Restart), then run again");
    } else {
        tl_error_set(err, failure->kind, "the Docker engine at %s: %s", e->host, failure->message);
        if (failure->hint) tl_error_hint(err, "%s", failure->hint);
    }
    return -1;
}

static const char *kind_of(int status, const char *message)
{
    if (strstr(message, "no space left on device")) return "no_space";
    switch (status) {
    case 400: return "usage";
    case 401:
    case 403: return "denied";
    case 404: return "not_found";
    case 409: return "conflict";
    default: return "engine";
    }
}

int tl_engine_refused(int status, const char *body, size_t length, tl_error *err)
{
    const tl_cjson *cjson = tl_cjson_load(NULL);
    cJSON *document = cjson ? cjson->ParseWithLength(body, length) : NULL;
    const char *told = document ? tl_cjson_text(document, "message") : NULL;
    while (length && (unsigned char)body[length - 1] <= ' ') length--;
    char *plain = length ? tl_strndup(body, length < 500 ? length : 500) : tl_strdup("the engine gave no reason");
    const char *message = told ? told : plain;
    tl_error_set(err, kind_of(status, message), "docker: %s", message);
    if (strstr(message, "no space left on device"))
        tl_error_hint(err, "the engine's disk is full: docker system df shows by what, docker system prune frees some");
    if (err) err->status = status;
    free(plain);
    if (document) cjson->Delete(document);
    return -1;
}
