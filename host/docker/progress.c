/* The engine's progress messages: build steps and their output, layers, the final failure. */
#include "docker/progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "data/cjson_dl.h"
#include "docker/buildkit.h"
#include "docker/output.h"

#define LONGEST_MESSAGE ((size_t)16 << 20)

typedef struct layer {
    char *id;
    int64_t bytes, total;
} layer;

struct tl_progress {
    const tl_cjson *cjson;
    tl_progress_sink sink;
    void *context;
    tl_buf message; /* a message that has not ended */
    tl_output output; /* of the running step */
    tl_buildkit *buildkit; /* where that builds: it tells steps and output its own way */
    int step, steps, counts, fresh; /* counts: the step could come from the cache; fresh: steps that did not */
    char *instruction;
    tl_buf tail_text;
    char *failure;
    int failure_status;
    char *id;
    char **loaded;
    size_t loaded_count;
    layer *layers;
    size_t layer_count;
};

tl_progress *tl_progress_new(tl_progress_sink sink, void *context, tl_error *err)
{
    const tl_cjson *cjson = tl_cjson_load(err);
    if (!cjson) return NULL;
    tl_progress *p = tl_calloc(1, sizeof *p);
    p->cjson = cjson;
    p->sink = sink;
    p->context = context;
    tl_buf_init(&p->message, LONGEST_MESSAGE);
    tl_output_init(&p->output);
    tl_buf_init(&p->tail_text, SIZE_MAX);
    return p;
}

void tl_progress_free(tl_progress *p)
{
    if (!p) return;
    tl_output_dispose(&p->output);
    tl_buildkit_free(p->buildkit);
    tl_buf_dispose(&p->message);
    tl_buf_dispose(&p->tail_text);
    for (size_t i = 0; i < p->loaded_count; i++) free(p->loaded[i]);
    for (size_t i = 0; i < p->layer_count; i++) free(p->layers[i].id);
    free(p->loaded);
    free(p->layers);
    free(p->instruction);
    free(p->failure);
    free(p->id);
    free(p);
}

static void emit(tl_progress *p, tl_progress_kind kind, const char *text)
{
    tl_progress_event event = {.kind = kind, .step = p->step, .steps = p->steps, .text = text};
    for (size_t i = 0; i < p->layer_count && kind == TL_PROGRESS_PULL; i++) {
        event.bytes += p->layers[i].bytes;
        event.total += p->layers[i].total;
    }
    p->sink(p->context, &event);
}

static void set_text(char **slot, const char *text)
{
    free(*slot);
    *slot = tl_strdup(text);
}

static int starts(const char *text, const char *with)
{
    return !strncmp(text, with, strlen(with));
}

/* "Step 3/9 : RUN make" */
static int read_step(tl_progress *p, const char *line)
{
    int step, steps, at = 0;
    if (sscanf(line, "Step %d/%d : %n", &step, &steps, &at) != 2 || !at) return 0;
    p->fresh += p->counts;
    p->step = step;
    p->steps = steps;
    p->counts = !starts(line + at, "FROM ");
    set_text(&p->instruction, line + at);
    tl_output_forget(&p->output);
    emit(p, TL_PROGRESS_STEP, p->instruction);
    return 1;
}

static void add_loaded(tl_progress *p, const char *name)
{
    p->loaded = tl_realloc(p->loaded, (p->loaded_count + 1) * sizeof *p->loaded);
    p->loaded[p->loaded_count++] = tl_strdup(name);
}

/* The builder's own remarks between what the steps print. */
static int is_remark(tl_progress *p, const char *line)
{
    if (starts(line, " ---> Using cache")) p->counts = 0;
    if (starts(line, " ---> ") || starts(line, "Removing intermediate container ")) return 1;
    if (starts(line, "Successfully tagged ")) return 1;
    if (starts(line, "Successfully built ")) {
        if (!p->id) set_text(&p->id, line + strlen("Successfully built "));
        return 1;
    }
    if (starts(line, "Loaded image: ")) {
        add_loaded(p, line + strlen("Loaded image: "));
        return 1;
    }
    if (starts(line, "Loaded image ID: ")) {
        add_loaded(p, line + strlen("Loaded image ID: "));
        return 1;
    }
    return 0;
}

