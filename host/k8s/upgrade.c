/* The way from a request to an open WebSocket: connect, prove the cluster's identity, shake hands (RFC 6455, 4.1). */
#include "k8s/upgrade.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include "data/base64.h"
#include "data/digest.h"
#include "k8s/client_internal.h"
#include "k8s/headers.h"
#include "k8s/pin.h"
#include "k8s/status.h"
#include "net/answer.h"

#define CHUNK 65536
#define MOST_ANSWER ((size_t)4 << 20)

enum { CREDENTIALS, CONNECTING, PROVING, ASKING, OPEN, ENDED };

struct tl_upgrade {
    tl_k8s *client; /* NULL once the client is gone */
    tl_upgrade *previous, *next;
    tl_upgrade_options options;
    tl_arena *arena;
    const char *what; /* "GET /api/v1/…", for messages */
    const char *host, *prefix; /* of the server's URL */
    int state, reauthorised;
    tl_credential_wait wait;
    tl_credential credential; /* of this connection; texts in the arena or the target */
    tl_timer deadline;
    int64_t sent; /* when, of the request now */
    tl_stream *stream;
    tl_buf unsent;
    tl_answer answer;
    char accept[32]; /* the answer to our key */
    tl_buf protocol;
    tl_websocket *socket;
    tl_error error;
};

static int step(tl_upgrade *u, tl_error *err);

static void unlink_upgrade(tl_upgrade *u)
{
    if (!u->client) return;
    if (u->previous)
        u->previous->next = u->next;
    else
        u->client->upgrades = u->next;
    if (u->next) u->next->previous = u->previous;
    u->client = NULL;
}

/* Stops everything that could call back; the stream itself may be calling now, so it stays. */
static void halt(tl_upgrade *u)
{
    u->state = ENDED;
    tl_timer_stop(&u->deadline);
    tl_credentials_forget(&u->wait);
    if (u->socket) tl_websocket_abort(u->socket);
    if (u->stream) tl_stream_pause(u->stream, 1);
    unlink_upgrade(u);
}

static void end(tl_upgrade *u, tl_error *why)
{
    if (u->state == ENDED) return;
    if (why && why->message) tl_error_move(&u->error, why);
    halt(u);
    u->options.on_change(u->options.data);
}

void tl_upgrade_detach(tl_upgrade *u)
{
    tl_error_set(&u->error, "closed", "the client is gone");
    halt(u);
}

void tl_upgrade_abort(tl_upgrade *u)
{
    tl_error why = {0};
    tl_error_set(&why, "closed", "%s: the client was closed", u->what);
    end(u, &why);
}

static void on_deadline(tl_timer *timer)
{
    tl_upgrade *u = timer->data;
    tl_error why = {0};
    tl_error_set(&why, "timeout", "%s: the stream was not open within %.3g s", u->what,
                 (double)u->options.timeout_ms / 1000.0);
    tl_error_hint(&why, "is the cluster of context \"%s\" running, and its node's kubelet?", u->client->target.context);
    end(u, &why);
}

/* ---- requests on the connection ---- */

static void send_some(tl_upgrade *u, tl_error *err)
{
    while (u->unsent.len) {
        int64_t put = tl_stream_write(u->stream, u->unsent.data, u->unsent.len, err);
        if (put <= 0) return;
        tl_buf_consume(&u->unsent, (size_t)put);
    }
}

static int has_line_end(const char *text)
{
    return strpbrk(text, "\r\n") != NULL;
}

/* One GET with our identity. Header values come from the kubeconfig: none may bring a header of its own. */
static int request(tl_upgrade *u, const char *path, const tl_header *more, size_t count, tl_error *err)
{
    u->sent = tl_loop_now(u->client->loop);
    tl_header_list list = {.count = 0};
    const tl_kube_target *target = &u->client->target;
    tl_headers_add(&list, "Host", u->host);
    tl_headers_add(&list, "User-Agent", u->client->user_agent);
    tl_headers_add_identity(&list, &target->auth, &u->credential, u->arena);
    for (size_t i = 0; i < count; i++) tl_headers_add(&list, more[i].name, more[i].value);
    tl_buf_addf(&u->unsent, "GET %s%s HTTP/1.1\r\n", u->prefix, path);
    for (size_t i = 0; i < list.count; i++) {
        if (has_line_end(list.items[i].name) || has_line_end(list.items[i].value))
            return tl_error_set(err, "usage", "the header %s has a line end in its value", list.items[i].name);
        tl_buf_addf(&u->unsent, "%s: %s\r\n", list.items[i].name, list.items[i].value);
    }
    tl_buf_adds(&u->unsent, "\r\n");
    tl_answer_clear(&u->answer);
    send_some(u, err);
    return err->message ? -1 : 0;
}

