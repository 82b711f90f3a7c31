/* libwslay, loaded on first use. */
#include "net/wslay_dl.h"

#include <string.h>

#include "base/dynlib.h"

static const char *const names[] = {"libwslay.so.1", "libwslay.1.dylib", "libwslay.dylib", NULL};

static const char *const symbols[] = {
#define TL_WSLAY_NAME(name) "wslay_event_" #name,
    TL_WSLAY_FUNCTIONS(TL_WSLAY_NAME)
#undef TL_WSLAY_NAME
};

const tl_wslay *tl_wslay_load(tl_error *err)
{
    static tl_wslay table;
    enum { COUNT = sizeof symbols / sizeof *symbols };
    if (table.recv) return &table;
    void *found[COUNT];
    const tl_dynlib lib = {names, "libwslay1", symbols, COUNT};
    if (tl_dynlib_load(&lib, found, err) < 0) return NULL;
    _Static_assert(sizeof table == sizeof found, "one pointer for each function");
    memcpy(&table, found, sizeof table);
    return &table;
}
