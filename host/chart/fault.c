/* Where rendered text stops being YAML. */
#include "chart/fault.h"

#include <stdio.h>
#include <string.h>

#include "chart/text.h"
#include "data/yaml.h"

#define MEMORY ((size_t)1 << 30)
#define SEE_ALL "todo-lua helm template --debug prints what was rendered"

/* Lines count from 1 in the whole file; 0: unknown. */
typedef struct fault {
    const char *path; /* of the rendered file */
    int line;         /* where reading stopped */
    int start;        /* where the quoted text, list or map around it starts, where that is another line */
} fault;

static int lines_before(const char *text, const char *at)
{
    int lines = 0;
    for (; text < at; text++) lines += *text == '\n';
    return lines;
}

/* The places in the messages of tl_yaml_parse: "NAME:LINE:COLUMN: …", with the hint "… that starts in line LINE". */
static void read_places(fault *out, const tl_error *err, int before)
{
    const char *start = err->hint ? strstr(err->hint, "starts in line ") : NULL;
    int line;
    if (err->message && sscanf(err->message, "yaml:%d:", &line) == 1) out->line = before + line;
    if (start && sscanf(start, "starts in line %d", &line) == 1) out->start = before + line;
}

static int check_file(fault *out, tl_arena *arena, const tl_rendered_file *file)
{
    const tl_yaml_options options = {.name = "yaml"};
    tl_manifests documents = {0};
    int failed = 0;
    if (tl_text_names_partial(file->path)) return 0;
    tl_manifest_split(&documents, arena, file->text, file->size);
    for (size_t d = 0; d < documents.len && !failed; d++) {
        const tl_manifest *document = &documents.items[d];
        tl_error err = {0};
        tl_value ignored;
        failed = tl_yaml_parse(arena, document->content, document->size, &options, &ignored, &err) < 0;
        if (failed) {
            out->path = file->path;
            read_places(out, &err, lines_before(file->text, document->content));
        }
        tl_error_dispose(&err);
    }
    return failed;
}

/* The first one of the file that the error names. */
static int find_fault(fault *out, const tl_rendered *rendered, const tl_error *err)
{
    static const char head[] = "YAML parse error on ";
    const char *path = err->message + strlen(head);
    int found = 0;
    if (strncmp(err->message, head, strlen(head))) return 0;
    tl_arena *arena = tl_arena_new(MEMORY);
    for (size_t i = 0; i < rendered->file_count && !found; i++) {
        size_t length = strlen(rendered->files[i].path);
        if (strncmp(path, rendered->files[i].path, length) || strncmp(path + length, ": error converting", 18)) continue;
        found = check_file(out, arena, &rendered->files[i]);
    }
    tl_arena_free(arena);
    return found;
}

typedef struct question {
    const tl_chart *chart;
    const tl_map *user;
    tl_render_options options;
    const char *path;
} question;

/* Appends what wrote the line. */
static void tell(const question *q, const char *text, int line, tl_buf *out)
{
    tl_buf places = TL_BUF_INIT(1 << 16);
    tl_template_wanted wanted = {q->path, line, &places};
    tl_render_options options = q->options;
    tl_error ignored = {0};
    tl_rendered again;
    tl_arena *arena = tl_arena_new(MEMORY);
    options.wanted = &wanted;
    tl_chart_render(&again, arena, q->chart, q->user, &options, &ignored);
    if (places.len) tl_buf_addf(out, "%s%s; ", text, places.data);
    tl_error_dispose(&ignored);
    tl_buf_dispose(&places);
    tl_arena_free(arena);
}

void tl_chart_explain_fault(tl_error *err, const tl_rendered *rendered, const tl_chart *chart, const tl_map *user,
                            const tl_render_options *options)
{
    fault found = {0};
    tl_buf hint = TL_BUF_INIT(1 << 18);
    if (!err || !err->message) return;
    if (find_fault(&found, rendered, err)) {
        question q = {chart, user, *options, found.path};
        if (found.line) tell(&q, "written by ", found.line, &hint);
        if (found.start) tell(&q, "what it belongs to starts in ", found.start, &hint);
    }
    tl_error_hint(err, "%s%s", hint.len ? hint.data : "", SEE_ALL);
    tl_buf_dispose(&hint);
}
