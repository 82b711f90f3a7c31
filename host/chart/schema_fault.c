/* What is wrong with a value, in the words of the library that helm uses. */
#include "chart/schema_fault.h"

#include <string.h>

#include "chart/decode.h"
#include "chart/text.h"
#include "data/number.h"

tl_fault *tl_fault_new(tl_arena *arena, const char *path, const char *text)
{
    tl_fault *fault = tl_arena_zalloc(arena, sizeof *fault);
    fault->path = path;
    fault->text = text;
    return fault;
}

void tl_fault_add(tl_fault *fault, tl_fault *cause)
{
    if (!cause) return;
    if (fault->last)
        fault->last->next = cause;
    else
        fault->causes = cause;
    fault->last = cause;
}

static void print_at(tl_buf *out, const tl_fault *fault, int indent, int depth)
{
    int skipped = fault->is_ref && fault->causes && !fault->causes->next;
    if (depth > 100) return;
    if (!skipped) {
        tl_buf_addc(out, '\n');
        for (int i = 1; i < indent; i++) tl_buf_adds(out, "  ");
        tl_buf_addf(out, "- at '%s': %s", fault->path, fault->text ? fault->text : "validation failed");
        indent++;
    }
    for (const tl_fault *cause = fault->causes; cause; cause = cause->next) print_at(out, cause, indent, depth + 1);
}

void tl_fault_print(tl_buf *out, const tl_fault *whole)
{
    tl_buf text = TL_BUF_INIT(out->max);
    for (const tl_fault *cause = whole->causes; cause; cause = cause->next) print_at(&text, cause, 1, 0);
    tl_buf_adds(out, text.len ? text.data + 1 : "");
    tl_buf_dispose(&text);
}

const char *tl_fault_quote(tl_arena *arena, const char *text, size_t length)
{
    const char *quoted = tl_text_quote(arena, text, length);
    char *out = tl_arena_alloc(arena, strlen(quoted) * 2 + 1), *at = out;
    size_t end = strlen(quoted) - 1;
    *at++ = '\'';
    for (size_t i = 1; i < end; i++) {
        if (quoted[i] == '\\' && quoted[i + 1] == '"') continue;
        if (quoted[i] == '\'') *at++ = '\\';
        *at++ = quoted[i];
    }
    *at++ = '\'';
    *at = 0;
    return out;
}

const char *tl_fault_display(tl_arena *arena, tl_value value)
{
    char text[TL_NUMBER_MAX];
    switch (value.type) {
    case TL_STRING: return tl_fault_quote(arena, value.as.s, value.len);
    case TL_LIST:
    case TL_MAP: return "value";
    case TL_NULL: return "<nil>";
    case TL_FLOAT: tl_number_json(value.as.d, 64, text); return tl_arena_strdup(arena, text);
    default: return tl_decode_scalar(arena, value);
    }
}

/* 1234567 as 1,234,567. */
static void add_grouped(tl_buf *out, const char *digits, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (i && (length - i) % 3 == 0) tl_buf_addc(out, ',');
        tl_buf_addc(out, digits[i]);
    }
}

static void add_exponent(tl_buf *out, const char *exponent)
{
    static const char *const raised[] = {"⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹"};
    tl_buf_adds(out, "×10");
    for (; *exponent; exponent++) {
        if (*exponent == '-') tl_buf_adds(out, "⁻");
        if (*exponent >= '0' && *exponent <= '9') tl_buf_adds(out, raised[*exponent - '0']);
    }
}

const char *tl_fault_number(tl_arena *arena, double number)
{
    char text[TL_NUMBER_MAX];
    const char *at = text;
    tl_buf out = TL_BUF_INIT(1024);
    tl_number_format(number, 'g', -1, 64, text);
    if (*at == '-') tl_buf_addc(&out, *at++);
    size_t whole = strspn(at, "0123456789"), rest = strcspn(at + whole, "e");
    add_grouped(&out, at, whole);
    tl_buf_add(&out, at + whole, rest);
    if (at[whole + rest]) add_exponent(&out, at + whole + rest + 1);
    const char *copy = tl_arena_strdup(arena, out.data);
    tl_buf_dispose(&out);
    return copy;
}
