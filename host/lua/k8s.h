#ifndef TL_LUA_K8S_H
#define TL_LUA_K8S_H

#include "k8s/verb.h"
#include "lua/await.h"

/* What the files of module k8s share: the client's userdata, the operation that a task waits for, and the options that
 * several functions take. */
#define TL_K8S_CLIENT "todo.k8s.Client"

/* The client at stack index 1; raises kind "closed" after its close. */
tl_k8s *tl_lua_k8s_check(lua_State *L);

/* One request, as a userdata; the client of index 1 lives at least as long. */
typedef struct tl_k8s_operation {
    tl_verb verb;
    tl_k8s_call *call; /* of raw requests */
    tl_lookup lookup;
    tl_wait wait;
    tl_buf query;
} tl_k8s_operation;

tl_k8s_operation *tl_lua_k8s_push(lua_State *L);
/* Frees what it holds before the collector does. */
void tl_lua_k8s_stop(tl_k8s_operation *op);
/* Sends its verb and waits; the operation's index is k's context. */
int tl_lua_k8s_send(lua_State *L, tl_k8s_operation *op, int index, lua_KFunction k);
/* Pushes JSON text as Lua values. */
void tl_lua_k8s_push_json(lua_State *L, const char *text, size_t length);

/* A copy of a text option, or NULL. */
const char *tl_lua_k8s_text(lua_State *L, int options, const char *name, tl_arena *arena);
/* A selector option given as text or as a table ({ app = "x", tier = { "a", "b" }, debug = true, old = false }). */
const char *tl_lua_k8s_selector(lua_State *L, int options, const char *name, tl_arena *arena);
/* The kind at index 2: a text, or an object with apiVersion and kind. */
tl_kind_ref tl_lua_k8s_kind(lua_State *L, tl_arena *arena);
/* Appends key=value to the operation's query; nothing for NULL. */
void tl_lua_k8s_query(tl_k8s_operation *op, const char *key, const char *value);
/* The value at `index` as the operation's JSON body. */
void tl_lua_k8s_body(lua_State *L, tl_k8s_operation *op, int index, tl_arena *arena, const char *content_type);

/* Add their methods to the table on top of the stack. */
void tl_lua_k8s_verbs(lua_State *L);
void tl_lua_k8s_raw(lua_State *L);
void tl_lua_k8s_streams(lua_State *L);
void tl_lua_k8s_remote(lua_State *L);
void tl_lua_k8s_cache(lua_State *L);

#endif
