/* What a render asks scripts. */
#include "lua/chart_questions.h"

#include <lauxlib.h>

#include "lua/convert.h"
#include "lua/error.h"

/* The option whose function answers, and how many strings that is given. */
enum { LOOKUP, RESOLVE };
static const struct {
    const char *option;
    int count;
} kinds[] = {{"lookup", 4}, {"resolve", 1}};

typedef struct tl_chart_answer {
    int kind;
    tl_value query[4];
    tl_value value;
} answer;

/* NULL where it is not known yet. */
static const answer *find(tl_chart_questions *questions, int kind, const tl_value *query)
{
    int count = kinds[kind].count;
    for (size_t i = 0; i < questions->count; i++) {
        const answer *a = &questions->answers[i];
        int same = a->kind == kind;
        for (int q = 0; same && q < count; q++) same = tl_value_equal(a->query[q], query[q]);
        if (same) return i < questions->known ? a : NULL;
    }
    if (questions->count == questions->cap) {
        size_t cap = questions->cap ? questions->cap * 2 : 8, size = sizeof *questions->answers;
        questions->answers = tl_arena_grow(questions->arena, questions->answers, questions->cap * size, cap * size);
        questions->cap = cap;
    }
    answer *added = &questions->answers[questions->count++];
    *added = (answer){.kind = kind};
    for (int q = 0; q < count; q++) added->query[q] = tl_value_copy(questions->arena, query[q]);
    return NULL;
}

static int on_lookup(void *context, const tl_value query[4], tl_arena *arena, tl_value *out, tl_error *err)
{
    const answer *a = find(context, LOOKUP, query);
    (void)err;
    *out = a && a->value.type != TL_NULL ? tl_value_copy(arena, a->value) : tl_map_value(tl_map_new(arena, 0));
    return 1;
}

static int on_resolve(void *context, tl_value host, tl_value *out)
{
    const answer *a = find(context, RESOLVE, &host);
    if (a) *out = a->value;
    return a != NULL;
}

static int has_function(lua_State *L, int index, const char *option)
{
    if (!lua_istable(L, index)) return 0;
    int type = lua_getfield(L, index, option);
    lua_pop(L, 1);
    luaL_argcheck(L, type == LUA_TNIL || type == LUA_TFUNCTION, index,
                  lua_pushfstring(L, "option '%s' must be a function", option));
    return type == LUA_TFUNCTION;
}

void tl_chart_questions_offer(lua_State *L, int index, tl_chart_questions *questions, tl_arena *arena,
                              tl_template_outside *outside)
{
    questions->arena = arena;
    outside->context = questions;
    if (has_function(L, index, kinds[LOOKUP].option)) outside->lookup = on_lookup;
    if (has_function(L, index, kinds[RESOLVE].option)) outside->resolve = on_resolve;
}

size_t tl_chart_questions_open(const tl_chart_questions *questions)
{
    return questions->count - questions->known;
}

int tl_chart_question_push(lua_State *L, const tl_chart_questions *questions, int index)
{
    const answer *a = &questions->answers[questions->known];
    int count = kinds[a->kind].count;
    lua_getfield(L, index, kinds[a->kind].option);
    for (int q = 0; q < count; q++) lua_pushlstring(L, a->query[q].as.s, a->query[q].len);
    return count;
}

void tl_chart_question_answer(lua_State *L, tl_chart_questions *questions)
{
    tl_error err = {0};
    answer *a = &questions->answers[questions->known];
    if (tl_to_value(L, lua_gettop(L), questions->arena, TL_SECRETS_REVEAL, &a->value, &err)) tl_raise(L, &err);
    questions->known++;
}
