#ifndef TL_LUA_HTTP_H
#define TL_LUA_HTTP_H

#include <lua.h>

#include "net/http.h"

/* The program's one tl_net, made (and libcurl loaded) at the first call; raises where that fails. It lives in the
 * registry until the program ends. */
tl_net *tl_lua_net(lua_State *L);

/* Starts a request whose answer's body is read piece by piece, waits for the headers and returns its handle
 * (todo.http.Stream: status, headers, read, read_line, close): `return tl_http_await_stream(L, &options)`. on_headers,
 * on_body, on_done and data of the options are overwritten; its pointers are needed during the call only. */
int tl_http_await_stream(lua_State *L, tl_http_options *options);

/* Adds connect and bind (TCP) to the module table on top of the stack. */
void tl_tcp_open(lua_State *L);

#endif
