#ifndef TL_LUA_SECRET_H
#define TL_LUA_SECRET_H

#include <lua.h>

/* The text of the secret at `index` (userdata "todo.secret.Secret"), NUL-ended, valid while the userdata lives; NULL
 * where the value is no secret. `length` may be NULL. */
const char *tl_secret_text(lua_State *L, int index, size_t *length);

#endif
