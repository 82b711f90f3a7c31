-- A client that is killed with SIGKILL in the middle of an upgrade: the next run takes the release up and ends well, and
-- helm reads its history. Whoever works on a release is not disturbed.
local apiserver = require "tests.cluster.apiserver"
local fs = require "fs"
local json = require "json"
local lu = require "luaunit"
local proc = require "proc"
local program = require "program"
local records = require "release.records"
local task = require "task"
local world = require "tests.release.world"

local tests = {}
local server, home, w
local chart = world.charts .. "/turns"
local program_path = program.project .. "/build/bin/todo-lua"
local change = { "upgrade", "r", chart, "--set", "extra=yes,tag=2,sub.note=changed" }

function tests.setup_all()
    server = apiserver.start()
    home = fs.tempdir()
    w = world.new(server.kubeconfig, home.path)
end

function tests.teardown_all()
    if server then server:stop() end
    if home then home:close() end
end

local function must(who, namespace, arguments)
    local result = w:run(who, namespace, arguments)
    lu.assertEquals(result.status, 0, namespace .. ": " .. result.stderr)
    return result.stdout
end

local function run_killed(namespace, at, moment)
    return proc.run({ program_path, program.project .. "/tests/release/killed.lua", server.kubeconfig, namespace,
        tostring(at), moment }, { check = false, timeout = 60, cwd = program.project,
        env = { HOME = home.path, XDG_STATE_HOME = home.path .. "/state" } })
end

-- What is there apart from the records and from what says its revision.
local function objects_of(namespace)
    local found = {}
    for name, text in pairs(w:state(namespace)) do
        if not name:find("sh.helm.release", 1, true) then
            found[name] = text:gsub('"at": "%d+"', ""):gsub('"revision": "%d+"', ""):gsub('"generation": %d+', "")
        end
    end
    return found
end

function tests.t1_killed_at_ten_points_the_next_run_ends_well()
    must("helm", "release-clean", { "install", "r", chart, "--create-namespace" })
    local whole = run_killed("release-clean", 0, "never")
    lu.assertEquals(whole.status, 0, whole.stderr)
    local writes = tonumber(whole.stdout)
    lu.assertTrue(writes >= 10, whole.stdout)
    local expected = objects_of("release-clean")
    local seen = {}
    for point = 0, 9 do
        local namespace = "release-k" .. point
        local at, moment = 1 + point * (writes - 1) // 9, point % 2 == 0 and "after" or "before"
        must("helm", namespace, { "install", "r", chart, "--create-namespace" })
        lu.assertEquals(run_killed(namespace, at, moment).status, 128 + 9, "write " .. at)
        local left = records.history(w.client, namespace, "r")
        seen[left[#left].status .. #left] = true
        must("todo", namespace, change)
        local label = ("killed %s write %d of %d: "):format(moment, at, writes)
        local found = objects_of(namespace)
        for name, text in pairs(expected) do lu.assertEquals(found[name], text, label .. name) end
        for name in pairs(found) do lu.assertNotNil(expected[name], label .. name) end
        local history = json.decode(must("helm", namespace, { "history", "r", "-o", "json" }))
        lu.assertEquals(history[#history].status, "deployed", label)
        for index = 1, #history - 1 do
            lu.assertTrue(history[index].status == "superseded" or history[index].status == "failed", label)
        end
        must("helm", namespace, { "upgrade", "r", chart, "--set", "tag=3" })
    end
    lu.assertTrue(seen["pending-upgrade2"])
    lu.assertTrue(seen["deployed1"] or seen["deployed2"])
end

function tests.t2_killed_release_is_taken_up_by_rollback_too()
    must("helm", "release-back", { "install", "r", chart, "--create-namespace" })
    lu.assertEquals(run_killed("release-back", 8, "after").status, 137)
    lu.assertEquals(w:run("helm", "release-back", change).status, 1) -- helm alone is stuck
    must("todo", "release-back", { "rollback", "r", "1" })
    must("helm", "release-back", change)
end

-- A record that is pending, and a lease of another machine's.
local function pretend(namespace, renewed)
    must("helm", namespace, { "install", "r", chart, "--create-namespace", "--no-hooks" })
    local history = records.history(w.client, namespace, "r")
    records.set_status(w.client, history[1], "pending-upgrade")
    w.client:create { apiVersion = "coordination.k8s.io/v1", kind = "Lease",
        metadata = { name = "todo-lua.release.r", namespace = namespace },
        spec = { holderIdentity = "elsewhere 1 77 1 x", leaseDurationSeconds = 2, renewTime = renewed } }
end

function tests.t3_lease_of_another_machine_that_is_renewed_is_respected()
    pretend("release-busy", "2026-01-01T00:00:00.000000Z")
    local renewal = task.spawn(function()
        for second = 1, 20 do
            task.sleep(0.5)
            w.client:patch("coordination.k8s.io/v1/Lease", "todo-lua.release.r",
                { spec = { renewTime = ("2026-01-01T00:00:%02d.000000Z"):format(second) } },
                { namespace = "release-busy" })
        end
    end)
    local result = w:run("todo", "release-busy", change)
    renewal:cancel()
    lu.assertEquals(result.status, 1)
    lu.assertStrContains(result.stderr, "another operation (install/upgrade/rollback) is in progress")
    lu.assertStrContains(result.stderr, "process 77 on elsewhere")
end

function tests.t4_lease_of_another_machine_that_is_not_renewed_is_taken_over()
    pretend("release-dead", "2026-01-01T00:00:00.000000Z")
    must("todo", "release-dead", change)
    lu.assertEquals(#w.client:list("leases.coordination.k8s.io", { namespace = "release-dead" }), 0)
    must("helm", "release-dead", { "status", "r" })
end

function tests.t5_pending_without_a_lease_is_helms_and_stays()
    must("helm", "release-helms", { "install", "r", chart, "--create-namespace", "--no-hooks" })
    records.set_status(w.client, records.history(w.client, "release-helms", "r")[1], "pending-upgrade")
    local result = w:run("todo", "release-helms", change)
    lu.assertEquals(result.status, 1)
    lu.assertStrContains(result.stderr, "another operation (install/upgrade/rollback) is in progress")
end

function tests.t6_interrupt_leaves_a_failed_record_and_no_lease()
    must("helm", "release-int", { "install", "r", chart, "--create-namespace", "--no-hooks" })
    local process <close> = proc.spawn({ program_path, "helm", "upgrade", "r", chart, "--wait", "-n", "release-int" },
        { env = { KUBECONFIG = server.kubeconfig, HOME = home.path }, stderr = "null" })
    local deadline = task.now() + 20 -- no controllers run: the wait lasts
    while #records.history(w.client, "release-int", "r") < 2 and task.now() < deadline do task.sleep(0.1) end
    process:kill("INT")
    lu.assertEquals(process:read_line(), "Release r has been cancelled.") -- as helm says it
    lu.assertEquals(process:wait(), 130)
    local history = records.history(w.client, "release-int", "r")
    lu.assertEquals(history[2].status, "failed")
    lu.assertStrContains(history[2].body().info.description, "context canceled")
    lu.assertEquals(#w.client:list("leases.coordination.k8s.io", { namespace = "release-int" }), 0)
end

return tests
