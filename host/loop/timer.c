/* One-shot timers in a binary heap. */
#include <stdlib.h>

#include "base/mem.h"
#include "loop/loop_internal.h"

static void place(tl_loop *loop, int position, tl_timer *timer)
{
    loop->timers[position] = timer;
    timer->slot = position + 1;
}

static void sift_up(tl_loop *loop, int position, tl_timer *timer)
{
    while (position > 0) {
        int parent = (position - 1) / 2;
        if (loop->timers[parent]->due <= timer->due) break;
        place(loop, position, loop->timers[parent]);
        position = parent;
    }
    place(loop, position, timer);
}

static void sift_down(tl_loop *loop, int position, tl_timer *timer)
{
    for (;;) {
        int child = position * 2 + 1;
        if (child >= loop->timer_count) break;
        if (child + 1 < loop->timer_count && loop->timers[child + 1]->due < loop->timers[child]->due) child++;
        if (timer->due <= loop->timers[child]->due) break;
        place(loop, position, loop->timers[child]);
        position = child;
    }
    place(loop, position, timer);
}

void tl_timer_start(tl_loop *loop, tl_timer *timer, int64_t ms)
{
    tl_timer_stop(timer);
    timer->loop = loop;
    timer->due = loop->now + (ms > 0 ? ms : 0);
    if (loop->timer_count == loop->timer_cap) {
        loop->timer_cap = loop->timer_cap ? loop->timer_cap * 2 : 16;
        loop->timers = tl_realloc(loop->timers, (size_t)loop->timer_cap * sizeof *loop->timers);
    }
    sift_up(loop, loop->timer_count++, timer);
}

void tl_timer_stop(tl_timer *timer)
{
    if (!timer->slot) return;
    tl_loop *loop = timer->loop;
    int position = timer->slot - 1;
    timer->slot = 0;
    tl_timer *last = loop->timers[--loop->timer_count];
    if (last == timer) return;
    if (position > 0 && last->due < loop->timers[(position - 1) / 2]->due)
        sift_up(loop, position, last);
    else
        sift_down(loop, position, last);
}

int tl_timers_wait(const tl_loop *loop, int timeout_ms)
{
    if (!loop->timer_count) return timeout_ms;
    int64_t left = loop->timers[0]->due - loop->now;
    if (left < 0) left = 0;
    if (left > INT32_MAX) left = INT32_MAX;
    return timeout_ms < 0 || left < timeout_ms ? (int)left : timeout_ms;
}

void tl_timers_run(tl_loop *loop, int *called)
{
    /* A timer started by a callback with 0 ms is due in the next step, so this ends; the clock stands still meanwhile. */
    int most = loop->timer_count;
    while (most-- > 0 && loop->timer_count && loop->timers[0]->due <= loop->now) {
        tl_timer *timer = loop->timers[0];
        tl_timer_stop(timer);
        (*called)++;
        timer->on_due(timer);
    }
}
