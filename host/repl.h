#ifndef TL_REPL_H
#define TL_REPL_H

struct lua_State;

/* Reads, runs and prints until the end of input. Every line runs as a task. Returns the exit status. */
int tl_repl(struct lua_State *L);
/* From a signal's callback: the prompt ends at once, with the terminal as it was. */
void tl_repl_end(struct lua_State *L);

#endif
