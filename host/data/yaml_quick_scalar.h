#ifndef TL_DATA_YAML_QUICK_SCALAR_H
#define TL_DATA_YAML_QUICK_SCALAR_H

#include <stddef.h>

#include "base/buf.h"
#include "data/value.h"
#include "data/yaml.h"

/* What the two halves of the quick YAML reader share; nobody else includes this. */
typedef struct tl_yaml_reader {
    const char *at, *end, *line; /* the next byte, the end of the text, the start of the line in work */
    int column, depth;
    tl_arena *arena;
    const tl_yaml_options *options;
    tl_buf scratch; /* for a scalar that must be put together */
    int unkept;     /* values are checked, not made */
} tl_yaml_reader;

/* Functions return 0, or -1 where the text is not for this reader. */

/* From the start of a line to the next content; fills `column` (-1 at the end). */
int tl_yaml_seek(tl_yaml_reader *r);
/* Behind a value: blanks, perhaps a comment, the end of the line. */
int tl_yaml_end_line(tl_yaml_reader *r);

static inline int tl_yaml_ends_word(const tl_yaml_reader *r, const char *at)
{
    return at >= r->end || *at == ' ' || *at == '\n' || *at == '\t';
}

/* What ends a plain scalar's run of ordinary bytes: some of these do so only where they stand beside a blank. */
static inline const char *tl_yaml_plain_run(const char *at, const char *end)
{
    static const unsigned char stops[256] = {[':'] = 1, ['#'] = 1, ['\n'] = 1, ['\t'] = 1};
    while (at < end && !stops[(unsigned char)*at]) at++;
    return at;
}

/* Whether a plain scalar may start here. */
int tl_yaml_starts_plain(const tl_yaml_reader *r);
/* A quoted scalar's text; moves behind its closing quote. */
int tl_yaml_quoted(tl_yaml_reader *r, tl_value *out);
/* A value that is no block collection, inside one at `indent`; moves to the next content. */
int tl_yaml_scalar(tl_yaml_reader *r, int indent, tl_value *out);

#endif
