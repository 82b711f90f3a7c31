/* macOS places threads by itself. */
#include "base/thread.h"

void tl_thread_elsewhere(tl_thread_place *place, pthread_attr_t *attributes)
{
    (void)attributes;
    place->used = 0;
}

void tl_thread_anywhere(const tl_thread_place *place)
{
    (void)place;
}
