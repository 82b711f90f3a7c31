---@meta json

local json = {}

---JSON null, YAML null: one sentinel in every module.
---@type lightuserdata
json.null = nil

---Integers within int64 stay integers, order of keys is remembered, NUL in strings is kept. Errors: kind "parse" with line and column.
---@param text string
---@return any
function json.decode(text) end

---@class todo.JsonEncodeOptions
---@field indent string? e.g. "  "
---@field sort boolean?
---@field html boolean? <, > and & as \u003c, \u003e and \u0026, as Go's json.Marshal writes them
---@field secrets "reveal"|"mask"?

---@param value any
---@param options todo.JsonEncodeOptions?
---@return string
function json.encode(value, options) end

---Marks a table as a list, so that an empty one is written as [].
---@generic T: table
---@param t T?
---@return T
function json.list(t) end

---@param t table
---@return boolean
function json.is_list(t) end

return json
