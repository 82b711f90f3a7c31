-- Any cluster that a kubeconfig context names. It is somebody else's: it is never started or stopped, and images reach
-- it through the registry that `cluster.registry` names ("registry.example.com/team").
local fail = require("fail")
local k8s = require("k8s")
local provider = require("provider")
local registry = require("registry")

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
    fail.raise("not_found", ("the kubeconfig has no context %s"):format(wanted(ctx) or "that is current"),
        #names > 0 and "it has " .. table.concat(names, ", ") or "it has none at all")
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

---Raises "denied" where the configuration alone names the context: it is nobody's word that this very run may write to
---somebody else's cluster and registry.
---@param ctx todo.ClusterContext
function context.check_named(ctx)
    if ctx.context or ctx.options and ctx.options.context then return end
    local name = must_find(ctx).name
    fail.raise("denied", ("context %s is not local, and the configuration alone names it"):format(name),
        "name it to write to it: --context " .. name)
end

---@async
---@param ctx todo.ClusterContext
---@return boolean changed
function context.start(ctx)
    context.check_named(ctx)
    local connected = client(ctx)
    local ok, problem = pcall(connected.version, connected)
    connected:close()
    if not ok then
        fail.raise("connect", ("the cluster of context %s does not answer: %s"):format(must_find(ctx).name,
            fail.message(problem)), "start it, or choose another with --context")
    end
    return false
end

local function not_ours(what)
    return function(ctx)
        fail.raise("unsupported", ("the cluster of context %s is not todo-lua's to %s"):format(must_find(ctx).name,
            what), "use the tool that made it")
    end
end

context.stop = not_ours("stop")
context.delete = not_ours("delete")

---@return boolean
function context.made_here() return false end

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

---@param ctx todo.ClusterContext
---@return string
function context.host_address(ctx)
    local address = ctx.config.cluster and ctx.config.cluster.host_address
    if address then return address end
    fail.raise("config", "how pods of that cluster reach this machine is not known",
        "set cluster.host_address in todo.local.lua, or give a database that they reach with DATABASE_URL")
end

-- The digest of an image that the registry has already under that very name; nil where it is not known to have it.
local function present(ctx, target, image, auth)
    local known = ctx.docker:image(target)
    local digest = known and known.Id == image.Id and ctx.docker:digest(target)
    if not digest then return nil end
    local ok, there = pcall(ctx.docker.distribution, ctx.docker, target, { auth = auth })
    return ok and there and there.Descriptor.digest == digest and digest or nil
end

-- What the registry did not take keeps no name of it in the engine.
local function push(ctx, name, target, auth, progress)
    local function on_progress(event)
        progress("push", target .. (event.text and ": " .. event.text or ""), event.bytes, event.total)
    end
    local before = ctx.docker:image(target)
    ctx.docker:tag(name, target)
    local ok, digest = pcall(ctx.docker.push, ctx.docker, target, { auth = auth, on_progress = on_progress })
    if ok then return digest end
    if fail.kind(digest) == "cancelled" then error(digest, 0) end
    if before then ctx.docker:tag(before.Id, target) else ctx.docker:remove_image(target) end
    fail.raise("push", ("cannot push %s: %s"):format(target, fail.message(digest)),
        registry.push_hint(registry.host(target), digest, auth), { cause = digest })
end

---Pushes images to the registry from which the cluster pulls.
---@async
---@param ctx todo.ClusterContext
---@param names string[]
---@return string[] pushed
---@return table<string, string> digests of all of them, by name
function context.load_image(ctx, names)
    local prefix = ctx.config.cluster and ctx.config.cluster.registry
    if not prefix then
        fail.raise("config", "images reach that cluster through a registry, and none is set",
            "name it with --registry, or set cluster.registry in todo.local.lua")
    end
    local auth = registry.credentials(registry.host(prefix .. "/"))
    local progress, pushed, digests = provider.progress(ctx), {}, {}
    for _, name in ipairs(names) do
        local target = prefix .. "/" .. name
        local image = provider.image(ctx, name)
        local digest = present(ctx, target, image, auth)
        if not digest then
            digest = push(ctx, name, target, auth, progress)
            pushed[#pushed + 1] = name
        end
        digests[name] = digest
    end
    if #pushed > 0 then progress("push", ("%d images"):format(#pushed), 1, 1) end
    return pushed, digests
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

context.image_id = provider.image_id_as_told
context.addons = provider.no_addons("add-ons of that cluster are its owner's")
context.logs = provider.no_logs

return context
