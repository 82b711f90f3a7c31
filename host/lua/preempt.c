/* Breaks into a running coroutine by a hook that the signal handler sets. */
#include "lua/preempt.h"

#include <signal.h>
#include <stddef.h>

#include "loop/loop.h"

#define INSTRUCTIONS 100 /* between two tries where the coroutine cannot yield, as inside table.sort */

static lua_State *volatile running;
static int happened;

/* A hook may outlive its reason, as the coroutine can have waited by itself meanwhile: then it only takes itself away.
 * Threads inherit it from their maker. */
static void on_hook(lua_State *L, lua_Debug *ar)
{
    (void)ar;
    int wanted = tl_signals_pending();
    if (wanted && !lua_isyieldable(L)) return;
    lua_sethook(L, NULL, 0, 0);
    if (!wanted) return;
    happened = 1;
    lua_yield(L, 0); /* returns: Lua yields when its hook has returned */
}

static void break_into(lua_State *L)
{
    lua_sethook(L, on_hook, LUA_MASKCOUNT, INSTRUCTIONS);
}

/* Runs in the signal handler; lua_sethook is made for that. */
static void on_arrival(int number)
{
    lua_State *L = running;
    int asks_to_end = number == SIGINT || number == SIGTERM || number == SIGHUP;
    if (L && asks_to_end) break_into(L);
}

void tl_preempt_open(void)
{
    tl_signals_on_arrival(on_arrival);
}

lua_State *tl_preempt_enter(lua_State *co)
{
    lua_State *before = running;
    running = co;
    /* What arrived between two coroutines set no hook, and the loop may be far. */
    if (co && tl_signals_pending()) break_into(co);
    return before;
}

int tl_preempt_yield(lua_State *L, lua_KContext context, lua_KFunction k)
{
    happened = 1;
    return lua_yieldk(L, 0, context, k);
}

int tl_preempt_happened(void)
{
    return happened;
}

void tl_preempt_take_back(void)
{
    happened = 0;
}
