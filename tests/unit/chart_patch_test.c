/* Patches as helm computes them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "chart/patch.h"
#include "data/json.h"

static tl_arena *arena;

static int set_up(void **state)
{
    (void)state;
    arena = tl_arena_new(0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    tl_arena_free(arena);
    return 0;
}

/* Single quotes stand for double ones, so that objects stay readable here. */
static tl_value object(const char *text)
{
    tl_error err = {0};
    tl_value value = tl_null();
    if (!text) return value;
    char *json = tl_arena_strdup(arena, text);
    for (char *c = json; *c; c++)
        if (*c == '\'') *c = '"';
    assert_int_equal(tl_json_parse(arena, json, strlen(json), NULL, &value, &err), 0);
    return value;
}

static void assert_patch(const char *original, const char *target, const char *live, tl_patch_type type,
                         const char *expected)
{
    tl_error err = {0};
    tl_value patch;
    tl_patch_type got;
    tl_json_write_options options = {.sort = 1};
    tl_buf text = TL_BUF_INIT(1 << 20), wanted = TL_BUF_INIT(1 << 20);
    assert_int_equal(tl_patch_create(&patch, &got, arena, object(original), object(target), object(live), &err), 0);
    assert_int_equal(got, type);
    assert_int_equal(tl_json_write(&text, patch, &options, &err), 0);
    assert_int_equal(tl_json_write(&wanted, object(expected), &options, &err), 0);
    assert_string_equal(text.data, wanted.data);
    tl_buf_dispose(&text);
    tl_buf_dispose(&wanted);
}

#define HEAD "{'apiVersion':'apps/v1','kind':'Deployment','spec':"
#define POD(containers) HEAD "{'template':{'spec':{'containers':[" containers "]}}}}"

static void patch_of_equal_objects_is_empty(void **state)
{
    (void)state;
    assert_patch(POD("{'name':'a','image':'x'}"), POD("{'name':'a','image':'x'}"),
                 POD("{'name':'a','image':'x','terminationMessagePath':'/dev'}"), TL_PATCH_STRATEGIC, "{}");
}

static void patch_of_a_changed_image_names_the_container(void **state)
{
    (void)state;
    assert_patch(POD("{'name':'a','image':'x'},{'name':'b'}"), POD("{'name':'a','image':'y'},{'name':'b'}"),
                 POD("{'name':'a','image':'x'},{'name':'b'}"), TL_PATCH_STRATEGIC,
                 "{'spec':{'template':{'spec':{'$setElementOrder/containers':[{'name':'a'},{'name':'b'}],"
                 "'containers':[{'image':'y','name':'a'}]}}}}");
}

static void patch_of_a_dropped_container_deletes_it_and_keeps_the_injected_one(void **state)
{
    (void)state;
    assert_patch(POD("{'name':'a'},{'name':'b'}"), POD("{'name':'a'}"),
                 POD("{'name':'a'},{'name':'b'},{'name':'sidecar'}"),
                 TL_PATCH_STRATEGIC,
                 "{'spec':{'template':{'spec':{'$setElementOrder/containers':[{'name':'a'}],"
                 "'containers':[{'$patch':'delete','name':'b'}]}}}}");
}

static void patch_of_a_field_dropped_from_the_original_is_null_and_of_a_foreign_one_absent(void **state)
{
    (void)state;
    assert_patch(HEAD "{'replicas':2,'paused':true}}", HEAD "{'replicas':3}}",
                 HEAD "{'replicas':2,'paused':true,'revisionHistoryLimit':10}}", TL_PATCH_STRATEGIC,
                 "{'spec':{'replicas':3,'paused':null}}");
}

static void patch_of_what_was_changed_in_the_cluster_brings_it_back(void **state)
{
    (void)state;
    assert_patch(HEAD "{'replicas':2}}", HEAD "{'replicas':2}}", HEAD "{'replicas':7}}", TL_PATCH_STRATEGIC,
                 "{'spec':{'replicas':2}}");
}

static void patch_of_env_merges_by_name_and_clears_the_former_source(void **state)
{
    (void)state;
    assert_patch(POD("{'name':'a','env':[{'name':'X','value':'1'},{'name':'Y','value':'2'}]}"),
                 POD("{'name':'a','env':[{'name':'X','valueFrom':{'secretKeyRef':{'name':'s','key':'k'}}}]}"),
                 POD("{'name':'a','env':[{'name':'X','value':'1'},{'name':'Y','value':'2'}]}"), TL_PATCH_STRATEGIC,
                 "{'spec':{'template':{'spec':{'$setElementOrder/containers':[{'name':'a'}],'containers':[{'name':'a',"
                 "'$setElementOrder/env':[{'name':'X'}],'env':[{'name':'X','value':null,"
                 "'valueFrom':{'secretKeyRef':{'name':'s','key':'k'}}},{'$patch':'delete','name':'Y'}]}]}}}}");
}

