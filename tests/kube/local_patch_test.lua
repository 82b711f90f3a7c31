-- todo-lua kube patch without the server beside kubectl, object for object: merge, JSON and strategic merge patches.
local fs = require "fs"
local judge = require "tests.kube.judge"
local json = require "json"
local lu = require "luaunit"
local tables = require "tables"
local yaml = require "yaml"

local tests = {}
local dir, both

function tests.setup_all()
    dir = fs.tempdir()
    both = judge.new("/dev/null", dir.path)
    fs.write(dir.path .. "/dep.yaml", yaml.encode { apiVersion = "apps/v1", kind = "Deployment", metadata = { name = "web",
        labels = { a = "1", b = "2" }, finalizers = { "x/a", "x/b" } }, spec = { replicas = 1, selector = { matchLabels = { a = "b" } },
        strategy = { type = "RollingUpdate", rollingUpdate = { maxSurge = 1 } },
        template = { metadata = { labels = { a = "b" } }, spec = { containers = {
            { name = "one", image = "i:1", args = { "x", "y" }, ports = { { containerPort = 80 }, { containerPort = 81 } },
                env = { { name = "A", value = "1" }, { name = "B", value = "2" }, { name = "C", value = "3" } } },
            { name = "two", image = "j:1" } }, nodeSelector = { z = "1" },
            volumes = { { name = "v", emptyDir = { medium = "Memory" } } },
            tolerations = { { key = "k", operator = "Exists" } } } } } })
    fs.write(dir.path .. "/cr.yaml", "apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: t}\nspec: {a: [1, 2], b: {c: d}}\n")
end

function tests.teardown_all()
    if both then both:close() end
    if dir then dir:close() end
end

local function compare(file, type, patch)
    local words = { "patch", "--local", "-f", file, "--type", type, "-o", "json", "-p", patch }
    local wanted, got = both:kubectl(words), both:ours(words)
    lu.assertEquals(got.status, wanted.status, patch .. "\n" .. got.stderr .. wanted.stderr)
    if wanted.status ~= 0 then return lu.assertNotEquals(got.stderr, "") end
    lu.assertTrue(tables.equal(json.decode(got.stdout), json.decode(wanted.stdout)), patch .. "\n" .. got.stdout .. wanted.stdout)
end

function tests.strategic_patches_merge_by_keys_and_directives()
    local function pod(text) return '{"spec":{"template":{"spec":{' .. text .. "}}}}" end
    local function one(text) return pod('"containers":[{"name":"one",' .. text .. "}]") end
    for _, patch in ipairs {
        '{"spec":{"replicas":3}}', '{"spec":{"replicas":null},"metadata":{"labels":{"a":null,"c":"3"}}}', "{}",
        pod '"containers":[{"name":"one","image":"k:2"}]', pod '"containers":[{"name":"three","image":"n"}]',
        pod '"containers":[{"name":"two","$patch":"delete"}]', pod '"containers":[{"$patch":"replace"},{"name":"only","image":"x"}]',
        pod '"$setElementOrder/containers":[{"name":"two"},{"name":"one"}],"containers":[{"name":"one","image":"z"}]',
        pod '"$setElementOrder/containers":[{"name":"one"},{"name":"new"},{"name":"two"}],"containers":[{"name":"new","image":"z"}]',
        pod '"$setElementOrder/containers":[{"name":"two"},{"name":"one"}]',
        pod '"containers":[{"image":"no name"}]', pod '"containers":null', pod '"containers":[]',
        one '"args":["z"]', one '"env":[{"name":"B","value":"9"},{"name":"D","value":"4"}]',
        one '"env":[{"name":"A","$patch":"delete"},{"name":"C","value":null,"valueFrom":{"fieldRef":{"fieldPath":"x"}}}]',
        one '"ports":[{"containerPort":81,"name":"x"},{"containerPort":82}]', one '"resources":{"limits":{"cpu":"1"}}',
        one '"$setElementOrder/env":[{"name":"C"},{"name":"A"}],"env":[{"name":"A","value":"7"}]',
        pod '"nodeSelector":{"y":"2"}', pod '"nodeSelector":{"$patch":"replace","y":"2"}', pod '"nodeSelector":{"$patch":"delete"}',
        pod '"volumes":[{"name":"v","$retainKeys":["name","configMap"],"configMap":{"name":"c"}}]',
        pod '"volumes":[{"name":"v","emptyDir":null,"configMap":{"name":"c"}}]', pod '"volumes":[{"name":"w","emptyDir":{}}]',
        pod '"tolerations":[{"key":"l","operator":"Exists"}]',
        '{"spec":{"strategy":{"$retainKeys":["type"],"type":"Recreate"}}}', '{"spec":{"strategy":{"type":"Recreate","rollingUpdate":null}}}',
        '{"metadata":{"finalizers":["x/c"]}}', '{"metadata":{"$deleteFromPrimitiveList/finalizers":["x/a"]}}',
        '{"metadata":{"$setElementOrder/finalizers":["x/b","x/c"],"finalizers":["x/c"],"$deleteFromPrimitiveList/finalizers":["x/a"]}}',
        '{"metadata":{"annotations":{"n":"v","gone":null}}}', '{"unknown":{"x":[1]}}',
    } do compare("dep.yaml", "strategic", patch) end
    compare("cr.yaml", "strategic", '{"spec":{"b":{"e":"f"}}}')
end

function tests.merge_and_json_patches_are_applied()
    for _, patch in ipairs { '{"spec":{"a":[3],"b":{"c":null,"e":{"f":1}}}}', '{"spec":null}', '{"spec":{"b":"text"}}',
        '{"spec":{"a":{"x":null,"y":1}}}' } do compare("cr.yaml", "merge", patch) end
    for _, patch in ipairs {
        '[{"op":"add","path":"/spec/a/0","value":9}]', '[{"op":"add","path":"/spec/a/-","value":9}]',
        '[{"op":"add","path":"/spec/b/x~1y","value":{"q":1}}]', '[{"op":"remove","path":"/spec/a/1"}]',
        '[{"op":"replace","path":"/spec/b/c","value":"e"}]', '[{"op":"replace","path":"/spec/nope","value":"e"}]',
        '[{"op":"remove","path":"/spec/nope"}]', '[{"op":"test","path":"/spec/b/c","value":"d"},{"op":"remove","path":"/spec/b"}]',
        '[{"op":"test","path":"/spec/b/c","value":"x"}]', '[{"op":"move","from":"/spec/b/c","path":"/spec/moved"}]',
        '[{"op":"copy","from":"/spec/a","path":"/spec/b/copied"}]', '[{"op":"frob","path":"/spec"}]',
        '[{"op":"add","path":"/spec/a/7","value":9}]', '[{"op":"add","path":"/no/where","value":9}]',
    } do compare("cr.yaml", "json", patch) end
end

function tests.patch_says_what_it_did()
    for _, line in ipairs { [[patch --local -f dep.yaml -p '{"spec":{"replicas":3}}']], [[patch --local -f dep.yaml -p '{}']],
        [[patch --local -f dep.yaml -p '{"spec":{"replicas":3}}' -o name]] } do both:same(line) end
end

return tests
