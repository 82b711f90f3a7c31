/* Defaults and choices: default, coalesce, ternary, empty, all, any. */
#include "template/internal.h"

TL_FUNCTION(fn_default)
{
    *out = count < 2 || tl_empty(args[1]) ? args[0] : args[1];
    return 0;
}

TL_FUNCTION(fn_empty)
{
    *out = tl_bool(tl_empty(args[0]));
    return 0;
}

TL_FUNCTION(fn_coalesce)
{
    *out = tl_null();
    for (size_t i = 0; i < count; i++) {
        if (tl_empty(args[i])) continue;
        *out = args[i];
        break;
    }
    return 0;
}

TL_FUNCTION(fn_all)
{
    *out = tl_bool(1);
    for (size_t i = 0; i < count; i++)
        if (tl_empty(args[i])) *out = tl_bool(0);
    return 0;
}

TL_FUNCTION(fn_any)
{
    *out = tl_bool(0);
    for (size_t i = 0; i < count; i++)
        if (!tl_empty(args[i])) *out = tl_bool(1);
    return 0;
}

TL_FUNCTION(fn_ternary)
{
    *out = args[2].as.b ? args[0] : args[1];
    return 0;
}

TL_FUNCTION(fn_hello)
{
    *out = tl_cstring_ref("Hello!");
    return 0;
}

const tl_function tl_functions_flow[] = {
    {"default", "aa*", fn_default}, {"empty", "a", fn_empty}, {"coalesce", "a*", fn_coalesce}, {"all", "a*", fn_all},
    {"any", "a*", fn_any},          {"ternary", "aab", fn_ternary}, {"hello", "", fn_hello},   {NULL, NULL, NULL}};
