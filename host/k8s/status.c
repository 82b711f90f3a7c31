/* Turns Status objects into errors. */
#include "k8s/status.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "data/json.h"

#define BODY_ARENA ((size_t)16 << 20)
#define MAX_CAUSES 20

static const char *kind_of(int status, const char *reason)
{
    if (strcmp(reason, "AlreadyExists") == 0) return "exists";
    if (strcmp(reason, "Expired") == 0) return "gone";
    switch (status) {
    case 401:
    case 403: return "denied";
    case 404: return "not_found";
    case 408:
    case 504: return "timeout";
    case 409: return "conflict";
    case 410: return "gone";
    case 422: return "invalid";
    case 429: return "busy";
    default: return "http";
    }
}

static void add_hint(tl_error *err, int status)
{
    if (status == 401)
        tl_error_hint(err, "the server does not accept these credentials: log in again or choose another context");
    if (status == 403)
        tl_error_hint(err, "the user of this context lacks the right; ask for it or choose another context");
    if (status == 429) tl_error_hint(err, "the server is overloaded: try again later");
}

/* Hangs details.causes under the error, in their order. */
static void add_causes(tl_arena *arena, const tl_value *object, tl_error *err)
{
    const tl_value *causes = tl_value_path(object, "details", "causes", NULL);
    if (!causes || causes->type != TL_LIST) return;
    tl_error **next = &err->cause;
    for (size_t i = 0; i < causes->as.list->len && i < MAX_CAUSES; i++) {
        const tl_value *cause = &causes->as.list->items[i];
        const char *field = tl_value_text(arena, tl_value_path(cause, "field", NULL), "");
        const char *text = tl_value_text(arena, tl_value_path(cause, "message", NULL), "");
        const char *reason = tl_value_text(arena, tl_value_path(cause, "reason", NULL), "Cause");
        *next = tl_calloc(1, sizeof **next);
        tl_error_set(*next, reason, "%s%s%s", field, *field ? ": " : "", text);
        next = &(*next)->cause;
    }
}

static int from_object(tl_arena *arena, int status, const tl_value *object, const char *what, tl_error *err)
{
    const tl_value *code = tl_value_path(object, "code", NULL);
    if (!status && code && code->type == TL_INT) status = (int)code->as.i;
    const char *reason = tl_value_text(arena, tl_value_path(object, "reason", NULL), "");
    const char *message = tl_value_text(arena, tl_value_path(object, "message", NULL), "");
    if (*message)
        tl_error_set(err, kind_of(status, reason), "%s", message);
    else
        tl_error_set(err, kind_of(status, reason), "%s: the server answered %d %s", what, status, reason);
    if (!err) return -1;
    err->status = status;
    add_hint(err, status);
    add_causes(arena, object, err);
    return -1;
}

/* An answer that is no Status: a proxy's page, a plain "404 page not found". One line of it is shown. */
static int from_text(int status, const char *body, size_t length, const char *what, tl_error *err)
{
    size_t end = 0;
    while (end < length && end < 200 && (unsigned char)body[end] >= 32) end++;
    if (!end || !tl_utf8_valid(body, end))
        tl_error_set(err, kind_of(status, ""), "%s: the server answered %d", what, status);
    else
        tl_error_set(err, kind_of(status, ""), "%s: the server answered %d: %.*s", what, status, (int)end, body);
    if (err) err->status = status;
    if (err) add_hint(err, status);
    return -1;
}

int tl_k8s_status_error(int status, const char *body, size_t length, const char *what, tl_error *err)
{
    tl_arena *arena = tl_arena_new(BODY_ARENA);
    tl_value object = tl_null();
    tl_error ignored = {0};
    int parsed = length && body[0] == '{' && !tl_json_parse(arena, body, length, NULL, &object, &ignored);
    const tl_value *kind = parsed ? tl_value_path(&object, "kind", NULL) : NULL;
    if (kind && tl_value_is(*kind, "Status"))
        from_object(arena, status, &object, what, err);
    else
        from_text(status, body, length, what, err);
    tl_error_dispose(&ignored);
    tl_arena_free(arena);
    return -1;
}

int tl_k8s_status_value(const tl_value *object, tl_error *err)
{
    tl_arena *arena = tl_arena_new(BODY_ARENA);
    from_object(arena, 0, object, "watch", err);
    tl_arena_free(arena);
    return -1;
}
