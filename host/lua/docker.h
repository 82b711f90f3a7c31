#ifndef TL_LUA_DOCKER_H
#define TL_LUA_DOCKER_H

#include <lua.h>

#include "base/buf.h"
#include "docker/context.h"
#include "docker/engine.h"
#include "docker/transfer.h"

/* What the files of module docker share. */

/* The engine of the client at stack index 1; raises where it is closed. */
tl_engine *tl_docker_check(lua_State *L);
/* Appends the path (argument `path_index`) and the field `query` of the options table at `options` as a query string. */
void tl_docker_path(lua_State *L, int path_index, int options, tl_buf *out);
/* An empty buffer owned by a userdata that is pushed. */
tl_buf *tl_docker_push_buf(lua_State *L);
/* Appends the field `body` of the options table as JSON; 0 where there is none. */
int tl_docker_body(lua_State *L, int options, tl_buf *out);
/* The field `auth` of the options table ({ username, password, identitytoken, serveraddress }) as the value of the header
 * X-Registry-Auth, NULL where there is none; owned by what is pushed. */
const char *tl_docker_auth(lua_State *L, int options);

/* Methods of a client that return handles: transfer and hijack. Makes their metatables. */
void tl_docker_handles_open(lua_State *L);
int tl_docker_l_transfer(lua_State *L);
int tl_docker_l_hijack(lua_State *L);

#endif
