#ifndef TL_LOOP_CHILD_H
#define TL_LOOP_CHILD_H

#include "loop/loop.h"

/* Child processes. No shell is involved: argv goes to execvp as it is. */
typedef enum tl_stdio { TL_STDIO_NULL, TL_STDIO_INHERIT, TL_STDIO_PIPE, TL_STDIO_FD, TL_STDIO_STDOUT } tl_stdio;

typedef struct tl_child_options {
    const char *const *argv; /* NULL-ended, at least one */
    const char *const *env;  /* NULL-ended "NAME=value" list, or NULL: this process's environment */
    const char *cwd;         /* or NULL */
    tl_stdio stdio[3];       /* TL_STDIO_STDOUT is for index 2 only: the same as standard output */
    int fds[3];              /* the descriptor to give where stdio is TL_STDIO_FD (stays the caller's) */
    int detached;            /* its own session; survives this process, is not killed when stopped */
} tl_child_options;

typedef struct tl_child {
    tl_loop *loop;
    pid_t pid;
    int pipes[3]; /* our non-blocking ends where stdio is TL_STDIO_PIPE, else -1; the caller closes them */
    int running;
    int status;   /* exit status, or 128 + signal number once it has ended */
    void (*on_exit)(struct tl_child *child);
    void *data;
    struct tl_child *next;
} tl_child;

/* Starts the program; it leads a process group of its own unless its standard input is inherited. The error says which
 * program and why (kind "not_found" where it is not installed). */
int tl_child_start(tl_loop *loop, tl_child *child, const tl_child_options *options, tl_error *err);
/* Signals the child's process group. 0, or -1 where it has ended. */
int tl_child_kill(tl_child *child, int signal);
/* Forgets the child; on_exit is not called and the loop reaps it. grace_ms >= 0: its process group gets SIGTERM now and
 * SIGKILL after that time, or when the loop is freed. -1: it goes on by itself. */
void tl_child_stop(tl_child *child, int grace_ms);

#endif
