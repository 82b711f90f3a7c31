/* Release records as Go's structs (helm.sh/helm/v3/pkg/release and pkg/chart). */
#include "chart/release_view.h"

#include <string.h>

#include "data/base64.h"
#include "template/template.h"

typedef enum kind { TEXT, NUMBER, FLAG, TIME, BYTES, DATA, TEXT_MAP, TEXTS, ANYS, ONE, MANY } kind;

typedef struct field {
    const char *go, *json;
    kind kind;
    const struct part *part; /* of ONE and MANY */
} field;

typedef struct part {
    const tl_object_type *type;
    const field *fields; /* ended by a NULL name */
} part;

/* A field of the metadata; "" where there is none. */
static tl_value metadata_text(const tl_method_call *call, const char *name)
{
    const tl_value *metadata = tl_map_gets(call->self->content.as.map, "Metadata");
    return metadata->type == TL_OBJECT ? *tl_map_gets(metadata->as.object->content.as.map, name) : tl_cstring_ref("");
}

#define METHOD(name, expression)                                                           \
    static int name(const tl_method_call *call, tl_value *out, tl_error *err)              \
    {                                                                                      \
        (void)call;                                                                        \
        (void)err;                                                                         \
        *out = expression;                                                                 \
        return 0;                                                                          \
    }

METHOD(m_name, metadata_text(call, "Name"))
METHOD(m_app_version, metadata_text(call, "AppVersion"))
METHOD(m_is_root, tl_bool(1))

static const tl_method chart_methods[] = {
    {"Name", "", m_name}, {"AppVersion", "", m_app_version}, {"ChartPath", "", m_name}, {"ChartFullPath", "", m_name},
    {"IsRoot", "", m_is_root}, {NULL, NULL, NULL}};

#define POINTER(variable, name) static const tl_object_type variable = {"*" name, TL_KIND_POINTER, NULL, NULL, NULL, NULL}

POINTER(release_type, "release.Release");
POINTER(info_type, "release.Info");
POINTER(hook_type, "release.Hook");
static const tl_object_type chart_type = {"*chart.Chart", TL_KIND_POINTER, chart_methods, NULL, NULL, NULL};
POINTER(metadata_type, "chart.Metadata");
POINTER(maintainer_type, "chart.Maintainer");
POINTER(dependency_type, "chart.Dependency");
POINTER(lock_type, "chart.Lock");
POINTER(file_type, "chart.File");
static const tl_object_type execution_type = {"release.HookExecution", TL_KIND_STRUCT, NULL, NULL, NULL, NULL};

static const part info = {&info_type, (const field[]){{"FirstDeployed", "first_deployed", TIME, NULL},
                                                      {"LastDeployed", "last_deployed", TIME, NULL},
                                                      {"Deleted", "deleted", TIME, NULL},
                                                      {"Description", "description", TEXT, NULL},
                                                      {"Status", "status", TEXT, NULL},
                                                      {"Notes", "notes", TEXT, NULL},
                                                      {"Resources", "resources", DATA, NULL},
                                                      {NULL, NULL, TEXT, NULL}}};
static const part execution = {&execution_type, (const field[]){{"StartedAt", "started_at", TIME, NULL},
                                                                {"CompletedAt", "completed_at", TIME, NULL},
                                                                {"Phase", "phase", TEXT, NULL},
                                                                {NULL, NULL, TEXT, NULL}}};
static const part hook = {&hook_type, (const field[]){{"Name", "name", TEXT, NULL},
                                                      {"Kind", "kind", TEXT, NULL},
                                                      {"Path", "path", TEXT, NULL},
                                                      {"Manifest", "manifest", TEXT, NULL},
                                                      {"Events", "events", TEXTS, NULL},
                                                      {"LastRun", "last_run", ONE, &execution},
                                                      {"Weight", "weight", NUMBER, NULL},
                                                      {"DeletePolicies", "delete_policies", TEXTS, NULL},
                                                      {"OutputLogPolicies", "output_log_policies", TEXTS, NULL},
                                                      {NULL, NULL, TEXT, NULL}}};
static const part maintainer = {&maintainer_type, (const field[]){{"Name", "name", TEXT, NULL},
                                                                  {"Email", "email", TEXT, NULL},
                                                                  {"URL", "url", TEXT, NULL},
                                                                  {NULL, NULL, TEXT, NULL}}};
static const part dependency = {&dependency_type, (const field[]){{"Name", "name", TEXT, NULL},
                                                                  {"Version", "version", TEXT, NULL},
                                                                  {"Repository", "repository", TEXT, NULL},
                                                                  {"Condition", "condition", TEXT, NULL},
                                                                  {"Tags", "tags", TEXTS, NULL},
                                                                  {"Enabled", "enabled", FLAG, NULL},
                                                                  {"ImportValues", "import-values", ANYS, NULL},
                                                                  {"Alias", "alias", TEXT, NULL},
                                                                  {NULL, NULL, TEXT, NULL}}};
