#ifndef TL_LUA_TERM_H
#define TL_LUA_TERM_H

#include <stddef.h>

#include <lua.h>

/* Makes print, and everything else that scripts say, pass the redactor; registers what restores the terminal at exit. */
void tl_term_open(lua_State *L);

/* Writes to a descriptor after redaction. Errors (a closed pipe) are ignored. */
void tl_term_write(lua_State *L, int fd, const char *text, size_t length);

/* "auto", "always" or "never" for both output streams; -1 where it is neither. */
int tl_term_set_color(const char *when);

/* input(options), and the type that it returns. */
int tl_term_l_input(lua_State *L);
void tl_term_open_input(lua_State *L);

#endif
