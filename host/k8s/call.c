/* The life of one request. */
#include "k8s/client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "base/mem.h"
#include "k8s/client_internal.h"
#include "k8s/headers.h"
#include "k8s/pin.h"
#include "k8s/status.h"

#define MAX_BODY ((size_t)256 << 20)
#define MAX_REFUSAL ((size_t)4 << 20)
#define MAX_REPEATS 4
#define MAX_RETRY_AFTER_S 60
#define MAX_PROOFS 20 /* of one write: each may find another idle connection that is not proven */

struct tl_k8s_call {
    tl_k8s *client; /* NULL once the client is gone */
    tl_k8s_call *previous, *next;
    tl_arena *arena; /* the request's own copies */
    tl_k8s_request request;
    const char *method, *what;
    int read, running, repeats, reconnects, reauthorised;
    int proving; /* the transfer now is the look at the identity, not the request */
    int proofs, unproven, local_port;
    unsigned answer; /* of the credential plugin, with which the request went out */
    tl_http_request *http;
    tl_buf refusal; /* body of a stream's non-2xx answer */
    tl_timer deadline, pause;
    int64_t sent; /* when, of the transfer now */
    tl_credential_wait wait;
    tl_error error;
    int failed;
};

static int step(tl_k8s_call *call, tl_error *err);

static void unlink_call(tl_k8s_call *call)
{
    if (!call->running) return;
    call->running = 0;
    if (call->previous)
        call->previous->next = call->next;
    else
        call->client->calls = call->next;
    if (call->next) call->next->previous = call->previous;
}

/* Stops everything that could call back. */
static void halt(tl_k8s_call *call)
{
    tl_timer_stop(&call->deadline);
    tl_timer_stop(&call->pause);
    tl_credentials_forget(&call->wait);
    if (call->http && !tl_http_done(call->http)) tl_http_cancel(call->http);
    if (call->client) unlink_call(call);
}

static void finish(tl_k8s_call *call)
{
    halt(call);
    call->request.on_done(call, call->request.data);
}

static void fail(tl_k8s_call *call, tl_error *why)
{
    tl_error_move(&call->error, why);
    call->failed = 1;
    finish(call);
}

void tl_k8s_call_detach(tl_k8s_call *call)
{
    halt(call);
    call->client = NULL;
}

void tl_k8s_call_abort(tl_k8s_call *call)
{
    tl_error why = {0};
    tl_error_set(&why, "closed", "%s: the client was closed", call->what);
    fail(call, &why);
}

static void on_deadline(tl_timer *timer)
{
    tl_k8s_call *call = timer->data;
    tl_error why = {0};
    int64_t ms = call->request.timeout_ms;
    tl_error_set(&why, "timeout", "%s: no answer from %s within %.3g s", call->what, call->client->target.server,
                 ms / 1000.0);
    tl_error_hint(&why, "is the cluster of context \"%s\" running?", call->client->target.context);
    fail(call, &why);
}

static void on_pause_over(tl_timer *timer)
{
    tl_k8s_call *call = timer->data;
    tl_error why = {0};
    if (step(call, &why)) fail(call, &why);
}

static void on_credentials(tl_credential_wait *wait)
{
    tl_k8s_call *call = wait->data;
    tl_error why = {0};
    if (wait->for_people) tl_timer_start(call->client->loop, &call->deadline, call->request.timeout_ms);
    if (step(call, &why)) fail(call, &why);
}

/* The text of a quoted-string (RFC 7230, 3.2.6) that begins at its quotation mark; the caller frees it. */
static char *unquoted(const char *quoted)
{
    char *text = tl_strdup(quoted), *to = text;
    for (const char *from = quoted + 1; *from && *from != '"'; from++) {
        if (*from == '\\' && from[1]) from++;
        *to++ = *from;
    }
    *to = 0;
    return text;
}

