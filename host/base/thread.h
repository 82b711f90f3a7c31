#ifndef TL_BASE_THREAD_H
#define TL_BASE_THREAD_H

#include <pthread.h>

#include "base/error.h"

/* Starts a thread that gets no signals: they are for the program's first one. End it with pthread_join. */
int tl_thread_start(pthread_t *out, void *(*run)(void *data), void *data, tl_error *err);

#endif
