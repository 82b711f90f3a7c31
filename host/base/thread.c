/* Threads beside the program's first one. */
#include "base/thread.h"

#include <signal.h>
#include <stdlib.h>

#include "base/mem.h"

typedef struct start {
    void *(*run)(void *data);
    void *data;
    tl_thread_place place;
} start;

static void *begin(void *data)
{
    start s = *(start *)data;
    free(data);
    tl_thread_anywhere(&s.place);
    return s.run(s.data);
}

int tl_thread_start(pthread_t *out, void *(*run)(void *data), void *data, tl_error *err)
{
    sigset_t all, before;
    pthread_attr_t attributes;
    start *s = tl_malloc(sizeof *s);
    *s = (start){.run = run, .data = data};
    pthread_attr_init(&attributes);
    tl_thread_elsewhere(&s->place, &attributes);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int code = pthread_create(out, &attributes, begin, s);
    if (code) code = pthread_create(out, NULL, begin, s); /* a sandbox may refuse to place threads */
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    if (!code) return 0;
    free(s);
    return tl_error_errno(err, code, "cannot start a thread");
}
