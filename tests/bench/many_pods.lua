-- Pods on an API server without a node, as many as a test of speed wants, like those that a deployment makes.
local json = require "json"
local k8s = require "k8s"
local task = require "task"

local many_pods = {}

local function pod(number)
    return { apiVersion = "v1", kind = "Pod",
        metadata = { name = ("web-7d9c5b8f6d-%05d"):format(number), labels = { app = "web", tier = "backend",
            ["app.kubernetes.io/component"] = "backend", ["pod-template-hash"] = "7d9c5b8f6d" },
            annotations = { ["checksum/config"] = ("%064x"):format(number) } },
        spec = { nodeName = "node-" .. number % 20, terminationGracePeriodSeconds = 30,
            containers = { { name = "web", image = "registry.example/web:1." .. number % 7,
                ports = json.list { { name = "http", containerPort = 8000 } },
                env = json.list { { name = "LOG_LEVEL", value = "info" },
                    { name = "DATABASE_URL", valueFrom = { secretKeyRef = { name = "web", key = "url" } } } },
                resources = { requests = { cpu = "100m", memory = "128Mi" }, limits = { memory = "256Mi" } },
                readinessProbe = { httpGet = { path = "/healthz", port = "http" }, periodSeconds = 5 } } } } }
end

---Creates `count` pods in namespace default, sixteen at a time.
---@async
---@param kubeconfig string
---@param count integer
function many_pods.create(kubeconfig, count)
    local client, jobs = k8s.connect { kubeconfig = kubeconfig, timeout = 120 }, {}
    for worker = 1, 16 do
        jobs[worker] = function()
            for number = worker, count, 16 do client:create(pod(number)) end
        end
    end
    task.all(jobs)
    client:close()
end

return many_pods
