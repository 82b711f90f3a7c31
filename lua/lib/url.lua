-- The address of the stack: printed only after the page behind it answered and proved to be ours.
local fail = require "fail"
local forward = require "forward_ports"
local http = require "http"
local json = require "json"
local stack = require "stack"
local tables = require "tables"
local task = require "task"

local url = {}

local PROOF_SECONDS = 20
local OLD_PORT_SECONDS = 5

---@class todo.Proof
---@field url string
---@field ok boolean
---@field why string? why not
---@field foreign boolean? something answers there that is not ours
---@field pod string? whose page answers; nil where the page does not say that it is this release's

local function is_name(text) return type(text) == "string" and #text <= 253 and text:find("^[%w.-]+$") ~= nil end

-- Whose page it is, where it tells: the chart gives pods the names for it.
local function identity(body)
    local ok, page = pcall(json.decode, body)
    local told = ok and type(page) == "table" and page.kubernetes
    if type(told) ~= "table" then return nil end
    return is_name(told.release) and is_name(told.namespace) and is_name(told.pod) and told or nil
end

---Fetches the proof page of one address. One that tells whose it is has to be this release's.
---@async
---@param ctx todo.Context
---@param base string "http://localhost:30080"
---@param host string? name that is asked for there; default: the address itself
---@return todo.Proof
function url.try(ctx, base, host)
    local expected = ctx.config.url
    local ok, answer = pcall(http.get, base .. expected.path, { timeout = 5, connect_timeout = 2, proxy = "",
        fresh = true, headers = host and { Host = host } })
    if not ok then return { url = base, ok = false, why = fail.message(answer):match("^[^\n]*") } end
    if answer.status ~= 200 then return { url = base, ok = false, why = "status " .. answer.status } end
    if not answer.body:find(expected.expect, 1, true) then
        return { url = base, ok = false, foreign = true, why = "another program answers there" }
    end
    local told = identity(answer.body)
    if told and (told.release ~= ctx.config.release or told.namespace ~= ctx.config.namespace) then
        return { url = base, ok = false, foreign = true,
            why = ("release %s of namespace %s answers there"):format(told.release, told.namespace) }
    end
    return { url = base, ok = true, pod = told and told.pod }
end

local function try_all(ctx, origins)
    return task.all(tables.map(origins, function(origin)
        return function() return url.try(ctx, origin) end
    end))
end

