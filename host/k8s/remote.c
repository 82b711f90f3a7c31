/* The channels of exec, attach and portforward. */
#include "k8s/remote.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "data/json.h"
#include "k8s/path.h"
#include "k8s/status.h"
#include "k8s/upgrade.h"

#define PATH_LIMIT ((size_t)1 << 20) /* a command may be long */
#define MESSAGE ((size_t)32 << 10)   /* of input in one message */
#define STATUS_LIMIT ((size_t)1 << 20)

/* k8s.io/apimachinery/pkg/util/remotecommand/constants.go; 255 closes the channel that follows it (v5). A forward has
 * data on 0 and errors on 1, each starting with the port in two bytes. */
enum { STDIN = 0, STDOUT = 1, STDERR = 2, ERROR = 3, RESIZE = 4, CLOSE = 255, NONE = -1 };
enum { FORWARD_DATA = 0, FORWARD_ERROR = 1, PORT_BYTES = 2 };

struct tl_remote {
    tl_remote_options options;
    tl_upgrade *upgrade;
    int channel;        /* of the message that is being read */
    int port_left[2];   /* bytes of the port that a forward's channels still bring */
    tl_buf status;      /* the error channel */
    tl_buf input;       /* before the stream is open */
    int input_closed;
    char size[48];      /* the terminal's, before the stream is open */
    tl_error error;
};

static const tl_k8s_resource pods = {
    .group = "", .version = "v1", .kind = "Pod", .plural = "pods", .singular = "pod", .namespaced = 1};

/* ---- what comes ---- */

static void take_exec(tl_remote *r, const char *bytes, size_t length)
{
    if (r->channel == ERROR)
        tl_buf_add(&r->status, bytes, length);
    else if ((r->channel == STDOUT || r->channel == STDERR) && length)
        r->options.on_output(r->options.data, r->channel, bytes, length);
}

static void take_forward(tl_remote *r, const char *bytes, size_t length)
{
    if (r->channel != FORWARD_DATA && r->channel != FORWARD_ERROR) return;
    int *left = &r->port_left[r->channel];
    while (*left && length) {
        --*left;
        bytes++;
        length--;
    }
    if (!length) return;
    if (r->channel == FORWARD_ERROR)
        tl_buf_add(&r->status, bytes, length);
    else
        r->options.on_output(r->options.data, 1, bytes, length);
}

static void on_piece(void *data, int first, const char *bytes, size_t length)
{
    tl_remote *r = data;
    if (first) r->channel = NONE;
    if (r->channel == NONE && length) {
        r->channel = (unsigned char)*bytes++;
        length--;
    }
    if (r->options.kind == TL_REMOTE_FORWARD)
        take_forward(r, bytes, length);
    else
        take_exec(r, bytes, length);
}

/* ---- what goes ---- */

static tl_websocket *socket_of(const tl_remote *r)
{
    return tl_upgrade_ended(r->upgrade) ? NULL : tl_upgrade_socket(r->upgrade);
}

static int is_v5(const tl_remote *r)
{
    return !strcmp(tl_upgrade_protocol(r->upgrade), "v5.channel.k8s.io");
}

static void send_on(tl_remote *r, int channel, const char *bytes, size_t length)
{
    char message[MESSAGE + 1];
    message[0] = (char)channel;
    do {
        size_t size = length < MESSAGE ? length : MESSAGE;
        memcpy(message + 1, bytes, size);
        tl_websocket_send(socket_of(r), message, size + 1);
        bytes += size;
        length -= size;
    } while (length);
}

/* v5 closes a channel; of a forward and of v4 there is no half-close. */
static int send_end_of_input(tl_remote *r, tl_error *err)
{
    static const char message[] = {(char)CLOSE, STDIN};
    if (is_v5(r)) {
        tl_websocket_send(socket_of(r), message, sizeof message);
        return 0;
    }
    tl_error_set(err, "unsupported", "the end of the input cannot be told to this server (no v5.channel.k8s.io)");
    tl_error_hint(err, "Kubernetes 1.30 and newer can; give the command an end in its input instead");
    return -1;
}

static void on_open(tl_remote *r)
{
    if (r->size[0]) send_on(r, RESIZE, r->size, strlen(r->size));
    r->size[0] = 0;
    if (r->input.len) send_on(r, STDIN, r->input.data, r->input.len);
    tl_buf_dispose(&r->input);
    if (!r->input_closed) return;
    r->input_closed = 0;
    if (send_end_of_input(r, &r->error)) tl_websocket_close(socket_of(r));
}

static void on_change(void *data)
{
    tl_remote *r = data;
    if (socket_of(r) && (r->size[0] || r->input.len || r->input_closed)) on_open(r);
    r->options.on_change(r->options.data);
}

void tl_remote_write(tl_remote *r, const char *bytes, size_t length)
{
    if (!length || tl_upgrade_ended(r->upgrade)) return;
    if (socket_of(r))
        send_on(r, STDIN, bytes, length);
    else
        tl_buf_add(&r->input, bytes, length);
}

size_t tl_remote_unsent(const tl_remote *r)
{
    const tl_websocket *socket = socket_of(r);
    return r->input.len + (socket ? tl_websocket_unsent(socket) : 0);
}

int tl_remote_close_input(tl_remote *r, tl_error *err)
{
    if (tl_upgrade_ended(r->upgrade)) return 0;
    if (socket_of(r)) return send_end_of_input(r, err);
    r->input_closed = 1;
    return 0;
}

