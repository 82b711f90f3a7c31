/* The scheduler: waiting primitives, the ready list, the only place that resumes a task (coroutine.c: those of scripts). */
#include "lua/await.h"

#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "lua/error.h"
#include "lua/preempt.h"
#include "lua/task.h"

const char tl_await_token;
static const char scheduler_key;
const char tl_cleanup_key;
const char tl_interrupt_key;

typedef struct scheduler {
    tl_loop *loop;
    tl_task *current;
    tl_task *ready, **ready_end;
    tl_task *live; /* all that have not completed */
    int cleaning; /* tasks that run deferred functions */
    int preempted; /* ready tasks that are */
} scheduler;

static scheduler *get_scheduler(lua_State *L)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &scheduler_key);
    scheduler *s = lua_touserdata(L, -1);
    lua_pop(L, 1);
    return s;
}

tl_loop *tl_lua_loop(lua_State *L)
{
    return get_scheduler(L)->loop;
}

tl_task *tl_task_current(lua_State *L)
{
    return get_scheduler(L)->current;
}

/* Ready tasks. tl_wake has no lua_State, so the list's end is reached through the program's one scheduler. */
static scheduler *the_scheduler;

static void make_ready(tl_task *task)
{
    if (task->queued) return;
    task->queued = 1;
    task->next_ready = NULL;
    *the_scheduler->ready_end = task;
    the_scheduler->ready_end = &task->next_ready;
}

static void take_out_of_ready(tl_task *task)
{
    if (!task->queued) return;
    tl_task **link = &the_scheduler->ready;
    while (*link != task) link = &(*link)->next_ready;
    *link = task->next_ready;
    if (!*link) the_scheduler->ready_end = link;
    task->queued = 0;
}

/* Waiting. */

void tl_task_abandon_wait(tl_task *task)
{
    tl_wait *wait = task->waiting;
    if (!wait) return;
    tl_wait_stop(wait);
    if (wait->on_cancel) wait->on_cancel(wait);
}

static int k_await(lua_State *L, int status, lua_KContext context)
{
    tl_wait *wait = (tl_wait *)context;
    if (!wait->woken) {
        tl_wait_stop(wait);
        return tl_raisef(L, "usage", "this coroutine waits for the program's loop and cannot be resumed by a script");
    }
    return wait->k(L, status, wait->context);
}

int tl_await(lua_State *L, tl_wait *wait, lua_KContext context, lua_KFunction k)
{
    scheduler *s = get_scheduler(L);
    if (wait->woken) return k(L, LUA_YIELD, context);
    if (s->current && s->current->ended)
        return tl_raisef(L, "usage", "cannot wait while a task closes what it held: use task.defer for cleanup that waits");
    if (!s->current || !lua_isyieldable(L))
        return tl_raisef(L, "usage",
                         "cannot wait here: a function that waits was called inside table.sort, string.gsub, tostring, "
                         "a metamethod of C, or outside a task");
    wait->task = s->current;
    wait->k = k;
    wait->context = context;
    s->current->waiting = wait;
    lua_pushlightuserdata(L, (void *)&tl_await_token);
    return lua_yieldk(L, 1, (lua_KContext)wait, k_await);
}

void tl_wake(tl_wait *wait)
{
    wait->woken = 1;
    tl_task *task = wait->task;
    if (!task) return;
    wait->task = NULL;
    task->waiting = NULL;
    make_ready(task);
}

void tl_wait_stop(tl_wait *wait)
{
    if (wait->task) wait->task->waiting = NULL;
    wait->task = NULL;
}

void tl_event_set(tl_event *event)
{
    event->set = 1;
    for (tl_waiter *w = event->waiters; w; w = w->next) tl_wake(&w->wait);
}

/* Tasks. */

void tl_task_push(lua_State *L, tl_task *task)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, task);
}

