-- Use of processor and memory, from the metrics API (metrics.k8s.io).
local fail = require "fail"
local kube_errors = require "kubectl.errors"
local quantity = require "kubectl.quantity"

local metrics = {}

local ROOT = "/apis/metrics.k8s.io/v1beta1"

---@class todo.Usage
---@field cpu integer thousandths of a core
---@field memory integer bytes

---@param usage table<string, string>
---@return todo.Usage
function metrics.parse(usage)
    local cpu, memory = quantity.parse(usage.cpu), quantity.parse(usage.memory)
    return { cpu = cpu and cpu.milli or 0, memory = memory and memory.milli // 1000 or 0 }
end

---@param a todo.Usage
---@param b todo.Usage
---@return todo.Usage
function metrics.add(a, b) return { cpu = a.cpu + b.cpu, memory = a.memory + b.memory } end

---Items of the metrics API. Raises kubectl's error where the cluster has none.
---@async
---@param client todo.K8s
---@param path string "nodes", "namespaces/shop/pods/web"
---@param query table<string, string>?
---@return table[]
function metrics.fetch(client, path, query)
    local ok, answer = pcall(client.request, client, "GET", ROOT .. "/" .. path, { query = query or {} })
    if ok then return answer.items or { answer } end
    local status = fail.field(answer, "status")
    local absent = status == 404 and not fail.message(answer):find("not found", 1, true) or status == 503
    if absent or status == 404 and fail.message(answer):find("404 page not found", 1, true) then
        kube_errors.raise("Metrics API not available", "metrics-server must run in the cluster: todo-lua kube get "
            .. "apiservices v1beta1.metrics.k8s.io shows its state")
    end
    error(answer, 0)
end

return metrics
