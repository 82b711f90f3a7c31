/* Requests with progress: the body from a context or a file, the answer as a queue of events. */
#include "docker/transfer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

#define MOST_EVENTS 1000
#define SENT_STEP ((int64_t)1 << 20)
#define MOST_REFUSAL ((size_t)1 << 20)

struct tl_transfer {
    tl_net *net;
    tl_engine *engine;
    tl_http_request *request; /* NULL before the session is open */
    tl_session *session;
    tl_context *context;
    tl_buf path;
    char *auth, *content_type;
    int fd;
    int64_t size, sent, told; /* of the body; -1 where unknown */
    tl_progress *progress;
    tl_buf refusal; /* the body of an error answer */
    tl_transfer_event *first, **last;
    int count, paused, ended, cancelled;
    tl_error err;
    void (*on_change)(tl_transfer *transfer, void *data);
    void *data;
};

static void add_event(tl_transfer *t, const tl_transfer_event *event)
{
    tl_transfer_event *copy = tl_malloc(sizeof *copy);
    *copy = *event;
    copy->next = NULL;
    if (event->text) copy->text = tl_strdup(event->text);
    *t->last = copy;
    t->last = &copy->next;
    t->count++;
    t->on_change(t, t->data);
}

static void on_event(void *context, const tl_progress_event *event)
{
    static const tl_transfer_kind kinds[] = {[TL_PROGRESS_STEP] = TL_TRANSFER_STEP,
                                             [TL_PROGRESS_OUTPUT] = TL_TRANSFER_OUTPUT,
                                             [TL_PROGRESS_PULL] = TL_TRANSFER_PULL};
    add_event(context, &(tl_transfer_event){.kind = kinds[event->kind], .step = event->step, .steps = event->steps,
                                            .text = (char *)event->text, .bytes = event->bytes, .total = event->total});
}

static void tell_sent(tl_transfer *t, int all)
{
    if (!all && t->sent - t->told < SENT_STEP) return;
    if (all && t->sent == t->told) return;
    t->told = t->sent;
    add_event(t, &(tl_transfer_event){.kind = TL_TRANSFER_SENT, .bytes = t->sent, .total = t->size > 0 ? t->size : 0});
}

static int64_t read_body(void *data, char *buffer, size_t size)
{
    tl_transfer *t = data;
    int64_t got;
    if (t->context) {
        got = tl_context_read(t->context, buffer, size, &t->err);
    } else {
        do got = read(t->fd, buffer, size);
        while (got < 0 && errno == EINTR);
        if (got < 0) tl_error_errno(&t->err, errno, "cannot read the file that is sent to the Docker engine");
    }
    if (got < 0) return -1;
    t->sent += got;
    tell_sent(t, got == 0);
    return got;
}

static int on_body(tl_http_request *request, const char *bytes, size_t length, void *data)
{
    tl_transfer *t = data;
    if (tl_http_status(request) >= 400) {
        tl_buf_add(&t->refusal, bytes, length);
        return 0;
    }
    if (t->count >= MOST_EVENTS) {
        t->paused = 1;
        return TL_HTTP_PAUSE;
    }
    return tl_progress_feed(t->progress, bytes, length, &t->err);
}

static void end(tl_transfer *t)
{
    t->ended = 1;
    t->on_change(t, t->data);
}

static void on_done(tl_http_request *request, void *data)
{
    tl_transfer *t = data;
    tl_error *failure = tl_http_error(request);
    if (t->session) {
        t->sent = tl_session_sent(t->session);
        tell_sent(t, 1);
        if (tl_session_error(t->session)) tl_error_move(&t->err, tl_session_error(t->session));
    }
    if (t->err.message) {
        /* the body or the messages: known already */
    } else if (failure) {
        tl_engine_unreachable(t->engine, failure, &t->err);
    } else if (tl_http_status(request) >= 400) {
        tl_engine_refused(tl_http_status(request), t->refusal.data, t->refusal.len, &t->err);
    } else {
        tl_progress_end(t->progress, &t->err);
    }
    end(t);
}

static int open_file(tl_transfer *t, const char *path, tl_error *err)
{
    struct stat st;
    t->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (t->fd < 0) return tl_error_errno(err, errno, "cannot read %s", path);
    if (fstat(t->fd, &st) == 0 && S_ISREG(st.st_mode)) t->size = st.st_size;
    return 0;
}

