/* How encoders treat secrets. */
#include "lua/secrets_option.h"

#include <string.h>

#include "lua/error.h"

tl_secrets tl_secrets_option(lua_State *L, int index)
{
    const char *text = tl_opt_string(L, index, "secrets", NULL);
    if (!text) return TL_SECRETS_REFUSE;
    if (!strcmp(text, "reveal")) return TL_SECRETS_REVEAL;
    if (!strcmp(text, "mask")) return TL_SECRETS_MASK;
    tl_raisef(L, "usage", "option secrets: \"reveal\" or \"mask\" expected, not \"%s\"", text);
    return TL_SECRETS_REFUSE;
}
