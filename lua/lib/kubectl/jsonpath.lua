-- kubectl's JSONPath (k8s.io/client-go/util/jsonpath) on plain tables. Where Go visits the keys of a map in any order,
-- the order is that of the keys.
local fail = require "fail"
local json = require "json"
local parse = require "kubectl.jsonpath_parser"
local tables = require "tables"

local jsonpath = {}

---@class todo.JsonPath
local Path = {}
Path.__index = Path

---@param text string "{.metadata.name}{'\n'}"
---@param options { missing: boolean? }? missing: a field that is not there is no error; default true
---@return todo.JsonPath
function jsonpath.compile(text, options)
    return setmetatable({ nodes = parse(text), missing = not options or options.missing ~= false, text = text }, Path)
end

---".metadata.name", "metadata.name" and "{metadata.name}" become "{.metadata.name}".
---@param text string
---@return string
function jsonpath.relaxed(text)
    if text == "" then return text end
    local inside = text:match("^{%.?([^{}]+)}$") or text:match("^%.?([^{}]+)$")
    if inside then return "{." .. inside .. "}" end
    fail.raise("parse", "unexpected path string, expected a 'name1.name2' or '.name1.name2' or '{name1.name2}' or "
        .. "'{.name1.name2}'")
end

local function complain(format, ...) fail.raise("jsonpath", format:format(...)) end

local function is_null(value) return value == nil or value == json.null end

local function is_map(value) return type(value) == "table" and not tables.is_list(value) end

-- Go's names of what JSON becomes.
local function type_name(value)
    if type(value) == "string" then return "string" end
    if type(value) == "boolean" then return "bool" end
    if type(value) == "number" then return math.type(value) == "integer" and "int64" or "float64" end
    return is_map(value) and "map[string]interface {}" or "[]interface {}"
end

-- The elements of a value, as {…} steps into it: a map's in the order of its keys, a string's bytes.
local function elements(value)
    local list = {}
    if type(value) == "string" then
        for i = 1, #value do list[i] = value:byte(i) end
    elseif is_map(value) then
        for i, key in ipairs(tables.keys(value)) do list[i] = value[key] end
    elseif type(value) == "table" then
        return value
    end
    return list
end

local walk

local eval = {}

function eval.text(_, _, node) return { node[2] } end

function eval.value(_, input, node)
    local out = {}
    for i = 1, #input do out[i] = node[2] end
    return out
end

function eval.list(state, input, node)
    for i = 2, #node do input = walk(state, input, node[i]) end
    return input
end

function eval.identifier(state, input, node)
    if node[2] == "range" then
        state.begin = state.begin + 1
        return input
    end
    if node[2] ~= "end" then complain("unrecognized identifier %s", node[2]) end
    if state.within == 0 then complain("not in range, nothing to end") end
    state.ended = state.ended + 1
    return {}
end