tl_task *tl_task_spawn(lua_State *L, int nargs)
{
    scheduler *s = get_scheduler(L);
    tl_task *task = lua_newuserdatauv(L, sizeof *task, 3);
    memset(task, 0, sizeof *task);
    luaL_setmetatable(L, TL_TASK_TYPE);
    task->co = lua_newthread(L);
    lua_setiuservalue(L, -2, 1);
    lua_insert(L, -nargs - 2); /* task, function, arguments */
    if (!lua_checkstack(task->co, nargs + 1)) tl_raisef(L, "usage", "too many arguments to a task");
    lua_xmove(L, task->co, nargs + 1);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, task); /* anchored until it has completed */
    if (s->current) {
        task->parent = s->current;
        task->sibling = s->current->children;
        s->current->children = task;
    }
    task->live_next = s->live;
    task->live_link = &s->live;
    if (s->live) s->live->live_link = &task->live_next;
    s->live = task;
    make_ready(task);
    return task;
}

static void leave_live(tl_task *task)
{
    if (!task->live_link) return;
    *task->live_link = task->live_next;
    if (task->live_next) task->live_next->live_link = task->live_link;
    task->live_link = NULL;
}

static void unlink_from_parent(tl_task *task)
{
    if (!task->parent) return;
    tl_task **link = &task->parent->children;
    while (*link != task) link = &(*link)->sibling;
    *link = task->sibling;
    task->parent = NULL;
}

/* Lets the collector have a task that has completed and that no parent has to look at any more. */
static void release(lua_State *L, tl_task *task)
{
    if (!task->completed.set || task->parent) return;
    lua_pushnil(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, task);
}

int tl_task_descends(const tl_task *task, const tl_task *ancestor)
{
    while (task && task != ancestor) task = task->parent;
    return task == ancestor;
}

void tl_task_detach(tl_task *task)
{
    unlink_from_parent(task);
}

static void complete(lua_State *L, tl_task *task)
{
    tl_task *cleans = task->cleans;
    if (cleans) get_scheduler(L)->cleaning--;
    leave_live(task);
    tl_event_set(&task->completed);
    release(L, task);
    if (cleans) complete(L, cleans);
}

/* A failed child whose error nobody raised fails its parent: errors do not vanish. A parent that failed or was cancelled
 * itself has told the reason. */
static void adopt_failure(lua_State *L, tl_task *parent, tl_task *child)
{
    if (child->state != TL_TASK_FAILED || child->seen) return;
    child->seen = 1;
    if (parent->state != TL_TASK_DONE) return;
    tl_task_push(L, parent);
    tl_task_push(L, child);
    lua_getiuservalue(L, -1, 2);
    lua_setiuservalue(L, -3, 2);
    parent->state = TL_TASK_FAILED;
    lua_pop(L, 2);
}

static void run_deferred(lua_State *L, tl_task *task, int task_index)
{
    scheduler *s = get_scheduler(L);
    tl_task *before = s->current;
    lua_rawgetp(L, LUA_REGISTRYINDEX, &tl_cleanup_key);
    lua_getiuservalue(L, task_index, 3);
    s->current = NULL; /* nobody's child: it must live on when the parent is cancelled */
    tl_task *cleaner = tl_task_spawn(L, 1);
    s->current = before;
    cleaner->cleans = task;
    s->cleaning++;
    lua_pop(L, 1);
}

/* A child that runs right now (it cancelled its parent) ends where it waits next. */
static tl_task *child_to_cancel(const tl_task *task)
{
    tl_task *child = task->children;
    while (child && (child->ended || child->cancel_self)) child = child->sibling;
    return child;
}

/* The function has ended; its results or error are in user value 2 of the task at the top of L, which is popped. */
static void finish(lua_State *L, tl_task *task)
{
    int index = lua_gettop(L);
    task->ended = 1;
    for (tl_task *child = task->children; child; child = child->sibling)
        if (child->ended) adopt_failure(L, task, child);
    for (tl_task *child; (child = child_to_cancel(task));) tl_task_cancel(L, child); /* runs __close: the list may change */
    /* Children that still run deferred functions complete on their own. */
    for (tl_task *child; (child = task->children);) {
        unlink_from_parent(child);
        release(L, child);
    }
    int deferred = lua_getiuservalue(L, index, 3) == LUA_TTABLE;
    lua_pop(L, 1);
    lua_pushnil(L);
    lua_setiuservalue(L, index, 1);
    task->co = NULL;
    /* A failed task stays linked (and anchored) until its parent has seen to it. */
    if (task->state != TL_TASK_FAILED || task->seen) unlink_from_parent(task);
    if (deferred)
        run_deferred(L, task, index);
    else
        complete(L, task);
    lua_settop(L, index - 1);
}

