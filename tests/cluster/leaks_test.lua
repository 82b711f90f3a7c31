-- What ten thousand requests and two hundred clients leave behind in the process: no descriptor, and no memory.
package.path = "./?.lua;" .. package.path

local apiserver = require "tests.cluster.apiserver"
local fs = require "fs"
local k8s = require "k8s"
local lu = require "luaunit"
local needs = require "tests.needs"
local proc = require "proc"
local program = require "program"
local task = require "task"

local tests = {}
local server

function tests.setup_all() server = apiserver.start() end

function tests.teardown_all()
    if server then server:stop() end
end

-- What the process holds now; resident is in bytes.
local function held()
    collectgarbage()
    collectgarbage() -- what finalisers let go of
    return { descriptors = #fs.list("/proc/self/fd"), lua = collectgarbage("count") * 1024,
        resident = tonumber(fs.read("/proc/self/status"):match("VmRSS:%s*(%d+)")) * 1024 }
end

-- Runs `work` until caches and allocators are warm, then again, and compares.
local function leaves_nothing(warm, whole, work)
    work(warm)
    local before = held()
    local began = task.now()
    work(whole)
    local took = task.now() - began
    local after = held()
    print(("# %d in %.1f s: descriptors %d -> %d, Lua %.0f -> %.0f KiB, resident %.1f -> %.1f MiB"):format(whole, took,
        before.descriptors, after.descriptors, before.lua / 1024, after.lua / 1024, before.resident / 2 ^ 20,
        after.resident / 2 ^ 20))
    lu.assertTrue(after.descriptors <= before.descriptors, "descriptors are left")
    lu.assertTrue(after.lua - before.lua < 16 * 1024, "Lua memory is left")
    -- One byte for each of 10,000 requests would be lost in the allocator's noise; a forgotten request is over 1 KiB.
    lu.assertTrue(after.resident - before.resident < 2 * 2 ^ 20, "memory is left")
end

local function gets(client, count)
    local left = count
    local function take()
        while left > 0 do
            left = left - 1
            client:get("ns", "default")
        end
    end
    task.all { take, take, take, take }
end

function tests.ten_thousand_requests_of_one_client_leave_nothing()
    local client <close> = k8s.connect { kubeconfig = server.kubeconfig }
    leaves_nothing(500, 10000, function(count) gets(client, count) end)
end

function tests.two_hundred_clients_leave_nothing()
    leaves_nothing(50, 200, function(count)
        for _ = 1, count do
            local client <close> = k8s.connect { kubeconfig = server.kubeconfig }
            client:get("ns", "default")
        end
    end)
end

-- Each kind of call, ended as it should be and broken off.
local CALLS = [[
    local k8s, task = require "k8s", require "task"
    local path = require "program".args[1]
    for round = 1, 3 do
        local client <close> = k8s.connect { kubeconfig = path }
        local name = "valgrind-" .. round
        client:apply({ apiVersion = "v1", kind = "ConfigMap", metadata = { name = name }, data = { a = "b" } },
            { field_manager = "valgrind" })
        client:patch("cm", name, { data = { a = ("c"):rep(100000) } })
        assert(#client:list("cm", { namespace = "default" }) > 0)
        local watch <close> = client:watch("cm")
        assert(watch:next())
        local cache <close> = client:cache("namespaces")
        cache:sync(60)
        for _, wrong in ipairs {
            function() client:get("podz", "x") end,
            function() client:logs("nobody", { follow = true }):next() end,
            function() client:exec("nobody", { command = { "true" } }):wait() end,
            function() client:forward("nobody", 80):read() end,
            function() task.timeout(0.2, function() repeat watch:next() until false end) end,
        } do
            assert(not pcall(wrong))
        end
        client:delete("cm", name)
    end]]

function tests.valgrind_finds_no_error_and_no_lost_byte_in_a_client()
    needs.packages { "valgrind" }
    local script = server.dir .. "/calls.lua"
    fs.write(script, CALLS)
    local result = proc.run({ "valgrind", "--quiet", "--leak-check=full", "--error-exitcode=99", program.executable, script,
        server.kubeconfig }, { check = false, timeout = 300 })
    lu.assertEquals(result.stderr, "")
    lu.assertEquals(result.status, 0)
end

return tests
