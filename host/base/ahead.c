/* Work done by another thread before it is needed. */
#include "base/ahead.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { WAITS, TAKEN, DONE };

struct tl_ahead {
    tl_ahead_help help;
    tl_ahead_item first, *last; /* a list that begins with an item of no meaning; the owner appends */
    tl_ahead_item *reached;     /* by the other thread */
    size_t unseen;              /* bytes added since it was woken */
    int called;                 /* the other thread, which stays as long as this is open */
    /* Locks are only for waiting: where they are fought for, both threads may end up on one processor. */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int works; /* the other thread, or it will */
    _Atomic int open, ended, sleeps, awaited;
};

static void reset(tl_ahead *a)
{
    atomic_store(&a->first.next, NULL);
    a->last = a->reached = &a->first;
    a->unseen = 0;
    a->called = a->works = 0;
}

tl_ahead *tl_ahead_new(const tl_ahead_help *help)
{
    tl_ahead *a = tl_calloc(1, sizeof *a);
    if (help) a->help = *help;
    pthread_mutex_init(&a->lock, NULL);
    pthread_cond_init(&a->changed, NULL);
    reset(a);
    return a;
}

void tl_ahead_free(tl_ahead *a)
{
    if (!a) return;
    tl_ahead_end(a);
    pthread_cond_destroy(&a->changed);
    pthread_mutex_destroy(&a->lock);
    free(a);
}

static void wake(tl_ahead *a)
{
    pthread_mutex_lock(&a->lock); /* whoever has seen nothing yet is asleep by then */
    pthread_mutex_unlock(&a->lock);
    pthread_cond_broadcast(&a->changed); /* only now: the other thread would wake to wait for the lock */
}

void tl_ahead_open(tl_ahead *a)
{
    pthread_mutex_lock(&a->lock);
    atomic_store(&a->open, 1);
    a->called = a->works;
    pthread_mutex_unlock(&a->lock);
}

void tl_ahead_close(tl_ahead *a)
{
    atomic_store(&a->open, 0);
    wake(a);
}

void tl_ahead_add(tl_ahead *a, tl_ahead_item *item)
{
    atomic_store(&item->state, WAITS);
    atomic_store(&item->next, NULL);
    atomic_store(&a->last->next, item);
    a->last = item;
    a->unseen += item->size;
    if (a->unseen >= TL_AHEAD_WORTH_WAKING && atomic_load(&a->sleeps)) {
        a->unseen = 0;
        wake(a);
    }
    if (a->called || !a->help.call) return;
    a->works = 1; /* nobody else looks at it: the other thread is not there */
    a->called = a->help.call(a->help.context);
    if (!a->called) a->works = 0;
}

/* Does the item unless the other thread has taken it. */
static void take(tl_ahead_item *item, tl_arena *arena)
{
    int expected = WAITS;
    if (!atomic_compare_exchange_strong(&item->state, &expected, TAKEN)) return;
    item->work(item, arena);
    atomic_store(&item->state, DONE);
}

void tl_ahead_finish(tl_ahead *a, tl_ahead_item *item)
{
    take(item, item->owners);
    if (atomic_load(&item->state) == DONE) return;
    pthread_mutex_lock(&a->lock);
    atomic_store(&a->awaited, 1);
    while (atomic_load(&item->state) != DONE) pthread_cond_wait(&a->changed, &a->lock);
    atomic_store(&a->awaited, 0);
    pthread_mutex_unlock(&a->lock);
}

void tl_ahead_end(tl_ahead *a)
{
    atomic_store(&a->open, 0);
    atomic_store(&a->ended, 1);
    wake(a);
    if (a->help.dismiss) a->help.dismiss(a->help.context);
    reset(a);
    atomic_store(&a->ended, 0);
}

/* The next item, or NULL where none will come. */
static tl_ahead_item *next_item(tl_ahead *a)
{
    tl_ahead_item *next = atomic_load(&a->reached->next);
    if (next && !atomic_load(&a->ended)) return next;
    pthread_mutex_lock(&a->lock);
    atomic_store(&a->sleeps, 1);
    while (!(next = atomic_load(&a->reached->next)) && atomic_load(&a->open) && !atomic_load(&a->ended))
        pthread_cond_wait(&a->changed, &a->lock);
    atomic_store(&a->sleeps, 0);
    if (atomic_load(&a->ended)) next = NULL;
    if (!next) a->works = 0; /* under the same lock: what comes later is done by the owner */
    pthread_cond_broadcast(&a->changed);
    pthread_mutex_unlock(&a->lock);
    return next;
}

void tl_ahead_work(tl_ahead *a)
{
    for (tl_ahead_item *item; (item = next_item(a)); a->reached = item) {
        take(item, item->others);
        if (atomic_load(&a->awaited)) wake(a);
    }
}
