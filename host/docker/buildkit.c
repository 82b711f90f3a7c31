/* BuildKit's messages on a build: vertices, which become steps, and what they print. */
#include "docker/buildkit.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "data/base64.h"
#include "data/protobuf.h"
#include "docker/output.h"

#define LONGEST_TRACE ((size_t)16 << 20)
#define LONGEST_NAME 8192

typedef struct vertex {
    char *digest;
    char *instruction; /* NULL of what is no step of the Dockerfile */
    int step;          /* 0 where it has not begun */
    char *error;       /* NULL of one that did not fail */
    int cached;
    tl_output output;
} vertex;

struct tl_buildkit {
    tl_progress_sink sink;
    void *context;
    vertex **vertices;
    size_t count;
    int steps, begun;
};

static char *text_of(tl_protobuf p)
{
    size_t length = tl_protobuf_length(p) < LONGEST_NAME ? tl_protobuf_length(p) : LONGEST_NAME;
    char *text = tl_calloc(1, length + 1);
    if (length) memcpy(text, p.at, length);
    return text;
}

/* Vertices */

tl_buildkit *tl_buildkit_new(tl_progress_sink sink, void *context)
{
    tl_buildkit *b = tl_calloc(1, sizeof *b);
    b->sink = sink;
    b->context = context;
    return b;
}

void tl_buildkit_free(tl_buildkit *b)
{
    if (!b) return;
    for (size_t i = 0; i < b->count; i++) {
        vertex *v = b->vertices[i];
        tl_output_dispose(&v->output);
        free(v->digest);
        free(v->instruction);
        free(v->error);
        free(v);
    }
    free(b->vertices);
    free(b);
}

static vertex *find_vertex(tl_buildkit *b, tl_protobuf digest)
{
    for (size_t i = 0; i < b->count; i++) {
        const char *known = b->vertices[i]->digest;
        size_t length = tl_protobuf_length(digest);
        if (strlen(known) == length && !memcmp(known, digest.at, length)) return b->vertices[i];
    }
    vertex *v = tl_calloc(1, sizeof *v);
    v->digest = text_of(digest);
    tl_output_init(&v->output);
    b->vertices = tl_realloc(b->vertices, (b->count + 1) * sizeof *b->vertices);
    b->vertices[b->count++] = v;
    return v;
}

/* "[build 3/5] RUN make" is a step of the stage `build`; "[internal] load metadata for …" is none. */
static void name_vertex(tl_buildkit *b, vertex *v, tl_protobuf name)
{
    if (v->instruction) return;
    char *text = text_of(name), *close = strstr(text, "] ");
    char *slash = close ? memchr(text, '/', (size_t)(close - text)) : NULL;
    if (*text == '[' && slash) {
        v->instruction = tl_strdup(close + 2);
        b->steps++;
    }
    free(text);
}

typedef struct speaker {
    tl_buildkit *buildkit;
    vertex *vertex;
} speaker;

static void emit(tl_buildkit *b, const vertex *v, tl_progress_kind kind, const char *text)
{
    b->sink(b->context, &(tl_progress_event){.kind = kind, .step = v->step, .steps = b->steps, .text = text});
}

static void take_line(void *data, const char *line)
{
    speaker *s = data;
    if (!*line) return;
    tl_output_keep(&s->vertex->output, line);
    emit(s->buildkit, s->vertex, TL_PROGRESS_OUTPUT, line);
}

/* A vertex comes anew with each change. */
typedef struct change {
    tl_protobuf digest, name, error;
    int started, completed, cached;
} change;

static void apply(tl_buildkit *b, const change *c)
{
    if (!tl_protobuf_length(c->digest)) return;
    vertex *v = find_vertex(b, c->digest);
    if (tl_protobuf_length(c->name)) name_vertex(b, v, c->name);
    v->cached = c->cached;
    if (c->completed) tl_output_flush(&v->output, take_line, &(speaker){b, v});
    if (tl_protobuf_length(c->error)) {
        free(v->error);
        v->error = text_of(c->error);
    }
    if (!v->instruction || !c->started || v->step) return;
    v->step = ++b->begun;
    emit(b, v, TL_PROGRESS_STEP, v->instruction);
}

/* Vertex: digest 1, name 3, cached 4, started 5, completed 6, error 7. */
static void take_vertex(tl_buildkit *b, tl_protobuf in)
{
    change c = {0};
    for (tl_protobuf_field f; tl_protobuf_next(&in, &f);) {
        if (f.number == 1) c.digest = f.bytes;
        if (f.number == 3) c.name = f.bytes;
        if (f.number == 4) c.cached = f.value != 0;
        if (f.number == 5) c.started = 1;
        if (f.number == 6) c.completed = 1;
        if (f.number == 7) c.error = f.bytes;
    }
    apply(b, &c);
}

static void add_output(tl_buildkit *b, tl_protobuf digest, const char *bytes, size_t length)
{
    if (!tl_protobuf_length(digest)) return;
    vertex *v = find_vertex(b, digest);
    tl_output_feed(&v->output, bytes, length, take_line, &(speaker){b, v});
}

/* VertexLog: vertex 1, msg 4. */
static void take_log(tl_buildkit *b, tl_protobuf in)
{
    tl_protobuf digest = {0}, said = {0};
    for (tl_protobuf_field f; tl_protobuf_next(&in, &f);) {
        if (f.number == 1) digest = f.bytes;
        if (f.number == 4) said = f.bytes;
    }
    add_output(b, digest, (const char *)said.at, tl_protobuf_length(said));
}

void tl_buildkit_take(tl_buildkit *b, const char *text)
{
    tl_buf bytes = TL_BUF_INIT(LONGEST_TRACE);
    if (tl_base64_decode(&bytes, text, strlen(text), TL_BASE64_STD, NULL) == 0) {
        const unsigned char *data = (const unsigned char *)bytes.data;
        tl_protobuf in = {data, data + bytes.len};
        for (tl_protobuf_field f; tl_protobuf_next(&in, &f);) {
            if (f.number == 1) take_vertex(b, f.bytes);
            if (f.number == 3) take_log(b, f.bytes);
        }
    }
    tl_buf_dispose(&bytes);
}

/* A base image comes from nowhere else: that says nothing of the cache. */
int tl_buildkit_cached(const tl_buildkit *b)
{
    for (size_t i = 0; i < b->count; i++) {
        const vertex *v = b->vertices[i];
        if (v->step && !v->cached && strncmp(v->instruction, "FROM ", 5)) return 0;
    }
    return b->begun > 0;
}

/* Steps that ran beside the failing one have failed, too: they were cancelled. */
const char *tl_buildkit_failed(const tl_buildkit *b, const char *failure, int *step, int *steps, tl_buf *tail)
{
    for (size_t i = 0; i < b->count; i++) {
        const vertex *v = b->vertices[i];
        if (!v->error || !v->step || !strstr(failure, v->error)) continue;
        *step = v->step;
        *steps = b->steps;
        tl_output_tail(&v->output, tail);
        return v->instruction;
    }
    return NULL;
}
