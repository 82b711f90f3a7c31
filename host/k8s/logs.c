/* Reads and follows the log of a container. */
#include "k8s/logs.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "data/json.h"
#include "k8s/client_internal.h"
#include "k8s/lines.h"
#include "k8s/path.h"
#include "k8s/rfc3339.h"

#define LINE_LIMIT ((size_t)1 << 20)
#define HIGH ((size_t)4 << 20) /* bytes that may wait for the reader */
#define LOW ((size_t)1 << 20)
#define RETRIES 12 /* of one break: about a minute */

struct tl_k8s_logs {
    tl_k8s *client;
    tl_arena *arena;
    tl_k8s_logs_options options;
    tl_k8s_call *call;
    tl_timer retry;
    tl_lines lines;
    tl_buf out; /* taken from its front by the reader */
    size_t taken;
    int held, ended, attempts, inside_line;
    int opened; /* the server has answered once, so what goes wrong from now on may pass */
    /* where to go on: the newest line's time in ns, and how many lines had it */
    int64_t newest, newest_count;
    int64_t resume, resume_skip; /* of the stream that runs: lines up to here are known already */
    tl_error error;
    int failed;
};

static int open_stream(tl_k8s_logs *logs, tl_error *err);
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

/* ---- lines of a followed log ---- */

/* A line that was delivered before the connection broke. */
static int known_already(tl_k8s_logs *logs, int64_t at)
{
    if (!logs->resume || at > logs->resume) return 0;
    if (at < logs->resume) return 1;
    return logs->resume_skip > 0 && logs->resume_skip--;
}

static int on_line(void *data, const char *line, size_t length, int whole)
{
    tl_k8s_logs *logs = data;
    char stamp[48];
    size_t size = length < sizeof stamp - 1 ? length : sizeof stamp - 1, used = 0;
    memcpy(stamp, line, size);
    stamp[size] = 0;
    int64_t at = logs->inside_line ? -1 : tl_rfc3339(stamp, &used);
    logs->inside_line = !whole;
    if (at >= 0 && used < length && line[used] == ' ') {
        if (known_already(logs, at)) return 0;
        logs->newest_count = at == logs->newest ? logs->newest_count + 1 : 1;
        logs->newest = at;
        used++;
    } else {
        used = 0;
    }
    if (logs->options.timestamps) used = 0;
    tl_buf_add(&logs->out, line + used, length - used);
    tl_buf_addc(&logs->out, '\n');
    return 0;
}

/* ---- the stream ---- */

static int on_body(tl_k8s_call *call, const char *bytes, size_t length, void *data)
{
    tl_k8s_logs *logs = data;
    (void)call;
    if (logs->out.len - logs->taken > HIGH) {
        logs->held = 1;
        return TL_HTTP_PAUSE;
    }
    logs->attempts = 0;
    if (logs->options.follow)
        tl_lines_feed(&logs->lines, bytes, length);
    else
        tl_buf_add(&logs->out, bytes, length);
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

/* Worth another try: the transfer broke or the server is in trouble after it had answered before. A refusal is final.
 */
static int passing(const tl_k8s_logs *logs, const tl_error *why)
{
    if (!logs->options.follow || !logs->opened || logs->attempts >= RETRIES || tl_k8s_closed(logs->client)) return 0;
    return why->status == 0 || why->status == 429 || why->status >= 500;
}

static void on_done(tl_k8s_call *call, void *data)
{
    tl_k8s_logs *logs = data;
    tl_error why = {0}, *failure = tl_k8s_call_error(call);
    if (failure) tl_error_move(&why, failure);
    if (tl_k8s_call_status(call) == 200) logs->opened = 1;
    tl_k8s_call_free(call);
    logs->call = NULL;
    logs->held = 0;
    if (failure) {
        int again = passing(logs, &why);
        tl_lines_reset(&logs->lines);
        logs->inside_line = 0;
        if (again)
            try_later(logs);
        else
            end(logs, &why);
        tl_error_dispose(&why);
    } else if (logs->options.follow) {
        ask_pod(logs);
    } else {
        end(logs, NULL);
    }
}

static void resume_at(tl_k8s_logs *logs, tl_buf *path)
{
    time_t seconds = (time_t)(logs->newest / 1000000000);
    struct tm tm;
    char text[32];
    gmtime_r(&seconds, &tm);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    tl_k8s_query(path, "sinceTime", text);
    logs->resume = logs->newest;
    logs->resume_skip = logs->newest_count;
}

static int open_stream(tl_k8s_logs *logs, tl_error *err)
{
    const tl_k8s_logs_options *options = &logs->options;
    const char *namespace = options->namespace ? options->namespace : tl_k8s_namespace(logs->client);
    tl_buf path = TL_BUF_INIT(SIZE_MAX);
    if (tl_k8s_path(&path, &pods, namespace, options->pod, "log", err)) goto out;
    tl_k8s_query(&path, "container", options->container);
    if (options->follow) tl_k8s_query(&path, "follow", "true");
    if (options->previous) tl_k8s_query(&path, "previous", "true");
    if (options->follow || options->timestamps) tl_k8s_query(&path, "timestamps", "true");
    if (logs->newest) {
        resume_at(logs, &path);
    } else {
        if (options->tail >= 0) tl_k8s_query_int(&path, "tailLines", options->tail);
        if (options->since_s > 0) tl_k8s_query_int(&path, "sinceSeconds", options->since_s);
        tl_k8s_query(&path, "sinceTime", options->since_time);
    }
    if (options->limit > 0) tl_k8s_query_int(&path, "limitBytes", options->limit);
    const tl_k8s_request request = {
        .path = path.data, .accept = "*/*", .once = 1, .on_body = on_body, .on_done = on_done, .data = logs};
    logs->call = tl_k8s_start(logs->client, &request, err);
out:
    tl_buf_dispose(&path);
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
        tl_lines_reset(&logs->lines); /* an unfinished line comes again */
        try_later(logs);
        return;
    }
    tl_lines_end(&logs->lines);
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
                            &logs->options.since_time};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (*texts[i]) *texts[i] = tl_arena_strdup(logs->arena, *texts[i]);
    tl_lines_init(&logs->lines, LINE_LIMIT, on_line, logs);
    tl_buf_init(&logs->out, SIZE_MAX);
    if (!open_stream(logs, err)) return logs;
    tl_k8s_logs_free(logs);
    return NULL;
}

void tl_k8s_logs_free(tl_k8s_logs *logs)
{
    if (!logs) return;
    tl_k8s_call_free(logs->call);
    tl_timer_stop(&logs->retry);
    tl_lines_dispose(&logs->lines);
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
    if (logs->held && logs->out.len - logs->taken < LOW && logs->call) {
        logs->held = 0;
        tl_k8s_call_resume(logs->call);
    }
}
