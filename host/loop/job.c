/* The worker thread: pure C jobs, one at a time. */
#include "base/thread.h"
#include "loop/loop_internal.h"

enum { IDLE, QUEUED, RUNNING, FINISHED };

static tl_job *take_first(tl_job **list)
{
    tl_job *job = *list;
    if (job) *list = job->next;
    return job;
}

static void append(tl_job **list, tl_job *job)
{
    job->next = NULL;
    while (*list) list = &(*list)->next;
    *list = job;
}

static void *run_worker(void *data)
{
    tl_loop *loop = data;
    pthread_mutex_lock(&loop->lock);
    while (!loop->worker_stop) {
        tl_job *job = take_first(&loop->queued);
        if (!job) {
            pthread_cond_wait(&loop->changed, &loop->lock);
            continue;
        }
        job->state = RUNNING;
        loop->running = job;
        pthread_mutex_unlock(&loop->lock);
        job->work(job);
        pthread_mutex_lock(&loop->lock);
        loop->running = NULL;
        job->state = FINISHED;
        append(&loop->finished, job);
        pthread_cond_broadcast(&loop->changed);
        tl_loop_poke(loop);
    }
    pthread_mutex_unlock(&loop->lock);
    return NULL;
}

static int start_worker(tl_loop *loop, tl_error *err)
{
    if (loop->worker_started) return 0;
    if (tl_thread_start(&loop->worker, run_worker, loop, err)) return -1;
    loop->worker_started = 1;
    return 0;
}

int tl_job_start(tl_loop *loop, tl_job *job, tl_error *err)
{
    if (start_worker(loop, err)) return -1;
    pthread_mutex_lock(&loop->lock);
    job->loop = loop;
    job->state = QUEUED;
    append(&loop->queued, job);
    loop->job_count++;
    pthread_cond_broadcast(&loop->changed);
    pthread_mutex_unlock(&loop->lock);
    return 0;
}

static void unlink_job(tl_job **list, tl_job *job)
{
    for (; *list; list = &(*list)->next) {
        if (*list == job) {
            *list = job->next;
            return;
        }
    }
}

void tl_job_stop(tl_job *job)
{
    tl_loop *loop = job->loop;
    if (!loop) return;
    pthread_mutex_lock(&loop->lock);
    while (job->state == RUNNING) pthread_cond_wait(&loop->changed, &loop->lock);
    unlink_job(&loop->queued, job);
    unlink_job(&loop->finished, job);
    loop->job_count--;
    job->loop = NULL;
    job->state = IDLE;
    pthread_mutex_unlock(&loop->lock);
}

int tl_jobs_run(tl_loop *loop)
{
    if (!loop->job_count) return 0;
    int called = 0;
    for (;;) {
        pthread_mutex_lock(&loop->lock);
        tl_job *job = take_first(&loop->finished);
        pthread_mutex_unlock(&loop->lock);
        if (!job) return called;
        loop->job_count--;
        job->loop = NULL;
        job->state = IDLE;
        called++;
        job->on_done(job);
    }
}

void tl_jobs_end(tl_loop *loop)
{
    if (!loop->worker_started) return;
    pthread_mutex_lock(&loop->lock);
    loop->worker_stop = 1;
    pthread_cond_broadcast(&loop->changed);
    pthread_mutex_unlock(&loop->lock);
    pthread_join(loop->worker, NULL);
}
