#ifndef TL_LOOP_LOOP_H
#define TL_LOOP_LOOP_H

#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

/* The one event loop: descriptors, timers, signals, child processes and a worker thread. Everything runs on the thread
 * that calls tl_loop_step; completion callbacks are called from there and may start and stop anything, also
 * themselves. The structs below live where their owner puts them (no allocation by the loop), must be zeroed before
 * first use, and must be stopped before their memory goes; stopping twice is harmless. */
typedef struct tl_loop tl_loop;

tl_loop *tl_loop_new(tl_error *err);
void tl_loop_free(tl_loop *loop);
/* In place of tl_loop_free where the program ends: it need not wait until the idle worker has woken up to leave. */
void tl_loop_leave(tl_loop *loop);

/* Waits at most `timeout_ms` (-1: until something happens) and calls the callbacks that are due. Returns the number of
 * callbacks called, or -1. */
int tl_loop_step(tl_loop *loop, int timeout_ms, tl_error *err);
/* Things that can still call back (watches, timers, children, jobs; signals do not count). */
int tl_loop_active(const tl_loop *loop);
/* Milliseconds of the monotonic clock, cached once per step; tl_loop_update_now reads it again. */
int64_t tl_loop_now(const tl_loop *loop);
void tl_loop_update_now(tl_loop *loop);

/* Descriptors. Events are POLLIN and POLLOUT; `revents` also brings POLLHUP, POLLERR, POLLNVAL. */
typedef struct tl_watch {
    tl_loop *loop;
    int fd;
    short events;
    void (*on_ready)(struct tl_watch *watch, short revents);
    void *data;
    int slot; /* the loop's own */
} tl_watch;
/* Starts, or changes the events of a running watch (events 0 keeps it registered but silent). */
void tl_watch_start(tl_loop *loop, tl_watch *watch, int fd, short events);
void tl_watch_stop(tl_watch *watch);

/* One-shot timers. */
typedef struct tl_timer {
    tl_loop *loop;
    int64_t due; /* ms of tl_loop_now */
    void (*on_due)(struct tl_timer *timer);
    void *data;
    int slot; /* heap position + 1, 0 while stopped */
} tl_timer;
/* Calls on_due once after `ms` milliseconds (0: in the next step); restarts a running timer. */
void tl_timer_start(tl_loop *loop, tl_timer *timer, int64_t ms);
void tl_timer_stop(tl_timer *timer);

/* Signals, delivered as ordinary callbacks (self-pipe). While one is started the signal's default action is off. */
typedef struct tl_signal {
    tl_loop *loop;
    int number;
    void (*on_signal)(struct tl_signal *signal);
    void *data;
    struct tl_signal *next;
} tl_signal;
int tl_signal_start(tl_loop *loop, tl_signal *signal, int number, tl_error *err);
void tl_signal_stop(tl_signal *signal);
/* Whether a signal has arrived that is not delivered yet; async-signal-safe. */
int tl_signals_pending(void);
/* Calls fn in the signal handler itself, where nearly nothing is allowed. The program has one such function. */
void tl_signals_on_arrival(void (*fn)(int number));

/* A job on the worker thread: pure C that touches neither Lua nor shared state. One job runs at a time. */
typedef struct tl_job {
    tl_loop *loop;
    void (*work)(struct tl_job *job); /* on the worker thread */
    void (*on_done)(struct tl_job *job); /* back on the loop */
    void *data;
    struct tl_job *next;
    int state;
} tl_job;
int tl_job_start(tl_loop *loop, tl_job *job, tl_error *err);
/* A job that waits is taken out; one that runs is waited for (its work should look at a flag of its own if it can
 * take long). on_done is not called. */
void tl_job_stop(tl_job *job);

#endif
