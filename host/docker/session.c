/* The services that a build's client offers to BuildKit. */
#include "docker/session.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/mem.h"
#include "data/digest.h"
#include "data/protobuf.h"
#include "docker/filesync.h"
#include "docker/hijack.h"
#include "net/grpc.h"

#define AGENT_PIECE 32768
#define MOST_FOR_AGENT ((size_t)1 << 20) /* as an agent's own limit for one message: 256 KiB */

struct tl_session {
    tl_net *net;
    tl_session_options options;
    tl_named_bytes *secrets;
    char *agent;
    tl_hijack *hijack;
    tl_grpc *grpc;
    tl_timer again; /* much was sent at once: the rest follows when others had their turn */
    char id[33];
    int ended;
    int64_t sent;
    tl_buf packet; /* scratch */
    tl_error err;
};

/* What went wrong first is told. */
static void fail(tl_session *s, tl_error *err)
{
    if (!s->err.message) tl_error_move(&s->err, err);
    tl_error_dispose(err);
}

static void flush(tl_session *s)
{
    tl_error err = {0};
    if (s->ended) return;
    int rc = tl_grpc_flush(s->grpc, &err);
    if (rc > 0) tl_timer_start(tl_net_loop(s->net), &s->again, 0);
    if (rc < 0) fail(s, &err);
}

static void on_again(tl_timer *timer)
{
    flush(timer->data);
}

/* A string among a message's fields, "" where it is not there. Free it. */
static char *field_text(const char *bytes, size_t length, int number)
{
    tl_protobuf in = tl_protobuf_of(bytes, length);
    for (tl_protobuf_field f; tl_protobuf_next(&in, &f);)
        if (f.number == number) return tl_strndup((const char *)f.bytes.at, tl_protobuf_length(f.bytes));
    return tl_strdup("");
}

/* ---- moby.filesync.v1.FileSync ---- */

typedef struct sync {
    tl_session *session;
    tl_filesync *files;
} sync_state;

/* Values that a header could not hold are written as in a URL's query. */
static char *unescape(const char *text)
{
    tl_buf out = TL_BUF_INIT(SIZE_MAX);
    for (; *text; text++) {
        char digits[3] = {text[0] == '%' ? text[1] : 0, text[0] == '%' && text[1] ? text[2] : 0, 0}, *end;
        long code = strtol(digits, &end, 16);
        if (end == digits + 2) {
            tl_buf_addc(&out, (char)code);
            text += 2;
        } else {
            tl_buf_addc(&out, *text == '+' ? ' ' : *text);
        }
    }
    return tl_buf_take(&out);
}

static tl_filesync *open_context(tl_session *s, const tl_grpc_call *call, tl_error *err)
{
    size_t count = 0;
    const char *encoded = tl_grpc_metadata(call, "followpaths-encoded", 0);
    while (tl_grpc_metadata(call, "followpaths", count)) count++;
    char **paths = tl_calloc(count + 1, sizeof *paths);
    for (size_t i = 0; i < count; i++) {
        const char *path = tl_grpc_metadata(call, "followpaths", i);
        paths[i] = encoded && *encoded == '1' ? unescape(path) : tl_strdup(path);
    }
    tl_filesync *files = tl_filesync_context(s->options.context, (const char *const *)paths, count, err);
    for (size_t i = 0; i < count; i++) free(paths[i]);
    free(paths);
    return files;
}

static void start_sync(tl_grpc_call *call, void *data)
{
    tl_session *s = data;
    tl_error err = {0};
    tl_filesync *files = NULL;
    const char *name = tl_grpc_metadata(call, "dir-name", 0);
    if (name && !strcmp(name, "dockerfile")) {
        size_t length;
        const char *bytes = tl_context_dockerfile_bytes(s->options.context, &length);
        files = tl_filesync_file(tl_context_dockerfile(s->options.context), bytes, length);
    } else if (name && !strcmp(name, "context")) {
        files = open_context(s, call, &err);
    } else {
        tl_grpc_finish(call, TL_GRPC_NOT_FOUND, "there is no such folder");
    }
    if (files) {
        sync_state *state = tl_malloc(sizeof *state);
        *state = (sync_state){s, files};
        tl_grpc_keep(call, state);
    } else if (err.message) {
        tl_grpc_finish(call, TL_GRPC_UNKNOWN, err.message);
        fail(s, &err);
    }
}

