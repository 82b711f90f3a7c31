#ifndef TL_LUA_CHART_SCRIPT_H
#define TL_LUA_CHART_SCRIPT_H

#include "chart/script.h"

/* Runs the Lua of charts, each chart's in a sandbox of its own. */
extern const tl_script_runner tl_chart_script_runner;

#endif