static void patch_of_service_ports_merges_by_port(void **state)
{
    (void)state;
    assert_patch("{'apiVersion':'v1','kind':'Service','spec':{'ports':[{'port':80,'targetPort':1}]}}",
                 "{'apiVersion':'v1','kind':'Service','spec':{'ports':[{'port':80,'targetPort':2}]}}",
                 "{'apiVersion':'v1','kind':'Service','spec':{'clusterIP':'10.0.0.1','ports':[{'port':80,'targetPort':1,"
                 "'nodePort':30080}]}}",
                 TL_PATCH_STRATEGIC,
                 "{'spec':{'$setElementOrder/ports':[{'port':80}],'ports':[{'port':80,'targetPort':2}]}}");
}

static void patch_of_the_deployment_strategy_retains_its_keys(void **state)
{
    (void)state;
    assert_patch(HEAD "{'strategy':{'type':'RollingUpdate'}}}", HEAD "{'strategy':{'type':'Recreate'}}}",
                 HEAD "{'strategy':{'type':'RollingUpdate','rollingUpdate':{'maxSurge':1}}}}", TL_PATCH_STRATEGIC,
                 "{'spec':{'strategy':{'$retainKeys':['type'],'type':'Recreate'}}}");
}

static void patch_of_finalizers_adds_and_deletes_scalars(void **state)
{
    (void)state;
    assert_patch("{'apiVersion':'v1','kind':'ConfigMap','metadata':{'finalizers':['a','b']}}",
                 "{'apiVersion':'v1','kind':'ConfigMap','metadata':{'finalizers':['b','c']}}",
                 "{'apiVersion':'v1','kind':'ConfigMap','metadata':{'finalizers':['a','b']}}", TL_PATCH_STRATEGIC,
                 "{'metadata':{'$deleteFromPrimitiveList/finalizers':['a'],'$setElementOrder/finalizers':['b','c'],"
                 "'finalizers':['c']}}");
}

static void patch_of_a_plain_list_replaces_it(void **state)
{
    (void)state;
    assert_patch(POD("{'name':'a','args':['1']}"), POD("{'name':'a','args':['1','2']}"),
                 POD("{'name':'a','args':['1']}"),
                 TL_PATCH_STRATEGIC,
                 "{'spec':{'template':{'spec':{'$setElementOrder/containers':[{'name':'a'}],"
                 "'containers':[{'name':'a','args':['1','2']}]}}}}");
}

static void patch_of_a_custom_resource_is_a_merge_patch_from_the_original(void **state)
{
    (void)state;
    assert_patch("{'apiVersion':'example.com/v1','kind':'Thing','spec':{'a':1,'b':[1],'c':{'d':1,'e':2}}}",
                 "{'apiVersion':'example.com/v1','kind':'Thing','spec':{'b':[1,2],'c':{'d':1}}}",
                 "{'apiVersion':'example.com/v1','kind':'Thing','spec':{'a':9}}", TL_PATCH_MERGE,
                 "{'spec':{'a':null,'b':[1,2],'c':{'e':null}}}");
}

static void patch_without_an_original_deletes_nothing(void **state)
{
    (void)state;
    assert_patch(NULL, "{'apiVersion':'v1','kind':'ConfigMap','data':{'a':'1'}}",
                 "{'apiVersion':'v1','kind':'ConfigMap','data':{'a':'0','b':'2'}}", TL_PATCH_STRATEGIC,
                     "{'data':{'a':'1'}}");
}

static void patch_of_an_element_without_its_key_is_refused(void **state)
{
    tl_error err = {0};
    tl_value patch;
    tl_patch_type type;
    (void)state;
    assert_int_equal(tl_patch_create(&patch, &type, arena, tl_null(), object(POD("{'image':'x'}")),
                                     object(POD("{'name':'a'}")), &err), -1);
    assert_non_null(strstr(err.message, "name"));
    tl_error_dispose(&err);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(patch_of_equal_objects_is_empty),
        TEST(patch_of_a_changed_image_names_the_container),
        TEST(patch_of_a_dropped_container_deletes_it_and_keeps_the_injected_one),
        TEST(patch_of_a_field_dropped_from_the_original_is_null_and_of_a_foreign_one_absent),
        TEST(patch_of_what_was_changed_in_the_cluster_brings_it_back),
        TEST(patch_of_env_merges_by_name_and_clears_the_former_source),
        TEST(patch_of_service_ports_merges_by_port),
        TEST(patch_of_the_deployment_strategy_retains_its_keys),
        TEST(patch_of_finalizers_adds_and_deletes_scalars),
        TEST(patch_of_a_plain_list_replaces_it),
        TEST(patch_of_a_custom_resource_is_a_merge_patch_from_the_original),
        TEST(patch_without_an_original_deletes_nothing),
        TEST(patch_of_an_element_without_its_key_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
