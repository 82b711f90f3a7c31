-- helm and todo-lua on one API server: the same operations in several namespaces, by different programs, and what they
-- left there as comparable text.
local apiserver = require "tests.cluster.apiserver"
local chart = require "chart"
local json = require "json"
local k8s = require "k8s"
local lu = require "luaunit"
local proc = require "proc"
local program = require "program"
local secret = require "secret"
local task = require "task"

local world = {}

world.charts = program.project .. "/tests/release/charts"
local helm = apiserver.program("judges", "helm")
local ours = program.project .. "/build/bin/todo-lua"

-- Namespaces of equal length, so that columns are as wide. Who acts in each at step n: "helm" or "todo".
local actors = {
    ["release-h"] = function() return "helm" end,
    ["release-a"] = function(n) return n % 2 == 1 and "helm" or "todo" end,
    ["release-t"] = function(n) return n % 2 == 0 and "helm" or "todo" end,
}
local others = { "release-a", "release-t" }

local World = {}
World.__index = World

-- Starts on a server, whose kubeconfig the programs get.
---@param kubeconfig string
---@param home string folder for the programs' caches and state
function world.new(kubeconfig, home)
    return setmetatable({ kubeconfig = kubeconfig, home = home, count = 0,
        client = k8s.connect { kubeconfig = kubeconfig } }, World)
end

