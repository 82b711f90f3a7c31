/* Work done ahead: every item once, by one thread or the other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/ahead.h"
#include "base/thread.h"

#define ITEMS 2000

typedef struct unit {
    tl_ahead_item item;
    tl_arena *got;
    int times;
} unit;

typedef struct helper {
    tl_ahead *ahead;
    pthread_t thread;
    int runs, calls, declines;
} helper;

static void work(tl_ahead_item *item, tl_arena *arena)
{
    unit *u = (unit *)item;
    u->got = arena;
    memset(tl_arena_alloc(arena, 100), u->times++, 100);
}

static void *run(void *data)
{
    tl_ahead_work(((helper *)data)->ahead);
    return NULL;
}

static void dismiss(void *context)
{
    helper *h = context;
    if (h->runs) pthread_join(h->thread, NULL);
    h->runs = 0;
}

static int call(void *context)
{
    helper *h = context;
    h->calls++;
    if (h->declines-- > 0) return 0;
    dismiss(h); /* one that has left already */
    h->runs = !tl_thread_start(&h->thread, run, h, NULL);
    return h->runs;
}

typedef struct world {
    helper h;
    tl_arena *owners, *others;
    unit units[ITEMS];
} world;

static world *begin(int with_help)
{
    world *w = tl_calloc(1, sizeof *w);
    const tl_ahead_help help = {call, dismiss, &w->h};
    w->owners = tl_arena_new(0);
    w->others = tl_arena_new(0);
    w->h.ahead = tl_ahead_new(with_help ? &help : NULL);
    return w;
}

static void end(world *w)
{
    tl_ahead_free(w->h.ahead);
    assert_int_equal(w->h.runs, 0);
    tl_arena_free(w->owners);
    tl_arena_free(w->others);
    free(w);
}

static void add(world *w, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        w->units[i] = (unit){.item = {.work = work, .owners = w->owners, .others = w->others, .size = i % 3 * 8000}};
        tl_ahead_add(w->h.ahead, &w->units[i].item);
    }
}

static size_t finish(world *w, size_t from, size_t to)
{
    size_t others = 0;
    for (size_t i = to; i-- > from;) {
        tl_ahead_finish(w->h.ahead, &w->units[i].item);
        assert_int_equal(w->units[i].times, 1);
        others += w->units[i].got == w->others;
    }
    return others;
}

static void each_item_is_done_once(void **state)
{
    (void)state;
    for (int round = 0; round < 50; round++) {
        world *w = begin(1);
        w->h.declines = round % 3;
        tl_ahead_open(w->h.ahead);
        add(w, 0, ITEMS / 2);
        if (round % 2) tl_ahead_close(w->h.ahead);
        finish(w, ITEMS / 4, ITEMS / 2);
        tl_ahead_open(w->h.ahead); /* the other thread may be there still, or have left */
        add(w, ITEMS / 2, ITEMS);
        if (round % 5) tl_ahead_close(w->h.ahead);
        finish(w, 0, ITEMS);
        end(w);
    }
}

static void without_help_the_owner_does_all(void **state)
{
    (void)state;
    world *w = begin(0);
    tl_ahead_open(w->h.ahead);
    add(w, 0, ITEMS);
    assert_int_equal(finish(w, 0, ITEMS), 0);
    end(w);
}

static void the_other_thread_comes_first_to_what_is_left_to_it(void **state)
{
    (void)state;
    world *w = begin(1);
    tl_ahead_open(w->h.ahead);
    add(w, 0, ITEMS);
    tl_ahead_close(w->h.ahead);
    dismiss(&w->h); /* returns when it has done all */
    assert_int_equal(w->h.calls, 1);
    assert_int_equal(finish(w, 0, ITEMS), ITEMS);
    end(w);
}

static void an_end_leaves_items_undone_that_may_be_finished_later(void **state)
{
    (void)state;
    for (int round = 0; round < 50; round++) {
        world *w = begin(1);
        tl_ahead_open(w->h.ahead);
        add(w, 0, ITEMS);
        tl_ahead_end(w->h.ahead);
        finish(w, 0, ITEMS);
        tl_ahead_open(w->h.ahead); /* and the next begins anew */
        add(w, 0, 10);
        finish(w, 0, 10);
        end(w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_item_is_done_once),
        cmocka_unit_test(without_help_the_owner_does_all),
        cmocka_unit_test(the_other_thread_comes_first_to_what_is_left_to_it),
        cmocka_unit_test(an_end_leaves_items_undone_that_may_be_finished_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
