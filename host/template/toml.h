#ifndef TL_TEMPLATE_TOML_H
#define TL_TEMPLATE_TOML_H

#include "base/buf.h"
#include "base/error.h"
#include "data/value.h"

/* TOML as github.com/BurntSushi/toml writes and reads it, which is what helm's toToml and fromToml call. */

/* Appends `value`: plain keys first, tables after them, both sorted. Errors carry the library's text. */
int tl_toml_write(tl_buf *out, tl_value value, tl_error *err);
/* Reads a document into a map. Errors: "toml: line 3 (last key "a.b"): …". */
int tl_toml_read(tl_value *out, tl_arena *arena, const char *text, size_t length, tl_error *err);
/* Appends the parts of a key (strings) as TOML writes them: a."b c". */
void tl_toml_key(tl_buf *out, const tl_list *parts);

#endif
