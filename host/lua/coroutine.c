/* coroutine.resume, wrap and close that pass the host's yields outward, so that a script's own coroutines can wait. */
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "lua/error.h"
#include "lua/preempt.h"
#include "lua/task.h"

/* A script's own coroutine inside of which a task waits: nobody else may resume or close it, and cancelling the task
 * closes it. A userdata on the stack of whoever resumed it. */
#define INNER_TYPE "todo.task.Inner"
typedef struct inner {
    lua_State *co;
    struct inner *next, **link; /* link is NULL while nobody waits in it */
} inner;

static inner *inners; /* all in which somebody waits; the program has one scheduler */

static void leave_inner(inner *in)
{
    if (!in->link) return;
    *in->link = in->next;
    if (in->next) in->next->link = in->link;
    in->link = NULL;
}

static int l_inner_gc(lua_State *L)
{
    leave_inner(lua_touserdata(L, 1));
    return 0;
}

/* The task was cancelled while it waited in there. */
static int l_inner_close(lua_State *L)
{
    inner *in = lua_touserdata(L, 1);
    if (!in->link) return 0;
    leave_inner(in);
    if (lua_resetthread(in->co) == LUA_OK) return 0;
    lua_xmove(in->co, L, 1);
    return lua_error(L);
}

static int belongs_to_task(lua_State *L, const lua_State *co)
{
    for (const inner *in = inners; in; in = in->next)
        if (in->co == co) return 1;
    return tl_task_owns(L, co);
}

/* The coroutine has yielded the token, or nothing where it was preempted: the one that resumed it yields the token, too;
 * `in` is NULL the first time. */
static int wait_inside(lua_State *L, lua_State *co, inner *in, lua_KFunction k)
{
    if (!tl_preempt_happened()) lua_pop(co, 1);
    if (!lua_isyieldable(L)) {
        tl_task_abandon_wait(tl_task_current(L));
        return tl_raisef(L, "usage", "cannot wait here: a coroutine that waits was resumed inside table.sort, string.gsub "
                                     "or tostring");
    }
    if (!in) {
        in = lua_newuserdatauv(L, sizeof *in, 0);
        in->link = NULL;
        luaL_setmetatable(L, INNER_TYPE);
        lua_toclose(L, -1);
    }
    in->co = co;
    in->next = inners;
    in->link = &inners;
    if (in->next) in->next->link = &in->next;
    inners = in;
    lua_pushlightuserdata(L, (void *)&tl_await_token);
    return lua_yieldk(L, 1, (lua_KContext)in, k);
}

static int is_wait(lua_State *co, int status, int results)
{
    if (status != LUA_YIELD) return 0;
    return tl_preempt_happened() || (results == 1 && lua_touserdata(co, -1) == (void *)&tl_await_token);
}

static int run(lua_State *L, lua_State *co, int nargs, int *results)
{
    lua_State *before = tl_preempt_enter(co);
    int status = lua_resume(co, L, nargs, results);
    /* Resumed by one that cannot yield itself, it goes on; what is pending waits as long. */
    while (tl_preempt_happened() && !lua_isyieldable(L)) {
        tl_preempt_take_back();
        status = lua_resume(co, L, 0, results);
    }
    tl_preempt_enter(before);
    return status;
}

static int k_resume(lua_State *L, int status, lua_KContext context);

/* Returns the number of values on top of L: true and the results, or false and the error. */
static int resume_inner(lua_State *L, lua_State *co, int nargs, inner *in)
{
    int results = 0, status = run(L, co, nargs, &results);
    if (is_wait(co, status, results)) return wait_inside(L, co, in, k_resume);
    int failed = status != LUA_OK && status != LUA_YIELD;
    if (failed) results = 1;
    if (!lua_checkstack(L, results + 1)) return tl_raisef(L, "usage", "too many results to resume");
    lua_pushboolean(L, !failed);
    lua_xmove(co, L, results);
    return results + 1;
}