/* Warning: 299 - "text" (RFC 7234, 5.5), as kubectl shows it. */
static void log_warnings(tl_k8s_call *call)
{
    size_t count;
    const tl_header *headers = tl_http_headers(call->http, &count);
    for (size_t i = 0; i < count; i++) {
        if (strcasecmp(headers[i].name, "warning") != 0 || strncmp(headers[i].value, "299 ", 4) != 0) continue;
        const char *text = strchr(headers[i].value, '"');
        if (!text || (call->client->last_warning && strcmp(text, call->client->last_warning) == 0)) continue;
        free(call->client->last_warning);
        call->client->last_warning = tl_strdup(text);
        char *plain = unquoted(text);
        tl_log(TL_LOG_WARN, "warning of the server: %s", plain);
        free(plain);
    }
}

/* ---- the transfer ---- */

static int refused(const tl_k8s_call *call)
{
    int status = tl_http_status(call->http);
    return status < 200 || status >= 300;
}

static int on_http_body(tl_http_request *http, const char *bytes, size_t length, void *data)
{
    tl_k8s_call *call = data;
    (void)http;
    if (!refused(call)) return call->request.on_body(call, bytes, length, call->request.data);
    tl_buf_add(&call->refusal, bytes, length);
    return call->refusal.over ? -1 : 0;
}

/* A stream has answered: from here only its idle time counts. */
static void on_http_headers(tl_http_request *http, void *data)
{
    tl_k8s_call *call = data;
    tl_k8s_trace(call->client, call->proving ? "GET" : call->method,
                 call->proving ? TL_K8S_IDENTITY_PATH : call->request.path, tl_http_status(http), call->sent);
    if (call->request.on_body && !call->proving && !refused(call)) tl_timer_stop(&call->deadline);
}

/* ---- the proof of identity ---- */

static int proven(const tl_k8s *client, int port)
{
    for (int i = 0; i < client->proven_count; i++)
        if (client->proven[i] == port) return 1;
    return 0;
}

static void forget_proof(tl_k8s *client, int port)
{
    for (int i = 0; i < client->proven_count; i++)
        if (client->proven[i] == port) client->proven[i] = 0;
}

static void add_proof(tl_k8s *client, int port)
{
    if (proven(client, port)) return;
    client->proven[client->proven_next] = (unsigned short)port;
    client->proven_next = (client->proven_next + 1) % TL_K8S_PROVEN;
    if (client->proven_count < TL_K8S_PROVEN) client->proven_count++;
}

/* A write goes out over a connection that was proven, or not at all. */
static int before_send(tl_http_request *http, int local_port, int fresh, void *data)
{
    tl_k8s_call *call = data;
    (void)http;
    if (fresh) forget_proof(call->client, local_port);
    call->local_port = local_port;
    if (call->proving || call->read || proven(call->client, local_port)) return 0;
    call->unproven = 1;
    return -1;
}

static void on_http_done(tl_http_request *http, void *data);

static int start_http(tl_k8s_call *call, const tl_credential *credential, tl_error *err)
{
    const tl_k8s *client = call->client;
    const tl_k8s_request *request = &call->request;
    const tl_kube_target *target = &client->target;
    int secure = strncmp(target->server, "https://", 8) == 0;
    static const tl_credential nobody = {0};
    call->answer = secure ? credential->answer : 0;
    if (!secure) credential = &nobody; /* as client-go: credentials never travel in clear */
    tl_header_list list = {.count = 0};
    tl_headers_add(&list, "User-Agent", client->user_agent);
    tl_headers_add(&list, "Accept", call->proving || !request->accept ? "application/json" : request->accept);
    if (!call->proving && (request->body || request->content_type))
        tl_headers_add(&list, "Content-Type", request->content_type ? request->content_type : "application/json");
    tl_headers_add_identity(&list, &target->auth, credential, call->arena);
    for (size_t i = 0; !call->proving && i < request->header_count; i++)
        tl_headers_add(&list, request->headers[i].name, request->headers[i].value);
    const tl_tls tls = {.ca_pem = target->ca_pem,
                        .cert_pem = credential->cert_pem,
                        .key_pem = credential->key_pem,
                        .server_name = target->server_name,
                        .insecure = target->insecure};
    int stream = request->on_body && !call->proving;
    const tl_http_options options = {
        .method = call->proving ? "GET" : call->method,
        .url = tl_arena_printf(call->arena, "%s%s", target->server,
                               call->proving ? TL_K8S_IDENTITY_PATH : request->path),
        .headers = list.items,
        .header_count = list.count,
        .body = call->proving ? NULL : request->body,
        .body_len = call->proving ? 0 : request->body_len,
        .tls = secure ? &tls : NULL,
        .idle_timeout_ms = stream ? request->idle_ms : 0,
        .proxy = target->proxy,
        .http1 = stream,
        .max_body = request->max_body ? request->max_body : MAX_BODY,
        .before_send = client->pin ? before_send : NULL,
        .on_headers = on_http_headers,
        .on_body = stream ? on_http_body : NULL,
        .on_done = on_http_done,
        .data = call};
    tl_http_free(call->http);
    tl_buf_clear(&call->refusal);
    call->sent = tl_loop_now(client->loop);
    call->http = tl_http_start(client->net, &options, err);
    return call->http ? 0 : -1;
}

