/* Diagnostics of the host itself; scripts have lua/lib/log.lua. */
#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>

static void to_stderr(void *context, tl_log_level level, const char *line)
{
    (void)context;
    (void)level;
    fprintf(stderr, "todo-lua: %s\n", line);
}

static struct {
    tl_log_level level;
    tl_log_sink sink;
    void *context;
} state = {TL_LOG_WARN, to_stderr, NULL};

void tl_log_set_level(tl_log_level level)
{
    state.level = level;
}

tl_log_level tl_log_get_level(void)
{
    return state.level;
}

void tl_log_set_sink(tl_log_sink sink, void *context)
{
    state.sink = sink ? sink : to_stderr;
    state.context = sink ? context : NULL;
}

void tl_log(tl_log_level level, const char *format, ...)
{
    if (level > state.level) return;
    char line[2048];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    state.sink(state.context, level, line);
}

void tl_log_fatal(const char *message)
{
    fprintf(stderr, "todo-lua: %s\n", message);
    exit(1);
}