static int start_request(tl_transfer *t, tl_error *err)
{
    tl_buf url = TL_BUF_INIT(SIZE_MAX);
    tl_header headers[2];
    tl_http_options h = {.method = "POST", .on_body = on_body, .on_done = on_done, .data = t, .headers = headers};
    if (t->auth) headers[h.header_count++] = (tl_header){"X-Registry-Auth", t->auth};
    if (t->content_type) headers[h.header_count++] = (tl_header){"Content-Type", t->content_type};
    if (t->context || t->fd >= 0) {
        h.read_body = read_body;
        h.body_size = t->size;
    }
    tl_engine_aim(t->engine, t->path.data, &url, &h);
    t->request = tl_http_start(t->net, &h, err);
    tl_buf_dispose(&url);
    return t->request ? 0 : -1;
}

static void on_session(tl_session *session, void *data)
{
    tl_transfer *t = data;
    if (t->cancelled || t->ended) return;
    t->sent = tl_session_sent(session);
    tell_sent(t, 0);
    if (t->request) return;
    if (tl_session_is_open(session)) {
        if (start_request(t, &t->err) < 0) end(t);
    } else if (tl_session_ended(session)) {
        if (tl_session_error(session))
            tl_error_move(&t->err, tl_session_error(session));
        else
            tl_error_set(&t->err, "closed", "the Docker engine ended BuildKit's session");
        if (t->err.status) snprintf(t->err.kind, sizeof t->err.kind, "unsupported"); /* it knows of none */
        end(t);
    }
}

static int start_session(tl_transfer *t, const tl_session_options *options, tl_error *err)
{
    tl_session_options o = *options;
    o.on_change = on_session;
    o.data = t;
    t->context = NULL;
    t->session = tl_session_start(t->net, t->engine, &o, err);
    if (!t->session) return -1;
    tl_buf_addf(&t->path, "%cremote=client-session&session=%s", strchr(t->path.data, '?') ? '&' : '?', tl_session_id(t->session));
    return 0;
}

tl_transfer *tl_transfer_start(tl_net *net, tl_engine *engine, const tl_transfer_options *o, tl_error *err)
{
    tl_transfer *t = tl_calloc(1, sizeof *t);
    t->net = net;
    t->engine = tl_engine_share(engine);
    t->context = o->session ? o->session->context : o->context;
    t->fd = -1;
    t->size = -1;
    t->last = &t->first;
    t->on_change = o->on_change;
    t->data = o->data;
    t->auth = o->auth ? tl_strdup(o->auth) : NULL;
    t->content_type = o->content_type ? tl_strdup(o->content_type) : NULL;
    tl_buf_init(&t->path, SIZE_MAX);
    tl_buf_adds(&t->path, o->path);
    tl_buf_init(&t->refusal, MOST_REFUSAL);
    if (o->file && open_file(t, o->file, err) < 0) goto failed;
    if (!(t->progress = tl_progress_new(on_event, t, err))) goto failed;
    if ((o->session ? start_session(t, o->session, err) : start_request(t, err)) == 0) return t;
failed:
    tl_transfer_free(t);
    return NULL;
}

void tl_transfer_free(tl_transfer *t)
{
    if (!t) return;
    tl_http_free(t->request);
    tl_session_free(t->session);
    while (t->count) tl_transfer_event_free(tl_transfer_next(t));
    tl_context_free(t->context);
    if (t->fd >= 0) close(t->fd);
    tl_progress_free(t->progress);
    if (t->auth) tl_cleanse(t->auth, strlen(t->auth));
    free(t->auth);
    free(t->content_type);
    tl_buf_dispose(&t->path);
    tl_buf_dispose(&t->refusal);
    tl_error_dispose(&t->err);
    tl_engine_free(t->engine);
    free(t);
}

void tl_transfer_cancel(tl_transfer *t)
{
    t->cancelled = 1;
    if (t->request) tl_http_cancel(t->request);
}

tl_transfer_event *tl_transfer_next(tl_transfer *t)
{
    tl_transfer_event *event = t->first;
    if (!event) return NULL;
    t->first = event->next;
    if (!t->first) t->last = &t->first;
    if (--t->count < MOST_EVENTS / 2 && t->paused) {
        t->paused = 0;
        tl_http_resume(t->request);
    }
    return event;
}

void tl_transfer_event_free(tl_transfer_event *event)
{
    if (!event) return;
    free(event->text);
    free(event);
}

int tl_transfer_ended(const tl_transfer *t)
{
    return t->ended;
}

int tl_transfer_result(tl_transfer *t, tl_error *err)
{
    if (!t->err.message) return 0;
    tl_error_move(err, &t->err);
    return -1;
}

const tl_progress *tl_transfer_progress(const tl_transfer *t)
{
    return t->progress;
}
