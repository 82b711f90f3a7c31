/* Reads and follows the log of a container. */
#include "k8s/logs.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "data/json.h"
#include "k8s/client_internal.h"
#include "k8s/log_lines.h"
#include "k8s/path.h"

#define HIGH ((size_t)4 << 20) /* bytes that may wait for the reader */
#define LOW ((size_t)1 << 20)
#define RETRIES 20    /* of one break: about two minutes, in which an API server that ends often is back */
#define QUIET_MS 1000 /* a stream that repeats a known line does so at once */

struct tl_k8s_logs {
    tl_k8s *client;
    tl_arena *arena;
    tl_k8s_logs_options options;
    tl_k8s_call *call;   /* the stream, or the question whether there will be more */
    tl_k8s_call *before; /* the log of the container's run before this one */
    tl_timer retry, quiet;
    tl_log_place place;
    tl_log_lines lines, lines_before;
    tl_buf out; /* taken from its front by the reader */
    size_t taken;
    int held;   /* reading waits for the reader */
    int parted; /* the stream does not begin with a known line */
    int ended, attempts;
    int asked;  /* the run before was asked for beside the stream that runs */
    int opened; /* the server has answered once, so what goes wrong from now on may pass */
    size_t gaps;
    tl_error error;
    int failed;
};

static int open_stream(tl_k8s_logs *logs, tl_error *err);
static tl_k8s_call *ask_log(tl_k8s_logs *logs, int before, tl_error *err);
static void ask_before(tl_k8s_logs *logs);
static int is_silent(const tl_k8s_logs *logs);
static void ask_pod(tl_k8s_logs *logs);

static const tl_k8s_resource pods = {
    .group = "", .version = "v1", .kind = "Pod", .plural = "pods", .singular = "pod", .namespaced = 1};

static void wake(tl_k8s_logs *logs)
{
    if (logs->options.on_ready) logs->options.on_ready(logs, logs->options.data);
}

static void end(tl_k8s_logs *logs, tl_error *why)
{
    logs->ended = 1;
    if (why) tl_error_move(&logs->error, why);
    logs->failed = why != NULL;
    wake(logs);
}

static void drop_calls(tl_k8s_logs *logs)
{
    tl_k8s_call_free(logs->call);
    tl_k8s_call_free(logs->before);
    logs->call = logs->before = NULL;
    logs->held = 0;
    tl_timer_stop(&logs->quiet);
}

/* ---- the stream ---- */

static int is_full(tl_k8s_logs *logs)
{
    logs->held = logs->out.len - logs->taken > HIGH;
    return logs->held;
}

static int on_body(tl_k8s_call *call, const char *bytes, size_t length, void *data)
{
    tl_k8s_logs *logs = data;
    (void)call;
    if (logs->before || is_full(logs)) return TL_HTTP_PAUSE;
    if (!logs->parted && tl_log_lines_gap(&logs->lines, bytes, length) == 1) {
        logs->parted = 1;
        ask_before(logs);
        return TL_HTTP_PAUSE;
    }
    logs->attempts = 0;
    tl_log_lines_feed(&logs->lines, bytes, length);
    wake(logs);
    return 0;
}

static void on_retry(tl_timer *timer)
{
    tl_k8s_logs *logs = timer->data;
    tl_error why = {0};
    if (open_stream(logs, &why)) end(logs, &why);
}

static void try_later(tl_k8s_logs *logs)
{
    int64_t ms = 200;
    for (int i = 0; i < logs->attempts && ms < 8000; i++) ms *= 2;
    logs->attempts++;
    logs->retry.on_due = on_retry;
    logs->retry.data = logs;
    tl_timer_start(tl_k8s_loop(logs->client), &logs->retry,
                   (int64_t)((double)ms * (0.5 + tl_k8s_random(logs->client))));
}

/* Worth another try: the transfer broke or the server is in trouble after it had answered before, or the container is
 * between two runs (400). Any other refusal is final. */
static int passing(const tl_k8s_logs *logs, const tl_error *why)
{
    if (!logs->options.follow || !logs->opened || logs->attempts >= RETRIES || tl_k8s_closed(logs->client)) return 0;
    return why->status == 0 || why->status == 400 || why->status == 429 || why->status >= 500;
}

static void on_done(tl_k8s_call *call, void *data)
{
    tl_k8s_logs *logs = data;
    tl_error why = {0}, *failure = tl_k8s_call_error(call);
    if (failure) tl_error_move(&why, failure);
    if (tl_k8s_call_status(call) == 200) logs->opened = 1;
    if (!failure && logs->options.follow && (logs->before || is_silent(logs))) {
        tl_k8s_call_free(call);
        logs->call = NULL;
        if (!logs->before) ask_before(logs);
        return;
    }
    drop_calls(logs);
    if (failure && logs->opened && logs->options.follow && why.status == 404) {
        ask_pod(logs); /* which may be known to the server, while a node that has just started knows it not yet */
    } else if (failure) {
        if (passing(logs, &why)) {
            try_later(logs);
        } else {
            tl_log_lines_end(&logs->lines, 0); /* what has come of its last line */
            end(logs, &why);
        }
    } else if (logs->options.follow) {
        ask_pod(logs);
    } else {
        tl_log_lines_end(&logs->lines, 0);
        end(logs, NULL);
    }
    tl_error_dispose(&why);
}

