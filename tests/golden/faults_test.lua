-- Charts and values with faults, and what is warned of: todo-lua beside helm.
local repo_world = require "tests.golden.repo_world"

local tests = {}
local w

local HEAD = "apiVersion: v2\nname: app\nversion: 0.1.0\n"
local MAP = "kind: ConfigMap\napiVersion: v1\nmetadata: {name: %s}\ndata: {v: {{ toJson .Values | quote }}}\n"

function tests.setup()
    w = repo_world.new()
    w:write("app/Chart.yaml", HEAD)
    w:write("app/values.yaml", "t: {x: 1, y: [1]}\n")
    w:write("app/templates/a.yaml", MAP:format "a")
end

function tests.teardown() w:close() end

local function both(status, ...) w:both({ ... }, { status = status }) end

function tests.keys_that_json_cannot_have_are_told_with_their_values()
    for _, text in ipairs { "~: x\n", "null: 1000000\n", "a: {~: [1, {b: 1.5}, true]}\n", "? \n: \n",
        "18446744073709551615: \"a\\tb\"\n" } do
        w:write("v.yaml", text)
        both(1, "template", "app", "-f", "v.yaml")
    end
end

function tests.tables_that_meet_other_values_are_told_with_their_place()
    w:write("app/Chart.yaml", HEAD .. "dependencies: [{name: sub, version: 0.1.0}]\n")
    w:write("app/charts/sub/Chart.yaml", (HEAD:gsub("app", "sub")))
    w:write("app/charts/sub/values.yaml", "a: 1\nt: {x: 1, y: {z: [2]}}\nglobal: {g: 1}\n")
    for _, text in ipairs { "t: {x: {y: 1}}", "t: {y: {a: b}}", "sub: {a: {b: 1}}", "sub: {t: {x: {q: 1}}}",
        "sub: {t: {y: {z: {q: 1}}}}", "sub: {t: {y: 3}}", "global: {g: {a: 1}}",
        "sub: {global: {h: {i: 1}}}\nglobal: {h: 2}" } do
        w:write("v.yaml", text .. "\n")
        both(0, "template", "app", "-f", "v.yaml")
    end
    for _, text in ipairs { "sub: 1", "sub: true", "sub: x", "sub: [1, a]", "sub: 1.5" } do
        w:write("v.yaml", text .. "\n")
        both(1, "template", "app", "-f", "v.yaml")
    end
end

function tests.values_of_subcharts_that_cannot_be_imported_are_told()
    w:write("app/charts/sub/Chart.yaml", (HEAD:gsub("app", "sub")))
    w:write("app/charts/sub/values.yaml", "a: 1\nt: {x: 1}\nexports: {data: {e: 5}}\n")
    for imports, status in pairs { ["[nope]"] = 0, ["[{child: nope, parent: x}]"] = 0, ["[{child: t.x, parent: y}]"] = 0,
        ["[{parent: x}]"] = 0, ["[{child: 3, parent: x}]"] = 0, ["[{child: a.b.c, parent: x}]"] = 0, data = 1,
        ["{a: b}"] = 1 } do
        w:write("app/Chart.yaml", HEAD .. "dependencies: [{name: sub, version: 0.1.0, import-values: " .. imports .. "}]\n")
        both(status, "template", "app")
        both(status, "lint", "app")
    end
end

function tests.dependencies_that_are_none_are_told()
    for _, entry in ipairs { "null", "{name: sub, version: 0.1.0, enabled: x}", "3" } do
        w:write("app/Chart.yaml", HEAD .. "dependencies: [" .. entry .. "]\n")
        for _, command in ipairs { "template", "lint", "package" } do both(1, command, "app") end
        for _, command in ipairs { "build", "update", "list" } do both(1, "dependency", command, "app") end
    end
    for _, repository in ipairs { "alias:nope", "ftp://example.com" } do
        w:write("app/Chart.yaml", HEAD .. "dependencies: [{name: sub, version: 0.1.0, repository: '" .. repository .. "'}]\n")
        both(1, "dependency", "update", "app")
    end
    w:write("app/Chart.yaml", HEAD .. "dependencies: [{version: 0.1.0}]\n")
    both(1, "dependency", "build", "app")
    w:write("app/Chart.yaml", (HEAD:gsub("v2", "v1")))
    w:write("app/requirements.yaml", "dependencies: [{name: sub, version: 0.1.0}]\n")
    w:write("app/requirements.lock", "dependencies: []\ndigest: x\ngenerated: '2020-01-01T00:00:00Z'\n")
    both(1, "dependency", "build", "app")