function eval.field(state, input, node)
    local out = {}
    if #input == 0 then return out end
    for _, value in ipairs(input) do
        if is_map(value) and value[node[2]] ~= nil then out[#out + 1] = value[node[2]] end
    end
    if #out == 0 and not state.missing then complain("%s is not found", node[2]) end
    return out
end

-- The bounds of a slice within `length` elements, from 0; nil where it is empty.
local function bounds(node, length)
    local from, to = node[2] or 0, node[3]
    if from < 0 then from = from + length end
    if not to then to = length end
    if to < 0 or to == 0 and node.derived then to = to + length end
    if from == to then return nil end
    if from >= length or from < 0 then complain("array index out of bounds: index %d, length %d", from, length) end
    if to > length or to < 0 then complain("array index out of bounds: index %d, length %d", to - 1, length) end
    if from > to then complain("starting index %d is greater than ending index %d", from, to) end
    return from, to
end

function eval.array(_, input, node)
    local out = {}
    for _, value in ipairs(input) do
        if not is_null(value) then
            if not tables.is_list(value) then complain("%s is not array or slice", type_name(value)) end
            local from, to = bounds(node, #value)
            if not from then return out end
            local step = node[4] or 1
            if step <= 0 then complain("step must be > 0") end
            for i = from + 1, to, step do out[#out + 1] = value[i] end
        end
    end
    return out
end

function eval.union(state, input, node)
    local out = {}
    for i = 2, #node do
        local found = walk(state, input, node[i])
        table.move(found, 1, #found, #out + 1, out)
    end
    return out
end

function eval.wildcard(_, input)
    local out = {}
    for _, value in ipairs(input) do
        local found = elements(value)
        table.move(found, 1, #found, #out + 1, out)
    end
    return out
end

function eval.recursive(state, input, node)
    local out = {}
    for _, value in ipairs(input) do
        local found = elements(value)
        if #found > 0 then
            out[#out + 1] = value
            local below = eval.recursive(state, found, node)
            table.move(below, 1, #below, #out + 1, out)
        end
    end
    return out
end

-- What Go's comparisons tell apart.
local function basic(value)
    local kind = type(value) == "number" and math.type(value) or type(value)
    if kind == "table" or is_null(value) then complain("invalid type for comparison") end
    return kind
end

local function compare(operator, left, right)
    local kind = basic(left)
    if kind ~= basic(right) then complain("incompatible types for comparison") end
    if operator == "==" then return left == right end
    if operator == "!=" then return left ~= right end
    if kind == "boolean" then complain("invalid type for comparison") end
    if operator == "<" then return left < right end
    if operator == ">" then return left > right end
    if operator == "<=" then return left <= right end
    if operator == ">=" then return left >= right end
    complain("unrecognized filter operator %s", operator)
end

-- Whether one element passes.
local function passes(state, item, node)
    if node[4] == "exists" then
        local ok, found = pcall(walk, state, { item }, node[2])
        if ok then return #found > 0 end
        return not found.message:find("is not found", 1, true) -- kubectl takes other failures for something found
    end
    local left = walk(state, { item }, node[2])
    if #left == 0 then return false end
    if #left > 1 then complain("can only compare one element at a time") end
    local right = walk(state, { item }, node[3])
    if #right == 0 then return false end
    if #right > 1 then complain("can only compare one element at a time") end
    return compare(node[4], left[1], right[1])
end

function eval.filter(state, input, node)
    local out = {}
    for _, value in ipairs(input) do
        if not tables.is_list(value) then
            complain("%s is not array or slice and cannot be filtered", jsonpath.text(value))
        end
        for _, item in ipairs(value) do
            if passes(state, item, node) then out[#out + 1] = item end
        end
    end
    return out
end

function walk(state, input, node) return eval[node[1]](state, input, node) end

-- The results of the nodes from `start` on, one list for each. A {range} runs what follows it, up to its {end}, for
-- every element, and goes on behind that.
local function find(state, data, start)
    local nodes, full, at = state.nodes, {}, start
    while at <= #nodes do
        local results = walk(state, { data }, nodes[at])
        if state.ended > 0 and state.ended <= state.within then
            state.ended, state.last_end = state.ended - 1, at
            break
        end
        if state.begin > 0 then
            state.begin, state.within = state.begin - 1, state.within + 1
            for _, value in ipairs(results) do
                local inner = find(state, value, at + 1)
                table.move(inner, 1, #inner, #full + 1, full)
            end
            if #results == 0 then find(state, json.null, at + 1) end
            state.within = state.within - 1
            if state.last_end and state.last_end > at then at = state.last_end end
        else
            full[#full + 1] = results
        end
        at = at + 1
    end
    return full
end

---What each part of the template finds. Raises kind "jsonpath" with kubectl's message.
---@param data any
---@return any[][]
function Path:find(data)
    return find({ nodes = self.nodes, missing = self.missing, begin = 0, within = 0, ended = 0 }, data, 1)
end

local function number_text(value)
    if math.type(value) == "integer" or value == 0 or math.abs(value) >= 1e-4 then return json.encode(value) end
    for digits = 1, 17 do
        local text = ("%." .. digits .. "g"):format(value)
        if tonumber(text) == value then return text end
    end
end

---A value as Go's fmt prints it (%v).
---@param value any
---@return string
function jsonpath.text(value)
    if is_null(value) then return "<nil>" end
    if type(value) == "number" then return number_text(value) end
    if type(value) ~= "table" then return tostring(value) end
    local words = {}
    if is_map(value) then
        for i, key in ipairs(tables.keys(value)) do words[i] = key .. ":" .. jsonpath.text(value[key]) end
        return "map[" .. table.concat(words, " ") .. "]"
    end
    for i, item in ipairs(value) do words[i] = jsonpath.text(item) end
    return "[" .. table.concat(words, " ") .. "]"
end

local function result_text(value)
    if type(value) == "table" then return json.encode(value, { sort = true, html = true }) end
    return is_null(value) and "null" or jsonpath.text(value)
end

---@param data any
---@return string
function Path:print(data)
    local out = {}
    for _, results in ipairs(self:find(data)) do
        out[#out + 1] = table.concat(tables.map(results, result_text), " ")
    end
    return table.concat(out)
end

---The results as JSON lists, one for each part of the template.
---@param data any
---@return string
function Path:print_json(data)
    local out = {}
    for i, results in ipairs(self:find(data)) do
        out[i] = json.encode(json.list(results), { sort = true, html = true, indent = "    " }) .. "\n"
    end
    return table.concat(out)
end

---The first thing that the template finds; nil where it finds nothing.
---@param data any
---@return any
function Path:first(data)
    local results = self:find(data)[1]
    return results and results[1]
end

return jsonpath