/* ---- what lies before a stream that does not begin where the last one ended ---- */

/* Goes on with the stream. Where neither it nor the run before it has shown a known line, the node has put away the
 * file that lay between, or the container has run more than once meanwhile. */
static void release(tl_k8s_logs *logs)
{
    if (logs->parted && !logs->lines_before.met) logs->gaps++;
    tl_log_lines_expect(&logs->lines);
    if (logs->call)
        tl_k8s_call_resume(logs->call);
    else
        ask_pod(logs);
}

static int on_body_before(tl_k8s_call *call, const char *bytes, size_t length, void *data)
{
    tl_k8s_logs *logs = data;
    (void)call;
    if (is_full(logs)) return TL_HTTP_PAUSE;
    tl_log_lines_feed(&logs->lines_before, bytes, length);
    wake(logs);
    return 0;
}

static void on_done_before(tl_k8s_call *call, void *data)
{
    tl_k8s_logs *logs = data;
    const tl_error *why = tl_k8s_call_error(call);
    int none = why && (why->status == 400 || why->status == 404), broken = why && !none;
    if (!broken) tl_log_lines_end(&logs->lines_before, 1);
    tl_k8s_call_free(call);
    logs->before = NULL;
    if (broken) {
        drop_calls(logs);
        try_later(logs);
        return;
    }
    wake(logs);
    release(logs);
}

static void ask_before(tl_k8s_logs *logs)
{
    tl_error why = {0};
    logs->asked = 1;
    tl_log_lines_begin(&logs->lines_before);
    logs->before = ask_log(logs, 1, &why);
    if (!logs->before) end(logs, &why);
}

/* A resumed stream that says nothing, or ends so, has nothing known to repeat: the container runs anew, in silence. */
static int is_silent(const tl_k8s_logs *logs)
{
    return logs->lines.resumed && !logs->lines.met && !logs->asked;
}

static void on_quiet(tl_timer *timer)
{
    tl_k8s_logs *logs = timer->data;
    if (logs->call && is_silent(logs)) ask_before(logs);
}

/* ---- asking for the log ---- */

static void resume_at(int64_t newest, tl_buf *path)
{
    time_t seconds = (time_t)(newest / 1000000000);
    struct tm tm;
    char text[32];
    gmtime_r(&seconds, &tm);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    tl_k8s_query(path, "sinceTime", text);
}

/* before: the run before the one that is followed, from where the log has been read to. */
static tl_k8s_call *ask_log(tl_k8s_logs *logs, int before, tl_error *err)
{
    const tl_k8s_logs_options *options = &logs->options;
    const char *namespace = options->namespace ? options->namespace : tl_k8s_namespace(logs->client);
    int64_t newest = tl_log_place_newest(&logs->place);
    tl_k8s_call *call = NULL;
    tl_buf path = TL_BUF_INIT(SIZE_MAX);
    if (tl_k8s_path(&path, &pods, namespace, options->pod, "log", err)) goto out;
    tl_k8s_query(&path, "container", options->container);
    if (options->follow && !before) tl_k8s_query(&path, "follow", "true");
    if (options->previous || before) tl_k8s_query(&path, "previous", "true");
    if (options->follow || options->timestamps) tl_k8s_query(&path, "timestamps", "true");
    if (newest) {
        resume_at(newest, &path);
    } else {
        if (options->tail >= 0) tl_k8s_query_int(&path, "tailLines", options->tail);
        if (options->since_s > 0) tl_k8s_query_int(&path, "sinceSeconds", options->since_s);
        tl_k8s_query(&path, "sinceTime", options->since_time);
    }
    if (options->limit > 0) tl_k8s_query_int(&path, "limitBytes", options->limit);
    const tl_k8s_request request = {.path = path.data,
                                    .accept = "*/*",
                                    .once = 1,
                                    .on_body = before ? on_body_before : on_body,
                                    .on_done = before ? on_done_before : on_done,
                                    .data = logs};
    call = tl_k8s_start(logs->client, &request, err);
out:
    tl_buf_dispose(&path);
    return call;
}

static int open_stream(tl_k8s_logs *logs, tl_error *err)
{
    logs->parted = logs->asked = 0;
    tl_log_lines_begin(&logs->lines);
    logs->call = ask_log(logs, 0, err);
    if (logs->call && logs->lines.resumed) {
        logs->quiet.on_due = on_quiet;
        logs->quiet.data = logs;
        tl_timer_start(tl_k8s_loop(logs->client), &logs->quiet, QUIET_MS);
    }
    return logs->call ? 0 : -1;
}

/* ---- is there more to come? ---- */

