#ifndef TL_LUA_TASK_H
#define TL_LUA_TASK_H

#include "lua/await.h"

/* The inside of a task, for await.c (which runs tasks) and task.c (which shows them to scripts). */

#define TL_TASK_TYPE "todo.task.Task"

typedef enum tl_task_state { TL_TASK_RUNNING, TL_TASK_DONE, TL_TASK_FAILED, TL_TASK_CANCELLED } tl_task_state;

/* One who waits for a task or an event; lies in a userdata on the waiting coroutine's stack. */
typedef struct tl_waiter {
    tl_wait wait;
    struct tl_waiter *next;
    struct tl_event *event;
    tl_timer timer;
    int timed_out;
} tl_waiter;

/* Something that happens once and may be waited for by many. */
typedef struct tl_event {
    tl_waiter *waiters;
    int set;
} tl_event;

void tl_event_set(tl_event *event);

/* User values of the userdata: 1 the coroutine while it lives, 2 results {n=, …} or the error object, 3 the list of
 * deferred functions or nil. */
typedef struct tl_task {
    lua_State *co;
    tl_wait *waiting;
    struct tl_task *parent, *children, *sibling; /* only tasks that have not completed are linked */
    struct tl_task *next_ready;
    struct tl_task *cleans; /* the task whose deferred functions this one runs */
    tl_event completed;
    tl_task_state state;
    int ended;  /* the function has ended; completed.set follows when deferred functions are done */
    int queued; /* in the ready list */
    int started;
    int cancel_self; /* it yielded in order to be cancelled */
    int seen; /* its error was raised somewhere */
} tl_task;

/* Makes the metatables; called by tl_scheduler_open. */
void tl_task_types(lua_State *L);
/* Makes it nobody's child. */
void tl_task_detach(tl_task *task);

/* Pushes the userdata of a task that has not completed. */
void tl_task_push(lua_State *L, tl_task *task);

/* The function (in the registry under this key) that runs a list of deferred functions; set by lua/lib/task.lua. */
extern const char tl_cleanup_key;
/* The function that a SIGINT calls instead of cancelling the main task, or nil. */
extern const char tl_interrupt_key;

#endif
