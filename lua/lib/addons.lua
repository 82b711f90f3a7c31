-- Add-ons of the cluster: which ones are wanted, and that they are enabled.
local fail = require "fail"
local tables = require "tables"

local addons = {}

-- What the usual ones are for.
local PURPOSES = {
    dashboard = "a web page that shows the cluster",
    ingress = "names instead of ports: http://todo.local (deploy --ingress)",
    ["metrics-server"] = "processor and memory of pods: todo-lua top, kubectl top",
}

local ENTRY = { name = "string", images = "table", registries = "table" }

-- An entry of cluster.addons as a table.
local function entry_of(value)
    if type(value) == "string" then return { name = value } end
    local is_entry = type(value) == "table" and value.name ~= nil
    for key, field in pairs(is_entry and value or {}) do is_entry = is_entry and ENTRY[key] == type(field) end
    return is_entry and value or fail.raise("config",
        "cluster.addons takes names and tables of name, images and registries", "lua/config.lua has an example")
end

---What the configuration says of an add-on.
---@param ctx todo.ClusterContext
---@param name string
---@return { name: string, images: table<string, string>?, registries: table<string, string>? }? entry nil where it is
---not wanted; images and registries by the names that Minikube has for the add-on's images
function addons.entry(ctx, name)
    for _, value in ipairs(tables.at(ctx.config, "cluster.addons") or {}) do
        local entry = entry_of(value)
        if entry.name == name then return entry end
    end
    return nil
end

---The add-ons that the configuration names, and those that a flag needs.
---@param ctx todo.Context
---@return { name: string, purpose: string, flag: boolean? }[] flag: wanted where the provider has it
function addons.wanted(ctx)
    local list, seen = {}, {}
    local function add(name, flag)
        if seen[name] then return end
        seen[name] = true
        list[#list + 1] = { name = name, purpose = PURPOSES[name] or "named in the configuration", flag = flag }
    end
    for _, value in ipairs(ctx.config.cluster.addons or {}) do add(entry_of(value).name) end
    if ctx.options.ingress then add("ingress", true) end
    return list
end

local function unknown(provider, name, known)
    local names = tables.map(known, function(addon) return addon.name end)
    fail.raise("config", ("%s has no add-on %s"):format(provider.name, name), #names > 0
        and "it has " .. table.concat(names, ", ") or "take it out of cluster.addons, or use minikube or standalone")
end

---Enables what is wanted and is not enabled yet; asks nothing where nothing is wanted.
---@async
---@param ctx todo.Context
---@param provider todo.ClusterProvider whose cluster runs
---@return boolean changed
---@return string[] enabled the names of all that are wanted
function addons.ensure(ctx, provider)
    local wanted = addons.wanted(ctx)
    if #wanted == 0 then return false, {} end
    local known, state = provider.addons(ctx), {}
    for _, addon in ipairs(known) do state[addon.name] = addon.enabled end
    local missing, enabled = {}, {}
    for _, addon in ipairs(wanted) do
        local has = state[addon.name]
        if has == nil and not addon.flag then unknown(provider, addon.name, known) end
        if has == false then missing[#missing + 1] = addon.name end
        if has ~= nil then enabled[#enabled + 1] = addon.name end
    end
    if #missing > 0 then provider.addons(ctx, missing) end
    return #missing > 0, enabled
end

return addons
