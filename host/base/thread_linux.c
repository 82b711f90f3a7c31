/* Where Linux lets threads begin. It may put a new one behind the thread that made it, where it waits for milliseconds while
 * another processor idles: as long as a whole render takes. */
#include <sched.h>
#include <string.h>

#include "base/thread.h"

_Static_assert(sizeof(cpu_set_t) <= sizeof((tl_thread_place){0}.cpus), "a set of processors fits");

void tl_thread_elsewhere(tl_thread_place *place, pthread_attr_t *attributes)
{
    cpu_set_t allowed;
    int here = sched_getcpu();
    if (here < 0 || here >= CPU_SETSIZE || sched_getaffinity(0, sizeof allowed, &allowed)) return;
    memcpy(place->cpus, &allowed, sizeof allowed);
    CPU_CLR(here, &allowed);
    place->used = CPU_COUNT(&allowed) > 0 && !pthread_attr_setaffinity_np(attributes, sizeof allowed, &allowed);
}

void tl_thread_anywhere(const tl_thread_place *place)
{
    if (place->used) sched_setaffinity(0, sizeof(cpu_set_t), (const cpu_set_t *)(const void *)place->cpus);
}