static void take_packet(tl_grpc_call *call, const char *bytes, size_t length, void *data)
{
    sync_state *state = data;
    tl_error err = {0};
    if (tl_filesync_take(state->files, bytes, length, &err) == 0) {
        tl_grpc_wake(call);
        return;
    }
    /* What the engine could not do it tells as the build's failure. */
    tl_grpc_finish(call, TL_GRPC_UNKNOWN, err.message);
    tl_error_dispose(&err);
}

static void give_packet(tl_grpc_call *call, void *data)
{
    sync_state *state = data;
    tl_session *s = state->session;
    tl_error err = {0};
    int64_t before = tl_filesync_sent(state->files);
    int given = tl_filesync_give(state->files, &s->packet, &err);
    if (given < 0) tl_filesync_fail(err.message, &s->packet);
    if (given) tl_grpc_send(call, s->packet.data, s->packet.len);
    if (given < 0) {
        tl_grpc_finish(call, TL_GRPC_UNKNOWN, err.message);
        fail(s, &err);
    } else if (tl_filesync_done(state->files)) {
        tl_grpc_finish(call, TL_GRPC_OK, NULL);
    }
    s->sent += tl_filesync_sent(state->files) - before;
    if (s->sent) s->options.on_change(s, s->options.data);
}

static void release_sync(void *data)
{
    sync_state *state = data;
    tl_filesync_free(state->files);
    free(state);
}

/* ---- moby.buildkit.secrets.v1.Secrets ---- */

static void give_secret(tl_grpc_call *call, const char *bytes, size_t length, void *data)
{
    tl_session *s = data;
    char *id = field_text(bytes, length, 1);
    const tl_named_bytes *found = NULL;
    for (size_t i = 0; i < s->options.secret_count; i++)
        if (!strcmp(s->secrets[i].name, id)) found = &s->secrets[i];
    free(id);
    if (!found) {
        tl_grpc_finish(call, TL_GRPC_NOT_FOUND, "not found");
        return;
    }
    tl_buf_clear(&s->packet);
    tl_protobuf_add_bytes(&s->packet, 1, found->bytes, found->length);
    tl_grpc_send(call, s->packet.data, s->packet.len);
    tl_cleanse(s->packet.data, s->packet.len);
    tl_grpc_finish(call, TL_GRPC_OK, NULL);
}

/* ---- moby.sshforward.v1.SSH ---- */

typedef struct agent {
    tl_session *session;
    tl_grpc_call *call;
    tl_stream *stream;
    tl_buf unsent;
    int connected, input_ended;
} agent;

static void check_agent(tl_grpc_call *call, const char *bytes, size_t length, void *data)
{
    (void)bytes;
    (void)length;
    const tl_session *s = data;
    if (s->agent) tl_grpc_send(call, "", 0);
    tl_grpc_finish(call, s->agent ? TL_GRPC_OK : TL_GRPC_UNKNOWN, s->agent ? NULL : "no SSH agent is given to this build");
}

static void send_to_agent(agent *a)
{
    tl_error err = {0};
    if (!a->connected) return;
    int64_t put = a->unsent.len ? tl_stream_write(a->stream, a->unsent.data, a->unsent.len, &err) : 0;
    if (put > 0) tl_buf_consume(&a->unsent, (size_t)put);
    if (put < 0) tl_grpc_finish(a->call, TL_GRPC_UNKNOWN, err.message);
    if (put >= 0 && a->input_ended && !a->unsent.len) tl_stream_shutdown(a->stream);
    tl_error_dispose(&err);
}

static void on_agent_connect(tl_stream *stream, void *data)
{
    agent *a = data;
    const tl_error *err = tl_stream_error(stream);
    a->connected = !err;
    if (err) tl_grpc_finish(a->call, TL_GRPC_UNKNOWN, err->message);
    send_to_agent(a);
    flush(a->session);
}

static void on_agent_writable(tl_stream *stream, void *data)
{
    (void)stream;
    agent *a = data;
    send_to_agent(a);
    flush(a->session);
}

