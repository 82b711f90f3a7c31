#ifndef TL_DATA_JSON_H
#define TL_DATA_JSON_H

#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"
#include "data/value.h"

#define TL_JSON_DEPTH 1000

/* How numbers are read. */
typedef enum tl_json_numbers {
    TL_JSON_EXACT, /* an integer within int64 is TL_INT, everything else TL_FLOAT */
    TL_JSON_FLOATS /* everything is TL_FLOAT, as Go's encoding/json gives interface{} (chart values) */
} tl_json_numbers;

typedef struct tl_json_options {
    tl_json_numbers numbers;
    int max_depth;    /* 0: TL_JSON_DEPTH */
    size_t max_bytes; /* of text; 0: no limit */
    int borrow;       /* tl_json_parse only: strings without escapes point into the text, which must outlive them */
    int go_messages;  /* errors carry Go's text only ("invalid character 'x' looking for …"), without the place */
    const char *name; /* put before the place in messages, or NULL */
} tl_json_options;

/* Parses one whole document. Order is kept; of equal keys the last value wins; bad UTF-8 and lone surrogates become
 * U+FFFD as in Go. options may be NULL. Errors are of kind "parse": "NAME:LINE:COLUMN: invalid character …". */
int tl_json_parse(tl_arena *arena, const char *text, size_t length, const tl_json_options *options, tl_value *out,
                  tl_error *err);

/* The pull reader: fed in pieces, bounded in depth and size. */
typedef struct tl_json_reader tl_json_reader;

typedef enum tl_json_event {
    TL_JSON_MORE, /* the bytes so far end inside this token: feed more, or call tl_json_reader_end */
    TL_JSON_OBJECT,
    TL_JSON_OBJECT_END,
    TL_JSON_LIST,
    TL_JSON_LIST_END,
    TL_JSON_KEY,    /* token->value is the string */
    TL_JSON_SCALAR, /* token->value is null, a bool, a number or a string */
    TL_JSON_END     /* one document is complete and nothing but space is left */
} tl_json_event;

typedef struct tl_json_token {
    tl_json_event event;
    tl_value value; /* strings are valid until the next call on the reader */
} tl_json_token;

/* options may be NULL and are copied. Free with tl_json_reader_free. */
tl_json_reader *tl_json_reader_new(const tl_json_options *options);
void tl_json_reader_free(tl_json_reader *reader);
/* Copies bytes in. -1 past max_bytes (which bounds what is held at once). */
int tl_json_reader_feed(tl_json_reader *reader, const char *bytes, size_t length, tl_error *err);
/* No more bytes will come. */
void tl_json_reader_end(tl_json_reader *reader);
/* The next token; 0 or -1. After TL_JSON_END it may be followed by another document only where tl_json_reader_again was
 * called. */
int tl_json_reader_next(tl_json_reader *reader, tl_json_token *token, tl_error *err);
/* Builds the whole value that comes next (an object's value after TL_JSON_KEY, a list's item, a document). 1 when
 * *out is complete, 0 where more bytes are needed (call again after feeding, with the same arena), -1 on errors.
 * At the end of a list or object it returns 2 and consumes its closing token. */
int tl_json_reader_value(tl_json_reader *reader, tl_arena *arena, tl_value *out, tl_error *err);
/* Makes the reader ready for the next document of a stream of documents (watch events), keeping unread bytes. */
void tl_json_reader_again(tl_json_reader *reader);

typedef struct tl_json_write_options {
    const char *indent; /* NULL or "": compact; else one step of indentation, as json.MarshalIndent */
    int depth;          /* levels of indentation at which the value stands */
    int sort;           /* keys sorted by bytes (Go's maps); default: the order they have */
    int html;           /* <, >, & as \u003c, \u003e, \u0026, as Go's json.Marshal */
    /* Turns a TL_OBJECT into plain data before it is written; NULL: objects are an error. */
    int (*plain)(void *context, tl_value object, tl_value *out, tl_error *err);
    void *context;
} tl_json_write_options;

/* Appends `value` as Go's encoding/json writes it (floats included; bytes as base64; U+2028 and U+2029 always escaped,
 * bad UTF-8 as \ufffd), without a final newline. options may be NULL. Errors: kind "usage" for NaN, infinities,
 * cycles (depth over TL_JSON_DEPTH) and objects without `plain`; "limit" where the buffer is full. */
int tl_json_write(tl_buf *out, tl_value value, const tl_json_write_options *options, tl_error *err);
/* Appends a string literal with its quotes. */
void tl_json_write_string(tl_buf *out, const char *text, size_t length, int html);

#endif
