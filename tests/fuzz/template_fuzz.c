/* A stranger's template: parsed and rendered on values of every type. */
#include "fuzz.h"

#include <string.h>

#include "data/yaml.h"
#include "template/template.h"

static const char values[] = "a: 1\nb: x\nc: [1, two, 3.5, null]\nd: {e: {f: true}, g: ''}\nh: null\ni: 1e3\nj: \"{{ .b }}\"\n";

/* What takes seconds by design: keys and password hashes. */
static int is_slow(const char *text, size_t length)
{
    static const char *const names[] = {"gen", "crypt", "derive", "htpasswd"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (memmem(text, length, names[i], strlen(names[i]))) return 1;
    return 0;
}

static int64_t now(void *context)
{
    (void)context;
    return 1700000000000000000;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (is_slow((const char *)data, size)) return 0;
    tl_arena *arena = tl_arena_new(64u << 20);
    char *text = tl_arena_strndup(arena, (const char *)data, size);
    tl_template_options options = {.outside = {.now = now}, .max_output = 1u << 20, .max_steps = 20000, .max_time = 5000};
    tl_template_set *set = tl_template_set_new();
    tl_buf out = TL_BUF_INIT(1u << 20);
    tl_error err = {0};
    tl_value root = tl_null();
    tl_yaml_options read = {.floats = 1};
    if (tl_yaml_parse(arena, values, sizeof values - 1, &read, &root, &err) != 1) abort();
    tl_map *top = tl_map_new(arena, 2);
    tl_map_sets(top, "Values", tl_as_go(root, TL_GO_NAMED_MAP));
    tl_map_sets(top, "b", tl_cstring_ref("dot"));
    if (!tl_template_parse(set, "t", text, size, &err)) {
        tl_template_render *render = tl_template_render_new(set, arena, &options);
        tl_template_execute(render, "t", tl_as_go(tl_map_value(top), TL_GO_NAMED_MAP), &out, &err);
        tl_template_render_free(render);
    }
    tl_error_dispose(&err);
    tl_buf_dispose(&out);
    tl_template_set_free(set);
    tl_arena_free(arena);
    return 0;
}
