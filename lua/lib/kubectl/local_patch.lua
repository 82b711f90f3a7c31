-- Patches applied here, to objects that are not sent yet or not at all: JSON merge patches (RFC 7386), JSON patches
-- (RFC 6902) and Kubernetes' strategic merge patches.
local chart = require "chart"
local json = require "json"
local kube_errors = require "kubectl.errors"
local tables = require "tables"

local local_patch = {}

---@param value any changed, where it is a map
---@param patch any
---@return any
function local_patch.merge(value, patch)
    if type(patch) ~= "table" or tables.is_list(patch) then return patch end
    if type(value) ~= "table" or tables.is_list(value) then value = {} end
    for key, item in pairs(patch) do
        if item == json.null then value[key] = nil else value[key] = local_patch.merge(value[key], item) end
    end
    return value
end

---@param object table
---@param patch table
---@return table
function local_patch.strategic(object, patch) return chart.patched(object, patch) end

local function keys_of(pointer)
    local keys = {}
    for key in pointer:gmatch("/([^/]*)") do keys[#keys + 1] = key:gsub("~1", "/"):gsub("~0", "~") end
    return keys
end

-- Where a key stands in a value: an index of a list, else the key.
local function place(value, key, adding)
    if not tables.is_list(value) then return key end
    if key == "-" then return #value + 1 end
    local index = math.tointeger(tonumber(key))
    if not index or index < 0 or index > #value - (adding and 0 or 1) then
        kube_errors.raise(("Unable to access invalid index: %s"):format(key))
    end
    return index + 1
end

local function parent_of(value, keys, operation)
    for i = 1, #keys - 1 do
        value = type(value) == "table" and value[place(value, keys[i])] or nil
        if value == nil then
            kube_errors.raise(("%s operation does not apply: doc is missing path: %s: missing value"):format(
                operation.op, operation.path))
        end
    end
    return value, keys[#keys]
end

local function get(value, path, operation)
    local parent, key = parent_of({ [""] = value }, { "", table.unpack(keys_of(path)) }, operation)
    local found = type(parent) == "table" and parent[place(parent, key)]
    if found == nil or found == false and type(parent) ~= "table" then
        kube_errors.raise(("%s operation does not apply: doc is missing path: %s: missing value"):format(operation.op,
            path))
    end
    return found
end

local operations = {}

function operations.add(value, one)
    local parent, key = parent_of(value, keys_of(one.path), one)
    if tables.is_list(parent) then table.insert(parent, place(parent, key, true), one.value)
    else parent[key] = one.value end
end

function operations.remove(value, one)
    get(value, one.path, one)
    local parent, key = parent_of(value, keys_of(one.path), one)
    if tables.is_list(parent) then table.remove(parent, place(parent, key)) else parent[key] = nil end
end

-- As the API server has it: a field that is not there is set.
function operations.replace(value, one)
    local parent, key = parent_of(value, keys_of(one.path), one)
    parent[place(parent, key)] = one.value
end

function operations.test(value, one)
    if tables.equal(get(value, one.path, one), one.value) then return end
    kube_errors.raise(("testing value %s failed"):format(one.path))
end

function operations.copy(value, one)
    operations.add(value, { op = "copy", path = one.path, value = tables.copy(get(value, one.from, one)) })
end

function operations.move(value, one)
    local moved = get(value, one.from, one)
    operations.remove(value, { op = "move", path = one.from })
    operations.add(value, { op = "move", path = one.path, value = moved })
end

---@param value table changed
---@param patch table[] operations
---@return table
function local_patch.json(value, patch)
    for _, one in ipairs(patch) do
        local apply = operations[one.op] or kube_errors.raise(("Unexpected kind: %s"):format(one.op))
        apply(value, one)
    end
    return value
end

return local_patch
