#ifndef TL_LUA_MODULES_H
#define TL_LUA_MODULES_H

#include <lua.h>

/* Makes every host module known to require, without opening any. */
void tl_modules_open(lua_State *L);

#endif
