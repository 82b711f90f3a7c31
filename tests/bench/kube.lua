-- todo-lua kube beside kubectl: large lists and the start on a small cluster, against an API server without a node.
local apiserver = require "tests.cluster.apiserver"
local k8s = require "k8s"
local many_pods = require "tests.bench.many_pods"
local fs = require "fs"
local proc = require "proc"
local term = require "term"

local PODS = 10000

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
        informer_memory(server.kubeconfig)
    end)
    server:stop()
    if not ok then error(problem, 0) end
end
