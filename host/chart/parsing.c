/* Templates parsed ahead of the render that needs them. */
#include "chart/parsing.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { WAITS, TAKEN, DONE };

typedef struct tl_chart_parsed {
    const tl_chart_file *file;
    _Atomic int state;
    const tl_template_text *text;
} tl_chart_parsed;

struct tl_chart_parsing {
    tl_chart_parsed *items;
    size_t count, size;
    tl_arena *arena, *ahead; /* of the thread that renders, of the one that works ahead */
    _Atomic int stopped, awaited;
    pthread_mutex_t lock; /* only for waiting: locks that are fought for let both threads end up on one processor */
    pthread_cond_t done;
};

static size_t count_templates(const tl_chart *chart)
{
    size_t count = chart->templates.len;
    for (size_t i = 0; i < chart->chart_count; i++) count += count_templates(chart->charts[i]);
    return count;
}

static void collect(tl_chart_parsing *p, tl_chart *chart)
{
    for (size_t i = 0; i < chart->templates.len; i++) {
        tl_chart_file *file = &chart->templates.items[i];
        tl_chart_parsed *item = &p->items[p->count++];
        item->file = file;
        file->parsed = item;
        p->size += file->size;
    }
    for (size_t i = 0; i < chart->chart_count; i++) collect(p, chart->charts[i]);
}

tl_chart_parsing *tl_chart_parsing_new(tl_chart *chart)
{
    tl_chart_parsing *p = tl_calloc(1, sizeof *p);
    p->items = tl_calloc(count_templates(chart), sizeof *p->items);
    p->arena = tl_arena_new(0);
    p->ahead = tl_arena_new(0);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->done, NULL);
    collect(p, chart);
    return p;
}

void tl_chart_parsing_free(tl_chart_parsing *p)
{
    if (!p) return;
    pthread_cond_destroy(&p->done);
    pthread_mutex_destroy(&p->lock);
    tl_arena_free(p->ahead);
    tl_arena_free(p->arena);
    free(p->items);
    free(p);
}

size_t tl_chart_parsing_size(const tl_chart_parsing *p)
{
    return p->size;
}

/* Parses the text unless the other thread has taken it. */
static void parse(tl_chart_parsed *item, tl_arena *arena)
{
    int expected = WAITS;
    if (!atomic_compare_exchange_strong(&item->state, &expected, TAKEN)) return;
    item->text = tl_template_text_new(arena, item->file->data, item->file->size);
    atomic_store(&item->state, DONE);
}

void tl_chart_parsing_ahead(tl_chart_parsing *p)
{
    for (size_t i = 0; i < p->count && !atomic_load(&p->stopped); i++) {
        parse(&p->items[i], p->ahead);
        if (!atomic_load(&p->awaited)) continue;
        pthread_mutex_lock(&p->lock);
        pthread_cond_signal(&p->done);
        pthread_mutex_unlock(&p->lock);
    }
}

void tl_chart_parsing_stop(tl_chart_parsing *p)
{
    atomic_store(&p->stopped, 1);
}

const tl_template_text *tl_chart_parsing_get(tl_chart_parsing *p, const tl_chart_file *file)
{
    tl_chart_parsed *item = file->parsed;
    parse(item, p->arena);
    if (atomic_load(&item->state) == DONE) return item->text;
    pthread_mutex_lock(&p->lock);
    atomic_store(&p->awaited, 1);
    while (atomic_load(&item->state) != DONE) pthread_cond_wait(&p->done, &p->lock);
    atomic_store(&p->awaited, 0);
    pthread_mutex_unlock(&p->lock);
    return item->text;
}
