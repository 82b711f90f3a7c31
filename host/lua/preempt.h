#ifndef TL_LUA_PREEMPT_H
#define TL_LUA_PREEMPT_H

#include <lua.h>

/* Lets a signal that asks the program to end reach a script that computes and never waits: its coroutine yields between
 * two instructions, as if it had waited for nothing, so the loop gets its turn and delivers the signal. */

/* Called once, before the first coroutine runs. */
void tl_preempt_open(void);
/* Notes the coroutine that runs from now on (NULL: none); returns the one before, to be given back when it stops. */
lua_State *tl_preempt_enter(lua_State *co);
/* The same from a C function that computes: `return tl_preempt_yield(…)` gives the loop its turn, then calls k. Needs
 * lua_isyieldable(L). */
int tl_preempt_yield(lua_State *L, lua_KContext context, lua_KFunction k);
/* Whether a coroutine has yielded in this way since it was last taken back. */
int tl_preempt_happened(void);
void tl_preempt_take_back(void);

#endif
