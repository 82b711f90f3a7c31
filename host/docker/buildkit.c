/* BuildKit's messages on a build: vertices, which become steps, and what they print. */
#include "docker/buildkit.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "data/base64.h"
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

/* Protocol Buffers */

typedef struct piece {
    const unsigned char *at, *end;
} piece;

typedef struct field {
    int number;
    piece bytes;    /* of wire type 2 */
    uint64_t value; /* of wire type 0 */
} field;

enum { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5 };

static int read_varint(piece *in, uint64_t *value)
{
    *value = 0;
    for (int shift = 0; shift < 64 && in->at < in->end; shift += 7) {
        unsigned char byte = *in->at++;
        *value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) return 1;
    }
    return 0;
}

/* 1 and the next field; 0 at the end, and where the rest is no message. */
static int next_field(piece *in, field *f)
{
    uint64_t key, length;
    if (!read_varint(in, &key)) return 0;
    *f = (field){.number = (int)(key >> 3)};
    switch (key & 7) {
    case VARINT: return read_varint(in, &f->value);
    case FIXED64: length = 8; break;
    case FIXED32: length = 4; break;
    case BYTES:
        if (!read_varint(in, &length)) return 0;
        break;
    default: return 0;
    }
    if (length > (uint64_t)(in->end - in->at)) return 0;
    f->bytes = (piece){in->at, in->at + length};
    in->at += length;
    return 1;
}

static size_t length_of(piece p)
{
    return (size_t)(p.end - p.at);
}

static char *text_of(piece p)
{
    size_t length = length_of(p) < LONGEST_NAME ? length_of(p) : LONGEST_NAME;
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

static vertex *find_vertex(tl_buildkit *b, piece digest)
{
    for (size_t i = 0; i < b->count; i++) {
        const char *known = b->vertices[i]->digest;
        if (strlen(known) == length_of(digest) && !memcmp(known, digest.at, length_of(digest))) return b->vertices[i];
    }
    vertex *v = tl_calloc(1, sizeof *v);
    v->digest = text_of(digest);
    tl_output_init(&v->output);
    b->vertices = tl_realloc(b->vertices, (b->count + 1) * sizeof *b->vertices);
    b->vertices[b->count++] = v;
    return v;
}

/* "[build 3/5] RUN make" is a step of the stage `build`; "[internal] load metadata for …" is none. */
static void name_vertex(tl_buildkit *b, vertex *v, piece name)
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
    piece digest, name, error;
    int started, completed, cached;
} change;

static void apply(tl_buildkit *b, const change *c)
{
    if (!length_of(c->digest)) return;
    vertex *v = find_vertex(b, c->digest);
    if (length_of(c->name)) name_vertex(b, v, c->name);
    v->cached = c->cached;
    if (c->completed) tl_output_flush(&v->output, take_line, &(speaker){b, v});
    if (length_of(c->error)) {
        free(v->error);
        v->error = text_of(c->error);
    }
    if (!v->instruction || !c->started || v->step) return;
    v->step = ++b->begun;
    emit(b, v, TL_PROGRESS_STEP, v->instruction);
}

/* Vertex: digest 1, name 3, cached 4, started 5, completed 6, error 7. */
static void take_vertex(tl_buildkit *b, piece in)
{
    change c = {0};
    for (field f; next_field(&in, &f);) {
        if (f.number == 1) c.digest = f.bytes;
        if (f.number == 3) c.name = f.bytes;
        if (f.number == 4) c.cached = f.value != 0;
        if (f.number == 5) c.started = 1;
        if (f.number == 6) c.completed = 1;
        if (f.number == 7) c.error = f.bytes;
    }
    apply(b, &c);
}

static void add_output(tl_buildkit *b, piece digest, const char *bytes, size_t length)
{
    if (!length_of(digest)) return;
    vertex *v = find_vertex(b, digest);
    tl_output_feed(&v->output, bytes, length, take_line, &(speaker){b, v});
}

/* VertexLog: vertex 1, msg 4. */
static void take_log(tl_buildkit *b, piece in)
{
    piece digest = {0}, said = {0};
    for (field f; next_field(&in, &f);) {
        if (f.number == 1) digest = f.bytes;
        if (f.number == 4) said = f.bytes;
    }
    add_output(b, digest, (const char *)said.at, length_of(said));
}

static piece member(const cJSON *object, const char *name)
{
    const char *text = tl_cjson_text(object, name);
    const unsigned char *at = (const unsigned char *)text;
    return text ? (piece){at, at + strlen(text)} : (piece){0};
}

static void take_json_log(tl_buildkit *b, const cJSON *log)
{
    tl_buf bytes = TL_BUF_INIT(LONGEST_TRACE);
    piece data = member(log, "data");
    if (tl_base64_decode(&bytes, (const char *)data.at, length_of(data), TL_BASE64_STD, NULL) == 0)
        add_output(b, member(log, "vertex"), bytes.data, bytes.len);
    tl_buf_dispose(&bytes);
}

void tl_buildkit_take_status(tl_buildkit *b, const tl_cjson *cjson, const cJSON *status)
{
    const cJSON *vertices = cjson->GetObjectItemCaseSensitive(status, "vertexes");
    const cJSON *logs = cjson->GetObjectItemCaseSensitive(status, "logs");
    for (const cJSON *v = vertices ? vertices->child : NULL; v; v = v->next) {
        const cJSON *cached = cjson->GetObjectItemCaseSensitive(v, "cached");
        const change c = {.digest = member(v, "digest"), .name = member(v, "name"), .error = member(v, "error"),
                          .started = tl_cjson_text(v, "started") != NULL, .completed = tl_cjson_text(v, "completed") != NULL,
                          .cached = cached && (cached->type & 0xff) == cJSON_True};
        apply(b, &c);
    }
    for (const cJSON *log = logs ? logs->child : NULL; log; log = log->next) take_json_log(b, log);
}

void tl_buildkit_take(tl_buildkit *b, const char *text)
{
    tl_buf bytes = TL_BUF_INIT(LONGEST_TRACE);
    if (tl_base64_decode(&bytes, text, strlen(text), TL_BASE64_STD, NULL) == 0) {
        const unsigned char *data = (const unsigned char *)bytes.data;
        piece in = {data, data + bytes.len};
        for (field f; next_field(&in, &f);) {
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
