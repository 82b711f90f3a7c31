-- Any cluster that a kubeconfig context names. It is somebody else's: it is never started or stopped, and images reach
-- it through the registry that `cluster.registry` names ("registry.example.com/team").
local fail = require("cluster.failure")
local k8s = require("k8s")
local proc = require("proc")
local progress_of = require("cluster.progress")

---@type todo.ClusterProvider
local context = { name = "context" }

local function wanted(ctx)
    return ctx.context or ctx.options and ctx.options.context or ctx.config.cluster and ctx.config.cluster.context
end

local function find(ctx)
    local name = wanted(ctx)
    local names = {}
    for _, candidate in ipairs(k8s.contexts()) do
        if candidate.name == name or not name and candidate.current then return candidate end
        names[#names + 1] = candidate.name
    end
    return nil, names
end

local function must_find(ctx)
    local found, names = find(ctx)
    if found then return found end
    fail({ kind = "not_found", message = ("the kubeconfig has no context %s"):format(wanted(ctx) or "that is current"),
        hint = #names > 0 and "it has " .. table.concat(names, ", ") or "it has none at all" })
end

local function client(ctx)
    return k8s.connect({ context = must_find(ctx).name, timeout = 10 })
end

---@async
---@param ctx todo.ClusterContext
---@return todo.ClusterDetection
function context.detect(ctx)
    local ok, found = pcall(find, ctx)
    if not ok or not found then return { available = false, reason = "the kubeconfig has no such context" } end
    return { available = wanted(ctx) ~= nil, reason = ("context %s at %s"):format(found.name, found.server) }
end

---@async
---@param ctx todo.ClusterContext
---@return boolean changed
function context.start(ctx)
    local connected = client(ctx)
    local ok, problem = pcall(connected.version, connected)
    connected:close()
    if not ok then
        fail({ kind = "connect", message = ("the cluster of context %s does not answer: %s"):format(must_find(ctx).name,
            tostring(problem)), hint = "start it, or choose another with --context" })
    end
    return false
end

local function not_ours(what)
    return function(ctx)
        fail({ kind = "unsupported", hint = "use the tool that made it",
            message = ("the cluster of context %s is not todo-lua's to %s"):format(must_find(ctx).name, what) })
    end
end

context.stop = not_ours("stop")
context.delete = not_ours("delete")

---@async
---@param ctx todo.ClusterContext
---@return todo.ClusterStatus
function context.status(ctx)
    local ok, version = pcall(function()
        local connected <close> = setmetatable({ api = client(ctx) }, { __close = function(c) c.api:close() end })
        return connected.api:version().gitVersion
    end)
    return ok and { state = "running", version = version } or { state = "broken", message = tostring(version) }
end

---@async
---@param ctx todo.ClusterContext
---@return { kubeconfig: string?, context: string, ca_sha256: string?, owned: boolean }
function context.kubeconfig(ctx)
    local found = must_find(ctx)
    return { context = found.name, ca_sha256 = found.ca_sha256, owned = false }
end

---@async
---@param ctx todo.ClusterContext
---@return string
function context.platform(ctx)
    local connected <close> = setmetatable({ api = client(ctx) }, { __close = function(c) c.api:close() end })
    return connected.api:version().platform or "linux/" .. proc.platform().arch
end

---@param ctx todo.ClusterContext
---@return string
function context.host_address(ctx)
    local address = ctx.config.cluster and ctx.config.cluster.host_address
    if address then return address end
    fail({ kind = "config", message = "how pods of that cluster reach this machine is not known",
        hint = "set cluster.host_address in todo.local.lua, or give a database that they reach with DATABASE_URL" })
end

---Pushes images to the registry; the chart must name them there (global.imageRegistry or image.repository).
---@async
---@param ctx todo.ClusterContext
---@param names string[]
---@return string[]
function context.load_image(ctx, names)
    local registry = ctx.config.cluster and ctx.config.cluster.registry
    if not registry then
        fail({ kind = "config", message = "images reach that cluster through a registry, and none is set",
            hint = "set cluster.registry in todo.local.lua" })
    end
    local progress = progress_of(ctx)
    for index, name in ipairs(names) do
        local target = registry .. "/" .. name
        progress("push", target, index - 1, #names)
        ctx.docker:tag(name, target)
        proc.run({ "docker", "push", target })
    end
    progress("push", ("%d images"):format(#names), 1, 1)
    return names
end

---@async
---@param ctx todo.ClusterContext
---@param service { name: string, namespace: string, node_port: integer }
---@return string
function context.url(ctx, service)
    local connected <close> = setmetatable({ api = client(ctx) }, { __close = function(c) c.api:close() end })
    local host
    for _, node in ipairs((connected.api:list("v1/Node"))) do
        for _, address in ipairs(node.status.addresses or {}) do
            if address.type == "ExternalIP" or address.type == "InternalIP" and not host then host = address.address end
        end
    end
    return ("http://%s:%d"):format(host or "127.0.0.1", service.node_port)
end

---@param _ todo.ClusterContext
---@param enable string[]?
---@return { name: string, enabled: boolean }[]
function context.addons(_, enable)
    if enable and #enable > 0 then fail({ kind = "unsupported",
        message = "add-ons of that cluster are its owner's" }) end
    return {}
end

---@return table<string,string>
function context.logs()
    return {}
end

return context
