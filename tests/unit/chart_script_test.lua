-- Lua in charts: what it may do, where it runs, and that a stranger's cannot reach out or run on.
local chart = require "chart"
local fs = require "fs"
local lu = require "luaunit"
local program = require "program"
local task = require "task"

local tests = {}

local ASKS = "apiVersion: v2\nname: c\nversion: 1.0.0\nannotations: {todo-lua.dev/lua: '1'}\n"

local function render(files, options)
    files["Chart.yaml"] = files["Chart.yaml"] or ASKS
    return chart.load { files = files }:render(options)
end

local function refused(files, options)
    local ok, problem = pcall(render, files, options)
    lu.assertFalse(ok)
    return problem
end

-- The result of an expression in lua/functions.lua.
local function value(code)
    return render { ["lua/functions.lua"] = "return { f = function(...) " .. code .. " end }",
        ["templates/a.yaml"] = "a: {{ f 1 | toJson }}" }.manifests[1].object.a
end

function tests.example_adds_functions_and_changes_objects()
    local rendered = chart.load(program.project .. "/tests/unit/data/chart_script"):render { release = "shop" }
    local kinds = {}
    for _, one in ipairs(rendered.manifests) do kinds[one.kind] = one end
    lu.assertEquals(kinds.ConfigMap.content,
        '# kept as it is written\nkind: ConfigMap\napiVersion: v1\nmetadata: {name: "my-shop"}')
    local ingress = kinds.Ingress.object
    lu.assertEquals(ingress.metadata.labels, { team = "billing" })
    lu.assertEquals(ingress.spec.rules[2].http.paths[1].backend.service,
        { name = "b-example-com", port = { number = 8080 } })
    lu.assertEquals(kinds.Ingress.name, "scripted/templates/all.yaml")
    lu.assertEquals(kinds.ResourceQuota.object.spec.hard.pods, 20)
    lu.assertEquals(kinds.ResourceQuota.object.metadata.name, "shop-quota")
    lu.assertStrContains(rendered.output, "# Source: scripted/lua/objects.lua")
    lu.assertEquals(rendered.manifests[1].kind, "ResourceQuota")
end

-- What helm would do: the files are files, and a function is unknown.
function tests.chart_that_does_not_ask_is_helms()
    for _, answer in ipairs { "", "annotations: {todo-lua.dev/lua: 'no'}\n", "annotations: {other: '1'}\n" } do
        local metadata = "apiVersion: v2\nname: c\nversion: 1.0.0\n" .. answer
        local script = "error 'never runs'"
        local rendered = render { ["Chart.yaml"] = metadata, ["lua/functions.lua"] = script, ["lua/objects.lua"] = script,
            ["templates/a.yaml"] = 'a: {{ .Files.Get "lua/objects.lua" | quote }}' }
        lu.assertEquals(rendered.manifests[1].object.a, script)
        lu.assertStrContains(refused { ["Chart.yaml"] = metadata, ["templates/a.yaml"] = "a: {{ f 1 }}",
            ["lua/functions.lua"] = "return { f = function() end }" }.message, 'function "f" not defined')
    end
end

function tests.functions_are_those_of_the_chart_that_has_them()
    local one, other = "return { name = function() return 'one' end }", "return { name = function() return 'other' end }"
    local rendered = render { ["lua/functions.lua"] = one, ["templates/a.yaml"] = 'a: {{ name }}{{ tpl "{{ name }}" . }}',
        ["charts/d/Chart.yaml"] = ASKS:gsub("name: c", "name: d"), ["charts/d/lua/functions.lua"] = other,
        ["charts/d/templates/a.yaml"] = 'a: {{ name }}{{ tpl "{{ name }}" . }}' }
    lu.assertStrContains(rendered.manifest, "a: oneone")
    lu.assertStrContains(rendered.manifest, "a: otherother")
    lu.assertStrContains(refused { ["lua/functions.lua"] = one,
        ["charts/d/Chart.yaml"] = "apiVersion: v2\nname: d\nversion: 1.0.0\n",
        ["charts/d/templates/a.yaml"] = "a: {{ name }}" }.message, 'function "name" not defined')
    lu.assertStrContains(refused { ["lua/functions.lua"] = "return { include = function() end }" }.message,
        "c/lua/functions.lua: helm has a function include already")
