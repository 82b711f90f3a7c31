#ifndef TL_LOOP_LOOP_INTERNAL_H
#define TL_LOOP_LOOP_INTERNAL_H

#include <poll.h>
#include <pthread.h>

#include "loop/child.h"
#include "loop/loop.h"

/* What the files of this folder share; nobody else includes it. */
struct tl_loop {
    int64_t now;
    /* descriptors: poll's array, the watch of each slot beside it; slot 0 is the wake-up pipe */
    struct pollfd *polls;
    tl_watch **watches;
    int poll_count, poll_cap;
    /* timers: a binary heap by due time */
    tl_timer **timers;
    int timer_count, timer_cap;
    /* signals: the handler writes the number's bit and wakes the poll */
    tl_signal *signals;
    int wake_pipe[2];
    tl_child *children;
    int child_count;
    struct tl_orphan *orphans; /* forgotten children that still have to be reaped */
    tl_signal child_signal;
    /* the worker: jobs wait in `queued`, finished ones in `finished`, both under the lock */
    pthread_t worker;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    tl_job *queued, *running, *finished;
    int worker_started, worker_stop, job_count;
};

void tl_loop_poke(tl_loop *loop);                              /* wakes poll; async-signal-safe */
void tl_timers_run(tl_loop *loop, int *called);
int tl_timers_wait(const tl_loop *loop, int timeout_ms);       /* the shorter of timeout and the first timer */
int tl_signals_run(tl_loop *loop);
int tl_jobs_run(tl_loop *loop);
void tl_jobs_end(tl_loop *loop);
void tl_signals_end(tl_loop *loop);
void tl_children_end(tl_loop *loop);

#endif
