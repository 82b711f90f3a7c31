-- Hosts that lead somewhere inside a cluster only, for those who look for them where a browser would ask them.
local fail = require "fail"
local tables = require "tables"
local task = require "task"

local inner_hosts = {}

---@class todo.InnerHosts
---@field names table<string, true> of Services, alone and with their namespace
---@field addresses table<string, true> of Services
---@field networks { first: integer, last: integer }[] from which Services get their addresses (IPv4)

local UNKNOWN = { denied = true, not_found = true }

local function number_of(address)
    local parts = { address:match("^(%d+)%.(%d+)%.(%d+)%.(%d+)$") }
    if #parts == 0 then return nil end
    local number = 0
    for index = 1, 4 do number = number << 8 | math.tointeger(parts[index]) end
    return number
end

local function network_of(cidr)
    local address, bits = cidr:match("^([%d.]+)/(%d+)$")
    local number = address and number_of(address)
    if not number then return nil end
    local size = 1 << (32 - math.tointeger(bits))
    return { first = number // size * size, last = number // size * size + size - 1 }
end

-- What the cluster says of its Services; one that does not let us look has none but ours. It serves their networks from
-- Kubernetes 1.33 on.
local function ask(client, inner)
    local function list(kind)
        return function()
            return fail.catch(UNKNOWN, function() return client:list(kind, { all_namespaces = true }) end) or {}
        end
    end
    local services, ranges = table.unpack(task.all { list "v1/Service", list "networking.k8s.io/v1/ServiceCIDR" })
    for _, service in ipairs(services) do
        inner.names[service.metadata.name .. "." .. service.metadata.namespace] = true
        inner.addresses[service.spec.clusterIP or ""] = true
    end
    for _, range in ipairs(ranges) do
        for _, cidr in ipairs(range.spec.cidrs) do inner.networks[#inner.networks + 1] = network_of(cidr) end
    end
end

---The stack's own Services by the configuration, and all that the cluster knows where there is one.
---@async
---@param ctx todo.Context
---@return todo.InnerHosts
function inner_hosts.of(ctx)
    local inner = { names = {}, addresses = {}, networks = {} }
    for _, component in ipairs(ctx.config.components) do
        for _, name in ipairs { component, ctx.config.release .. "-" .. component } do
            inner.names[name], inner.names[name .. "." .. ctx.config.namespace] = true, true
        end
    end
    if ctx.k8s then ask(ctx.k8s, inner) end
    return inner
end

local rules = {
    { "^host%.[%w-]+%.internal$", "a name that only containers know" },
    { "%.internal$", "a name of an inner network" },
    { "%.svc$", "a Service's name, known inside the cluster only" },
    { "%.svc%.", "a Service's name, known inside the cluster only" },
    { "%.cluster%.local$", "a name that is known inside the cluster only" },
    { "^0%.0%.0%.0$", "what a server listens on, not an address of one" },
}

local function is_service_address(host, inner)
    local number = number_of(host)
    return number and (inner.addresses[host] or #tables.filter(inner.networks, function(network)
        return number >= network.first and number <= network.last
    end) > 0)
end

---Why a host cannot be reached from outside.
---@param host string
---@param port string "" where none is given
---@param inner todo.InnerHosts
---@return string? why nil where it may
function inner_hosts.why(host, port, inner)
    for _, rule in ipairs(rules) do
        if host:find(rule[1]) then return rule[2] end
    end
    if inner.names[host] then return "a Service's name, known inside the cluster only" end
    if is_service_address(host, inner) then return "an address of the cluster's Services, known inside it only" end
    if host:find(".", 1, true) or host == "localhost" then return nil end
    -- Libraries parse addresses relative to one like http://n, which nobody asks; a port is a sign that somebody does.
    return port ~= "" and "a name without a domain, known inside the cluster at most" or nil
end

return inner_hosts