end

function tests.values_of_a_wrong_type_are_linted_as_by_helm()
    for _, text in ipairs { "[]", "x", "3", "true" } do
        w:write("app/values.yaml", text .. "\n")
        both(1, "lint", "app")
    end
end

function tests.schemas_that_are_none_are_told_as_by_helm()
    local draft = '"$schema":"http://json-schema.org/draft-%s/schema#"'
    for _, text in ipairs { "", " \n", "{", "{} x", "[]", "null", "3", '"x"', '{"properties":{"t":{"type":"foo"}}}', '{"properties":3}',
        '{"required":"a"}', '{"properties":{"a":{"pattern":"("}}}', '{"patternProperties":{"[":{}}}', '{"$id":3}', '{"$schema":3}',
        '{"$schema":"nope"}', '{"$ref":"nope.json"}', '{"definitions":{"q":{"type":"foo"}}}', '{"$defs":{"q":{"items":{"type":3}}}}',
        "{" .. draft:format "07" .. ',"properties":{"a":{"minLength":-1}}}', "{" .. draft:format "06" .. ',"enum":[]}',
        "{" .. draft:format "04" .. ',"properties":{"a":{"exclusiveMinimum":true}}}', "{" .. draft:format "04" .. ',"id":3}',
        '{"$schema":"https://json-schema.org/draft/2019-09/schema","properties":{"a":{"$anchor":"1"}}}',
        '{"$schema":"http://json-schema.org/schema","allOf":[]}', '{"type":["string","string"]}', '{"type":[]}' } do
        w:write("app/values.schema.json", text)
        both(1, "template", "app")
        both(1, "lint", "app")
        both(0, "template", "app", "--skip-schema-validation")
    end
    for _, text in ipairs { "{}", "true", '{"foo":{"type":"foo"}}', "{" .. draft:format "06" .. ',"required":[]}',
        '{"items":[{}]}', '{"$schema":"https://json-schema.org/draft-07/schema"}' } do
        w:write("app/values.schema.json", text)
        both(text == '{"items":[{}]}' and 1 or 0, "template", "app")
    end
end

function tests.documents_that_are_no_objects_are_linted_as_by_helm()
    for _, text in ipairs { "- a", "text", "3", "true", "kind: [a]", "kind: X\napiVersion: {a: b}", "kind: X\nmetadata: 3",
        "kind: X\nmetadata: {name: [a]}", "kind: X\nmetadata: {namespace: {a: b}}", "\ta: b", MAP:format "x" .. "---\n- a" } do
        w:write("app/templates/a.yaml", text .. "\n")
        both(1, "lint", "app")
    end
    for _, text in ipairs { "null", "# only\n---\n", "kind: 3\napiVersion: 1\nmetadata: {name: 5}", "metadata: null",
        "{{ fail \"no\" }}", "{{ required \"it is needed\" .Values.none }}" } do
        w:write("app/templates/a.yaml", text .. "\n")
        both(0, "lint", "app")
    end
end

function tests.defaults_that_a_null_removes_are_linted_as_by_helm()
    w:write("app/values.yaml", "a: 1\nn: {x: 1, y: 2}\n")
    w:write("app/Chart.yaml", HEAD .. "dependencies: [{name: sub, version: 0.1.0, repository: ''}]\n")
    w:write("app/charts/sub/Chart.yaml", (HEAD:gsub("app", "sub")))
    w:write("app/templates/a.yaml", 'metadata: {name: "x{{ required `it is needed` .Values.a }}{{ .Values.n.x }}"}\n')
    for _, set in ipairs { "n.x=null", "sub=null", "sub=1" } do both(0, "lint", "app", "--set", set) end
    for _, set in ipairs { "a=null", "a.b=1", "n=null" } do both(1, "lint", "app", "--set", set) end
end

function tests.names_are_linted_as_by_helm()
    for _, kind in ipairs { "Service", "Namespace", "Pod", "Role" } do
        for _, name in ipairs { ("a"):rep(64), ("a"):rep(64) .. ".b", ("A"):rep(254), ("a"):rep(254), "1a", "a.b", "a_b", "" } do
            w:write("app/templates/a.yaml", ("kind: %s\napiVersion: v1\nmetadata: {name: '%s'}\n"):format(kind, name))
            both(0, "lint", "app")
        end
    end
end

return tests