end

function tests.objects_of_subcharts_pass_their_own_script_and_the_parents()
    local mark = [[return function(objects, values)
        for _, object in ipairs(objects) do object.seen = (object.seen or "") .. values.mark end
        return objects
    end]]
    local rendered = render { ["lua/objects.lua"] = mark, ["values.yaml"] = "mark: p\nd: {mark: s}\n",
        ["templates/a.yaml"] = "kind: Service", ["charts/d/templates/b.yaml"] = "kind: Pod",
        ["charts/d/lua/objects.lua"] = mark, ["charts/d/Chart.yaml"] = ASKS:gsub("name: c", "name: d") }
    local seen = {}
    for _, one in ipairs(rendered.manifests) do seen[one.kind] = one.object.seen end
    lu.assertEquals(seen, { Service = "p", Pod = "sp" })
end

function tests.objects_may_be_left_out_and_become_hooks()
    local rendered = render { ["templates/a.yaml"] = "kind: Service\n---\nkind: Job\n", ["lua/objects.lua"] = [[
        return function(objects)
            local kept = {}
            for _, object in ipairs(objects) do
                if object.kind == "Job" then kept[#kept + 1] = object end
                object.metadata = { annotations = { ["helm.sh/hook"] = "pre-install" } }
            end
            return kept
        end]] }
    lu.assertEquals({ #rendered.manifests, #rendered.hooks, rendered.hooks[1].kind }, { 0, 1, "Job" })
    lu.assertEquals(#render { ["templates/a.yaml"] = "kind: Service",
        ["lua/objects.lua"] = "return function() return {} end" }.manifests, 0)
end

function tests.values_pass_both_ways()
    local rendered = render { ["values.yaml"] = "i: 3\nf: 1.5\nbig: 12345678\nl: []\nm: {z: 1, a: [x, true]}\n",
        ["lua/functions.lua"] = [[return {
            same = function(...) return ... end, kind = function(v) return math.type(v) or type(v) end,
            nothing = function() end, null = function(v) return v == null end, none = function() return list {} end,
        }]],
        ["templates/a.yaml"] = [[
same: {{ same .Values | toJson }}
kinds: [{{ kind .Values.i }}, {{ kind .Values.f }}, {{ kind "s" }}, {{ kind true }}, {{ kind .Values.l }}]
big: "{{ same .Values.big }}"
nothing: "{{ nothing }}"
isnull: {{ null nil }}
none: {{ none | toJson }}
]] }
    lu.assertEquals(rendered.manifests[1].object, { big = "12345678", none = {}, kinds = { "integer", "float", "string",
        "boolean", "table" }, nothing = "", isnull = true, same = { i = 3, f = 1.5, big = 12345678, l = {},
        m = { z = 1, a = { "x", true } } } })
end

function tests.errors_name_file_and_line()
    local function call(text) return refused { ["lua/functions.lua"] = text, ["templates/a.yaml"] = "a: {{ f 1 }}" }.message end
    lu.assertStrContains(call "return { f = function()\nlocal x = nil\nreturn x.y end }",
        "error calling f: c/lua/functions.lua:3: attempt to index a nil value (local 'x')")
    lu.assertStrContains(call "return { f = function()\nerror 'why' end }", "c/lua/functions.lua:2: why")
    lu.assertStrContains(call "return {\nf = = }", "c/lua/functions.lua:2: unexpected symbol near '='")
    lu.assertStrContains(call "return 5", "c/lua/functions.lua must return a table of functions by name")
    lu.assertStrContains(call "return { f = 5 }", "must return a table of functions by name")
    lu.assertStrContains(call "return { f = function() return function() end end }", "is a function")
    lu.assertStrContains(call "return { f = function() local t = {} t.t = t return t end }", "contains itself")
    lu.assertStrContains(call "return { f = require 'none' }", "c/lua/functions.lua:1: the chart has no file lua/none.lua")
    lu.assertStrContains(call(string.dump(function() end)), "attempt to load a binary chunk")
    lu.assertStrContains(refused { ["lua/objects.lua"] = "return 5" }.message, "must return a function")
    lu.assertStrContains(refused { ["lua/objects.lua"] = "return function()\nerror 'why' end" }.message,
        "c/lua/objects.lua:2: why")
    lu.assertStrContains(refused { ["lua/objects.lua"] = "return function() end" }.message, "must return a list")
    lu.assertStrContains(refused { ["lua/objects.lua"] = "return function() return { 5 } end" }.message,
        "an object that is no table of fields")
    lu.assertStrContains(refused { ["lua/objects.lua"] = "return require 'a'", ["lua/a.lua"] = "return require 'a'" }.message,
        "lua/a.lua requires itself")
end

function tests.sandbox_has_nothing_that_reaches_out()
    for _, name in ipairs { "io", "os", "debug", "package", "coroutine", "load", "loadfile", "dofile", "collectgarbage",
        "getmetatable", "print", "warn" } do
        lu.assertEquals(value(("return tostring(%s)"):format(name)), "nil", name)
    end
    for _, name in ipairs { "string.dump", "math.random", "math.randomseed" } do
        lu.assertEquals(value(("return tostring(%s)"):format(name)), "nil", name)
    end
    lu.assertStrContains(value "return select(2, pcall(setmetatable, {}, { __gc = function() end }))", "__gc")
    lu.assertEquals(value "return tostring(require)", "nil") -- only while the files are read
    lu.assertEquals(value "local n = 0 for name in pairs(_G) do n = n + 1 end return n < 30", true)
    lu.assertEquals(value "return ('x'):rep(3) .. ('a,b'):gsub(',', ';') .. tostring(('abc'):find('b', 1, true))", "xxxa;b2")
end

-- Each would run for ever, or take all memory, without a bound.
local endless = {
    "while true do end", "while true do pcall(function() while true do end end) end",
    "local function f() return pcall(f) end while true do f() end", "local function f() return f() end f()",
    "local t = setmetatable({}, { __index = function(t, k) return t[k .. 'x'] end }) return t.a",
    "local s = 'x' while true do s = s .. s end", "local t = {} while true do t[#t + 1] = {} end",
    "return ('x'):rep(1e10)", "return table.concat(table.pack(('x'):rep(1e6):byte(1, -1)))", "return ('').rep('', 1e15)",
    "return table.move({}, 1, 1e15, 2)", "return (('a'):rep(5000)):find(('.-'):rep(20) .. 'b')",
    "return (('a'):rep(30000)):gsub('.-.-.-b', '')", "for _ in (('a'):rep(9000)):gmatch '.*.*.*b' do end",
    "local t = {} for i = 1, 1e7 do table.insert(t, 1, i) end",
    "local t = 1 for _ = 1, 60 do t = { t, t } end return t",
    "local t = {} for _ = 1, 1000 do t = { t } end return t",
    "error(setmetatable({}, { __tostring = function() while true do end end }))",
}

function tests.sandbox_ends_whatever_runs_on()
    local began = task.now()
    for _, code in ipairs(endless) do
        local files = { ["Chart.yaml"] = ASKS, ["lua/functions.lua"] = "return { f = function() " .. code .. " end }",
            ["templates/a.yaml"] = "a: {{ f | toJson }}" }
        local one = task.now()
        local ok = pcall(render, files)
        if not code:find("rep('', ", 1, true) then lu.assertFalse(ok, code) end
        lu.assertTrue(task.now() - one < 60, code)
    end
    print(("# %d scripts that do not end: %.1f s"):format(#endless, task.now() - began))
end

function tests.sandbox_takes_bounded_memory()
    local status = fs.read "/proc/self/status"
    if not status or program.executable:find("/asan/", 1, true) then return end
    local function resident() return tonumber(fs.read("/proc/self/status"):match("VmRSS:%s*(%d+)")) // 1024 end
    local before = resident()
    lu.assertStrContains(refused { ["lua/functions.lua"] = "local t = {} while true do t[#t + 1] = {} end" }.message,
        "needs more than 32 MiB")
    lu.assertTrue(resident() - before < 100)
end

return tests
