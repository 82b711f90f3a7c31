/* Which place of which template wrote a line of the output. */
#include <string.h>

#include "template/internal.h"

/* A node's piece of an output begins at `from`. The texts that include and tpl gave it end before `texts`. */
typedef struct segment {
    size_t from, texts;
    const tl_template *tmpl;
    const tl_node *node;
} segment;

/* What include or tpl gave, with the nodes that wrote it. */
typedef struct text {
    tl_span bytes;
    const segment *segments;
    size_t count, first_text;
} text;

struct tl_trace {
    const tl_template_wanted *wanted;
    tl_arena *arena;
    segment *segments; /* of the output in work, and behind them those of the texts in work */
    size_t count, cap;
    text *texts;
    size_t text_count, text_cap;
};

tl_trace *tl_trace_new(tl_arena *arena, const tl_template_wanted *wanted)
{
    tl_trace *trace = tl_arena_zalloc(arena, sizeof *trace);
    trace->arena = arena;
    trace->wanted = wanted;
    return trace;
}

void tl_trace_wrote(tl_exec *x, const tl_node *node, size_t from)
{
    tl_trace *t = x->render->trace;
    if (x->out->len == from) return;
    if (t->count == t->cap) {
        size_t cap = t->cap ? t->cap * 2 : 64;
        t->segments = tl_arena_grow(t->arena, t->segments, t->cap * sizeof *t->segments, cap * sizeof *t->segments);
        t->cap = cap;
    }
    t->segments[t->count++] = (segment){from, t->text_count, x->tmpl, node};
}

tl_trace_mark tl_trace_begin(const tl_exec *x)
{
    const tl_trace *t = x->render->trace;
    return t ? (tl_trace_mark){t->count, t->text_count} : (tl_trace_mark){0, 0};
}

void tl_trace_end(tl_exec *x, tl_trace_mark mark, size_t from)
{
    tl_trace *t = x->render->trace;
    size_t count = t->count - mark.segments;
    segment *own = tl_arena_alloc(t->arena, (count + 1) * sizeof *own);
    for (size_t i = 0; i < count; i++) {
        own[i] = t->segments[mark.segments + i];
        own[i].from -= from;
    }
    t->count = mark.segments;
    if (t->text_count == t->text_cap) {
        size_t cap = t->text_cap ? t->text_cap * 2 : 64;
        t->texts = tl_arena_grow(t->arena, t->texts, t->text_cap * sizeof *t->texts, cap * sizeof *t->texts);
        t->text_cap = cap;
    }
    size_t length = x->out->len - from;
    t->texts[t->text_count++] = (text){{tl_arena_strndup(t->arena, x->out->data + from, length), (uint32_t)length},
                                       own, count, mark.texts};
}

static int is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* The line that starts at s, without the blanks around it. */
static tl_span line_at(const char *s, size_t length)
{
    const char *end = memchr(s, '\n', length);
    if (!end) end = s + length;
    while (s < end && is_blank(*s)) s++;
    while (s < end && is_blank(end[-1])) end--;
    return (tl_span){s, (uint32_t)(end - s)};
}

/* Where that line stands in the text; 0 where it does not. */
static int find_line(tl_span bytes, tl_span line, size_t *at)
{
    for (const char *s = bytes.s, *end = bytes.s + bytes.len; s && s < end;) {
        tl_span one = line_at(s, (size_t)(end - s));
        if (one.len == line.len && !memcmp(one.s, line.s, line.len)) {
            *at = (size_t)(one.s - bytes.s);
            return 1;
        }
        s = memchr(s, '\n', (size_t)(end - s));
        if (s) s++;
    }
    return 0;
}

/* The source's line of the byte at `delta` of what the node wrote. */
static int source_line(const segment *at, size_t delta)
{
    const tl_source *source = at->tmpl->source;
    size_t pos = at->node->type == TL_NODE_TEXT ? (size_t)(at->node->as.written.s - source->text) + delta : at->node->pos;
    int line = 1;
    for (size_t i = 0; i < pos && i < source->length; i++) line += source->text[i] == '\n';
    return line;
}

/* Appends the places of the byte at `at` of an output, the innermost first. */
static void report(const tl_trace *t, const text *output, size_t at, tl_span line)
{
    const segment *found = NULL;
    size_t first_text = output->first_text, inner;
    for (size_t i = 0; i < output->count && output->segments[i].from <= at; i++) {
        if (found) first_text = found->texts;
        found = &output->segments[i];
    }
    if (!found) return;
    for (size_t i = found->node->type == TL_NODE_TEXT ? first_text : found->texts; i-- > first_text;) {
        if (!find_line(t->texts[i].bytes, line, &inner)) continue;
        report(t, &t->texts[i], inner, line);
        break;
    }
    tl_buf *out = t->wanted->places;
    tl_buf_addf(out, "%s%s:%d", out->len ? ", included in " : "", found->tmpl->source->name,
                source_line(found, at - found->from));
}

void tl_trace_report(const tl_trace *t, const tl_buf *out, size_t from)
{
    const char *at = out->data + from, *end = out->data + out->len;
    for (int line = 1; at && line < t->wanted->line; line++) {
        at = memchr(at, '\n', (size_t)(end - at));
        if (at) at++;
    }
    if (!at || at >= end) return;
    tl_span line = line_at(at, (size_t)(end - at));
    text all = {{out->data, (uint32_t)out->len}, t->segments, t->count, 0};
    report(t, &all, (size_t)(line.s - out->data), line);
}