/* The next thing to do for this call: find credentials, prove the cluster's identity, send. */
static int step(tl_k8s_call *call, tl_error *err)
{
    tl_credential credential;
    call->wait = (tl_credential_wait){.on_ready = on_credentials, .data = call};
    int rc = tl_credentials_get(call->client->credentials, &credential, &call->wait, err);
    if (!rc && call->wait.for_people) tl_timer_stop(&call->deadline);
    if (rc <= 0) return rc;
    call->proving = !call->read && call->client->pin && (!call->client->proven_count || call->unproven);
    return start_http(call, &credential, err);
}

/* ---- answers ---- */

static void later(tl_k8s_call *call, int64_t ms)
{
    call->pause.on_due = on_pause_over;
    call->pause.data = call;
    tl_timer_start(call->client->loop, &call->pause, ms);
}

/* Milliseconds of a Retry-After in seconds, the only form API servers send; -1 without one. */
static int64_t retry_after_ms(const tl_k8s_call *call)
{
    const char *text = tl_http_header(call->http, "retry-after");
    if (!text || *text < '0' || *text > '9') return -1;
    long seconds = strtol(text, NULL, 10);
    return (seconds > MAX_RETRY_AFTER_S ? MAX_RETRY_AFTER_S : seconds) * 1000;
}

/* 1 where the request goes out again. */
static int repeated(tl_k8s_call *call)
{
    int status = tl_http_status(call->http);
    int sendable = call->read && !call->request.once && strcmp(call->method, "POST") != 0;
    tl_error *transfer = tl_http_error(call->http);
    if (transfer) {
        if (!sendable || call->reconnects || call->request.on_body || strcmp(transfer->kind, "closed") != 0) return 0;
        call->reconnects++;
        later(call, 0);
        return 1;
    }
    if (status == 401 && !call->reauthorised && tl_credentials_refused(call->client->credentials, call->answer)) {
        call->reauthorised = 1; /* a refused request was not carried out, so any verb may go again */
        later(call, 0);
        return 1;
    }
    int64_t wait = retry_after_ms(call);
    if (!sendable || wait < 0 || (status != 429 && status < 500) || call->repeats >= MAX_REPEATS) return 0;
    call->repeats++;
    later(call, wait + (int64_t)(tl_k8s_random(call->client) * 100));
    return 1;
}

static int transfer_error(tl_k8s_call *call, tl_error *err)
{
    tl_error *below = tl_http_error(call->http);
    if (!below) return 0;
    tl_error_move(err, below);
    tl_error_wrap(err, "%s", call->what);
    if (strcmp(err->kind, "connect") == 0)
        tl_error_hint(err, "is the cluster of context \"%s\" running?", call->client->target.context);
    return -1;
}

static int check_answer(tl_k8s_call *call, const char *what, tl_error *err)
{
    if (transfer_error(call, err)) return -1;
    if (!refused(call)) return 0;
    int collected = call->request.on_body && !call->proving;
    const tl_buf *body = collected ? &call->refusal : tl_http_body(call->http);
    return tl_k8s_status_error(tl_http_status(call->http), body->data, body->len, what, err);
}

/* The identity has come: it is the pinned one, or the write does not go out. */
static int check_proof(tl_k8s_call *call, tl_error *err)
{
    const tl_buf *body = tl_http_body(call->http);
    if (check_answer(call, "GET kube-system", err))
        return tl_error_wrap(err, "%s was not sent: the cluster's identity could not be read", call->what);
    if (tl_k8s_check_identity(call->client, body->data, body->len, call->what, err)) return -1;
    add_proof(call->client, call->local_port);
    call->unproven = 0;
    return 0;
}

