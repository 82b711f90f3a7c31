-- Label selectors as kubectl's -l takes them: "a=b,c!=d,e in (f,g),h notin (i),j,!k".
local json = require "json"
local kube_errors = require "kubectl.errors"

local label_selector = {}

---@class todo.LabelRequirement
---@field key string
---@field operator "In"|"NotIn"|"Exists"|"DoesNotExist"
---@field values string[]
---@field equality boolean written as key=value

-- At the commas outside of parentheses.
local function split(text)
    local parts, depth, from = {}, 0, 1
    for at = 1, #text + 1 do
        local char = text:sub(at, at)
        if char == "(" then depth = depth + 1 elseif char == ")" then depth = depth - 1 end
        if char == "" or char == "," and depth == 0 then
            parts[#parts + 1] = text:sub(from, at - 1):match("^%s*(.-)%s*$")
            from = at + 1
        end
    end
    return parts
end

local KEY, VALUE = "([%w][%w%-_./]*)", "([%w%-_.]*)"

local function requirement(text)
    local key, operator, value = text:match("^" .. KEY .. "%s*([!=]=?)%s*" .. VALUE .. "$")
    if key and operator ~= "!" then
        return { key = key, operator = operator == "!=" and "NotIn" or "In", values = { value }, equality = true }
    end
    local words
    key, operator, words = text:match("^" .. KEY .. "%s+(%a+)%s*%((.*)%)$")
    if key and (operator == "in" or operator == "notin") then
        local values = json.list {}
        for word in (words .. ","):gmatch("%s*([^,]-)%s*,") do values[#values + 1] = word end
        table.sort(values)
        return { key = key, operator = operator == "in" and "In" or "NotIn", values = values }
    end
    local absent
    absent, key = text:match("^(!?)%s*" .. KEY .. "$")
    if key then return { key = key, operator = absent == "!" and "DoesNotExist" or "Exists", values = {} } end
    kube_errors.raise(("unable to parse requirement: %q is no label selector"):format(text),
        "a selector is KEY=VALUE, KEY!=VALUE, KEY in (VALUE,…), KEY or !KEY, joined by commas")
end

---@param text string
---@return todo.LabelRequirement[] sorted by their keys
function label_selector.parse(text)
    local requirements = {}
    if text:find("%S") then
        for i, part in ipairs(split(text)) do requirements[i] = requirement(part) end
    end
    table.sort(requirements, function(a, b) return a.key < b.key end)
    return requirements
end

local tests = {
    Exists = function(value) return value ~= nil end,
    DoesNotExist = function(value) return value == nil end,
}

function tests.In(value, values)
    for _, one in ipairs(values) do
        if one == value then return true end
    end
    return false
end

function tests.NotIn(value, values) return not tests.In(value, values) end

---@param requirements todo.LabelRequirement[]
---@param labels table<string, string>?
---@return boolean
function label_selector.matches(requirements, labels)
    for _, one in ipairs(requirements) do
        if not tests[one.operator]((labels or {})[one.key], one.values) then return false end
    end
    return true
end

---Labels to set: "a=b,c=d". Raises kubectl's errors.
---@param text string
---@return table<string, string>
function label_selector.labels(text)
    local labels = {}
    for spec in (text .. ","):gmatch("([^,]*),") do
        local key, value = spec:match("^([^=]*)=([^=]*)$")
        if not key then kube_errors.raise("unexpected label spec: " .. spec) end
        if key == "" then kube_errors.raise("unexpected empty label key") end
        labels[key] = value
    end
    return labels
end

---As the specification of an object has it: matchLabels and matchExpressions.
---@param text string
---@return table
function label_selector.object(text)
    local object = {}
    for _, one in ipairs(label_selector.parse(text)) do
        if one.operator == "In" and one.equality then
            object.matchLabels = object.matchLabels or {}
            object.matchLabels[one.key] = one.values[1]
        else
            object.matchExpressions = object.matchExpressions or json.list {}
            table.insert(object.matchExpressions, { key = one.key, operator = one.operator,
                values = #one.values > 0 and one.values or nil })
        end
    end
    return object
end

return label_selector
