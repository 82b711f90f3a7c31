-- The fields that the program knows, against a real API server: the same as it serves, and the same verdicts.
package.path = "./?.lua;" .. package.path

local api_fields = require "api_fields"
local api_schema = require "api_schema"
local apiserver = require "tests.cluster.apiserver"
local fs = require "fs"
local json = require "json"
local k8s = require "k8s"
local lu = require "luaunit"
local proc = require "proc"
local program = require "program"
local tables = require "tables"
local task = require "task"
local yaml = require "yaml"

local tests = {}
local server, client

local function wait_until(fn)
    task.timeout(20, function()
        while not fn() do task.sleep(0.2) end
    end)
end

function tests.setup_all()
    server = apiserver.start()
    client = k8s.connect { kubeconfig = server.kubeconfig }
end

function tests.teardown_all()
    if client then client:close() end
    if server then server:stop() end
end

-- A definition with everything below it, as one text; what refers to itself ends at its first repetition.
local function spelled_out(schema, kind, above)
    local prefix, number = kind:match("^([%[{]*)(%d+)$")
    if not number then return kind end
    if above[number] then return prefix .. "(again)" end
    above[number] = true
    local definition, parts = schema:definition(math.tointeger(number)), {}
    table.sort(definition.names)
    for index, name in ipairs(definition.names) do
        parts[index] = name .. ":" .. spelled_out(schema, definition.fields[name], above)
    end
    table.sort(definition.required)
    above[number] = nil
    return ("%s(%s%s|%s)"):format(prefix, definition.open and "~" or "", table.concat(parts, " "),
        table.concat(definition.required, " "))
end

function tests.embedded_fields_are_those_that_the_server_serves()
    local embedded, versions = api_fields.embedded(), {}
    for name in pairs(embedded.kinds) do versions[name:match("^(.*)/")] = true end
    local served = api_fields.cluster(client, tables.keys(versions))
    local count = 0
    for _, schema in ipairs(served) do
        for name, number in pairs(schema.kinds) do
            -- The server has kinds of its own plumbing, too, whose documents the source does not hold.
            if embedded.kinds[name] then
                count = count + 1
                lu.assertEquals(spelled_out(embedded, embedded.kinds[name], {}), spelled_out(schema, number, {}), name)
            end
        end
    end
    lu.assertTrue(count > 60, tostring(count))
    lu.assertEquals(client:version().gitVersion, embedded.version)
end

local base = [[
- {apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {k: v}}
- {apiVersion: v1, kind: Service, metadata: {name: a}, spec: {ports: [{port: 80, targetPort: http}], selector: {a: b}}}
- apiVersion: apps/v1
  kind: Deployment
  metadata: {name: a}
  spec:
    replicas: 1
    selector: {matchLabels: {a: b}}
    template:
      metadata: {labels: {a: b}}
      spec: {containers: [{name: c, image: i, resources: {limits: {cpu: 1}}, args: ["x"], tty: true}]}
- {apiVersion: batch/v1, kind: CronJob, metadata: {name: a}, spec: {schedule: "* * * * *", jobTemplate: {spec: {template:
    {spec: {restartPolicy: Never, containers: [{name: c, image: i}]}}}}}}
- {apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: a}, spec: {rules: [{http: {paths: [{path: /, pathType:
    Prefix, backend: {service: {name: s, port: {number: 80}}}}]}}]}}
]]

-- Every place of an object, with what can be done to it.
local function each_place(value, path, visit)
    if type(value) ~= "table" then return end
    visit(value, path)
    for _, key in ipairs(tables.keys(value)) do
        path[#path + 1] = key
        each_place(value[key], path, visit)
        path[#path] = nil
    end
end

local function changed(object, path, change)
    local copy = tables.copy(object)
    local at = copy
    for _, key in ipairs(path) do at = at[key] end
    change(at)
    return copy
end

-- One object for each misspelt key, and for each value of another type.
local function mutations(object)
    local list = { object }
    each_place(object, {}, function(map, path)
        if tables.is_list(map) then return end
        for _, key in ipairs(tables.keys(map)) do
            local is_name = #path == 0 and (key == "apiVersion" or key == "kind")
            if not is_name then
                list[#list + 1] = changed(object, path, function(at) at[key .. "z"], at[key] = at[key], nil end)
                list[#list + 1] = changed(object, path, function(at)
                    at[key] = type(at[key]) == "string" and 7 or "text"
                end)
            end
        end
    end)
    return list
end

-- Whether the server reads the object's fields, and its refusal; what else it demands of the values is not asked.
local function server_reads(object)
    local resource = client:resource { apiVersion = object.apiVersion, kind = object.kind }
    local prefix = object.apiVersion:find("/") and "/apis/" or "/api/"
    local ok, problem = pcall(client.request, client, "POST",
        ("%s%s/namespaces/default/%s"):format(prefix, object.apiVersion, resource.plural),
        { body = object, query = { fieldValidation = "Strict", dryRun = "All" } })
    if ok then return true end
    return problem.status == 422 or problem.status == 409, problem.message
end

function tests.verdicts_are_those_of_the_server()
    local count, refused = 0, 0
    for _, object in ipairs(yaml.decode(base)) do
        for _, one in ipairs(mutations(object)) do
            local reads, message = server_reads(one)
            local faults = tables.filter(api_schema.check({ api_fields.embedded() }, one),
                function(fault) return not fault.missing end)
            count, refused = count + 1, refused + (reads and 0 or 1)
            lu.assertEquals(#faults == 0, reads, json.encode(one) .. " " .. tostring(message)
                .. json.encode(json.list(tables.map(faults, function(fault) return fault.message end))))
        end
    end
    lu.assertTrue(count > 100 and refused > 80, count .. " " .. refused)
end

local crd = yaml.decode [[
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.example.com}
spec:
  group: example.com
  names: {kind: Thing, plural: things, singular: thing, listKind: ThingList}
  scope: Namespaced
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec: {type: object, properties: {size: {type: integer}, color: {type: string}}}
]]

function tests.lint_asks_the_cluster_and_keeps_the_answers()
    local folder <close> = fs.tempdir()
    local dir = folder.path
    fs.mkdir(dir .. "/c/templates")
    fs.write(dir .. "/c/Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0\nicon: https://a/b.png\n")
    fs.write(dir .. "/c/values.yaml", "a: 1\n")
    fs.write(dir .. "/c/templates/a.yaml", "apiVersion: example.com/v1\nkind: Thing\nmetadata:\n  name: t\nspec:\n  colour: red\n")
    local function lint()
        return proc.run({ program.executable, "helm", "lint", "--kubernetes=cluster", "--kubeconfig", server.kubeconfig, dir .. "/c" },
            { env = { XDG_CACHE_HOME = dir .. "/cache" }, check = false }).stdout
    end
    lu.assertStrContains(lint(), "there is no Thing in example.com/v1")
    client:create(crd)
    wait_until(function() return api_fields.cluster(client, {}).served["example.com/v1"] end)
    wait_until(function() return lint():find("a.yaml:6: Thing t: spec.colour: unknown field (did you mean color?)", 1, true) end)
    local function documents()
        return #tables.filter(server:audit(), function(entry) return entry.uri:find("^/openapi/v3/apis/example.com") end)
    end
    local before = documents()
    lu.assertStrContains(lint(), "did you mean color?")
    lu.assertEquals(documents(), before)
    lu.assertEquals(#fs.list(dir .. "/cache/todo-lua/openapi") > 0, true)
end

return tests
