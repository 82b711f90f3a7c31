#ifndef TL_LUA_CHART_QUESTIONS_H
#define TL_LUA_CHART_QUESTIONS_H

#include <lua.h>

#include "template/template.h"

/* What a render asks that only a script can find out, and the answers so far. A template cannot wait: an unknown answer is
 * noted, and nothing answered for now, so that one round collects as many questions as it meets. Zeroed before first
 * use; lies in its arena. */
typedef struct tl_chart_questions {
    tl_arena *arena;
    struct tl_chart_answer *answers;
    size_t count, cap, known;
} tl_chart_questions;

/* Lets the render ask what the options at `index` (a table or nil) have functions for: `lookup` and `resolve`. */
void tl_chart_questions_offer(lua_State *L, int index, tl_chart_questions *questions, tl_arena *arena,
                              tl_template_outside *outside);
/* How many are open. */
size_t tl_chart_questions_open(const tl_chart_questions *questions);
/* Pushes the function that answers the first open one, with its arguments; gives their number. */
int tl_chart_question_push(lua_State *L, const tl_chart_questions *questions, int index);
/* What is on the top is its answer. */
void tl_chart_question_answer(lua_State *L, tl_chart_questions *questions);

#endif
