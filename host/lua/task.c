/* Module task: the primitives of cooperative tasks; lua/lib/task.lua adds what can be written on top of them. */
#include "lua/task.h"

#include <string.h>

#include "base/log.h"
#include "lua/convert.h"
#include "lua/error.h"
#include "lua/program.h"

#define EVENT_TYPE "todo.task.Event"
#define WAITER_TYPE "todo.task.Waiter"

/* Waiting for an event, with an optional deadline. */

static void leave_event(tl_waiter *w)
{
    tl_timer_stop(&w->timer);
    if (!w->event) return;
    tl_waiter **link = &w->event->waiters;
    while (*link && *link != w) link = &(*link)->next;
    if (*link) *link = w->next;
    w->event = NULL;
}

static int l_waiter_gc(lua_State *L)
{
    tl_waiter *w = lua_touserdata(L, 1);
    tl_wait_stop(&w->wait);
    leave_event(w);
    return 0;
}

static void on_cancel(tl_wait *wait)
{
    leave_event(wait->data);
}

static void on_due(tl_timer *timer)
{
    tl_waiter *w = timer->data;
    w->timed_out = 1;
    tl_wake(&w->wait);
}

/* Pushes a waiter on `event`, which lies in the userdata at index 1, or is NULL (a plain sleep); ms < 0: no deadline. */
static tl_waiter *push_waiter(lua_State *L, tl_event *event, int64_t ms)
{
    tl_waiter *w = lua_newuserdatauv(L, sizeof *w, 1);
    memset(w, 0, sizeof *w);
    luaL_setmetatable(L, WAITER_TYPE);
    if (event) { /* keeps the event's memory until the waiter has left it */
        lua_pushvalue(L, 1);
        lua_setiuservalue(L, -2, 1);
    }
    w->wait.data = w;
    w->wait.on_cancel = on_cancel;
    w->event = event;
    w->timer.data = w;
    w->timer.on_due = on_due;
    if (event) {
        w->next = event->waiters;
        event->waiters = w;
    }
    if (ms >= 0) {
        tl_loop_update_now(tl_lua_loop(L));
        tl_timer_start(tl_lua_loop(L), &w->timer, ms);
    }
    return w;
}

static int64_t check_ms(lua_State *L, int index)
{
    int64_t ms = tl_check_ms(L, index);
    return ms < 0 ? 0 : ms;
}

static int k_sleep(lua_State *L, int status, lua_KContext index)
{
    (void)status;
    leave_event(lua_touserdata(L, (int)index));
    return 0;
}

static int l_sleep(lua_State *L)
{
    tl_waiter *w = push_waiter(L, NULL, check_ms(L, 1));
    return tl_await(L, &w->wait, lua_gettop(L), k_sleep);
}

/* Events. */

void tl_event_push(lua_State *L)
{
    tl_event *event = lua_newuserdatauv(L, sizeof *event, 0);
    memset(event, 0, sizeof *event);
    luaL_setmetatable(L, EVENT_TYPE);
}

int tl_event_set_at(lua_State *L, int index)
{
    tl_event_set(luaL_checkudata(L, index, EVENT_TYPE));
    return 0;
}

static int l_event(lua_State *L)
{
    tl_event_push(L);
    return 1;
}

static int l_event_set(lua_State *L)
{
    return tl_event_set_at(L, 1);
}

static int l_event_clear(lua_State *L)
{
    ((tl_event *)luaL_checkudata(L, 1, EVENT_TYPE))->set = 0;
    return 0;
}

static int k_event_wait(lua_State *L, int status, lua_KContext index)
{
    (void)status;
    tl_waiter *w = lua_touserdata(L, (int)index);
    int happened = !w->event || w->event->set || !w->timed_out;
    leave_event(w);
    lua_pushboolean(L, happened);
    return 1;
}

static int l_event_wait(lua_State *L)
{
    tl_event *event = luaL_checkudata(L, 1, EVENT_TYPE);
    int64_t ms = lua_isnoneornil(L, 2) ? -1 : check_ms(L, 2);
    lua_settop(L, 2);
    if (event->set) {
        lua_pushboolean(L, 1);
        return 1;
    }
    tl_waiter *w = push_waiter(L, event, ms);
    return tl_await(L, &w->wait, 3, k_event_wait);
}

/* Tasks. */

static int l_spawn(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    tl_task_spawn(L, lua_gettop(L) - 1);
    return 1;
}

static int push_results(lua_State *L, int index)
{
    tl_task *task = lua_touserdata(L, index);
    task->seen = 1;
    if (task->state == TL_TASK_CANCELLED) return tl_raisef(L, "cancelled", "the task was cancelled");
    lua_getiuservalue(L, index, 2);
    if (task->state == TL_TASK_FAILED) return lua_error(L);
    lua_getfield(L, -1, "n");
    int count = (int)lua_tointeger(L, -1), table = lua_gettop(L) - 1;
    lua_pop(L, 1);
    luaL_checkstack(L, count, "results");
    for (int i = 1; i <= count; i++) lua_rawgeti(L, table, i);
    return count;
}

