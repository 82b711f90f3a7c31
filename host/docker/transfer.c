/* Requests with progress: the body from a context or a file, the answer as a queue of events. */
#include "docker/transfer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

#define MOST_EVENTS 1000
#define SENT_STEP ((int64_t)1 << 20)
#define MOST_REFUSAL ((size_t)1 << 20)

struct tl_transfer {
    tl_engine *engine;
    tl_http_request *request;
    tl_context *context;
    int fd;
    int64_t size, sent, told; /* of the body; -1 where unknown */
    tl_progress *progress;
    tl_buf refusal; /* the body of an error answer */
    tl_transfer_event *first, **last;
    int count, paused, ended;
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

tl_transfer_event tl_transfer_event_of(const tl_progress_event *event)
{
    static const tl_transfer_kind kinds[] = {[TL_PROGRESS_STEP] = TL_TRANSFER_STEP,
                                             [TL_PROGRESS_OUTPUT] = TL_TRANSFER_OUTPUT,
                                             [TL_PROGRESS_PULL] = TL_TRANSFER_PULL};
    return (tl_transfer_event){.kind = kinds[event->kind], .step = event->step, .steps = event->steps,
                               .text = (char *)event->text, .bytes = event->bytes, .total = event->total};
}

static void on_event(void *context, const tl_progress_event *event)
{
    const tl_transfer_event copy = tl_transfer_event_of(event);
    add_event(context, &copy);
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

static void on_done(tl_http_request *request, void *data)
{
    tl_transfer *t = data;
    tl_error *failure = tl_http_error(request);
    if (t->err.message) {
        /* the body or the messages: known already */
    } else if (failure) {
        tl_engine_unreachable(t->engine, failure, &t->err);
    } else if (tl_http_status(request) >= 400) {
        tl_engine_refused(tl_http_status(request), t->refusal.data, t->refusal.len, &t->err);
    } else {
        tl_progress_end(t->progress, &t->err);
    }
    t->ended = 1;
    t->on_change(t, t->data);
}

static int open_file(tl_transfer *t, const char *path, tl_error *err)
{
    struct stat st;
    t->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (t->fd < 0) return tl_error_errno(err, errno, "cannot read %s", path);
    if (fstat(t->fd, &st) == 0 && S_ISREG(st.st_mode)) t->size = st.st_size;
    return 0;
}

tl_transfer *tl_transfer_start(tl_net *net, tl_engine *engine, const tl_transfer_options *o, tl_error *err)
{
    tl_transfer *t = tl_calloc(1, sizeof *t);
    tl_buf url = TL_BUF_INIT(SIZE_MAX);
    tl_header headers[8];
    t->engine = tl_engine_share(engine);
    t->context = o->context;
    t->fd = -1;
    t->size = -1;
    t->last = &t->first;
    t->on_change = o->on_change;
    t->data = o->data;
    tl_buf_init(&t->refusal, MOST_REFUSAL);
    if (o->file && open_file(t, o->file, err) < 0) goto failed;
    if (!(t->progress = tl_progress_new(on_event, t, err))) goto failed;
    tl_http_options h = {.method = "POST", .on_body = on_body, .on_done = on_done, .data = t, .headers = headers};
    for (; h.header_count < o->header_count && h.header_count < 7; h.header_count++) headers[h.header_count] = o->headers[h.header_count];
    if (o->content_type) headers[h.header_count++] = (tl_header){"Content-Type", o->content_type};
    if (t->context || t->fd >= 0) {
        h.read_body = read_body;
        h.body_size = t->size;
    }
    tl_engine_aim(engine, o->path, &url, &h);
    t->request = tl_http_start(net, &h, err);
    tl_buf_dispose(&url);
    if (t->request) return t;
failed:
    tl_transfer_free(t);
    return NULL;
}

void tl_transfer_free(tl_transfer *t)
{
    if (!t) return;
    tl_http_free(t->request);
    while (t->count) tl_transfer_event_free(tl_transfer_next(t));
    tl_context_free(t->context);
    if (t->fd >= 0) close(t->fd);
    tl_progress_free(t->progress);
    tl_buf_dispose(&t->refusal);
    tl_error_dispose(&t->err);
    tl_engine_free(t->engine);
    free(t);
}

void tl_transfer_cancel(tl_transfer *t)
{
    tl_http_cancel(t->request);
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
