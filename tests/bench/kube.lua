-- todo-lua kube beside kubectl: large lists and the start on a small cluster, against an API server without a node; watched
-- events and followed lines, against a server that has them ready.
local apiserver = require "tests.cluster.apiserver"
local faults = require "tests.faults"
local json = require "json"
local k8s = require "k8s"
local many_pods = require "tests.bench.many_pods"
local fs = require "fs"
local proc = require "proc"
local task = require "task"
local term = require "term"

local PODS = 10000
local LINES <const>, LINE <const> = 400000, #"INFO  request 0000001 handled in 12 ms, GET /api/tasks 200\n" -- of the replayed log

local function resident() return tonumber(fs.read("/proc/self/status"):match("VmRSS:%s*(%d+)")) * 1024 end

-- Memory that the informer takes, beyond what the client has taken before.
local function informer_memory(kubeconfig)
    local client = k8s.connect { kubeconfig = kubeconfig, timeout = 120 }
    client:version()
    collectgarbage()
    local before = resident()
    local cache <close> = client:cache("pods", { indexes = { node = { "spec", "nodeName" } } })
    cache:sync(120)
    term.write(("informer: %d pods, %.0f bytes each\n"):format(cache:count(), (resident() - before) / cache:count()))
end

-- nil where the process is gone.
local function cpu_seconds(pid)
    local stat = fs.read(("/proc/%d/stat"):format(pid))
    if not stat then return nil end
    local user, system = stat:match("^.*%) %S" .. (" %S+"):rep(10) .. " (%d+) (%d+)")
    return (tonumber(user) + tonumber(system)) / 100 -- USER_HZ
end

-- Runs the command until it has printed so many bytes (to count lines would take longer than to follow them); seconds of
-- wall and of processor.
local function until_bytes(argv, size)
    local began, seen, cpu = task.now(), 0, nil
    local child <close> = proc.spawn(argv, { stderr = "inherit" })
    while seen < size do
        seen = seen + #assert(child:read(), "the output ended early")
        if seen > 0.95 * size then cpu = cpu_seconds(child.pid) or cpu end -- the last byte may be the process's end
    end
    assert(seen == size, "more came than was sent")
    local took = task.now() - began
    child:kill("KILL")
    return took, cpu
end

-- The better of three runs of each, in turn, of a command that prints `count` lines of so many bytes in all.
local function compare_rates(title, unit, ours, kubectl, words, count, size)
    local best = { { math.huge, math.huge }, { math.huge, math.huge } }
    for _ = 1, 3 do
        for i, command in ipairs { { ours, "kube" }, { kubectl } } do
            table.move(words, 1, #words, #command + 1, command)
            local took, cpu = until_bytes(command, size)
            best[i] = { math.min(best[i][1], took), math.min(best[i][2], cpu) }
        end
    end
    term.write(term.style("bold", title) .. "\n")
    for i, name in ipairs { "todo-lua", "kubectl" } do
        term.write(("  %-10s %9.0f %s a second %8.1f us of CPU each   %s\n"):format(name, count / best[i][1], unit,
            best[i][2] / count * 1e6, i == 1 and "" or ("%.1f times todo-lua's time, %.1f times its CPU"):format(
                best[2][1] / best[1][1], best[2][2] / best[1][2])))
    end
end

-- What the client can take where the server is no limit.
local function compare_ceiling(server, client, ours, kubectl)
    local dir <close> = fs.tempdir()
    local events, printed = {}, #"pod/one\n" -- the pod that is there
    for i, pod in ipairs(client:list("pods")) do
        events[i] = json.encode { type = "ADDED", object = pod } .. "\n"
        printed = printed + #("pod/%s\n"):format(pod.metadata.name)
    end
    fs.write(dir.path .. "/events", table.concat(events))
    local replay <close> = proc.spawn { ours, "tests/bench/replay.lua", tostring(server.port), server.pki,
        dir.path .. "/events", tostring(LINES) }
    local kubeconfig = faults.kubeconfig(server.kubeconfig, tonumber(replay:read_line()), dir.path .. "/kubeconfig", "http")
    local place = { "--kubeconfig", kubeconfig, "-n", "small" }
    local function words(...) return table.move(place, 1, #place, select("#", ...) + 1, { ... }) end
    compare_rates("watched events as names", "events", ours, kubectl, words("get", "pods", "-w", "-o", "name"),
        #events + 1, printed)
    compare_rates("followed log", "lines", ours, kubectl, words("logs", "one", "-f"), LINES, LINES * LINE)
    replay:kill("KILL")
end

---@async
---@param compare fun(title: string, entries: string[][], runs: integer)
---@param ours string
---@param kubectl string
return function(compare, ours, kubectl)
    local server = apiserver.start()
    local ok, problem = pcall(function()
        proc.env("KUBECONFIG", server.kubeconfig)
        local client = k8s.connect { kubeconfig = server.kubeconfig }
        client:create { apiVersion = "v1", kind = "Namespace", metadata = { name = "small" } }
        client:create { apiVersion = "v1", kind = "Pod", metadata = { name = "one", namespace = "small" },
            spec = { containers = { { name = "main", image = "one" } } } }
        compare("kube get pods on a small cluster", {
            { "todo-lua", ours .. " kube get pods -n small" },
            { "kubectl", kubectl .. " get pods -n small" },
        }, 20)
        many_pods.create(server.kubeconfig, PODS)
        for title, format in pairs { ["as a table"] = "", ["as JSON"] = " -o json" } do
            compare(("kube get of %d pods %s"):format(PODS, title), {
                { "todo-lua", ours .. " kube get pods" .. format },
                { "kubectl", kubectl .. " get pods" .. format },
            }, 4)
        end
        informer_memory(server.kubeconfig) -- before what fills the allocator
        compare_ceiling(server, client, ours, kubectl)
    end)
    server:stop()
    if not ok then error(problem, 0) end
end
