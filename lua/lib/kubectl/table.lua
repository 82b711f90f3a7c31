-- The server's Tables (meta.k8s.io/v1) as kubectl prints them.
local format = require "format"
local json = require "json"

local kube_table = {}

---What asks the server for a table.
kube_table.ACCEPT = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"

---@class todo.TableOptions
---@field wide boolean? the columns of lower priority too
---@field headers boolean?
---@field namespace boolean? a column with it
---@field kind string? written before each name, "pod" or "deployment.apps"
---@field labels string[]? a column for each label
---@field show_labels boolean?

---Escape sequences and carriage returns made visible, as kubectl does it.
---@param text string
---@return string
function kube_table.clean(text) return (text:gsub("\27", "^["):gsub("\r", "\\r")) end

local function cell_text(cell)
    if cell == nil or cell == json.null then return "" end
    if type(cell) ~= "string" then return type(cell) == "number" and json.encode(cell) or tostring(cell) end
    local cut = cell:find("[\f\n\r]")
    return kube_table.clean(cut and cell:sub(1, cut - 1) or cell) .. (cut and "..." or "")
end

---"a=b,c=d" in the keys' order, "<none>" where there is none.
---@param labels table<string, string>?
---@param separator string?
---@return string
function kube_table.labels_text(labels, separator)
    local words = {}
    for key, value in pairs(labels or {}) do words[#words + 1] = key .. "=" .. value end
    table.sort(words)
    return #words > 0 and table.concat(words, separator or ",") or "<none>"
end

---A table with name and age, for a server that has none for this kind.
---@param object table an object or a list
---@return table
function kube_table.plain(object)
    local rows = {}
    for i, item in ipairs(object.items or { object }) do
        local created = format.epoch(item.metadata.creationTimestamp)
        rows[i] = { object = item, cells = { item.metadata.name,
            created and format.age(require "proc".time() - created) or "<unknown>" } }
    end
    return { kind = "Table", rows = rows, metadata = object.items and object.metadata or {}, columnDefinitions = {
        { name = "Name", type = "string", format = "name", priority = 0 },
        { name = "Age", type = "string", priority = 0 },
    } }
end

local EVENT = "%-8s\t" -- as wide as the longest, so that what comes later lines up

local function header(columns, options)
    local names = {}
    if options.namespace then names[1] = "NAMESPACE" end
    for _, column in ipairs(columns) do
        if options.wide or column.priority == 0 then names[#names + 1] = column.name:upper() end
    end
    for _, label in ipairs(options.labels or {}) do names[#names + 1] = label:match("[^/]*$"):upper() end
    if options.show_labels then names[#names + 1] = "LABELS" end
    return table.concat(names, "\t")
end

local function row_text(row, columns, options)
    local cells, object = {}, row.object
    local meta = type(object) == "table" and object.metadata or {}
    if options.namespace then cells[1] = meta.namespace or "" end
    local kind = options.kind
    for i, column in ipairs(columns) do
        if options.wide or column.priority == 0 then
            local text = cell_text(row.cells[i])
            if kind and column.format == "name" and column.type == "string" then
                text, kind = kind .. "/" .. text, nil
            end
            cells[#cells + 1] = text
        end
    end
    for _, label in ipairs(options.labels or {}) do cells[#cells + 1] = (meta.labels or {})[label] or "" end
    if options.show_labels then cells[#cells + 1] = kube_table.labels_text(meta.labels) end
    return table.concat(cells, "\t")
end

-- Equal columns need no second header.
local function signature(columns)
    local words = {}
    for i, column in ipairs(columns) do
        words[i] = ("%s %s %s %s"):format(column.name, column.type, column.format or "", column.priority or 0)
    end
    return table.concat(words, "\n")
end

---A printer that may be given several tables (pages, watch events); it writes a header where the columns change.
---@param writer todo.TabWriter
---@param options todo.TableOptions
---@return fun(table: table, prefix: string?) print prefix: a first cell for each row, such as an event's type
function kube_table.printer(writer, options)
    local columns, shown, last
    return function(table, prefix)
        if table.kind ~= "Table" then table = kube_table.plain(table) end
        local given = table.columnDefinitions
        if type(given) == "table" and #given > 0 then -- later events of a watch have none
            local id = signature(given)
            if id ~= last then columns, last, shown = given, id, false end
        end
        if #table.rows == 0 then return end
        if not shown and options.headers ~= false then
            writer:line((prefix and EVENT:format("EVENT") or "") .. header(columns, options))
        end
        shown = true
        for _, row in ipairs(table.rows) do
            writer:line((prefix and EVENT:format(prefix) or "") .. row_text(row, columns, options))
        end
    end
end

return kube_table
