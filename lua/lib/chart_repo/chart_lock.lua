-- Chart.lock (requirements.lock of old charts): the versions that a chart's dependencies are locked to.
local fail = require "fail"
local fs = require "fs"
local gotime = require "release.gotime"
local json = require "json"
local secret = require "secret"
local session = require "release.session"
local tables = require "tables"

local chart_lock = {}

-- In the order of helm's struct.
local KEYS = { "name", "version", "repository", "condition", "tags", "enabled", "import-values", "alias" }

-- Without the order that decoding remembered: Go sorts the keys of maps.
local function forgotten(value)
    if type(value) ~= "table" then return value end
    local copy = json.is_list(value) and json.list {} or {}
    for key, item in pairs(value) do copy[key] = forgotten(item) end
    return copy
end

local function struct_of(dependency)
    local kept, keys = {}, {}
    for _, key in ipairs(KEYS) do
        local value = dependency[key]
        local empty = value == nil or value == "" or value == false or type(value) == "table" and #value == 0
        if not empty or key == "name" or key == "repository" then
            kept[key], keys[#keys + 1] = forgotten(value), key
        end
    end
    return session.ordered(keys, kept)
end

local function digest_of(value) return "sha256:" .. secret.sha256((session.json(value):gsub("\n$", ""))) end

local function structs(list) return json.list(tables.map(list, struct_of)) end

---What Chart.lock remembers of the requests that it answers.
---@param requests todo.Dependency[]
---@param locked todo.Dependency[]
---@return string "sha256:…"
function chart_lock.sum(requests, locked) return digest_of(json.list { structs(requests), structs(locked) }) end

---The same as helm 2 made it.
---@param requests todo.Dependency[]
---@return string
function chart_lock.old_sum(requests) return digest_of { dependencies = structs(requests) } end

---Writes the chart's lock.
---@param c todo.Chart
---@param folder string of the chart
---@param locked todo.Dependency[]
---@param sum string
function chart_lock.write(c, folder, locked, sum)
    local path = fs.join(folder, c.metadata.apiVersion == "v1" and "requirements.lock" or "Chart.lock")
    if (fs.stat(path, false) or {}).type == "link" then
        fail.raise("denied", ("the %s file is a symlink to %q"):format(fs.basename(path), fs.readlink(path)))
    end
    local list = json.list(tables.map(locked, function(one)
        return session.ordered({ "name", "repository", "version" }, one)
    end))
    fs.write(path, session.yaml { dependencies = list, digest = sum, generated = gotime.now() })
end

return chart_lock
