#ifndef TL_LUA_SECRETS_OPTION_H
#define TL_LUA_SECRETS_OPTION_H

#include "lua/convert.h"

/* The option `secrets` ("reveal", "mask") of the encoders' option table at `index`; absent: secrets are refused. */
tl_secrets tl_secrets_option(lua_State *L, int index);

#endif
