/* What a render gave, as scripts read it. */
#include <string.h>
#include <unistd.h>

#include "chart/manifest.h"
#include "lua/buffer.h"
#include "lua/chart.h"
#include "lua/convert.h"
#include "lua/error.h"
#include "lua/term.h"

#define RENDERED_TYPE "todo.chart.Rendered"

void tl_lua_chart_push_text(lua_State *L, const char *field, const char *text)
{
    if (!text || !*text) return;
    lua_pushstring(L, text);
    lua_setfield(L, -2, field);
}

static void push_strings(lua_State *L, const char *const *items, size_t count)
{
    lua_createtable(L, (int)count, 0);
    for (size_t i = 0; i < count; i++) {
        lua_pushstring(L, items[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
}

static void push_hook(lua_State *L, const tl_hook *hook)
{
    lua_newtable(L);
    push_strings(L, hook->events, hook->event_count);
    lua_setfield(L, -2, "events");
    lua_pushinteger(L, hook->weight);
    lua_setfield(L, -2, "weight");
    push_strings(L, hook->delete_policies, hook->delete_policy_count);
    lua_setfield(L, -2, "delete_policies");
    push_strings(L, hook->output_log_policies, hook->output_log_policy_count);
    lua_setfield(L, -2, "output_log_policies");
}

/* Pushes nothing, and returns 0, for a document of nothing but comments: it is part of the text, but no object. */
static int push_manifest(lua_State *L, const tl_manifest *m)
{
    tl_error err = {0};
    tl_value object;
    tl_arena *arena = tl_push_arena(L, TL_LUA_RENDER_MEMORY);
    if (tl_manifest_object(&object, arena, m, &err)) return tl_raise(L, &err);
    if (object.type != TL_MAP) {
        lua_pop(L, 1);
        return 0;
    }
    lua_newtable(L);
    tl_lua_chart_push_text(L, "name", m->path);
    lua_pushlstring(L, m->content, m->size);
    lua_setfield(L, -2, "content");
    lua_pushstring(L, m->kind);
    lua_setfield(L, -2, "kind");
    tl_push_value(L, object);
    lua_setfield(L, -2, "object");
    if (m->hook) {
        push_hook(L, m->hook);
        lua_setfield(L, -2, "hook");
    }
    lua_remove(L, -2);
    return 1;
}

static void push_manifests(lua_State *L, const tl_manifests *list)
{
    lua_Integer n = 0;
    lua_createtable(L, (int)list->len, 0);
    for (size_t i = 0; i < list->len; i++) {
        luaL_checkstack(L, 8, "manifests");
        if (push_manifest(L, &list->items[i])) lua_rawseti(L, -2, ++n);
    }
}

static void push_crds(lua_State *L, tl_render_data *r)
{
    tl_error err = {0};
    tl_manifests crds = {0}, hooks = {0};
    for (size_t i = 0; i < r->rendered.crds.len; i++) {
        tl_chart_file crd;
        if (tl_chart_file_read(&crd, &r->rendered.crds.items[i], &err)) tl_raise(L, &err);
        tl_rendered_file file = {.path = crd.name, .text = crd.data, .size = crd.size};
        if (tl_manifest_sort(&crds, &hooks, r->arena, &file, 1, &err)) tl_raise(L, &err);
    }
    push_manifests(L, &crds);
}

/* Whether `helm template` prints the whole recorded text with the hooks. Without objects, blank lines behind the last
 * definition go. */
static int prints_all(const tl_render_data *r)
{
    return r->rendered.manifests.len && !r->output.no_hooks && !r->output.skip_tests && !r->output.show_count;
}

/* What it prints otherwise of a manifest and the hooks, in a pushed buffer. */
static tl_buf *push_selection(lua_State *L, tl_render_data *r, const char *manifest, size_t size)
{
    tl_error err = {0};
    tl_buf *out = tl_push_buf(L, SIZE_MAX);
    if (tl_manifest_template_output(out, manifest, size, &r->rendered.hooks, &r->output, r->arena, &err))
        tl_raise(L, &err);
    return out;
}

static void push_output(lua_State *L, tl_render_data *r)
{
    tl_rendered *rendered = &r->rendered;
    tl_rendered_join(rendered, r->arena);
    if (prints_all(r)) {
        lua_pushlstring(L, rendered->manifest, rendered->joined_size);
        return;
    }
    const tl_buf *out = push_selection(L, r, rendered->manifest, rendered->manifest_size);
    lua_pushlstring(L, out->data, out->len);
}

static void push_manifest_text(lua_State *L, tl_render_data *r)
{
    tl_rendered_join(&r->rendered, r->arena);
    lua_pushlstring(L, r->rendered.manifest, r->rendered.manifest_size);
}

static tl_render_data *check_rendered(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_pushliteral(L, "handle");
    lua_rawget(L, 1);
    return luaL_checkudata(L, -1, TL_RENDER_TYPE);
}

#define PRINTED 65536 /* bytes that are gathered for one write */

typedef struct printing {
    lua_State *L;
    tl_buf *gathered;
} printing;

static void print_gathered(printing *p)
{
    tl_term_write(p->L, STDOUT_FILENO, p->gathered->data, p->gathered->len);
    tl_buf_clear(p->gathered);
}

static void print_piece(void *context, const char *bytes, size_t size)
{
    printing *p = context;
    if (p->gathered->len + size > PRINTED) print_gathered(p);
    if (size > PRINTED)
        tl_term_write(p->L, STDOUT_FILENO, bytes, size);
    else
        tl_buf_add(p->gathered, bytes, size);
}

/* print(manifest): writes `output`, which may be large, without making a string of it; with a manifest as that is. */
static int l_print(lua_State *L)
{
    lua_settop(L, 2);
    tl_render_data *r = check_rendered(L);
    tl_rendered *rendered = &r->rendered;
    size_t size;
    const char *changed = luaL_optlstring(L, 2, NULL, &size);
    printing p = {L, NULL};
    if (changed) {
        p.gathered = push_selection(L, r, changed, size);
    } else if (prints_all(r)) {
        p.gathered = tl_push_buf(L, SIZE_MAX);
        tl_rendered_pieces(rendered, print_piece, &p);
    } else {
        tl_rendered_join(rendered, r->arena);
        p.gathered = push_selection(L, r, rendered->manifest, rendered->manifest_size);
    }
    print_gathered(&p);
    tl_buf_dispose(p.gathered);
    return 0;
}

/* 1 the table, 2 the field, which is made and kept. */
static int l_rendered_index(lua_State *L)
{
    const char *field = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";
    tl_render_data *r = check_rendered(L);
    const tl_rendered *rendered = &r->rendered;
    if (!strcmp(field, "print")) {
        lua_pushcfunction(L, l_print);
        return 1;
    }
    if (!strcmp(field, "output"))
        push_output(L, r);
    else if (!strcmp(field, "manifests"))
        push_manifests(L, &rendered->manifests);
    else if (!strcmp(field, "hooks"))
        push_manifests(L, &rendered->hooks);
    else if (!strcmp(field, "crds"))
        push_crds(L, r);
    else if (!strcmp(field, "manifest"))
        push_manifest_text(L, r);
    else if (!strcmp(field, "notes"))
        lua_pushstring(L, rendered->notes);
    else if (!strcmp(field, "values"))
        tl_push_value(L, tl_map_value(rendered->values));
    else if (!strcmp(field, "config"))
        tl_push_value(L, tl_map_value((tl_map *)rendered->config));
    else
        return 0;
    lua_pushvalue(L, 2);
    lua_pushvalue(L, -2);
    lua_rawset(L, 1);
    return 1;
}

int tl_lua_push_rendered(lua_State *L, int index)
{
    index = lua_absindex(L, index);
    lua_createtable(L, 0, 4);
    lua_pushvalue(L, index);
    lua_setfield(L, -2, "handle");
    if (luaL_newmetatable(L, RENDERED_TYPE)) {
        lua_pushcfunction(L, l_rendered_index);
        lua_setfield(L, -2, "__index");
    }
    lua_setmetatable(L, -2);
    return 1;
}