-- Runs one of the programs; never raises for its status.
---@param who "helm"|"todo"
function World:run(who, namespace, arguments, options)
    local argv = who == "helm" and { helm } or { ours, "helm" }
    table.move(arguments, 1, #arguments, #argv + 1, argv)
    table.move({ "-n", namespace }, 1, 2, #argv + 1, argv)
    return proc.run(argv, { check = false, timeout = 120, stdin = options and options.stdin or "", env = {
        KUBECONFIG = self.kubeconfig, HOME = self.home, XDG_STATE_HOME = self.home .. "/state",
        HELM_NAMESPACE = false, HELM_KUBECONTEXT = false, HELM_DRIVER = options and options.driver or false, TZ = "UTC",
    } })
end

local function plain(text, namespace)
    return (text:gsub(namespace:gsub("%-", "%%-"), "NAMESPACE")
        :gsub("%u%l%l %u%l%l [ %d]%d %d%d:%d%d:%d%d %d%d%d%d", "ANSIC-TIME")
        :gsub("%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d%.?%d*Z", "TIME"))
end

-- Hints are todo-lua's own, and who warns: helm names its source file.
---@param text string
---@return string
function world.without_hints(text)
    return (text:gsub("\n  [^\n]*%f[\n]", ""):gsub("%f[^\n\0]coalesce%.go:%d+: ", ""):gsub("%f[^\n\0]todo%-lua: ", ""))
end

-- Why the record of a release cannot be told from helm's.
local function record_text(object, namespace)
    local text = object.data.release
    local body = chart.decode_release(object.kind == "Secret" and secret.unbase64(text) or text)
    return plain(json.encode(body), namespace)
end

local function is_record(object) return (object.metadata.labels or {}).owner == "helm" end

local stripped = { "uid", "resourceVersion", "creationTimestamp", "managedFields", "selfLink" }

local function object_text(object, namespace)
    local meta = object.metadata
    for _, field in ipairs(stripped) do meta[field] = nil end
    if meta.labels then meta.labels.createdAt, meta.labels.modifiedAt = nil, nil end
    if object.kind == "Service" then object.spec.clusterIP, object.spec.clusterIPs = nil, nil end
    if is_record(object) then object.data.release = nil end
    return plain(json.encode(object, { sort = true, indent = " " }), namespace)
end

local function lines_of(text)
    local lines = {}
    for line in (text .. "\n"):gmatch("(.-)\n") do lines[#lines + 1] = line end
    return lines
end

-- Fails with the first line that differs: these texts are long.
local function same(label, expected, actual)
    if expected == actual then return end
    if not expected or not actual then lu.fail(("%s: %s"):format(label, expected and "absent" or "only there")) end
    local a, b = lines_of(expected), lines_of(actual)
    for index = 1, math.max(#a, #b) do
        local x, y = a[index] or "", b[index] or ""
        if x ~= y then
            local at = 1
            while x:sub(at, at) == y:sub(at, at) do at = at + 1 end
            local from = math.max(1, at - 60)
            lu.fail(("%s: line %d, column %d\n  helm: %s\n  here: %s"):format(label, index, at,
                x:sub(from, from + 300), y:sub(from, from + 300)))
        end
    end
end

local kinds = { "configmaps", "secrets", "services", "deployments.apps", "statefulsets.apps", "serviceaccounts",
    "shoes.turns.example.com", "jobs.batch", "leases.coordination.k8s.io" }

-- Everything in a namespace, by name.
function World:state(namespace)
    local found = {}
    for _, kind in ipairs(kinds) do
        local ok, list = pcall(self.client.list, self.client, kind, { namespace = namespace })
        for _, object in ipairs(ok and list or {}) do
            local name = kind .. "/" .. object.metadata.name
            if is_record(object) then found[name .. " record"] = record_text(object, namespace) end
            if object.metadata.name ~= "kube-root-ca.crt" then found[name] = object_text(object, namespace) end
        end
    end
    return found
end

local function compare(label, expected, actual)
    for name, text in pairs(expected) do same(label .. ": " .. name, text, actual[name]) end
    for name, text in pairs(actual) do same(label .. ": " .. name, expected[name], text) end
end

-- One operation in every namespace; what the programs said, how they ended and what is there then must be the same.
---@param arguments string[]
---@param options { status: integer?, stdin: string?, before: fun(namespace: string)?, loose_errors: boolean?,
---in_order: boolean?, driver: string? }? driver: HELM_DRIVER; in_order: not all at once, as they would make the same cluster-wide objects
function World:step(arguments, options)
    options = options or {}
    self.count = self.count + 1
    local label = ("step %d, %s"):format(self.count, table.concat(arguments, " "))
    local results, turns = {}, {}
    for namespace, actor in pairs(actors) do
        turns[#turns + 1] = function()
            if options.before then options.before(namespace) end
            results[namespace] = self:run(actor(self.count), namespace, arguments, options)
        end
    end
    if options.in_order then
        for _, turn in ipairs(turns) do turn() end
    else
        task.all(turns)
    end
    local expected = results["release-h"]
    lu.assertEquals(expected.status, options.status or 0, label .. "\n" .. expected.stderr)
    local state = self:state("release-h")
    for _, namespace in ipairs(others) do
        local result = results[namespace]
        local who = label .. " by " .. actors[namespace](self.count)
        lu.assertEquals(result.status, expected.status, who .. "\n" .. result.stderr)
        same(who, plain(expected.stdout, "release-h"), plain(result.stdout, namespace))
        if not options.loose_errors then
            same(who .. ", errors", world.without_hints(plain(expected.stderr, "release-h")),
                world.without_hints(plain(result.stderr, namespace)))
        end
        compare(who, state, self:state(namespace))
    end
end

-- A command that only reads prints the same bytes, whoever runs it and whoever wrote last.
function World:look(arguments, status, driver)
    local said, turns = {}, {}
    for _, namespace in ipairs { "release-h", "release-t" } do
        said[namespace] = {}
        for _, who in ipairs { "helm", "todo" } do
            turns[#turns + 1] = function()
                said[namespace][who] = self:run(who, namespace, arguments, { driver = driver })
            end
        end
    end
    task.all(turns)
    for namespace, by in pairs(said) do
        local label = table.concat(arguments, " ") .. " in " .. namespace
        same(label, by.helm.stdout, by.todo.stdout)
        lu.assertEquals(by.todo.status, by.helm.status, label .. "\n" .. by.todo.stderr)
        lu.assertEquals(by.helm.status, status or 0, label .. "\n" .. by.helm.stderr)
        same(label .. ", errors", world.without_hints(by.helm.stderr), world.without_hints(by.todo.stderr))
    end
end

return world