/* Runs the __close of what the coroutine holds, as the task's own doing; an error is left on the coroutine's stack. */
static int close_coroutine(lua_State *L, tl_task *task)
{
    scheduler *s = get_scheduler(L);
    tl_task *before = s->current;
    task->ended = 1; /* what closes cannot wait, and must not cancel it again */
    s->current = task;
    int status = lua_resetthread(task->co);
    s->current = before;
    return status;
}

/* 1 error, 2 traceback */
static int l_error_with_traceback(lua_State *L)
{
    tl_error_object(L, 1);
    if (lua_istable(L, 1)) {
        lua_pushliteral(L, "traceback");
        lua_pushvalue(L, -1);
        if (lua_rawget(L, 1) == LUA_TNIL) {
            lua_pop(L, 1);
            lua_pushvalue(L, 2);
            lua_rawset(L, 1);
        }
    }
    lua_settop(L, 1);
    return 1;
}

static int l_warn(lua_State *L)
{
    tl_error_object(L, 1);
    tl_log(TL_LOG_WARN, "while a cancelled task closed what it held: %s", luaL_tolstring(L, 1, NULL));
    return 0;
}

void tl_task_cancel(lua_State *L, tl_task *task)
{
    if (task->ended) return;
    if (task->running) {
        task->cancel_self = 1;
        return;
    }
    tl_task_abandon_wait(task);
    take_out_of_ready(task);
    task->state = TL_TASK_CANCELLED;
    luaL_checkstack(L, 8, "cancel");
    tl_task_push(L, task);
    if (close_coroutine(L, task) != LUA_OK) {
        lua_pushcfunction(L, l_warn);
        lua_xmove(task->co, L, 1);
        if (lua_pcall(L, 1, 0, 0) != LUA_OK) lua_pop(L, 1);
    }
    lua_settop(task->co, 0);
    finish(L, task);
}

int tl_task_cancel_self(lua_State *L)
{
    get_scheduler(L)->current->cancel_self = 1;
    lua_pushlightuserdata(L, (void *)&tl_await_token);
    return lua_yield(L, 1);
}

static void keep_results(lua_State *L, tl_task *task, int count)
{
    lua_createtable(L, count, 1);
    lua_pushinteger(L, count);
    lua_setfield(L, -2, "n");
    luaL_checkstack(L, count, "results");
    lua_xmove(task->co, L, count);
    for (int i = count; i > 0; i--) lua_rawseti(L, -1 - i, i);
    lua_setiuservalue(L, -2, 2);
}

/* The coroutine has failed: what it holds closes, knowing the error, which may become another one by that. */
static void keep_error(lua_State *L, tl_task *task)
{
    task->state = TL_TASK_FAILED;
    lua_pushcfunction(L, l_error_with_traceback);
    luaL_traceback(L, task->co, NULL, 0);
    if (close_coroutine(L, task) != LUA_OK)
        lua_xmove(task->co, L, 1);
    else
        lua_pushliteral(L, "attempt to yield from outside a coroutine");
    lua_insert(L, -2);
    lua_pcall(L, 2, 1, 0); /* whatever it leaves is the error */
    lua_setiuservalue(L, -2, 2);
}

/* Runs the coroutine until it ends, fails, waits or is preempted; 1 where it goes on later. */
static int run(lua_State *L, tl_task *task, int *status, int *results)
{
    int nargs = task->started ? 0 : lua_gettop(task->co) - 1;
    task->started = 1;
    task->running = 1;
    lua_State *before = tl_preempt_enter(task->co);
    *status = lua_resume(task->co, L, nargs, results);
    tl_preempt_enter(before);
    task->running = 0;
    if (*status != LUA_YIELD) return 0;
    int waits = *results == 1 && lua_touserdata(task->co, -1) == (void *)&tl_await_token;
    if (waits) lua_pop(task->co, 1);
    if (!tl_preempt_happened()) return waits;
    tl_preempt_take_back();
    task->preempted = 1;
    the_scheduler->preempted++;
    make_ready(task);
    return 1;
}

