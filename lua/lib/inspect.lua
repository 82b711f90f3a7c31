-- Values as text for people: what the prompt prints.
local json = require "json"

local MAX_DEPTH = 6
local MAX_ITEMS = 200
local MAX_TEXT = 2000
local WIDTH = 100

local function quote(text)
    local cut = #text > MAX_TEXT and text:sub(1, MAX_TEXT) or text
    local quoted = ("%q"):format(cut):gsub("\\\n", "\\n"):gsub("\\9", "\\t")
    return cut == text and quoted or quoted .. ("… (%d bytes)"):format(#text)
end

local function sorted_keys(value)
    local keys = {}
    for key in pairs(value) do keys[#keys + 1] = key end
    table.sort(keys, function(a, b)
        if type(a) == type(b) and (type(a) == "number" or type(a) == "string") then return a < b end
        return type(a) < type(b)
    end)
    return keys
end

local function key_text(key)
    if type(key) == "string" and key:find("^[%a_][%w_]*$") then return key end
    return "[" .. (type(key) == "string" and quote(key) or tostring(key)) .. "]"
end

local render

local function items_of(value, depth, seen)
    local items = {}
    local keys = sorted_keys(value)
    local list = json.is_list(value) and #keys == #value
    local count = list and #value or #keys
    for i = 1, math.min(count, MAX_ITEMS) do
        if list then
            items[i] = render(value[i], depth + 1, seen)
        else
            items[i] = key_text(keys[i]) .. " = " .. render(value[keys[i]], depth + 1, seen)
        end
    end
    if count > MAX_ITEMS then items[#items + 1] = ("… %d more"):format(count - MAX_ITEMS) end
    return items
end

function render(value, depth, seen)
    if value == json.null then return "null" end
    if type(value) == "string" then return quote(value) end
    local meta = getmetatable(value)
    if type(value) ~= "table" or (type(meta) == "table" and meta.__tostring) then return tostring(value) end
    if seen[value] then return "{…}" end
    if depth >= MAX_DEPTH then return "{ … }" end
    seen[value] = true
    local items = items_of(value, depth, seen)
    seen[value] = nil
    if #items == 0 then return "{}" end
    local line = "{ " .. table.concat(items, ", ") .. " }"
    if #line <= WIDTH and not line:find("\n") then return line end
    local indent = ("  "):rep(depth + 1)
    return "{\n" .. indent .. table.concat(items, ",\n" .. indent) .. "\n" .. ("  "):rep(depth) .. "}"
end

---One line (or block) for each value, newline at the end; a lone string is printed as it is.
---@param ... any
---@return string
return function(...)
    local parts = {}
    for i = 1, select("#", ...) do
        local value = select(i, ...)
        parts[i] = type(value) == "string" and select("#", ...) == 1 and value or render(value, 0, {})
    end
    return table.concat(parts, "\n") .. "\n"
end