static void on_agent_readable(tl_stream *stream, void *data)
{
    agent *a = data;
    tl_session *s = a->session;
    tl_error err = {0};
    char bytes[AGENT_PIECE];
    int64_t got = tl_stream_read(stream, bytes, sizeof bytes, &err);
    if (got > 0) {
        tl_buf_clear(&s->packet);
        tl_protobuf_add_bytes(&s->packet, 1, bytes, (size_t)got);
        tl_grpc_send(a->call, s->packet.data, s->packet.len);
    } else if (got == 0) {
        tl_grpc_finish(a->call, TL_GRPC_OK, NULL);
    } else if (strcmp(err.kind, "again") != 0) {
        tl_grpc_finish(a->call, TL_GRPC_UNKNOWN, err.message);
    }
    tl_error_dispose(&err);
    flush(s);
}

static void start_agent(tl_grpc_call *call, void *data)
{
    tl_session *s = data;
    tl_error err = {0};
    if (!s->agent) {
        tl_grpc_finish(call, TL_GRPC_UNKNOWN, "no SSH agent is given to this build");
        return;
    }
    agent *a = tl_calloc(1, sizeof *a);
    *a = (agent){.session = s, .call = call, .unsent = TL_BUF_INIT(MOST_FOR_AGENT)};
    const tl_stream_options o = {.url = "http://agent", .unix_socket = s->agent, .proxy = "", .on_connect = on_agent_connect,
                                 .on_readable = on_agent_readable, .on_writable = on_agent_writable, .data = a};
    a->stream = tl_stream_open(s->net, &o, &err);
    tl_grpc_keep(call, a);
    if (!a->stream) tl_grpc_finish(call, TL_GRPC_UNKNOWN, err.message);
    tl_error_dispose(&err);
}

static void take_for_agent(tl_grpc_call *call, const char *bytes, size_t length, void *data)
{
    agent *a = data;
    tl_protobuf in = tl_protobuf_of(bytes, length);
    for (tl_protobuf_field f; tl_protobuf_next(&in, &f);)
        if (f.number == 1) tl_buf_add(&a->unsent, f.bytes.at, tl_protobuf_length(f.bytes));
    if (a->unsent.over)
        tl_grpc_finish(call, TL_GRPC_EXHAUSTED, "too much for the SSH agent");
    else
        send_to_agent(a);
}

static void end_agent_input(tl_grpc_call *call, void *data)
{
    (void)call;
    agent *a = data;
    a->input_ended = 1;
    send_to_agent(a);
}

static void release_agent(void *data)
{
    agent *a = data;
    tl_stream_free(a->stream);
    tl_buf_dispose(&a->unsent);
    free(a);
}

/* ---- grpc.health.v1.Health ---- */

static void check_health(tl_grpc_call *call, const char *bytes, size_t length, void *data)
{
    (void)bytes;
    (void)length;
    (void)data;
    static const char serving[] = {1 << 3, 1};
    tl_grpc_send(call, serving, sizeof serving);
    tl_grpc_finish(call, TL_GRPC_OK, NULL);
}

static const tl_grpc_method methods[] = {
    {"/moby.filesync.v1.FileSync/DiffCopy", start_sync, take_packet, give_packet, NULL, release_sync},
    {"/moby.buildkit.secrets.v1.Secrets/GetSecret", NULL, give_secret, NULL, NULL, NULL},
    {"/moby.sshforward.v1.SSH/CheckAgent", NULL, check_agent, NULL, NULL, NULL},
    {"/moby.sshforward.v1.SSH/ForwardAgent", start_agent, take_for_agent, NULL, end_agent_input, release_agent},
    {"/grpc.health.v1.Health/Check", NULL, check_health, NULL, NULL, NULL},
};
enum { METHODS = sizeof methods / sizeof *methods };

/* ---- the connection ---- */

static int64_t write_bytes(const char *bytes, size_t length, void *data)
{
    tl_session *s = data;
    return (int64_t)tl_hijack_put(s->hijack, bytes, length);
}

static void on_bytes(tl_hijack *hijack, int stream, const char *bytes, size_t length, void *data)
{
    (void)hijack;
    (void)stream;
    tl_session *s = data;
    tl_error err = {0};
    if (tl_grpc_feed(s->grpc, bytes, length, &err) < 0) fail(s, &err);
    flush(s);
}

static void on_hijack_change(tl_hijack *hijack, void *data)
{
    tl_session *s = data;
    tl_error err = {0};
    if (tl_hijack_ended(hijack)) {
        s->ended = 1;
        if (tl_hijack_result(hijack, &err) < 0) fail(s, &err);
    } else {
        flush(s);
    }
    s->options.on_change(s, s->options.data);
}