/* The builder paints what commands write to standard error, red on and off. */
static void drop_paint(tl_buf *line)
{
    static const char *const paint[] = {"\033[91m", "\033[0m"};
    for (size_t i = 0; i < 2; i++)
        for (char *at; (at = strstr(line->data, paint[i]));) {
            size_t length = strlen(paint[i]);
            memmove(at, at + length, strlen(at + length) + 1);
            line->len -= length;
        }
}

static void take_line(void *data, const char *line)
{
    tl_progress *p = data;
    drop_paint(&p->output.line);
    if (read_step(p, line) || is_remark(p, line) || !*line) return;
    tl_output_keep(&p->output, line);
    emit(p, TL_PROGRESS_OUTPUT, line);
}

static layer *find_layer(tl_progress *p, const char *id)
{
    for (size_t i = 0; i < p->layer_count; i++)
        if (!strcmp(p->layers[i].id, id)) return &p->layers[i];
    p->layers = tl_realloc(p->layers, (p->layer_count + 1) * sizeof *p->layers);
    p->layers[p->layer_count] = (layer){.id = tl_strdup(id)};
    return &p->layers[p->layer_count++];
}

static void take_status(tl_progress *p, const cJSON *message, const char *status)
{
    const char *id = tl_cjson_text(message, "id");
    const cJSON *detail = p->cjson->GetObjectItemCaseSensitive(message, "progressDetail");
    tl_buf text = TL_BUF_INIT(4096);
    if (!id && starts(status, "sha256:")) set_text(&p->id, status);
    if (id && (starts(status, "Downloading") || starts(status, "Pushing") || starts(status, "Loading layer"))) {
        layer *l = find_layer(p, id);
        l->bytes = (int64_t)tl_cjson_number(detail, "current", (double)l->bytes);
        l->total = (int64_t)tl_cjson_number(detail, "total", (double)l->total);
    } else if (id && (starts(status, "Download complete") || starts(status, "Pushed"))) {
        layer *l = find_layer(p, id);
        l->bytes = l->total;
    }
    tl_buf_addf(&text, id ? "%s: %s" : "%s%s", id ? id : "", status);
    emit(p, TL_PROGRESS_PULL, text.data);
    tl_buf_dispose(&text);
}

static void take_message(tl_progress *p, const cJSON *message)
{
    const cJSON *aux = p->cjson->GetObjectItemCaseSensitive(message, "aux");
    const cJSON *detail = p->cjson->GetObjectItemCaseSensitive(message, "errorDetail");
    const char *stream = tl_cjson_text(message, "stream"), *status = tl_cjson_text(message, "status");
    const char *failure = tl_cjson_text(message, "error"), *id = aux ? tl_cjson_text(aux, "ID") : NULL;
    const char *kind = tl_cjson_text(message, "id"), *trace = tl_cjson_text(message, "aux");
    if (trace && kind && !strcmp(kind, "moby.buildkit.trace")) {
        if (!p->buildkit) p->buildkit = tl_buildkit_new(p->sink, p->context);
        tl_buildkit_take(p->buildkit, trace);
    }
    if (stream) tl_output_feed(&p->output, stream, strlen(stream), take_line, p);
    if (status) take_status(p, message, status);
    if (id) set_text(&p->id, id);
    if (!failure && detail) failure = tl_cjson_text(detail, "message");
    if (!failure) return;
    set_text(&p->failure, failure);
    if (detail) p->failure_status = (int)tl_cjson_number(detail, "code", 0);
}

static int parse(tl_progress *p, const char *text, size_t length, tl_error *err)
{
    while (length && (unsigned char)text[length - 1] <= ' ') length--;
    if (!length) return 0;
    cJSON *message = p->cjson->ParseWithLength(text, length);
    if (!message) return tl_error_set(err, "parse", "the engine sent no progress message: %.*s", (int)(length < 200 ? length : 200), text);
    take_message(p, message);
    p->cjson->Delete(message);
    return 0;
}

