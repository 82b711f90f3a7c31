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
/* Pushes a new event, userdata with the methods set, clear, wait. */
void tl_event_push(lua_State *L);
/* Sets the event at `index` of the stack; returns 0, so that a C function can return it. */
int tl_event_set_at(lua_State *L, int index);

/* User values of the userdata: 1 the coroutine while it lives, 2 results {n=, …} or the error object, 3 the list of
 * deferred functions or nil. */
typedef struct tl_task {
    lua_State *co;
    tl_wait *waiting;
    struct tl_task *parent, *children, *sibling; /* only tasks that have not completed are linked */
    struct tl_task *next_ready;
    struct tl_task *live_next, **live_link; /* until it has completed */
    struct tl_task *cleans; /* the task whose deferred functions this one runs */
    tl_event completed;
    tl_task_state state;
    int ended;  /* the function has ended; completed.set follows when deferred functions are done */
    int queued; /* in the ready list */
    int started;
    int running; /* its coroutine is on the C stack */
    int cancel_self; /* cancel it where it yields next */
    int preempted; /* and ready, but behind what the signal makes ready */
    int seen; /* its error was raised somewhere */
} tl_task;

/* The yield of a host primitive carries this address, so that a script's own coroutines pass it outward. */
extern const char tl_await_token;
/* Replaces coroutine.resume, wrap and close; called by tl_scheduler_open. */
void tl_coroutine_open(lua_State *L);
/* Whether the coroutine is that of a task which waits. */
int tl_task_owns(lua_State *L, const lua_State *co);
/* Ends the wait that the task has begun, as its cancelling does. */
void tl_task_abandon_wait(tl_task *task);

/* Makes the metatables; called by tl_scheduler_open. */
void tl_task_types(lua_State *L);
/* Whether `task` is `ancestor` or runs below it; both may be NULL (outside of any task). */
int tl_task_descends(const tl_task *task, const tl_task *ancestor);
/* Makes it nobody's child. */
void tl_task_detach(tl_task *task);

/* Pushes the userdata of a task that has not completed. */
void tl_task_push(lua_State *L, tl_task *task);

/* The function (in the registry under this key) that runs a list of deferred functions; set by lua/lib/task.lua. */
extern const char tl_cleanup_key;
/* The function that a SIGINT calls instead of cancelling the main task, or nil. */
extern const char tl_interrupt_key;

#endif