static int ask_identity(tl_upgrade *u, tl_error *err)
{
    static const tl_header accept = {"Accept", "application/json"};
    u->state = PROVING;
    return request(u, TL_K8S_IDENTITY_PATH, &accept, 1, err);
}

static void accept_of(const char *key, char out[32])
{
    unsigned char sum[20];
    tl_buf text = TL_BUF_INIT(SIZE_MAX);
    tl_buf_addf(&text, "%s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key);
    tl_sha1(text.data, text.len, sum);
    tl_buf_clear(&text);
    tl_base64_encode(&text, sum, sizeof sum, TL_BASE64_STD);
    memcpy(out, text.data, text.len + 1); /* 28 characters */
    tl_buf_dispose(&text);
}

static int ask_upgrade(tl_upgrade *u, tl_error *err)
{
    unsigned char nonce[16];
    tl_buf key = TL_BUF_INIT(SIZE_MAX);
    u->state = ASKING;
    if (getentropy(nonce, sizeof nonce)) return tl_error_set(err, "io", "the system gave no random bytes");
    tl_base64_encode(&key, nonce, sizeof nonce, TL_BASE64_STD);
    const tl_header headers[] = {{"Connection", "Upgrade"},
                                 {"Upgrade", "websocket"},
                                 {"Sec-WebSocket-Version", "13"},
                                 {"Sec-WebSocket-Key", key.data},
                                 {"Sec-WebSocket-Protocol", u->options.protocols}};
    accept_of(key.data, u->accept);
    int rc = request(u, u->options.path, headers, sizeof headers / sizeof *headers, err);
    tl_buf_dispose(&key);
    return rc;
}

/* ---- answers ---- */

/* 401 once: what is cached is stale, so the whole way is gone again with fresh credentials. 1 where it is. */
static int asked_again(tl_upgrade *u, tl_error *err)
{
    if (u->answer.status != 401 || u->reauthorised ||
        !tl_credentials_refused(u->client->credentials, u->credential.answer))
        return 0;
    u->reauthorised = 1;
    tl_stream_free(u->stream); /* put off by the stream while it calls us */
    u->stream = NULL;
    return step(u, err) < 0 ? -1 : 1;
}

static int refusal(tl_upgrade *u, const char *what, tl_error *err)
{
    return tl_k8s_status_error(u->answer.status, u->answer.body.data, u->answer.body.len, what, err);
}

static int check_proof(tl_upgrade *u, tl_error *err)
{
    tl_answer *a = &u->answer;
    if (a->status == 200) return tl_k8s_check_identity(u->client, a->body.data, a->body.len, u->what, err);
    refusal(u, "GET kube-system", err);
    return tl_error_wrap(err, "%s was not sent: the cluster's identity could not be read", u->what);
}

/* The chosen subprotocol must be one of ours. */
static int offered(const tl_upgrade *u, const char *protocol)
{
    size_t size = strlen(protocol);
    for (const char *at = u->options.protocols; *at; at += strcspn(at, ","), at += strspn(at, ", "))
        if (strcspn(at, ",") == size && !strncmp(at, protocol, size)) return size > 0;
    return 0;
}

static void on_socket_change(void *data)
{
    tl_upgrade *u = data;
    if (tl_websocket_ended(u->socket))
        end(u, tl_websocket_error(u->socket));
    else
        u->options.on_change(u->options.data);
}

static void on_socket_piece(void *data, int first, const char *bytes, size_t length)
{
    tl_upgrade *u = data;
    u->options.on_piece(u->options.data, first, bytes, length);
}

static int open_socket(tl_upgrade *u, const char *early, size_t length, tl_error *err)
{
    int rc = -1;
    tl_buf accept = TL_BUF_INIT(SIZE_MAX);
    tl_answer_header(&u->answer, "Sec-WebSocket-Accept", &accept);
    tl_answer_header(&u->answer, "Sec-WebSocket-Protocol", &u->protocol);
    if (strcmp(accept.data, u->accept) != 0) {
        tl_error_set(err, "parse", "the server's WebSocket handshake does not answer ours");
        goto out;
    }
    if (!offered(u, u->protocol.data)) {
        tl_error_set(err, "parse", "the server chose the subprotocol \"%s\", which was not offered", u->protocol.data);
        goto out;
    }
    const tl_websocket_options options = {.loop = u->client->loop,
                                          .silence_ms = u->options.silence_ms,
                                          .on_piece = on_socket_piece,
                                          .on_change = on_socket_change,
                                          .data = u};
    u->socket = tl_websocket_new(u->stream, early, length, &options, err);
    if (!u->socket) goto out;
    tl_timer_stop(&u->deadline);
    u->state = OPEN;
    rc = 0;
out:
    tl_buf_dispose(&accept);
    return rc;
}

/* A complete answer, with what came after it. */
static int take_answer(tl_upgrade *u, const char *rest, size_t length, tl_error *err)
{
    tl_k8s_trace(u->client, "GET", u->state == PROVING ? TL_K8S_IDENTITY_PATH : u->options.path, u->answer.status,
                 u->sent);
    int again = asked_again(u, err);
    if (again) return again < 0 ? -1 : 0;
    if (u->state == PROVING) {
        if (check_proof(u, err)) return -1;
        return ask_upgrade(u, err);
    }
    if (u->answer.status != 101) return refusal(u, u->what, err);
    return open_socket(u, rest, length, err);
}

/* ---- the stream ---- */

/* What has come of the answer: 1 where it is complete, with the bytes after it. */
static int read_answer(tl_upgrade *u, char *bytes, size_t size, size_t *first, size_t *end, tl_error *err)
{
    int64_t got = tl_stream_read(u->stream, bytes, size, err), used = 0;
    if (got < 0 && strcmp(err->kind, "again") == 0) {
        tl_error_dispose(err);
        return 0;
    }
    if (got > 0)
        used = tl_answer_feed(&u->answer, bytes, (size_t)got, err);
    else if (got == 0)
        tl_answer_end(&u->answer, err);
    if (err->message) return tl_error_wrap(err, "%s", u->what);
    *first = (size_t)used;
    *end = (size_t)got;
    return u->answer.done;
}

static void on_readable(tl_stream *stream, void *data)
{
    tl_upgrade *u = data;
    char bytes[CHUNK];
    tl_error err = {0};
    size_t first = 0, length = 0;
    if (u->state == ENDED || stream != u->stream) return;
    if (u->state == OPEN) {
        tl_websocket_readable(u->socket);
        return;
    }
    if (read_answer(u, bytes, sizeof bytes, &first, &length, &err) > 0)
        take_answer(u, bytes + first, length - first, &err);
    if (err.message) {
        end(u, &err);
    } else if (u->state == OPEN) {
        u->options.on_change(u->options.data);
        tl_websocket_readable(u->socket);
    }
}

static void on_connect(tl_stream *stream, void *data)
{
    tl_upgrade *u = data;
    tl_error why = {0}, *failure = tl_stream_error(stream);
    if (u->state == ENDED || stream != u->stream) return;
    if (failure)
        tl_error_move(&why, failure);
    else if (u->client->pin)
        ask_identity(u, &why);
    else
        ask_upgrade(u, &why);
    if (!why.message) return;
    tl_error_wrap(&why, "%s", u->what);
    if (strcmp(why.kind, "connect") == 0)
        tl_error_hint(&why, "is the cluster of context \"%s\" running?", u->client->target.context);
    end(u, &why);
}

static void on_writable(tl_stream *stream, void *data)
{
    tl_upgrade *u = data;
    tl_error why = {0};
    if (u->state == ENDED || stream != u->stream) return;
    if (u->state == OPEN) {
        tl_websocket_writable(u->socket);
        return;
    }
    send_some(u, &why);
    if (why.message) end(u, &why);
}

static int connect_to(tl_upgrade *u, const tl_credential *credential, tl_error *err)
{
    const tl_kube_target *target = &u->client->target;
    int secure = strncmp(target->server, "https://", 8) == 0;
    u->credential = secure ? *credential : (tl_credential){0}; /* as client-go: credentials never travel in clear */
    u->credential.cert_pem = u->credential.key_pem = NULL;
    if (u->credential.token) u->credential.token = tl_arena_strdup(u->arena, u->credential.token);
    const tl_tls tls = {.ca_pem = target->ca_pem,
                        .cert_pem = credential->cert_pem,
                        .key_pem = credential->key_pem,
                        .server_name = target->server_name,
                        .insecure = target->insecure};
    const tl_stream_options options = {.url = target->server,
                                       .tls = secure ? &tls : NULL,
                                       .proxy = target->proxy,
                                       .connect_timeout_ms = u->options.timeout_ms,
                                       .on_connect = on_connect,
                                       .on_readable = on_readable,
                                       .on_writable = on_writable,
                                       .data = u};
    u->state = CONNECTING;
    tl_buf_clear(&u->unsent);
    u->stream = tl_stream_open(u->client->net, &options, err);
    return u->stream ? 0 : -1;
}

static void on_credentials(tl_credential_wait *wait)
{
    tl_upgrade *u = wait->data;
    tl_error why = {0};
    if (wait->for_people) tl_timer_start(u->client->loop, &u->deadline, u->options.timeout_ms);
    if (step(u, &why)) end(u, &why);
}

static int step(tl_upgrade *u, tl_error *err)
{
    tl_credential credential;
    u->state = CREDENTIALS;
    u->wait = (tl_credential_wait){.on_ready = on_credentials, .data = u};
    int rc = tl_credentials_get(u->client->credentials, &credential, &u->wait, err);
    if (!rc && u->wait.for_people) tl_timer_stop(&u->deadline);
    return rc <= 0 ? rc : connect_to(u, &credential, err);
}

/* ---- start and end ---- */

static void split_server(tl_upgrade *u)
{
    const char *rest = strstr(u->client->target.server, "://") + 3;
    size_t size = strcspn(rest, "/");
    char *prefix = tl_arena_strdup(u->arena, rest + size);
    for (size_t end = strlen(prefix); end && prefix[end - 1] == '/'; end--) prefix[end - 1] = 0;
    u->host = tl_arena_strndup(u->arena, rest, size);
    u->prefix = prefix;
}

tl_upgrade *tl_upgrade_start(tl_k8s *client, const tl_upgrade_options *options, tl_error *err)
{
    tl_upgrade *u = tl_calloc(1, sizeof *u);
    u->client = client;
    u->next = client->upgrades;
    if (u->next) u->next->previous = u;
    client->upgrades = u;
    u->arena = tl_arena_new(0);
    u->options = *options;
    u->options.path = tl_arena_strdup(u->arena, options->path);
    u->options.protocols = tl_arena_strdup(u->arena, options->protocols);
    u->what = tl_arena_printf(u->arena, "GET %.*s", (int)strcspn(options->path, "?"), options->path);
    if (!options->timeout_ms) u->options.timeout_ms = client->timeout_ms;
    tl_buf_init(&u->unsent, SIZE_MAX);
    tl_buf_init(&u->protocol, SIZE_MAX);
    tl_answer_init(&u->answer, MOST_ANSWER);
    split_server(u);
    u->deadline.on_due = on_deadline;
    u->deadline.data = u;
    tl_timer_start(client->loop, &u->deadline, u->options.timeout_ms);
    if (tl_k8s_allowed(client, "GET", u->options.path, u->what, err) < 0 || step(u, err) < 0) {
        tl_upgrade_free(u);
        return NULL;
    }
    return u;
}

void tl_upgrade_free(tl_upgrade *u)
{
    if (!u) return;
    halt(u);
    tl_websocket_free(u->socket);
    tl_stream_free(u->stream);
    if (u->unsent.cap) tl_cleanse(u->unsent.data, u->unsent.cap);
    tl_buf_dispose(&u->unsent);
    tl_buf_dispose(&u->protocol);
    tl_answer_dispose(&u->answer);
    tl_error_dispose(&u->error);
    tl_arena_free(u->arena);
    free(u);
}

tl_websocket *tl_upgrade_socket(const tl_upgrade *u)
{
    return u->socket;
}

const char *tl_upgrade_protocol(const tl_upgrade *u)
{
    return u->protocol.data;
}

int tl_upgrade_ended(const tl_upgrade *u)
{
    return u->state == ENDED;
}

tl_error *tl_upgrade_error(tl_upgrade *u)
{
    return u->error.message ? &u->error : NULL;
}
