-- kubectl's --sort-by: objects in the order of what a JSONPath finds in them.
local fail = require "fail"
local json = require "json"
local jsonpath = require "kubectl.jsonpath"
local kube_errors = require "kubectl.errors"
local quantity = require "kubectl.quantity"

local sort_by = {}

local INSERTION = 12 -- up to so many items Go's sort is an insertion sort, whose treatment of equals kubectl shows

local function less(a, b)
    if a == nil then return true end
    if b == nil then return false end
    if a == json.null then return b ~= json.null end
    if b == json.null then return false end
    if type(a) == "string" and type(b) == "string" then
        local left, right = quantity.parse(a), quantity.parse(b)
        if left and right then return left.milli < right.milli end
        return a < b
    end
    if type(a) ~= type(b) or type(a) == "table" or type(a) == "boolean" then
        kube_errors.raise(("unsortable type: %s"):format(type(a)))
    end
    return a < b
end

local function insertion_sort(list, before)
    for i = 2, #list do
        local at = i
        while at > 1 and before(list[at], list[at - 1]) do
            list[at], list[at - 1] = list[at - 1], list[at]
            at = at - 1
        end
    end
end

---Sorts in place and leaves equals in their order. `before` may wait.
---@generic T
---@param list T[]
---@param before fun(a: T, b: T): boolean
function sort_by.stable(list, before)
    if #list <= INSERTION then return insertion_sort(list, before) end
    local middle = #list // 2
    local left, right = table.move(list, 1, middle, 1, {}), table.move(list, middle + 1, #list, 1, {})
    sort_by.stable(left, before)
    sort_by.stable(right, before)
    local i, j = 1, 1
    for at = 1, #list do
        if j > #right or i <= #left and not before(right[j], left[i]) then
            list[at], i = left[i], i + 1
        else
            list[at], j = right[j], j + 1
        end
    end
end

---Sorts the list in place. Raises kubectl's error where no object has the field.
---@param list any[]
---@param expression string ".metadata.name", "{.status.phase}"
---@param object_of (fun(item: any): table)? default: the item itself
function sort_by.sort(list, expression, object_of)
    local ok, path = pcall(function() return jsonpath.compile(jsonpath.relaxed(expression)) end)
    if not ok then kube_errors.raise(fail.message(path)) end
    local keys, found = {}, false
    for _, item in ipairs(list) do
        keys[item] = path:first(object_of and object_of(item) or item)
        found = found or keys[item] ~= nil
    end
    if #list > 0 and not found then
        kube_errors.raise(("couldn't find any field with path %q in the list of objects"):format(path.text))
    end
    sort_by.stable(list, function(a, b) return less(keys[a], keys[b]) end)
end

return sort_by
