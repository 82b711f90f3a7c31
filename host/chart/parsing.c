/* Templates parsed ahead of the render that needs them. */
#include "chart/parsing.h"

#include <stdlib.h>
#include <string.h>

#define READ_MEMORY ((size_t)512 << 20)

typedef struct tl_chart_parsed {
    tl_ahead_item item;
    const char *data;
    size_t size;
    const tl_template_text *text;
} tl_chart_parsed;

tl_chart_parsing *tl_chart_parsing_new(const tl_ahead_help *help)
{
    tl_chart_parsing *p = tl_calloc(1, sizeof *p);
    p->ahead = tl_ahead_new(help);
    p->owners = tl_arena_new(0);
    p->others = tl_arena_new(0);
    p->read = tl_arena_new(READ_MEMORY);
    return p;
}

void tl_chart_parsing_free(tl_chart_parsing *p)
{
    if (!p) return;
    tl_ahead_free(p->ahead);
    tl_arena_free(p->read);
    tl_arena_free(p->others);
    tl_arena_free(p->owners);
    free(p);
}

static void parse(tl_ahead_item *item, tl_arena *arena)
{
    tl_chart_parsed *parsed = (tl_chart_parsed *)item;
    parsed->text = tl_template_text_new(arena, parsed->data, parsed->size);
}

void tl_chart_parsing_add(tl_chart_parsing *p, tl_chart_file *file)
{
    tl_chart_parsed **same = &p->recent[file->size % TL_CHART_RECENT], *added = *same;
    if (added && added->size == file->size && !memcmp(added->data, file->data, file->size)) {
        file->parsed = added;
        return;
    }
    *same = added = tl_arena_alloc(p->owners, sizeof *added);
    *added = (tl_chart_parsed){{.work = parse, .owners = p->owners, .others = p->others, .size = file->size},
                                file->data, file->size, NULL};
    file->parsed = added;
    p->size += file->size;
    tl_ahead_add(p->ahead, &added->item);
}

const tl_template_text *tl_chart_parsing_get(tl_chart_parsing *p, const tl_chart_file *file)
{
    if (!file->parsed) return NULL;
    tl_ahead_finish(p->ahead, &file->parsed->item);
    return file->parsed->text;
}