void tl_remote_resize(tl_remote *r, int columns, int rows)
{
    tl_buf text = TL_BUF_INIT(sizeof r->size - 1);
    tl_buf_addf(&text, "{\"Width\":%d,\"Height\":%d}", columns, rows);
    memcpy(r->size, text.data, text.len + 1);
    tl_buf_dispose(&text);
    if (!socket_of(r)) return;
    send_on(r, RESIZE, r->size, strlen(r->size));
    r->size[0] = 0;
}

/* ---- the end ---- */

/* The exit status among a Status's causes, or NULL. */
static const char *exit_code(const tl_value *status, tl_arena *arena)
{
    const tl_value *causes = tl_value_path(status, "details", "causes", NULL);
    for (size_t i = 0; causes && causes->type == TL_LIST && i < causes->as.list->len; i++) {
        const tl_value *cause = &causes->as.list->items[i];
        if (!strcmp(tl_value_text(arena, tl_value_path(cause, "reason", NULL), ""), "ExitCode"))
            return tl_value_text(arena, tl_value_path(cause, "message", NULL), NULL);
    }
    return NULL;
}

/* The error channel's Status: 0 and the exit status, or -1. */
static int read_status(tl_remote *r, int *status, tl_error *err)
{
    tl_value root = tl_null();
    tl_arena *arena = tl_arena_new(0);
    tl_error *failure = tl_upgrade_error(r->upgrade);
    int rc = tl_json_parse(arena, r->status.data, r->status.len, NULL, &root, err);
    if (rc && failure) tl_error_move(err, failure); /* the stream broke inside the Status */
    if (rc) goto out;
    const char *outcome = tl_value_text(arena, tl_value_path(&root, "status", NULL), "");
    const char *code = exit_code(&root, arena);
    *status = 0;
    if (!strcmp(outcome, "Success")) goto out;
    if (code)
        *status = atoi(code);
    else
        rc = tl_k8s_status_value(&root, err);
    if (rc) err->status = 0; /* what the node says, not the answer to a request */
out:
    tl_arena_free(arena);
    return rc;
}

int tl_remote_result(tl_remote *r, int *status, tl_error *err)
{
    tl_error *failure = tl_upgrade_error(r->upgrade);
    *status = 0;
    if (r->options.kind == TL_REMOTE_FORWARD && r->status.len) {
        tl_error_set(err, "connect", "%.*s", (int)r->status.len, r->status.data);
        return -1;
    }
    if (r->options.kind != TL_REMOTE_FORWARD && r->status.len) return read_status(r, status, err);
    if (r->error.message) failure = &r->error;
    if (failure) {
        tl_error_move(err, failure);
        return -1;
    }
    if (r->options.kind == TL_REMOTE_FORWARD) return 0;
    return tl_error_set(err, "closed", "the stream ended without the process's exit status");
}

int tl_remote_open(const tl_remote *r)
{
    return socket_of(r) != NULL;
}

int tl_remote_ended(const tl_remote *r)
{
    return tl_upgrade_ended(r->upgrade);
}

void tl_remote_pause(tl_remote *r, int paused)
{
    if (socket_of(r)) tl_websocket_pause(socket_of(r), paused);
}

/* ---- start ---- */

static int add_path(tl_buf *path, const tl_remote_options *o, const char *namespace, tl_error *err)
{
    static const char *const subresources[] = {"exec", "attach", "portforward"};
    if (tl_k8s_path(path, &pods, namespace, o->pod, subresources[o->kind], err)) return -1;
    if (o->kind == TL_REMOTE_FORWARD) {
        tl_k8s_query_int(path, "ports", o->port);
        return 0;
    }
    for (size_t i = 0; o->command && o->command[i]; i++) tl_k8s_query(path, "command", o->command[i]);
    tl_k8s_query(path, "container", o->container);
    if (o->stdin) tl_k8s_query(path, "stdin", "true");
    tl_k8s_query(path, "stdout", "true");
    tl_k8s_query(path, o->tty ? "tty" : "stderr", "true"); /* a terminal has one output */
    return path->over ? tl_error_set(err, "usage", "the command is too long") : 0;
}

tl_remote *tl_remote_start(tl_k8s *client, const tl_remote_options *o, tl_error *err)
{
    tl_remote *r = tl_calloc(1, sizeof *r);
    tl_buf path = TL_BUF_INIT(PATH_LIMIT);
    r->options = *o;
    r->options.namespace = r->options.pod = r->options.container = NULL;
    r->options.command = NULL;
    r->channel = NONE;
    r->port_left[0] = r->port_left[1] = PORT_BYTES;
    tl_buf_init(&r->status, STATUS_LIMIT);
    tl_buf_init(&r->input, SIZE_MAX);
    if (!add_path(&path, o, o->namespace ? o->namespace : tl_k8s_namespace(client), err)) {
        const tl_upgrade_options options = {
            .path = path.data,
            .protocols = o->kind == TL_REMOTE_FORWARD ? "v4.channel.k8s.io" : "v5.channel.k8s.io, v4.channel.k8s.io",
            .timeout_ms = o->timeout_ms,
            .silence_ms = o->silence_ms,
            .on_piece = on_piece,
            .on_change = on_change,
            .data = r};
        r->upgrade = tl_upgrade_start(client, &options, err);
    }
    tl_buf_dispose(&path);
    if (r->upgrade) return r;
    tl_remote_free(r);
    return NULL;
}

void tl_remote_free(tl_remote *r)
{
    if (!r) return;
    tl_upgrade_free(r->upgrade);
    tl_buf_dispose(&r->status);
    tl_buf_dispose(&r->input);
    tl_error_dispose(&r->error);
    free(r);
}
