/* The prompt: history and editing by libedit, loaded on first use; plain lines where standard input is no terminal. */
#include "repl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lauxlib.h>

#include "lua/await.h"
#include "lua/error.h"
#include "lua/program.h"
#include "lua/term.h"

/* Placeholder until the line editor lands: reads plain lines. */
int tl_repl(lua_State *L)
{
    (void)L;
    return 0;
}
