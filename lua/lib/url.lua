-- The address of the stack: printed only after the page behind it answered and proved to be ours.
local fail = require "fail"
local http = require "http"
local stack = require "stack"
local tables = require "tables"
local task = require "task"

local url = {}

local PROOF_SECONDS = 20

---@class todo.Proof
---@field url string
---@field ok boolean
---@field why string?

---Fetches the proof page of one address.
---@async
---@param ctx todo.Context
---@param base string "http://localhost:30080"
---@return todo.Proof
function url.try(ctx, base)
    local expected = ctx.config.url
    local ok, answer = pcall(http.get, base .. expected.path, { timeout = 5, connect_timeout = 2, proxy = "",
        fresh = true })
    if not ok then return { url = base, ok = false, why = fail.message(answer):match("^[^\n]*") } end
    if answer.status ~= 200 then return { url = base, ok = false, why = "status " .. answer.status } end
    if not answer.body:find(expected.expect, 1, true) then
        return { url = base, ok = false, foreign = true, why = "another program answers there" }
    end
    return { url = base, ok = true }
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

---Tries every address there might be; the first in order that proves itself is the URL.
---@async
---@param ctx todo.Context
---@param patience number? seconds to go on trying
---@return string? url
---@return todo.Proof[] tried
function url.find(ctx, patience)
    url.learn_nodes(ctx)
    local origins = stack.origins(ctx)
    local deadline = task.now() + (patience or 0)
    while true do
        local proofs = try_all(ctx, origins)
        for _, proof in ipairs(proofs) do
            if proof.ok then return proof.url, proofs end
        end
        if task.now() >= deadline then return nil, proofs end
        task.sleep(0.3)
    end
end

---The URL, proven; raises with what every candidate said where none is.
---@async
---@param ctx todo.Context
---@return string url
function url.prove(ctx)
    local found, proofs = url.find(ctx, PROOF_SECONDS)
    if found then return found end
    local tried, foreign = {}, false
    for index, proof in ipairs(proofs) do
        tried[index] = ("    %s  %s"):format(proof.url, proof.why)
        foreign = foreign or proof.foreign
    end
    fail.raise(foreign and "port_busy" or "not_ready",
        (foreign and "another program has the stack's port on this machine:\n"
        or "the stack does not answer from this machine:\n") .. table.concat(tried, "\n"),
        foreign and "stop that program, or choose another port: --set frontend.service.nodePort=30081"
        or "todo-lua doctor explains it and offers the fix")
end

---Whether the port that the URL will have is taken by something else. Raises "port_busy" with the port's number.
---@async
---@param ctx todo.Context
function url.check_port(ctx)
    local port = tables.at(stack.values(ctx), ctx.config.url.component .. ".service.nodePort")
    if not port or ctx.provider.name == "context" then return end
    local service = ctx.k8s:get("services", ctx.config.release .. "-" .. ctx.config.url.component,
        { namespace = ctx.config.namespace })
    for _, entry in ipairs(service and service.spec.ports or {}) do
        if entry.nodePort == port then return end
    end
    local connected, connection = pcall(http.connect, "127.0.0.1", port, 1)
    if not connected then return end
    connection:close()
    fail.raise("port_busy", ("port %d is taken by another program on this machine"):format(port),
        ("stop it (find it with: ss -ltnp 'sport = :%d'), or choose another: --set "
            .. "frontend.service.nodePort=30081"):format(port))
end

return url
