-- Which Kubernetes a standalone cluster runs: of what is pinned, what the configuration asks for, as far as the
-- cluster's data allow it.
local fail = require("fail")
local fs = require("fs")
local gobuild = require("cluster.standalone.gobuild")
local pins = require("cluster.standalone.pins")

local versions = {}

local NEW_CLUSTER = "todo-lua destroy, then todo-lua deploy, make a new cluster"

local function minor(version)
    return tonumber(version:match("^%d+%.(%d+)"))
end

local function patch(version)
    return tonumber(version:match("^%d+%.%d+%.(%d+)"))
end

-- What "v1.35.4", "1.35.4", "1.35" and "stable" name.
local function pinned(name)
    local text = name:gsub("^v", "")
    if text == "stable" then return pins.kubernetes end
    for _, version in ipairs(pins.versions) do
        if version == text or version:match("^%d+%.%d+") == text then return version end
    end
end

local function setting(version)
    return ('cluster = { kubernetes_version = "%s" }'):format(version:match("^%d+%.%d+"))
end

-- Kubernetes goes up by one minor version at a time, and its data never back.
local function check_way(from, to)
    local steps = minor(to) - minor(from)
    if steps < 0 or steps == 0 and patch(to) < patch(from) then
        fail.raise("conflict", ("the cluster is of Kubernetes %s, and its data do not go back to %s"):format(from, to),
            pinned(from) and ("%s keeps it; %s"):format(setting(from), NEW_CLUSTER) or NEW_CLUSTER)
    end
    if steps > 1 then
        local next_one = pinned("1." .. minor(from) + 1)
        fail.raise("conflict", ("the cluster is of Kubernetes %s; it goes up to %s by one minor version at a time")
            :format(from, to), next_one and ("first deploy with %s"):format(setting(next_one)) or NEW_CLUSTER)
    end
end

---The version that the cluster is to run. Nobody's choice leaves a cluster at its minor version.
---@param wanted string? as the configuration has it: "v1.35.4", "1.35.4", "1.35", "stable"
---@param current string? of the cluster's data: "1.35.4"
---@return string version one of pins.versions
function versions.choose(wanted, current)
    local name = wanted or current and current:match("^%d+%.%d+") or pins.kubernetes
    local version = pinned(name)
    if not version then
        fail.raise("config", "the standalone cluster has no Kubernetes " .. name, ("it has %s: %s%s"):format(
            table.concat(pins.versions, ", "), setting(pins.kubernetes), wanted and "" or "; " .. NEW_CLUSTER))
    end
    if current then check_way(current, version) end
    return version
end

---Folders of the programs, which are built where they are missing. What all versions run with is in the folder of that
---which most clusters have.
---@async
---@param root string folder of the cache
---@param version string one of pins.versions
---@param progress fun(name: string, text: string, done: number?, total: number?)
---@return { kubernetes: string, bin: string } folders as the layout has them
---@return boolean built whether anything had to be built
function versions.programs(root, version, progress)
    if version == pins.kubernetes then
        local bin, built = gobuild.ensure(root, pins.sets, pins.pause, progress)
        return { kubernetes = bin, bin = bin }, built
    end
    local bin, others = gobuild.ensure(root, pins.sets, pins.pause, progress, pins.shared)
    local kubernetes, built = gobuild.ensure(root, { pins.kubernetes_set(version) }, nil, progress)
    return { kubernetes = kubernetes, bin = bin }, built or others
end

-- A cluster that was made before there was a choice does not say what it is of.
local BEFORE = "1.36.3"

---The version that a cluster's data are of; nil where there are none yet.
---@param state string folder of the cluster
---@param chosen { kubernetes: string? }? what start decided
---@return string?
function versions.of(state, chosen)
    return chosen and (chosen.kubernetes or fs.exists(state .. "/etcd") and BEFORE) or nil
end

return versions
