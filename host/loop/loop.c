/* The event loop's step: descriptors on poll(2), with timers, signals and jobs around it. */
#include "loop/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "loop/loop_internal.h"

void tl_loop_update_now(tl_loop *loop)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    loop->now = (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t tl_loop_now(const tl_loop *loop)
{
    return loop->now;
}

static int add_slot(tl_loop *loop)
{
    if (loop->poll_count == loop->poll_cap) {
        loop->poll_cap = loop->poll_cap ? loop->poll_cap * 2 : 16;
        loop->polls = tl_realloc(loop->polls, (size_t)loop->poll_cap * sizeof *loop->polls);
        loop->watches = tl_realloc(loop->watches, (size_t)loop->poll_cap * sizeof *loop->watches);
    }
    return loop->poll_count++;
}

tl_loop *tl_loop_new(tl_error *err)
{
    tl_loop *loop = tl_calloc(1, sizeof *loop);
    pthread_mutex_init(&loop->lock, NULL);
    pthread_cond_init(&loop->changed, NULL);
    if (pipe(loop->wake_pipe) < 0) {
        tl_error_errno(err, errno, "cannot make a pipe");
        free(loop);
        return NULL;
    }
    for (int i = 0; i < 2; i++) {
        fcntl(loop->wake_pipe[i], F_SETFD, FD_CLOEXEC);
        fcntl(loop->wake_pipe[i], F_SETFL, O_NONBLOCK);
    }
    int slot = add_slot(loop);
    loop->polls[slot] = (struct pollfd){.fd = loop->wake_pipe[0], .events = POLLIN};
    loop->watches[slot] = NULL;
    tl_loop_update_now(loop);
    return loop;
}

void tl_loop_free(tl_loop *loop)
{
    if (!loop) return;
    tl_jobs_end(loop);
    tl_children_end(loop);
    tl_signals_end(loop);
    close(loop->wake_pipe[0]);
    close(loop->wake_pipe[1]);
    pthread_mutex_destroy(&loop->lock);
    pthread_cond_destroy(&loop->changed);
    free(loop->polls);
    free(loop->watches);
    free(loop->timers);
    free(loop);
}

void tl_loop_leave(tl_loop *loop)
{
#ifdef TL_ARENA_EACH_BLOCK
    tl_loop_free(loop); /* the sanitizers look for what was not freed */
#else
    tl_children_end(loop);
#endif
}

void tl_loop_poke(tl_loop *loop)
{
    int saved = errno;
    ssize_t ignored = write(loop->wake_pipe[1], "", 1); /* a full pipe wakes as well */
    (void)ignored;
    errno = saved;
}

void tl_watch_start(tl_loop *loop, tl_watch *watch, int fd, short events)
{
    if (!watch->loop) {
        watch->loop = loop;
        watch->slot = add_slot(loop);
        loop->watches[watch->slot] = watch;
    }
    watch->fd = fd;
    watch->events = events;
    loop->polls[watch->slot] = (struct pollfd){.fd = events ? fd : -1, .events = events};
}

void tl_watch_stop(tl_watch *watch)
{
    tl_loop *loop = watch->loop;
    if (!loop) return;
    int last = --loop->poll_count, slot = watch->slot;
    if (slot != last) {
        loop->polls[slot] = loop->polls[last];
        loop->watches[slot] = loop->watches[last];
        loop->watches[slot]->slot = slot;
    }
    watch->loop = NULL;
}

static void drain_wake_pipe(tl_loop *loop)
{
    char bytes[64];
    while (read(loop->wake_pipe[0], bytes, sizeof bytes) > 0) continue;
}

/* A callback may stop any watch, which moves the last one into its slot. Going from the end, a moved watch is one that
 * was seen already, or one of this round whose revents moved with it, so nobody is called twice or missed for long. */
static int run_watches(tl_loop *loop)
{
    int called = 0;
    for (int slot = loop->poll_count - 1; slot > 0; slot--) {
        if (slot >= loop->poll_count) continue;
        short revents = loop->polls[slot].revents;
        if (!revents) continue;
        loop->polls[slot].revents = 0;
        loop->watches[slot]->on_ready(loop->watches[slot], revents);
        called++;
    }
    return called;
}

int tl_loop_step(tl_loop *loop, int timeout_ms, tl_error *err)
{
    tl_loop_update_now(loop);
    int ready = poll(loop->polls, (nfds_t)loop->poll_count, tl_timers_wait(loop, timeout_ms));
    if (ready < 0 && errno != EINTR) return tl_error_errno(err, errno, "cannot wait for events");
    tl_loop_update_now(loop);
    int called = 0;
    if (ready > 0) {
        if (loop->polls[0].revents) drain_wake_pipe(loop);
        called += run_watches(loop);
    }
    called += tl_signals_run(loop);
    called += tl_jobs_run(loop);
    tl_timers_run(loop, &called);
    return called;
}

int tl_loop_active(const tl_loop *loop)
{
    return loop->poll_count - 1 + loop->timer_count + loop->child_count + loop->job_count;
}