static void on_http_done(tl_http_request *http, void *data)
{
    tl_k8s_call *call = data;
    tl_error why = {0};
    (void)http;
    log_warnings(call);
    if (call->proving) {
        if (check_proof(call, &why) || step(call, &why)) fail(call, &why);
        return;
    }
    if (call->unproven && ++call->proofs <= MAX_PROOFS) {
        if (step(call, &why)) fail(call, &why);
        return;
    }
    if (repeated(call)) return;
    if (check_answer(call, call->what, &why))
        fail(call, &why);
    else
        finish(call);
}

/* ---- start and end ---- */

static int check_allowed(tl_k8s_call *call, tl_error *err)
{
    int read = tl_k8s_allowed(call->client, call->method, call->request.path, call->what, err);
    call->read = read > 0;
    return read < 0 ? -1 : 0;
}

static void copy_request(tl_k8s_call *call, const tl_k8s_request *from)
{
    tl_arena *arena = call->arena;
    tl_k8s_request *to = &call->request;
    *to = *from;
    call->method = from->method ? from->method : "GET";
    char *method = tl_arena_strdup(arena, call->method);
    for (char *c = method; *c; c++)
        if (*c >= 'a' && *c <= 'z') *c -= 'a' - 'A';
    call->method = method;
    to->path = tl_arena_strdup(arena, from->path);
    call->what = tl_arena_printf(arena, "%s %.*s", method, (int)strcspn(from->path, "?"), from->path);
    to->body = from->body ? tl_arena_strndup(arena, from->body, from->body_len) : NULL;
    to->content_type = from->content_type ? tl_arena_strdup(arena, from->content_type) : NULL;
    to->accept = from->accept ? tl_arena_strdup(arena, from->accept) : NULL;
    tl_header *headers = tl_arena_alloc(arena, (from->header_count + 1) * sizeof *headers);
    for (size_t i = 0; i < from->header_count; i++)
        headers[i] =
            (tl_header){tl_arena_strdup(arena, from->headers[i].name), tl_arena_strdup(arena, from->headers[i].value)};
    to->headers = headers;
    to->timeout_ms = from->timeout_ms ? from->timeout_ms : call->client->timeout_ms;
}

tl_k8s_call *tl_k8s_start(tl_k8s *client, const tl_k8s_request *request, tl_error *err)
{
    tl_k8s_call *call = tl_calloc(1, sizeof *call);
    call->client = client;
    call->arena = tl_arena_new(0);
    tl_buf_init(&call->refusal, MAX_REFUSAL);
    copy_request(call, request);
    call->deadline.on_due = on_deadline;
    call->deadline.data = call;
    tl_timer_start(client->loop, &call->deadline, call->request.timeout_ms);
    if (check_allowed(call, err) || step(call, err)) {
        call->client = NULL;
        tl_k8s_call_free(call);
        return NULL;
    }
    call->next = client->calls;
    if (call->next) call->next->previous = call;
    client->calls = call;
    call->running = 1;
    return call;
}

void tl_k8s_call_free(tl_k8s_call *call)
{
    if (!call) return;
    halt(call);
    tl_http_free(call->http);
    tl_buf_dispose(&call->refusal);
    tl_error_dispose(&call->error);
    tl_arena_free(call->arena);
    free(call);
}

tl_error *tl_k8s_call_error(tl_k8s_call *call)
{
    return call->failed ? &call->error : NULL;
}

int tl_k8s_call_status(const tl_k8s_call *call)
{
    return call->http ? tl_http_status(call->http) : 0;
}

const char *tl_k8s_call_body(const tl_k8s_call *call, size_t *length)
{
    const tl_buf *body = call->http ? tl_http_body(call->http) : NULL;
    *length = body ? body->len : 0;
    return body ? body->data : "";
}

const char *tl_k8s_call_header(const tl_k8s_call *call, const char *name)
{
    return call->http ? tl_http_header(call->http, name) : NULL;
}

void tl_k8s_call_resume(tl_k8s_call *call)
{
    if (call->http && !tl_http_done(call->http)) tl_http_resume(call->http);
}