local function node_addresses(client)
    local list = {}
    for _, node in ipairs(client:list("nodes")) do
        for _, address in ipairs(tables.at(node, "status.addresses") or {}) do
            if address.type == "InternalIP" and not address.address:find(":", 1, true) then
                list[#list + 1] = address.address
            end
        end
    end
    return list
end

---Addresses of the cluster's nodes, kept in the context for those who need them.
---@async
---@param ctx todo.Context
---@return string[]
function url.learn_nodes(ctx)
    ctx.node_addresses = ctx.node_addresses or node_addresses(ctx.k8s)
    return ctx.node_addresses
end

local function front_service(ctx)
    return ctx.k8s:get("services", ctx.config.release .. "-" .. ctx.config.url.component,
        { namespace = ctx.config.namespace })
end

local function node_port(service)
    for _, entry in ipairs(service and service.spec.ports or {}) do
        if entry.nodePort then return entry.nodePort end
    end
    return nil
end

---@param origin string
---@return boolean
function url.is_loopback(origin)
    return origin:find("^%w+://127%.") ~= nil or origin:find("^%w+://localhost%f[:/\0]") ~= nil
end

-- Whether the provider brings NodePorts to this machine's own addresses.
local function comes_here(ctx, port)
    local ok, base = pcall(ctx.provider.url, ctx, { name = ctx.config.release .. "-" .. ctx.config.url.component,
        namespace = ctx.config.namespace, node_port = port })
    return not ok or url.is_loopback(base)
end

-- Whether the cluster itself listens at the port of this machine, whatever its nodes' addresses are.
local function is_held(ctx, port)
    local ok, held = pcall(ctx.provider.holds_port or function() return false end, ctx, port)
    return ok and held
end

-- A cluster whose API server is reached at an address of this machine lies behind it, in a virtual machine or
-- containers: its nodes' own addresses may lead nowhere, and what brings ports here may do so with NodePorts, too.
local function lies_behind(ctx)
    local server = ctx.k8s and ctx.k8s.server or ""
    return url.is_loopback(server) or server:find("^%w+://[%w.-]+%.docker%.internal%f[:/\0]") ~= nil
end

---Where users may open the stack from this machine, the likeliest first.
---@async
---@param ctx todo.Context
---@param port integer? NodePort; default: what the values say
---@return string[] origins
---@return boolean known whether the provider says that the port comes to this machine's own addresses
function url.origins(ctx, port)
    port = port or stack.node_port(ctx)
    local origins = stack.origins(ctx, port)
    local known = comes_here(ctx, port) or is_held(ctx, port)
    if known or lies_behind(ctx) then return origins, known end
    local list = tables.filter(origins, function(origin) return not url.is_loopback(origin) end)
    for _, origin in ipairs(origins) do
        if url.is_loopback(origin) then list[#list + 1] = origin end
    end
    return list, known
end

-- What answers at an address of this machine that the cluster is not known to have may look like ours and be somebody
-- else's. A page that tells whose it is has to name a pod of this very cluster; one that does not is believed where
-- there is reason to expect it here.
local function confirm(ctx, proof)
    local is_ours
    if proof.pod then
        is_ours = ctx.k8s:get("pods", proof.pod, { namespace = ctx.config.namespace }) ~= nil
    else
        is_ours = lies_behind(ctx)
    end
    if is_ours then return proof end
    return { url = proof.url, ok = false, foreign = true, why = proof.pod
        and "the release of another cluster answers there" or "another program answers there" }
end

---Tries every address there might be; the first in order that proves itself is the URL.
---@async
---@param ctx todo.Context
---@param patience number? seconds to go on trying
---@return string? url
---@return todo.Proof[] tried
function url.find(ctx, patience)
    url.learn_nodes(ctx)
    -- What was deployed may have been given another port than the values of this run name, or none.
    local port = node_port(front_service(ctx))
    local origins, known = url.origins(ctx, port)
    if not port then origins = tables.filter(origins, function(origin) return not origin:find(":%d+$") end) end
    local deadline = task.now() + (patience or 0)
    while true do
        local proofs = try_all(ctx, origins)
        for index, proof in ipairs(proofs) do
            if proof.ok and not known and url.is_loopback(proof.url) then proofs[index] = confirm(ctx, proof) end
            if proofs[index].ok then return proof.url, proofs end
        end
        if task.now() >= deadline then return nil, proofs end
        task.sleep(0.3)
    end
end

---What was tried before the address that proved itself.
---@param proofs todo.Proof[]
---@return todo.Proof[] losers
---@return todo.Proof? winner
function url.losers(proofs)
    local losers = {}
    for _, proof in ipairs(proofs) do
        if proof.ok then return losers, proof end
        losers[#losers + 1] = proof
    end
    return losers
end

local function raise_unproven(proofs)
    local tried, foreign = {}, false
    for index, proof in ipairs(proofs) do
        tried[index] = ("    %s  %s"):format(proof.url, proof.why)
        foreign = foreign or proof.foreign and url.is_loopback(proof.url)
    end
    fail.raise(foreign and "port_busy" or "not_ready",
        (foreign and "another program has the stack's port on this machine:\n"
        or "the stack does not answer from this machine:\n") .. table.concat(tried, "\n"),
        foreign and "stop that program, or choose another port: --set frontend.service.nodePort=30081"
        or "todo-lua doctor explains it and offers the fix")
end

local function answers(port)
    local connected, connection = pcall(http.connect, "127.0.0.1", port, 1)
    if connected then connection:close() end
    return connected
end

-- A way of our own to the front's pods, for clusters whose addresses lead nowhere from this machine.
local function open_forwarder(ctx, service, origin)
    local port = tonumber(origin:match(":(%d+)$"))
    -- A NodePort of another Service takes connections without a listener that would be in the way; one that the Service
    -- itself had before goes on for a moment.
    local deadline = task.now() + OLD_PORT_SECONDS
    while answers(port) do
        if task.now() > deadline then fail.raise("port_busy", "something else answers there") end
        task.sleep(0.3)
    end
    return forward.open(ctx.k8s, service, { { ["local"] = port, remote = service.spec.ports[1].port } })
end

---The URL, proven; raises with what every candidate said where none is.
---@async
---@param ctx todo.Context
---@return string url
---@return todo.Proof[] tried
---@return todo.Forwarder? forwarder what the URL leads through where no address of the cluster answers; the caller's to
---close
function url.prove(ctx)
    local service = front_service(ctx)
    local found, proofs = url.find(ctx, node_port(service) and PROOF_SECONDS or 0)
    if found then return found, proofs end
    if not service then raise_unproven(proofs) end
    local origin = stack.origins(ctx, node_port(service))[1]
    local opened, forwarder = pcall(open_forwarder, ctx, service, origin)
    local through = opened and url.try(ctx, origin) or { ok = false, why = fail.message(forwarder) }
    if through.ok then
        proofs[#proofs + 1] = through
        return origin, proofs, forwarder
    end
    if opened then forwarder:close() end
    proofs[#proofs + 1] = { url = origin, ok = false, foreign = through.foreign or fail.kind(forwarder) == "port_busy",
        why = through.why .. ", where a forwarder of our own would be" }
    raise_unproven(proofs)
end

---Whether the port that the URL will have on this machine is taken by something else. Raises "port_busy" with the
---port's number. Where nodes have addresses of their own, nothing here can be in their way.
---@async
---@param ctx todo.Context
function url.check_port(ctx)
    local wanted = tables.at(stack.values(ctx), ctx.config.url.component .. ".service") or {}
    local port = wanted.type == "NodePort" and wanted.nodePort
    if not port then return end
    local service = front_service(ctx)
    for _, entry in ipairs(service and service.spec.ports or {}) do
        if entry.nodePort == port then return end
    end
    if not comes_here(ctx, port) or not answers(port) then return end
    if is_held(ctx, port) then return end
    fail.raise("port_busy", ("port %d is taken by another program on this machine"):format(port),
        ("stop it (find it with: ss -ltnp 'sport = :%d'), or choose another: --set "
            .. "frontend.service.nodePort=30081"):format(port))
end

return url
