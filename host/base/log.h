#ifndef TL_BASE_LOG_H
#define TL_BASE_LOG_H

#include "base/error.h"

typedef enum tl_log_level { TL_LOG_ERROR, TL_LOG_WARN, TL_LOG_INFO, TL_LOG_DEBUG } tl_log_level;

/* Receives one finished line (no newline). The default sink writes "todo-lua: LINE" to standard error. */
typedef void (*tl_log_sink)(void *context, tl_log_level level, const char *line);

/* Lines above `level` are dropped; TL_LOG_WARN at start. */
void tl_log_set_level(tl_log_level level);
tl_log_level tl_log_get_level(void);
/* Replaces the sink; NULL restores the default one. */
void tl_log_set_sink(tl_log_sink sink, void *context);

void tl_log(tl_log_level level, const char *format, ...) TL_PRINTF(2, 3);

/* Writes the message and ends the program with status 1; only for a process that cannot go on. */
_Noreturn void tl_log_fatal(const char *message);

#endif