/* The state of the followed container: 1 where it runs. */
static int runs(tl_k8s_logs *logs, const tl_value *pod, tl_arena *arena)
{
    static const char *const lists[] = {"containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        const tl_value *list = tl_value_path(pod, "status", lists[i], NULL);
        for (size_t j = 0; list && list->type == TL_LIST && j < list->as.list->len; j++) {
            const tl_value *item = &list->as.list->items[j];
            const char *name = tl_value_text(arena, tl_value_path(item, "name", NULL), "");
            if (logs->options.container && strcmp(logs->options.container, name) != 0) continue;
            return tl_value_path(item, "state", "running", NULL) != NULL;
        }
    }
    return 0;
}

static void on_pod(tl_k8s_call *call, void *data)
{
    tl_k8s_logs *logs = data;
    tl_error why = {0}, *failure = tl_k8s_call_error(call);
    int more = 0;
    if (failure) {
        more = passing(logs, failure);
    } else {
        size_t length;
        const char *body = tl_k8s_call_body(call, &length);
        tl_arena *arena = tl_arena_new(0);
        tl_value pod;
        more = !tl_json_parse(arena, body, length, NULL, &pod, &why) && runs(logs, &pod, arena);
        tl_arena_free(arena);
        tl_error_dispose(&why);
    }
    tl_k8s_call_free(call);
    logs->call = NULL;
    if (more) {
        try_later(logs);
        return;
    }
    tl_log_lines_end(&logs->lines, 0);
    end(logs, NULL);
}

/* A followed log that ends while its container runs was cut off (rotation, a closing server). */
static void ask_pod(tl_k8s_logs *logs)
{
    const char *namespace = logs->options.namespace ? logs->options.namespace : tl_k8s_namespace(logs->client);
    tl_error why = {0};
    tl_buf path = TL_BUF_INIT(SIZE_MAX);
    if (!tl_k8s_path(&path, &pods, namespace, logs->options.pod, NULL, &why)) {
        const tl_k8s_request request = {.path = path.data, .on_done = on_pod, .data = logs};
        logs->call = tl_k8s_start(logs->client, &request, &why);
    }
    tl_buf_dispose(&path);
    if (!logs->call) end(logs, &why);
}

/* ---- for the reader ---- */

tl_k8s_logs *tl_k8s_logs_start(tl_k8s *client, const tl_k8s_logs_options *options, tl_error *err)
{
    tl_k8s_logs *logs = tl_calloc(1, sizeof *logs);
    logs->client = client;
    logs->arena = tl_arena_new(0);
    logs->options = *options;
    const char **texts[] = {&logs->options.namespace, &logs->options.pod, &logs->options.container,
                            &logs->options.since_time, &logs->options.prefix};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (*texts[i]) *texts[i] = tl_arena_strdup(logs->arena, *texts[i]);
    tl_buf_init(&logs->out, SIZE_MAX);
    logs->place = (tl_log_place){.out = &logs->out,
                                 .prefix = logs->options.prefix,
                                 .stamped = options->follow,
                                 .keep_stamps = options->timestamps};
    tl_log_lines_init(&logs->lines, &logs->place);
    tl_log_lines_init(&logs->lines_before, &logs->place);
    if (!open_stream(logs, err)) return logs;
    tl_k8s_logs_free(logs);
    return NULL;
}

void tl_k8s_logs_free(tl_k8s_logs *logs)
{
    if (!logs) return;
    drop_calls(logs);
    tl_timer_stop(&logs->retry);
    tl_log_lines_dispose(&logs->lines);
    tl_log_lines_dispose(&logs->lines_before);
    tl_buf_dispose(&logs->out);
    tl_error_dispose(&logs->error);
    tl_arena_free(logs->arena);
    free(logs);
}

int tl_k8s_logs_peek(tl_k8s_logs *logs, size_t seen, const char **bytes, size_t *length, tl_error *err)
{
    *bytes = logs->out.data + logs->taken;
    *length = logs->out.len - logs->taken;
    if (logs->ended && !logs->failed) return 2;
    if (*length > seen) return 1;
    if (!logs->failed) return 0;
    if (*length) return 1; /* what came before the failure is delivered first */
    tl_error_move(err, &logs->error);
    tl_error_set(&logs->error, "closed", "the log has ended");
    return -1;
}

void tl_k8s_logs_consume(tl_k8s_logs *logs, size_t length)
{
    logs->taken += length;
    /* the front is given back in large steps, so that a line costs no move of all the rest */
    if (logs->taken == logs->out.len || logs->taken > LOW) {
        tl_buf_consume(&logs->out, logs->taken);
        logs->taken = 0;
    }
    tl_k8s_call *call = logs->before ? logs->before : logs->call;
    if (logs->held && logs->out.len - logs->taken < LOW && call) {
        logs->held = 0;
        tl_k8s_call_resume(call);
    }
}

size_t tl_k8s_logs_gaps(const tl_k8s_logs *logs)
{
    return logs->gaps;
}
