#ifndef TL_BASE_THREAD_H
#define TL_BASE_THREAD_H

#include <pthread.h>

#include "base/error.h"

/* Starts a thread that gets no signals: they are for the program's first one. End it with pthread_join. */
int tl_thread_start(pthread_t *out, void *(*run)(void *data), void *data, tl_error *err);

/* The system's part. */
typedef struct tl_thread_place {
    int cpus[32]; /* a set of processors as the system keeps it; unused where the thread begins anywhere */
    int used;
} tl_thread_place;

/* Has a thread begin on another processor than the caller's, where the system can be told so and there is one. */
void tl_thread_elsewhere(tl_thread_place *place, pthread_attr_t *attributes);
/* Lets the calling thread run where the program may: it has begun. */
void tl_thread_anywhere(const tl_thread_place *place);

#endif
