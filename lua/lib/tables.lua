-- Plain work on tables: copies, deep merges, sorted keys, paths.
local json = require "json"

local tables = {}

---A list is what json says is one, or a non-empty table with the keys 1..#t only.
---@param t any
---@return boolean
function tables.is_list(t)
    if type(t) ~= "table" then return false end
    if json.is_list(t) then return true end
    return #t > 0
end

---@param t table
---@return any[] keys sorted as text
function tables.keys(t)
    local keys = {}
    for key in pairs(t) do keys[#keys + 1] = key end
    table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
    return keys
end

---@generic T
---@param value T
---@return T
function tables.copy(value)
    if type(value) ~= "table" then return value end
    local copy = tables.is_list(value) and json.list {} or {}
    for key, item in pairs(value) do copy[key] = tables.copy(item) end
    return copy
end

---Merges `over` into a copy of `base`: maps deeply, everything else (lists too) replaced.
---@param base any
---@param over any
---@return any
function tables.merge(base, over)
    if over == nil then return tables.copy(base) end
    if type(base) ~= "table" or type(over) ~= "table" or tables.is_list(base) or tables.is_list(over) then
        return tables.copy(over)
    end
    local merged = tables.copy(base)
    for key, value in pairs(over) do merged[key] = tables.merge(base[key], value) end
    return merged
end

---What merged over `base` gives `changed` again: its new and its different values.
---@param base table
---@param changed table
---@return table
function tables.difference(base, changed)
    local out = {}
    for key, value in pairs(changed) do
        local old = base[key]
        if type(old) == "table" and type(value) == "table" and not tables.is_list(old)
            and not tables.is_list(value) then
            local inner = tables.difference(old, value)
            if next(inner) ~= nil then out[key] = inner end
        elseif not tables.equal(old, value) then
            out[key] = value
        end
    end
    return out
end

---Value at a dotted path; nil where a part is missing.
---@param t any
---@param path string "metadata.labels"
---@return any
function tables.at(t, path)
    for part in path:gmatch("[^.]+") do
        if type(t) ~= "table" then return nil end
        t = t[part]
    end
    if t == json.null then return nil end
    return t
end

---@param list any[]?
---@param keep fun(item: any): any
---@return any[]
function tables.filter(list, keep)
    local kept = {}
    for _, item in ipairs(list or {}) do
        if keep(item) then kept[#kept + 1] = item end
    end
    return kept
end

---@param list any[]?
---@param change fun(item: any): any
---@return any[]
function tables.map(list, change)
    local out = {}
    for index, item in ipairs(list or {}) do out[index] = change(item) end
    return out
end

---Equal in content; null and absent are equal.
---@param a any
---@param b any
---@return boolean
function tables.equal(a, b)
    if a == json.null then a = nil end
    if b == json.null then b = nil end
    if type(a) ~= "table" or type(b) ~= "table" then return a == b end
    for key, value in pairs(a) do
        if not tables.equal(value, b[key]) then return false end
    end
    for key, value in pairs(b) do
        if a[key] == nil and value ~= json.null then return false end
    end
    return true
end

return tables