/* BuildKit keeps the files of each context for the next build; what is told apart here it keeps apart. */
static void shared_key(const tl_context *context, char hex[TL_SHA256_HEX])
{
    tl_sha256 digest;
    const char *dir = tl_context_dir(context), *dockerfile = tl_context_dockerfile(context);
    tl_sha256_start(&digest);
    tl_sha256_add(&digest, dir, strlen(dir) + 1);
    tl_sha256_add(&digest, dockerfile, strlen(dockerfile));
    tl_sha256_end(&digest, hex);
}

static int connect_to_engine(tl_session *s, tl_engine *engine, tl_error *err)
{
    char key[TL_SHA256_HEX];
    shared_key(s->options.context, key);
    tl_header headers[3 + METHODS] = {
        {"X-Docker-Expose-Session-Uuid", s->id}, {"X-Docker-Expose-Session-Name", "todo-lua"}, {"X-Docker-Expose-Session-Sharedkey", key}};
    for (size_t i = 0; i < METHODS; i++) headers[3 + i] = (tl_header){"X-Docker-Expose-Session-Grpc-Method", methods[i].path};
    const tl_hijack_options o = {.path = "/session", .protocol = "h2c", .headers = headers, .header_count = 3 + METHODS, .body = "",
                                 .tty = 1, .on_output = on_bytes, .on_change = on_hijack_change, .data = s};
    s->hijack = tl_hijack_start(s->net, engine, &o, err);
    return s->hijack ? 0 : -1;
}

static void copy_secrets(tl_session *s, const tl_session_options *o)
{
    s->secrets = tl_calloc(o->secret_count + 1, sizeof *s->secrets);
    for (size_t i = 0; i < o->secret_count; i++) {
        char *bytes = tl_malloc(o->secrets[i].length + 1);
        memcpy(bytes, o->secrets[i].bytes, o->secrets[i].length);
        s->secrets[i] = (tl_named_bytes){tl_strdup(o->secrets[i].name), bytes, o->secrets[i].length};
    }
}

tl_session *tl_session_start(tl_net *net, tl_engine *engine, const tl_session_options *options, tl_error *err)
{
    tl_session *s = tl_calloc(1, sizeof *s);
    unsigned char random[16];
    s->net = net;
    s->options = *options;
    s->options.secrets = NULL;
    s->agent = options->agent ? tl_strdup(options->agent) : NULL;
    s->again.on_due = on_again;
    s->again.data = s;
    tl_buf_init(&s->packet, SIZE_MAX);
    copy_secrets(s, options);
    const tl_grpc_options g = {.methods = methods, .method_count = METHODS, .write = write_bytes, .data = s};
    if (getentropy(random, sizeof random) < 0) {
        tl_error_set(err, "io", "the system gave no random numbers");
        goto failed;
    }
    tl_hex(random, sizeof random, s->id);
    if (!(s->grpc = tl_grpc_new(&g, err))) goto failed;
    if (connect_to_engine(s, engine, err) == 0) return s;
failed:
    tl_session_free(s);
    return NULL;
}

void tl_session_free(tl_session *s)
{
    if (!s) return;
    tl_timer_stop(&s->again);
    tl_grpc_free(s->grpc);
    tl_hijack_free(s->hijack);
    for (size_t i = 0; i < s->options.secret_count; i++) {
        tl_cleanse((void *)s->secrets[i].bytes, s->secrets[i].length);
        free((void *)s->secrets[i].bytes);
        free((void *)s->secrets[i].name);
    }
    free(s->secrets);
    free(s->agent);
    tl_context_free(s->options.context);
    tl_buf_dispose(&s->packet);
    tl_error_dispose(&s->err);
    free(s);
}

const char *tl_session_id(const tl_session *s)
{
    return s->id;
}

int tl_session_is_open(const tl_session *s)
{
    return !s->ended && s->hijack && tl_hijack_is_open(s->hijack);
}

int tl_session_ended(const tl_session *s)
{
    return s->ended;
}

int64_t tl_session_sent(const tl_session *s)
{
    return s->sent;
}

tl_error *tl_session_error(tl_session *s)
{
    return s->err.message ? &s->err : NULL;
}
