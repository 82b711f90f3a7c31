#ifndef TL_LOOP_PROCESS_H
#define TL_LOOP_PROCESS_H

#include <stdint.h>
#include <sys/types.h>

/* When the process started, in units that only compare (Linux: clock ticks since boot); -1 where there is none, or
 * only a zombie. Two processes that had the same pid one after the other differ. */
int64_t tl_process_start_time(pid_t pid);

/* A regular file that may be executed. */
int tl_process_is_program(const char *path);

/* Full path of this program, to be freed with free(); NULL where it cannot be told. */
char *tl_process_executable(void);

#endif
