/* The table of all functions, found by name. */
#include <pthread.h>
#include <string.h>

#include "template/internal.h"

#define SLOTS 1024

extern const tl_function tl_functions_builtin[], tl_functions_case[], tl_functions_convert[], tl_functions_crypto[],
    tl_functions_date[], tl_functions_dict[], tl_functions_encode[], tl_functions_flow[], tl_functions_list[],
    tl_functions_math[], tl_functions_path[], tl_functions_random[], tl_functions_regex[], tl_functions_render[],
    tl_functions_semver[], tl_functions_string[], tl_functions_url[], tl_functions_cert[], tl_functions_go[];

static const tl_function *const tables[] = {
    tl_functions_builtin, tl_functions_case, tl_functions_convert, tl_functions_crypto,
    tl_functions_date,    tl_functions_dict, tl_functions_encode, tl_functions_flow,    tl_functions_list,
    tl_functions_math,    tl_functions_path, tl_functions_random, tl_functions_regex,   tl_functions_render,
    tl_functions_semver,  tl_functions_string, tl_functions_url,
    tl_functions_cert,
};

/* Filled at the first look-up; constant from then on. */
static const tl_function *slots[SLOTS];

static uint32_t hash(const char *name, size_t length)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < length; i++) h = (h ^ (unsigned char)name[i]) * 16777619u;
    return h;
}

static void fill(void)
{
    for (size_t t = 0; t < sizeof tables / sizeof tables[0]; t++) {
        for (const tl_function *f = tables[t]; f->name; f++) {
            uint32_t slot = hash(f->name, strlen(f->name)) % SLOTS;
            while (slots[slot]) slot = (slot + 1) % SLOTS;
            slots[slot] = f;
        }
    }
}

const tl_function *tl_function_find(const char *name, size_t length)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT; /* templates may be parsed on several threads */
    pthread_once(&once, fill);
    for (uint32_t slot = hash(name, length) % SLOTS; slots[slot]; slot = (slot + 1) % SLOTS)
        if (strlen(slots[slot]->name) == length && !memcmp(slots[slot]->name, name, length)) return slots[slot];
    return NULL;
}

static const tl_function *find_in_table(const tl_function *f, const char *name, size_t length)
{
    for (; f->name; f++)
        if (strlen(f->name) == length && !memcmp(f->name, name, length)) return f;
    return NULL;
}

/* What helm adds to Sprig (helm.sh/helm/v3/pkg/engine/funcs.go). */
static int is_helms_own(const char *name)
{
    static const char *const own[] = {"include", "tpl", "required", "lookup", "toYaml", "toYamlPretty", "fromYaml",
                                      "fromYamlArray", "fromJsonArray", "toToml", "fromToml", NULL};
    for (size_t i = 0; own[i]; i++)
        if (!strcmp(own[i], name)) return 1;
    return 0;
}

const tl_function *tl_function_find_in(tl_template_language language, const char *name, size_t length)
{
    if (language == TL_TEMPLATE_GO) {
        const tl_function *found = find_in_table(tl_functions_builtin, name, length);
        return found ? found : find_in_table(tl_functions_go, name, length);
    }
    const tl_function *found = tl_function_find(name, length);
    return found && language == TL_TEMPLATE_SPRIG && is_helms_own(found->name) ? NULL : found;
}

size_t tl_function_count(void)
{
    size_t count = 0;
    for (size_t t = 0; t < sizeof tables / sizeof tables[0]; t++)
        for (const tl_function *f = tables[t]; f->name; f++) count++;
    return count;
}
