#ifndef TL_LUA_TERM_H
#define TL_LUA_TERM_H

#include <stddef.h>

#include <lua.h>

/* Makes print, and everything else that scripts say, pass the redactor; registers what restores the terminal at exit. */
void tl_term_open(lua_State *L);

/* Writes to a descriptor after redaction. Errors (a closed pipe) are ignored. */
void tl_term_write(lua_State *L, int fd, const char *text, size_t length);

/* A passing note on the terminal's line (one line of it at most), which whatever is said next replaces; NULL removes it. */
void tl_term_note(lua_State *L, const char *text);

/* How often something was said so far, or the terminal was claimed. */
unsigned tl_term_writes(lua_State *L);

/* Somebody else is about to use the terminal: what stands there as a note goes. */
void tl_term_claim(lua_State *L);

/* "auto", "always" or "never" for both output streams; -1 where it is neither. */
int tl_term_set_color(const char *when);

/* input(options), and the type that it returns. */
int tl_term_l_input(lua_State *L);
void tl_term_open_input(lua_State *L);

#endif
