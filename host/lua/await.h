#ifndef TL_LUA_AWAIT_H
#define TL_LUA_AWAIT_H

#include <lauxlib.h>
#include <lua.h>

#include "base/error.h"
#include "loop/loop.h"

/* How a binding waits. A primitive is three functions:
 *
 *   static int l_get(lua_State *L) {           // setup: check arguments, create the operation as a userdata on the
 *       op *o = …;                             // stack (metatable with __gc that cancels it), start it
 *       if (done at once) return push_result(L, o);
 *       return tl_await(L, &o->wait, index_of_o, k_get);
 *   }
 *   static void on_done(…, void *data) {       // loop callback, no Lua here
 *       tl_wake(&((op *)data)->wait);
 *   }
 *   static int k_get(lua_State *L, int status, lua_KContext index) {   // continuation, in the same coroutine
 *       op *o = lua_touserdata(L, (int)index);
 *       … push results, or return tl_raise(L, &o->err);
 *   }
 *
 * While it waits the task is anchored in the registry. The stack of the setup call is kept for the continuation, so
 * everything the operation needs can stay there. When the task is cancelled, `on_cancel` is called (may be NULL: the
 * operation's __gc or __close does the rest) and the coroutine is closed: the continuation never runs. */
typedef struct tl_wait {
    struct tl_task *task; /* who waits, NULL while nobody does */
    int woken;            /* tl_wake came before or during the wait */
    void (*on_cancel)(struct tl_wait *wait);
    void *data;
    lua_KFunction k; /* what tl_await was given */
    lua_KContext context;
} tl_wait;

/* Yields the running task until tl_wake(wait); then calls k(L, LUA_YIELD, context) whose results are the primitive's.
 * Returns k's results at once where the wait was woken already. Raises a clear error where a yield is impossible here
 * (inside table.sort, gsub, tostring, a __gc, or outside any task). Does not return otherwise. */
int tl_await(lua_State *L, tl_wait *wait, lua_KContext context, lua_KFunction k);
/* From a loop callback: the wait is over. Only marks it; the task runs from the loop's resume point. Calling it twice,
 * or with nobody waiting, is remembered (woken) and harmless. Reset `woken` to 0 before waiting again. */
void tl_wake(tl_wait *wait);
/* Where the userdata that holds the wait is collected or closed while somebody waits: the waiting task is forgotten. */
void tl_wait_stop(tl_wait *wait);

/* The program's loop. */
tl_loop *tl_lua_loop(lua_State *L);

/* The scheduler: made once by main.c on the main state; replaces pcall and the coroutine functions that must let
 * the host's yields through. */
int tl_scheduler_open(lua_State *L, tl_error *err);
/* Cancels every task; those that run deferred functions only where `cleanup_too`. For the program's end. */
void tl_scheduler_cancel_all(lua_State *L, int cleanup_too);
/* How many tasks still run deferred functions. */
int tl_scheduler_cleaning(lua_State *L);
/* Ends what still runs, without waiting, and leaves the loop. The program ends. */
void tl_scheduler_close(lua_State *L);

/* The function and its `nargs` arguments are on the top of L's stack and are popped; the new task (userdata
 * "todo.task.Task") is pushed. It is a child of the running task and starts at the next turn of the loop. */
struct tl_task *tl_task_spawn(lua_State *L, int nargs);
/* Runs the loop until the task has ended, cleanup included. Returns LUA_OK, or LUA_ERRRUN with the error object pushed;
 * the results are pushed otherwise, *nresults of them. For main.c and the REPL only: not inside a task. */
int tl_task_run(lua_State *L, struct tl_task *task, int *nresults);
/* One turn of the loop: waits for something to happen, then runs the tasks that became ready. */
void tl_scheduler_turn(lua_State *L);
struct tl_task *tl_task_current(lua_State *L);
/* Cancels a task; harmless after its end. One that runs (a script cancels its parent, say) ends where it waits next. */
void tl_task_cancel(lua_State *L, struct tl_task *task);
/* Cancels the running task: `return tl_task_cancel_self(L);` does not come back. Needs lua_isyieldable(L). */
int tl_task_cancel_self(lua_State *L);

#endif