static tl_task *check_other_task(lua_State *L)
{
    tl_task *task = luaL_checkudata(L, 1, TL_TASK_TYPE);
    luaL_argcheck(L, task != tl_task_current(L), 1, "a task cannot wait for itself");
    return task;
}

static int k_task_wait(lua_State *L, int status, lua_KContext index)
{
    (void)status;
    leave_event(lua_touserdata(L, (int)index));
    return push_results(L, 1);
}

static int l_task_wait(lua_State *L)
{
    tl_task *task = check_other_task(L);
    lua_settop(L, 1);
    if (task->completed.set) return push_results(L, 1);
    tl_waiter *w = push_waiter(L, &task->completed, -1);
    return tl_await(L, &w->wait, 2, k_task_wait);
}

/* join(seconds): true once it has ended in whatever way, false after so long. */
static int l_task_join(lua_State *L)
{
    tl_task *task = check_other_task(L);
    int64_t ms = lua_isnoneornil(L, 2) ? -1 : check_ms(L, 2);
    lua_settop(L, 2);
    if (task->completed.set) {
        lua_pushboolean(L, 1);
        return 1;
    }
    tl_waiter *w = push_waiter(L, &task->completed, ms);
    return tl_await(L, &w->wait, 3, k_event_wait);
}

static int l_task_cancel(lua_State *L)
{
    tl_task *task = luaL_checkudata(L, 1, TL_TASK_TYPE), *current = tl_task_current(L);
    tl_task_cancel(L, task);
    if (!current || !current->cancel_self || current->ended) return 0;
    if (!lua_isyieldable(L)) return tl_raisef(L, "cancelled", "the task was cancelled");
    return tl_task_cancel_self(L);
}

/* Nobody waited for a task that failed, and it had no parent to fail. */
static int l_task_gc(lua_State *L)
{
    tl_task *task = lua_touserdata(L, 1);
    if (task->state != TL_TASK_FAILED || task->seen) return 0;
    task->seen = 1;
    lua_getiuservalue(L, 1, 2);
    tl_error_object(L, -1);
    tl_log(TL_LOG_WARN, "a detached task failed: %s", luaL_tolstring(L, -1, NULL));
    return 0;
}

static int l_task_status(lua_State *L)
{
    static const char *const names[] = {"running", "done", "failed", "cancelled"};
    lua_pushstring(L, names[((tl_task *)luaL_checkudata(L, 1, TL_TASK_TYPE))->state]);
    return 1;
}

static int l_task_detach(lua_State *L)
{
    tl_task_detach(luaL_checkudata(L, 1, TL_TASK_TYPE));
    lua_settop(L, 1);
    return 1;
}

static int l_current(lua_State *L)
{
    tl_task *task = tl_task_current(L);
    if (!task) return 0;
    tl_task_push(L, task);
    return 1;
}

static int l_now(lua_State *L)
{
    tl_loop *loop = tl_lua_loop(L);
    tl_loop_update_now(loop);
    lua_pushnumber(L, (lua_Number)tl_loop_now(loop) / 1000);
    return 1;
}

static int l_defer(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    tl_task *task = tl_task_current(L);
    if (!task) return tl_raisef(L, "usage", "task.defer needs a running task");
    tl_task_push(L, task);
    if (lua_getiuservalue(L, -1, 3) != LUA_TTABLE) {
        lua_pop(L, 1);
        lua_newtable(L);
        lua_pushvalue(L, -1);
        lua_setiuservalue(L, -3, 3);
    }
    lua_pushvalue(L, 1);
    lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
    return 0;
}

static int l_on_interrupt(lua_State *L)
{
    if (!lua_isnoneornil(L, 1)) luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_settop(L, 1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &tl_interrupt_key);
    return 0;
}

static int l_set_cleanup(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_settop(L, 1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &tl_cleanup_key);
    return 0;
}

static const luaL_Reg functions[] = {
    {"spawn", l_spawn},
    {"sleep", l_sleep},
    {"now", l_now},
    {"current", l_current},
    {"defer", l_defer},
    {"event", l_event},
    {"on_interrupt", l_on_interrupt},
    {NULL, NULL},
};

static const luaL_Reg task_methods[] = {
    {"wait", l_task_wait},
    {"join", l_task_join},
    {"cancel", l_task_cancel},
    {"status", l_task_status},
    {"detach", l_task_detach},
    {NULL, NULL},
};

static const luaL_Reg event_methods[] = {
    {"set", l_event_set},
    {"clear", l_event_clear},
    {"wait", l_event_wait},
    {NULL, NULL},
};

void tl_task_types(lua_State *L)
{
    tl_new_type(L, TL_TASK_TYPE, task_methods, NULL);
    luaL_getmetatable(L, TL_TASK_TYPE);
    lua_pushcfunction(L, l_task_gc);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
    tl_new_type(L, EVENT_TYPE, event_methods, NULL);
    tl_new_type(L, WAITER_TYPE, NULL, l_waiter_gc);
}

int luaopen_task(lua_State *L)
{
    luaL_newlib(L, functions);
    lua_pushcfunction(L, l_set_cleanup);
    return tl_program_extend(L, "lua/lib/task.lua", 1);
}