static int k_resume(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    inner *in = (inner *)context;
    leave_inner(in);
    return resume_inner(L, in->co, 0, in);
}

/* NULL, or why it cannot be resumed. */
static const char *why_not(lua_State *L, lua_State *co)
{
    if (belongs_to_task(L, co)) return "this coroutine waits for the program's loop and cannot be resumed by a script";
    return lua_status(co) == LUA_OK && lua_gettop(co) == 0 ? "cannot resume dead coroutine" : NULL;
}

static int l_resume(lua_State *L)
{
    luaL_argexpected(L, lua_isthread(L, 1), 1, "coroutine");
    lua_State *co = lua_tothread(L, 1);
    const char *why = why_not(L, co);
    if (why) {
        tl_error err = {0};
        tl_error_set(&err, "usage", "%s", why);
        lua_pushboolean(L, 0);
        tl_push_error(L, &err);
        return 2;
    }
    int nargs = lua_gettop(L) - 1;
    if (!lua_checkstack(co, nargs)) return tl_raisef(L, "usage", "too many arguments to resume");
    lua_xmove(L, co, nargs);
    return resume_inner(L, co, nargs, NULL);
}

static int k_wrapped(lua_State *L, int status, lua_KContext context);

/* The same as resume, but the results are unpacked or raised. */
static int resume_wrapped(lua_State *L, lua_State *co, int nargs, inner *in)
{
    int results = 0, status = run(L, co, nargs, &results);
    if (is_wait(co, status, results)) return wait_inside(L, co, in, k_wrapped);
    if (status != LUA_OK && status != LUA_YIELD) {
        if (lua_status(co) != LUA_OK && lua_status(co) != LUA_YIELD) lua_resetthread(co); /* the error stays on top */
        lua_xmove(co, L, 1);
        return lua_error(L);
    }
    if (!lua_checkstack(L, results)) return tl_raisef(L, "usage", "too many results to resume");
    lua_xmove(co, L, results);
    return results;
}

static int k_wrapped(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    inner *in = (inner *)context;
    leave_inner(in);
    return resume_wrapped(L, in->co, 0, in);
}

static int l_wrapped(lua_State *L)
{
    lua_State *co = lua_tothread(L, lua_upvalueindex(1));
    const char *why = why_not(L, co);
    if (why) return tl_raisef(L, "usage", "%s", why);
    int nargs = lua_gettop(L);
    if (!lua_checkstack(co, nargs)) return tl_raisef(L, "usage", "too many arguments to resume");
    lua_xmove(L, co, nargs);
    return resume_wrapped(L, co, nargs, NULL);
}

/* upvalue 1: the stock function */
static int l_close(lua_State *L)
{
    if (lua_isthread(L, 1) && belongs_to_task(L, lua_tothread(L, 1)))
        return tl_raisef(L, "usage", "this coroutine waits for the program's loop: cancel its task instead");
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    return lua_gettop(L);
}

static int l_wrap(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_State *co = lua_newthread(L);
    lua_pushvalue(L, 1);
    lua_xmove(L, co, 1);
    lua_pushcclosure(L, l_wrapped, 1);
    return 1;
}

void tl_coroutine_open(lua_State *L)
{
    static const luaL_Reg replaced[] = {{"resume", l_resume}, {"wrap", l_wrap}, {NULL, NULL}};
    static const luaL_Reg inner_methods[] = {{"__gc", l_inner_gc}, {"__close", l_inner_close}, {NULL, NULL}};
    lua_getglobal(L, LUA_COLIBNAME);
    luaL_setfuncs(L, replaced, 0);
    lua_getfield(L, -1, "close");
    lua_pushcclosure(L, l_close, 1);
    lua_setfield(L, -2, "close");
    luaL_newmetatable(L, INNER_TYPE);
    luaL_setfuncs(L, inner_methods, 0);
    lua_pop(L, 2);
}