int tl_progress_feed(tl_progress *p, const char *bytes, size_t length, tl_error *err)
{
    while (length) {
        const char *newline = memchr(bytes, '\n', length);
        size_t piece = newline ? (size_t)(newline - bytes) + 1 : length;
        tl_buf_add(&p->message, bytes, piece);
        if (p->message.over) return tl_error_set(err, "too_large", "the engine sent a progress message without end");
        bytes += piece;
        length -= piece;
        if (!newline) break;
        int result = parse(p, p->message.data, p->message.len, err);
        tl_buf_clear(&p->message);
        if (result < 0) return -1;
    }
    return 0;
}

static void explain(tl_progress *p, tl_error *err)
{
    const char *why = p->failure;
    if (strstr(why, "no space left on device")) {
        if (err) snprintf(err->kind, sizeof err->kind, "no_space");
        tl_error_hint(err, "the engine's disk is full: docker system df shows by what, docker system prune frees some");
    } else if (strstr(why, "pull access denied") || strstr(why, "manifest unknown") || strstr(why, "manifest for ")) {
        if (err) snprintf(err->kind, sizeof err->kind, "pull");
        tl_error_hint(err, "check the image's name and tag; a private image needs docker login, a local one must be made first");
    } else if (strstr(why, "dial tcp") || strstr(why, "no such host") || strstr(why, "TLS handshake") ||
               strstr(why, "Client.Timeout") || strstr(why, "x509:")) {
        if (err) snprintf(err->kind, sizeof err->kind, "pull");
        tl_error_hint(err, "the engine cannot reach the registry: check its network, proxy and certificates");
    }
}

/* BuildKit tells the exit status in words, and names the command again, which the step does. */
static void take_failed_step(tl_progress *p)
{
    const char *instruction = tl_buildkit_failed(p->buildkit, p->failure, &p->step, &p->steps, &p->tail_text);
    const char *status = strstr(p->failure, "exit code: ");
    if (!instruction) return;
    set_text(&p->instruction, instruction);
    if (!status) return;
    p->failure_status = atoi(status + strlen("exit code: "));
    tl_buf said = TL_BUF_INIT(SIZE_MAX);
    tl_buf_addf(&said, "The command returned a non-zero code: %d", p->failure_status);
    set_text(&p->failure, said.data);
    tl_buf_dispose(&said);
}

int tl_progress_end(tl_progress *p, tl_error *err)
{
    if (p->message.len && parse(p, p->message.data, p->message.len, err) < 0) return -1;
    tl_buf_clear(&p->message);
    tl_output_flush(&p->output, take_line, p);
    p->fresh += p->counts;
    p->counts = 0;
    if (!p->failure) return 0;
    if (p->buildkit) take_failed_step(p);
    if (p->step)
        tl_error_set(err, "build", "step %d of %d failed: %s: %s", p->step, p->steps, p->instruction, p->failure);
    else
        tl_error_set(err, "engine", "%s", p->failure);
    if (err) err->status = p->failure_status;
    explain(p, err);
    return -1;
}

const char *tl_progress_tail(const tl_progress *progress)
{
    tl_progress *p = (tl_progress *)progress; /* the text is made on demand */
    if (!p->buildkit) {
        tl_buf_clear(&p->tail_text);
        tl_output_tail(&p->output, &p->tail_text);
    }
    return p->tail_text.data;
}

const char *tl_progress_id(const tl_progress *p)
{
    return p->id;
}

const char *const *tl_progress_loaded(const tl_progress *p, size_t *count)
{
    *count = p->loaded_count;
    return (const char *const *)p->loaded;
}

int tl_progress_cached(const tl_progress *p)
{
    if (p->buildkit) return tl_buildkit_cached(p->buildkit) && !p->failure;
    return p->steps > 0 && !p->fresh && !p->failure;
}
