#ifndef TL_CHART_SCHEMA_FAULT_H
#define TL_CHART_SCHEMA_FAULT_H

#include "base/buf.h"
#include "base/mem.h"
#include "data/value.h"

/* What is wrong with a value, as a tree that prints like the errors of santhosh-tekuri/jsonschema, which helm uses. */
typedef struct tl_fault {
    const char *path; /* JSON pointer of the value */
    const char *text; /* NULL: "validation failed", with causes */
    int is_ref;       /* of a $ref: not printed where it has one cause */
    struct tl_fault *causes, *last, *next;
} tl_fault;

tl_fault *tl_fault_new(tl_arena *arena, const char *path, const char *text);
/* Appends a cause; NULL is allowed and ignored. */
void tl_fault_add(tl_fault *fault, tl_fault *cause);
/* Prints the causes of the whole, one to a line. */
void tl_fault_print(tl_buf *out, const tl_fault *whole);

/* 'text' as that library quotes it; names joined with ", ". */
const char *tl_fault_quote(tl_arena *arena, const char *text, size_t length);
/* A scalar of a schema as it is shown; "value" for lists and maps. */
const char *tl_fault_display(tl_arena *arena, tl_value value);
/* Numbers as English readers group them: 12,345.5 and 1.5×10⁰⁶. */
const char *tl_fault_number(tl_arena *arena, double number);

#endif
