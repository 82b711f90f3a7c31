#ifndef TL_REPL_H
#define TL_REPL_H

#include <lua.h>

/* Reads, runs and prints until the end of input. Every line runs as a task. Returns the exit status. */
int tl_repl(lua_State *L);

#endif
