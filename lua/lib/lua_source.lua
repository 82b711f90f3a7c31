-- Places in the text of a Lua file: on which line a table's field is written. Lua keeps no such lines, so the text is
-- read; a field that the file computes is not found.
local lua_source = {}

-- Words, strings, numbers and signs with their lines; comments are left out.
local function tokens(text)
    local list, at, line = {}, 1, 1
    local function add(kind, value, to)
        list[#list + 1] = { kind = kind, value = value, line = line }
        local _, breaks = text:sub(at, to):gsub("\n", "")
        line, at = line + breaks, to + 1
    end
    local function skip(to)
        local _, breaks = text:sub(at, to):gsub("\n", "")
        line, at = line + breaks, to + 1
    end
    while at <= #text do
        local level = text:match("^%-%-%[(=*)%[", at) or text:match("^%[(=*)%[", at)
        if text:find("^%s", at) then
            skip(select(2, text:find("^%s+", at)))
        elseif level then
            local _, to = text:find("]" .. level .. "]", at, true)
            if text:sub(at, at) == "-" then skip(to or #text) else add("string", nil, to or #text) end
        elseif text:find("^%-%-", at) then
            skip((text:find("\n", at, true) or #text + 1) - 1)
        elseif text:find("^[%a_]", at) then
            local _, to = text:find("^[%w_]+", at)
            add("name", text:sub(at, to), to)
        elseif text:find("^[\"']", at) then
            local quote, to = text:sub(at, at), at + 1
            while to <= #text and text:sub(to, to) ~= quote do
                to = to + (text:sub(to, to) == "\\" and 2 or 1)
            end
            add("string", text:sub(at + 1, to - 1), to)
        else
            local _, to = text:find("^[=~<>]=", at)
            add("sign", text:sub(at, to or at), to or at)
        end
    end
    return list
end

local function is(token, value) return token and token.kind == "sign" and token.value == value end

local function same(a, b)
    if #a ~= #b then return false end
    for index, key in ipairs(a) do
        if key ~= b[index] then return false end
    end
    return true
end

-- The key that an assignment starts with at `index`: `key =`, `["key"] =`; and the index of what follows the "=".
local function key_at(list, index)
    local one, two, three, four = list[index], list[index + 1], list[index + 2], list[index + 3]
    if one and one.kind == "name" and is(two, "=") then return one.value, index + 2 end
    if is(one, "[") and two and two.kind == "string" and is(three, "]") and is(four, "=") then
        return two.value, index + 4
    end
end

-- Fields of table constructors, with the keys that lead to each.
local function in_constructors(list, wanted)
    local keys, frames, index = {}, {}, 1
    while list[index] do
        local key, after = key_at(list, index)
        if key and #frames > 0 then
            keys[#keys + 1] = key
            if same(keys, wanted) then return list[index].line end
            if is(list[after], "{") then
                frames[#frames + 1] = #keys -- its "}" takes the key away again
                index = after + 1
            else
                keys[#keys] = nil
                index = after
            end
        else
            if is(list[index], "{") then
                frames[#frames + 1] = 0
            elseif is(list[index], "}") then
                local owner = table.remove(frames)
                if owner and owner > 0 then keys[owner] = nil end
            end
            index = index + 1
        end
    end
end

-- Assignments to a variable's fields: `values.a.b = …`.
local function in_assignments(list, wanted)
    local index = 1
    while list[index] do
        if list[index].kind == "name" and not is(list[index - 1], ".") then
            local keys, at = {}, index + 1
            while is(list[at], ".") and list[at + 1] do
                keys[#keys + 1] = list[at + 1].value
                at = at + 2
            end
            if is(list[at], "=") and same(keys, wanted) then return list[index].line end
        end
        index = index + 1
    end
end

---The line on which a field of the returned table, or of a variable, is written; the nearest field above it where
---the path itself is not there.
---@param text string of the file
---@param prefix string[] keys that lead to where the path starts, { "values" }
---@param path any[]
---@return integer? line
function lua_source.line_of(text, prefix, path)
    local list = tokens(text)
    for length = #path, 1, -1 do
        local wanted = table.move(path, 1, length, 1, {})
        local full = table.move(wanted, 1, length, #prefix + 1, { table.unpack(prefix) })
        local line = in_constructors(list, full) or in_assignments(list, wanted)
        if line then return line end
    end
    return nil
end

return lua_source
