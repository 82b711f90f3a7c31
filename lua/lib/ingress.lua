-- The stack under a name: what the ingress controller answers for the host of the chart's Ingress.
local fail = require "fail"
local fs = require "fs"
local prerequisites = require "prerequisites"
local stack = require "stack"
local tables = require "tables"
local task = require "task"
local url = require "url"

local ingress = {}

local PROOF_SECONDS = 30

local function host_of(ctx)
    local values = stack.values(ctx).ingress
    return type(values) == "table" and values.enabled == true and values.host or nil
end

local function object_of(ctx)
    for _, manifest in ipairs(ctx.rendered.manifests) do
        if manifest.object.kind == "Ingress" then return manifest.object end
    end
end

-- Where the controller says that it listens; nil where none took the Ingress.
local function address_of(ctx, object)
    local live = ctx.k8s:get("networking.k8s.io/v1/Ingress", object.metadata.name,
        { namespace = object.metadata.namespace or ctx.config.namespace })
    local point = (tables.at(live or {}, "status.loadBalancer.ingress") or {})[1]
    return point and (point.ip or point.hostname)
end

local function try(ctx, object, host)
    local address = address_of(ctx, object)
    if not address then
        return { ok = false, why = ("no controller has taken it (class %s)"):format(object.spec.ingressClassName) }
    end
    local proof = url.try(ctx, "http://" .. address, host)
    proof.address = address
    return proof
end

---@class todo.IngressProof
---@field url string "http://todo.local"
---@field address string of the controller
---@field resolves boolean whether the name leads there from this machine
---@field hosts_line string what /etc/hosts needs where it does not

---Proves that the stack answers under the host of its Ingress; nil where it has none or does not answer. Raises what is
---wrong where the user asked for it.
---@async
---@param ctx todo.Context with `rendered`
---@return todo.IngressProof?
function ingress.prove(ctx)
    local host = host_of(ctx)
    local object = host and object_of(ctx)
    if not object then return nil end
    local deadline = task.now() + (ctx.options.ingress and PROOF_SECONDS or 0)
    local proof = try(ctx, object, host)
    while not proof.ok and task.now() < deadline do
        task.sleep(0.3)
        proof = try(ctx, object, host)
    end
    if proof.ok then
        return { url = "http://" .. host, address = proof.address, resolves = url.try(ctx, "http://" .. host).ok,
            hosts_line = proof.address .. " " .. host }
    end
    if not ctx.options.ingress then return nil end
    fail.raise("not_ready", ("http://%s does not answer through the Ingress %s: %s"):format(host, object.metadata.name,
        proof.why), "todo-lua kube describe ingress -n " .. ctx.config.namespace .. " shows it; "
        .. "a cluster without the add-on ingress needs a controller of its own")
end

---Raises wrong usage where --hosts has no name to add.
---@param ctx todo.Context
function ingress.check_flags(ctx)
    if not ctx.options.hosts or host_of(ctx) then return end
    fail.raise("usage", "--hosts adds the name of the ingress to /etc/hosts, and none is enabled",
        "add --ingress, or set ingress.enabled and ingress.host in your values", { status = 2 })
end

---The command that adds a proof's line to the hosts file; nil where it is there. Raises "conflict" where the name leads
---elsewhere: that line is the user's.
---@param text string of the file
---@param proof todo.IngressProof
---@return string[]?
function ingress.hosts_command(text, proof)
    local address, host = proof.hosts_line:match("^(%S+) (%S+)$")
    for line in text:gmatch("[^\n]+") do
        local there, names = line:gsub("#.*", ""):match("^%s*(%S+)%s+(.*)$")
        for name in (names or ""):gmatch("%S+") do
            if name == host and there == address then return nil end
            if name == host then
                fail.raise("conflict", ("/etc/hosts leads %s elsewhere: %s"):format(host, line),
                    "change that line to: " .. proof.hosts_line)
            end
        end
    end
    return { "sh", "-c", ("echo '%s' >> /etc/hosts"):format(proof.hosts_line) }
end

---As prove; with --hosts the name leads there from this machine, too.
---@async
---@param ctx todo.Context
---@return todo.IngressProof?
function ingress.ensure(ctx)
    local proof = ingress.prove(ctx)
    if not proof or proof.resolves or not ctx.options.hosts then return proof end
    local command = ingress.hosts_command(fs.read("/etc/hosts") or "", proof)
    prerequisites.run(ctx, { command }, proof.url .. " needs a line in /etc/hosts:")
    return ingress.prove(ctx)
end

return ingress
