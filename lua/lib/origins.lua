-- Where chart values come from: the answer of Chart:trace for people.
local fail = require "fail"
local fs = require "fs"
local json = require "json"
local lua_source = require "lua_source"
local mask = require "mask"
local project = require "project"
local stack = require "stack"
local suggest = require "suggest"
local tables = require "tables"

local origins = {}

---The keys of "a.b[0].c"; a dot that is part of a key is written "\.".
---@param text string
---@return (string|integer)[] path items of lists count from 0
function origins.parse(text)
    local path = {}
    local function bad()
        fail.raise("usage", ("%q is no path of a value"):format(text),
            "keys with dots between them: backend.image.tag, list[0].name", { status = 2 })
    end
    local rest = text
    while rest ~= "" do
        local index, after = rest:match("^%[(%d+)%]%.?(.*)$")
        if index then
            path[#path + 1], rest = math.tointeger(tonumber(index)), after
        else
            local key = ""
            while true do
                local plain, stop = rest:match("^([^.%[\\]*)(.?)")
                key, rest = key .. plain, rest:sub(#plain + 1)
                if stop ~= "\\" then break end
                key, rest = key .. rest:sub(2, 2), rest:sub(3)
            end
            if key == "" then bad() end
            path[#path + 1] = key
            if rest:sub(1, 1) == "." then
                rest = rest:sub(2)
                if rest == "" then bad() end
            end
        end
    end
    if #path == 0 then bad() end
    return path
end

---@param path (string|integer)[]
---@return string
function origins.text(path)
    local parts = {}
    for index, step in ipairs(path) do
        parts[index] = type(step) == "number" and ("[%d]"):format(step)
            or (index > 1 and "." or "") .. step:gsub("[.%[\\]", "\\%0")
    end
    return table.concat(parts)
end

local function file_text(ctx, name)
    if name == "todo.local.lua" then return ctx.root and fs.read(fs.join(ctx.root, name)) end
    if name == "lua/config.lua" then return require "program".resource(name) end
    return fs.read(name)
end

-- Names of layers as people know them: the chart's files with its folder, and the line of a Lua file.
local function make_namer(ctx, layers)
    local chart = stack.chart(ctx)
    local folder = chart.dir and (project.path(ctx, ctx.config.chart) and ctx.config.chart or chart.dir)
    local by_name = {}
    for _, layer in ipairs(layers) do by_name[layer.name] = layer end
    return function(layer, path, place)
        local line, column = place.line, place.column
        local name = layer.name
        if layer.kind == "chart" then
            name = folder and fs.join(folder, name) or ctx.config.chart .. "/" .. name .. " (in todo-lua)"
        elseif layer.kind == "table" and path then
            local text = file_text(ctx, name)
            line = text and lua_source.line_of(text, { "values" }, path) or by_name[name] and by_name[name].line
        elseif layer.kind == "file" then
            name = "-f " .. name
        elseif layer.kind == "flag" then
            name = mask.flag(name)
        end
        return { kind = layer.kind, name = name, line = line, column = column }
    end
end

---@class todo.ValuePlace
---@field kind "chart"|"file"|"table"|"flag"
---@field name string "chart/values.yaml", "-f mine.yaml", "todo.local.lua", "--set a=b"
---@field line integer?
---@field column integer?
---@field value any masked
---@field cut string? the path above, at which this layer holds something that has nothing below it

---@class todo.ValueOrigin
---@field path string
---@field value any masked
---@field origin todo.ValuePlace?

local function cut_path(path, length) return origins.text(table.move(path, 1, length, 1, {})) end

-- Whether the layer takes the value away: null, or something that is no map, at the path or above it.
local function removes(layer)
    return layer.value == json.null or layer.cut ~= nil
end

---Who set the value at a path.
---@param ctx todo.Context
---@param path (string|integer)[]
---@param reveal boolean? with secrets in clear
---@return { path: string, values: todo.ValueOrigin[], losers: todo.ValuePlace[], removed: todo.ValuePlace? }
function origins.why(ctx, path, reveal)
    local options, layers = stack.trace_options(ctx)
    local traced = stack.chart(ctx):trace(options, path)
    local place = make_namer(ctx, layers)
    local function shown(value, at)
        return reveal and value or mask.value(value, mask.is_secret_path(at))
    end
    local result = { path = origins.text(path), values = json.list {}, losers = json.list {} }
    local winner = #traced.leaves == 1 and #traced.leaves[1].path == #path and traced.leaves[1].layer or nil
    for _, leaf in ipairs(traced.leaves) do
        local layer = leaf.layer and traced.layers[leaf.layer]
        result.values[#result.values + 1] = { path = origins.text(leaf.path), value = shown(leaf.value, leaf.path),
            origin = layer and place(layer, leaf.path, leaf) }
    end
    for index = #traced.layers, 1, -1 do
        local layer = traced.layers[index]
        if index ~= winner and (layer.value ~= nil or layer.cut) then
            local loser = place(layer, path, layer)
            loser.value = shown(layer.value, path)
            loser.cut = layer.cut and cut_path(path, layer.cut)
            if #traced.leaves == 0 and not result.removed and removes(layer) then
                result.removed = loser
            elseif #traced.leaves < 2 then
                result.losers[#result.losers + 1] = loser
            end
        end
    end
    return result
end

---Raises kind "not_found" with the nearest path that there is.
---@param ctx todo.Context
---@param path (string|integer)[]
function origins.raise_unknown(ctx, path)
    local at, known = stack.values(ctx), {}
    local depth = 0
    for _, step in ipairs(path) do
        local below = type(at) == "table" and at ~= json.null and at[type(step) == "number" and step + 1 or step]
        if below == nil or below == false then break end
        at, depth = below, depth + 1
    end
    local missing = path[depth + 1]
    if type(at) == "table" and not json.is_list(at) then known = tables.keys(at) end
    local near = type(missing) == "string" and suggest.nearest(missing, known)
    local above = depth > 0 and cut_path(path, depth) .. " has no " .. tostring(missing)
        or ("there is no value %s"):format(tostring(missing))
    local close = { table.unpack(path) }
    close[depth + 1] = near or nil
    fail.raise("not_found", above .. ": nobody sets " .. origins.text(path),
        near and ("did you mean %s?"):format(origins.text(close)) or "todo-lua values prints all of them")
end

return origins