static void resume(lua_State *L, scheduler *s, tl_task *task)
{
    int status = LUA_OK, results = 0;
    tl_task_push(L, task);
    s->current = task;
    int goes_on = run(L, task, &status, &results);
    s->current = NULL;
    if (goes_on) {
        lua_pop(L, 1);
        if (task->cancel_self) tl_task_cancel(L, task);
        return;
    }
    if (status == LUA_OK) {
        task->state = TL_TASK_DONE;
        keep_results(L, task, results);
    } else {
        keep_error(L, task);
    }
    finish(L, task);
}

static void run_ready(lua_State *L, scheduler *s)
{
    /* Those that become ready meanwhile wait for the next turn, so descriptors and timers get theirs. */
    tl_task *task;
    int most = 0;
    for (task = s->ready; task; task = task->next_ready) most++;
    while (most-- > 0 && (task = s->ready)) {
        take_out_of_ready(task);
        resume(L, s, task);
    }
}

/* They never wait, so whatever the signal's handler made ready goes first. */
static void put_preempted_last(scheduler *s)
{
    for (tl_task *task = s->ready, *next; task && s->preempted; task = next) {
        next = task->next_ready;
        if (!task->preempted) continue;
        task->preempted = 0;
        s->preempted--;
        take_out_of_ready(task);
        make_ready(task);
    }
    s->preempted = 0; /* those that were cancelled meanwhile are not ready */
}

void tl_scheduler_turn(lua_State *L)
{
    scheduler *s = get_scheduler(L);
    tl_error err = {0};
    if (tl_loop_step(s->loop, s->ready ? 0 : -1, &err) < 0) tl_log_fatal(err.message);
    put_preempted_last(s);
    run_ready(L, s);
}

int tl_task_run(lua_State *L, tl_task *task, int *nresults)
{
    tl_error err = {0};
    tl_task_push(L, task);
    int index = lua_gettop(L);
    while (!task->completed.set) tl_scheduler_turn(L);
    lua_getiuservalue(L, index, 2);
    task->seen = 1;
    if (task->state == TL_TASK_CANCELLED) {
        lua_pop(L, 1);
        tl_error_set(&err, "cancelled", "interrupted");
        tl_push_error(L, &err);
    }
    if (task->state != TL_TASK_DONE) {
        lua_remove(L, index);
        return LUA_ERRRUN;
    }
    lua_getfield(L, -1, "n");
    *nresults = (int)lua_tointeger(L, -1);
    lua_pop(L, 1);
    luaL_checkstack(L, *nresults, "results");
    for (int i = 1; i <= *nresults; i++) lua_rawgeti(L, index + 1, i);
    lua_remove(L, index + 1);
    lua_remove(L, index);
    return LUA_OK;
}

int tl_task_owns(lua_State *L, const lua_State *co)
{
    for (const tl_task *task = get_scheduler(L)->live; task; task = task->live_next)
        if (task->co == co && !task->running) return 1;
    return 0;
}

static int is_cleanup(const tl_task *task)
{
    while (task && !task->cleans) task = task->parent;
    return task != NULL;
}

void tl_scheduler_cancel_all(lua_State *L, int cleanup_too)
{
    scheduler *s = get_scheduler(L);
    for (tl_task *task = s->live, *next; task; task = next) {
        next = task->live_next;
        if (task->ended || task->running || (!cleanup_too && is_cleanup(task))) continue;
        tl_task_cancel(L, task);
        next = s->live; /* cancelling runs scripts: the list may be another */
    }
}

int tl_scheduler_cleaning(lua_State *L)
{
    return get_scheduler(L)->cleaning;
}

int tl_scheduler_open(lua_State *L, tl_error *err)
{
    tl_loop *loop = tl_loop_new(err);
    if (!loop) return -1;
    scheduler *s = lua_newuserdatauv(L, sizeof *s, 0);
    *s = (scheduler){.loop = loop};
    s->ready_end = &s->ready;
    the_scheduler = s;
    lua_rawsetp(L, LUA_REGISTRYINDEX, &scheduler_key);
    tl_preempt_open();
    tl_coroutine_open(L);
    tl_task_types(L);
    return 0;
}

void tl_scheduler_close(lua_State *L)
{
    scheduler *s = get_scheduler(L);
    tl_loop *loop = s->loop;
    lua_close(L); /* collects every operation, which stops its watches; so the loop goes last */
    the_scheduler = NULL;
    tl_loop_leave(loop);
}
