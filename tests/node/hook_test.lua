-- helm test on a real node: the same release tested by helm and by todo-lua, each in a namespace of its own; output,
-- records and pods that are left must be the same.
local apiserver = require "tests.cluster.apiserver"
local fs = require "fs"
local json = require "json"
local lu = require "luaunit"
local node = require "tests.kube.node"
local proc = require "proc"
local program = require "program"
local records = require "release.records"
local tables = require "tables"
local task = require "task"
local world = require "tests.release.world"

local tests = {}
local chart = world.charts .. "/given"
local programs = {
    helm = { apiserver.program("judges", "helm") },
    todo = { program.project .. "/build/bin/todo-lua", "helm" },
}
local nodes, home = {}, nil

function tests.setup_all()
    home = fs.tempdir()
    for who in pairs(programs) do nodes[who] = node.open("hooks-" .. who) end
end

function tests.teardown_all()
    for _, one in pairs(nodes) do one:close() end
    if home then home:close() end
end

local function hook(name, script, annotations)
    local spec = node.spec(script)
    spec.restartPolicy = "Never"
    return { apiVersion = "v1", kind = "Pod", spec = spec, metadata = { name = name,
        annotations = tables.merge({ ["helm.sh/hook"] = "test" }, annotations or {}) } }
end

local function run(who, arguments, objects)
    local argv = table.move(programs[who], 1, #programs[who], 1, {})
    table.move(arguments, 1, #arguments, #argv + 1, argv)
    table.move({ "-n", nodes[who].namespace }, 1, 2, #argv + 1, argv)
    return proc.run(argv, { check = false, timeout = 180, stdin = json.encode { objects = objects or json.list {} },
        env = { KUBECONFIG = nodes[who].kubeconfig, HOME = home.path, XDG_STATE_HOME = home.path .. "/state", TZ = "UTC",
            HELM_NAMESPACE = false, HELM_KUBECONTEXT = false, HELM_DRIVER = false } })
end

local function plain(who, text)
    return (text:gsub(nodes[who].namespace:gsub("%-", "%%-"), "NAMESPACE")
        :gsub("%u%l%l %u%l%l [ %d]%d %d%d:%d%d:%d%d %d%d%d%d", "TIME")
        :gsub("%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d%.?%d*Z", "TIME"))
end

-- What helm and todo-lua each say and leave; asserts that it is one and the same.
local function both(arguments, status, objects)
    local label = table.concat(arguments, " ")
    local found = task.all(tables.map({ "helm", "todo" }, function(who)
        return function()
            local result = run(who, arguments, objects)
            local history = records.history(nodes[who].client, nodes[who].namespace, "r")
            local pods = tables.map(nodes[who].client:list("pods"), function(pod) return pod.metadata.name end)
            table.sort(pods)
            return { status = result.status, stdout = plain(who, result.stdout),
                stderr = world.without_hints(plain(who, result.stderr)),
                record = plain(who, json.encode(history[#history].body())), pods = pods }
        end
    end))
    for field, value in pairs(found[1]) do lu.assertEquals(found[2][field], value, label .. ": " .. field) end
    lu.assertEquals(found[1].status, status, label .. "\n" .. found[1].stderr)
    return found[2]
end

-- A pod without a delete policy is replaced by the next run: that is the policy of those who name none.
function tests.t1_tests_run_print_and_are_recorded_as_helms()
    both({ "install", "r", chart, "-f", "-" }, 0, {
        hook("late", "echo late", { ["helm.sh/hook-weight"] = "5" }),
        hook("early", "echo early", { ["helm.sh/hook-weight"] = "-5" }),
        hook("gone", "echo gone", { ["helm.sh/hook-delete-policy"] = "hook-succeeded" }),
        hook("other", "echo other", { ["helm.sh/hook"] = "post-rollback,test" }),
    })
    both({ "status", "r" }, 0)
    local first = both({ "test", "r", "--filter", "!name=gone", "--logs" }, 0)
    lu.assertStrContains(first.stdout, "POD LOGS: early\nearly\n\nPOD LOGS: other\nother\n")
    lu.assertEquals(first.pods, { "early", "late", "other" })
    local again = both({ "test", "r", "--timeout", "2m", "--filter", "name=early,name=gone", "--filter", "colour=red" }, 0)
    lu.assertEquals(again.pods, { "early", "late", "other" })
    both({ "test", "r", "--filter", "! name=early", "--filter", "name=late", "--hide-notes" }, 0)
    both({ "test", "r", "--filter", "name=none", "--logs" }, 0)
    both({ "test", "r", "--filter", "name=gone", "--logs" }, 1) -- its pod is gone before its log is asked for
    both({ "status", "r", "-o", "json" }, 0)
end

function tests.t2_a_test_that_fails_ends_the_run_as_helms()
    both({ "upgrade", "r", chart, "-f", "-" }, 0, {
        hook("first", "true", { ["helm.sh/hook-delete-policy"] = "hook-succeeded" }),
        hook("second", "echo broken; exit 3", { ["helm.sh/hook-weight"] = "1" }),
        hook("third", "true", { ["helm.sh/hook-weight"] = "2" }),
    })
    local result = both({ "test", "r", "--logs" }, 1)
    lu.assertStrContains(result.stderr, 'pods "first" not found')
    lu.assertStrContains(both({ "test", "r", "--filter", "name=second" }, 1).stderr, "* pod second failed")
    both({ "upgrade", "r", chart, "-f", "-" }, 0, { hook("cleared", "exit 1",
        { ["helm.sh/hook-delete-policy"] = "hook-failed" }) })
    lu.assertNil(table.concat(both({ "test", "r" }, 1).pods, " "):find("cleared", 1, true))
end

function tests.t3_what_cannot_be_tested_is_refused_as_by_helm()
    for _, who in ipairs { "helm", "todo" } do
        local absent = run(who, { "test", "absent" })
        lu.assertEquals({ absent.status, absent.stdout, absent.stderr }, { 1, "", "Error: release: not found\n" })
        local wrong = run(who, { "test", "Wrong" })
        lu.assertEquals({ wrong.status, wrong.stderr },
            { 1, "Error: releaseTest: Release name is invalid: Wrong\n" })
    end
end

return tests
