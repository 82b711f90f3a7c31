/* Threads beside the program's first one. */
#include "base/thread.h"

#include <sched.h>
#include <signal.h>

int tl_thread_start(pthread_t *out, void *(*run)(void *data), void *data, tl_error *err)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int code = pthread_create(out, NULL, run, data);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (code) return tl_error_errno(err, code, "cannot start a thread");
    sched_yield(); /* or Linux may leave it waiting behind this thread for milliseconds while a processor idles */
    return 0;
}