static const part metadata = {&metadata_type, (const field[]){{"Name", "name", TEXT, NULL},
                                                              {"Home", "home", TEXT, NULL},
                                                              {"Sources", "sources", TEXTS, NULL},
                                                              {"Version", "version", TEXT, NULL},
                                                              {"Description", "description", TEXT, NULL},
                                                              {"Keywords", "keywords", TEXTS, NULL},
                                                              {"Maintainers", "maintainers", MANY, &maintainer},
                                                              {"Icon", "icon", TEXT, NULL},
                                                              {"APIVersion", "apiVersion", TEXT, NULL},
                                                              {"Condition", "condition", TEXT, NULL},
                                                              {"Tags", "tags", TEXT, NULL},
                                                              {"AppVersion", "appVersion", TEXT, NULL},
                                                              {"Deprecated", "deprecated", FLAG, NULL},
                                                              {"Annotations", "annotations", TEXT_MAP, NULL},
                                                              {"KubeVersion", "kubeVersion", TEXT, NULL},
                                                              {"Dependencies", "dependencies", MANY, &dependency},
                                                              {"Type", "type", TEXT, NULL},
                                                              {NULL, NULL, TEXT, NULL}}};
static const part file = {&file_type, (const field[]){{"Name", "name", TEXT, NULL}, {"Data", "data", BYTES, NULL},
                                                      {NULL, NULL, TEXT, NULL}}};
static const part lock = {&lock_type, (const field[]){{"Generated", "generated", TIME, NULL},
                                                      {"Digest", "digest", TEXT, NULL},
                                                      {"Dependencies", "dependencies", MANY, &dependency},
                                                      {NULL, NULL, TEXT, NULL}}};
static const part chart = {&chart_type, (const field[]){{"Raw", "", MANY, &file},
                                                        {"Metadata", "metadata", ONE, &metadata},
                                                        {"Lock", "lock", ONE, &lock},
                                                        {"Templates", "templates", MANY, &file},
                                                        {"Values", "values", DATA, NULL},
                                                        {"Schema", "schema", BYTES, NULL},
                                                        {"Files", "files", MANY, &file},
                                                        {NULL, NULL, TEXT, NULL}}};
static const part release = {&release_type, (const field[]){{"Name", "name", TEXT, NULL},
                                                            {"Info", "info", ONE, &info},
                                                            {"Chart", "chart", ONE, &chart},
                                                            {"Config", "config", DATA, NULL},
                                                            {"Manifest", "manifest", TEXT, NULL},
                                                            {"Hooks", "hooks", MANY, &hook},
                                                            {"Version", "version", NUMBER, NULL},
                                                            {"Namespace", "namespace", TEXT, NULL},
                                                            {"Labels", "labels", TEXT_MAP, NULL},
                                                            {NULL, NULL, TEXT, NULL}}};

static tl_value bytes_of(tl_arena *arena, tl_value json)
{
    tl_buf text = TL_BUF_INIT(SIZE_MAX);
    if (json.type == TL_STRING && tl_base64_decode(&text, json.as.s, json.len, TL_BASE64_STD, NULL)) tl_buf_clear(&text);
    tl_value out = tl_string(arena, text.data ? text.data : "", text.len);
    out.type = TL_BYTES;
    tl_buf_dispose(&text);
    return out;
}

static tl_value view_of(tl_arena *arena, const part *part, tl_value json);

static tl_value view_of_many(tl_arena *arena, const part *part, tl_value json)
{
    tl_list *list = tl_list_new(arena, json.type == TL_LIST ? json.as.list->len : 0);
    for (size_t i = 0; json.type == TL_LIST && i < json.as.list->len; i++)
        tl_list_push(arena, list, view_of(arena, part, json.as.list->items[i]));
    return tl_list_value(list);
}

/* The field's value; of an absent one, Go's zero value. */
static tl_value value_of(tl_arena *arena, const field *f, tl_value json)
{
    int is_text = json.type == TL_STRING, is_list = json.type == TL_LIST, is_map = json.type == TL_MAP;
    switch (f->kind) {
    case TEXT: return is_text ? json : tl_cstring_ref("");
    case NUMBER: return tl_as_go(tl_int(json.type == TL_INT ? json.as.i : json.type == TL_FLOAT ? (int64_t)json.as.d : 0),
                                 TL_GO_INT);
    case FLAG: return tl_bool(json.type == TL_BOOL && json.as.b);
    case TIME: return tl_go_time(arena, is_text ? json.as.s : "", is_text ? json.len : 0);
    case BYTES: return bytes_of(arena, json);
    case DATA: return is_map ? json : tl_map_value(tl_map_new(arena, 0));
    case TEXT_MAP: return tl_as_go(is_map ? json : tl_map_value(tl_map_new(arena, 0)), TL_GO_STRING_MAP);
    case TEXTS: return tl_as_go(is_list ? json : tl_list_value(tl_list_new(arena, 0)), TL_GO_STRINGS);
    case ANYS: return is_list ? json : tl_list_value(tl_list_new(arena, 0));
    case MANY: return view_of_many(arena, f->part, json);
    default: return view_of(arena, f->part, json);
    }
}

static tl_value view_of(tl_arena *arena, const part *part, tl_value json)
{
    if (json.type != TL_MAP && part->type->kind == TL_KIND_POINTER) return tl_null();
    tl_map *fields = tl_map_new(arena, 8);
    for (const field *f = part->fields; f->go; f++) {
        tl_value *found = json.type == TL_MAP ? tl_map_gets(json.as.map, f->json) : NULL;
        tl_map_sets(fields, f->go, value_of(arena, f, found ? *found : tl_null()));
    }
    return tl_object_value(arena, part->type, NULL, tl_map_value(fields));
}

tl_value tl_release_view(tl_arena *arena, tl_value record)
{
    return view_of(arena, &release, record);
}
