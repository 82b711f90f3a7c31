---@meta

-- What a chart's own Lua sees and gives (lua/functions.lua and lua/objects.lua of a chart whose Chart.yaml has the
-- annotation todo-lua.dev/lua: "1"). Beside these globals there are Lua's string, table, math and utf8, without what reaches out
-- of the chart, and `require "NAME"` for lua/NAME.lua, while the files are read. Memory, instructions and time are bounded.

---Stands for null in maps and lists.
---@type lightuserdata
null = nil

---Marks a table as a list, which an empty one needs.
---@generic T: table
---@param items T
---@return T
function list(items) end

---What lua/functions.lua returns: what templates of this chart may call beside helm's functions. Arguments and results are
---plain values; whole numbers of values arrive as integers.
---@alias todo.ChartFunctions table<string, fun(...: any): any>

---@class todo.ChartRelease
---@field Name string
---@field Namespace string
---@field Revision integer
---@field IsInstall boolean
---@field IsUpgrade boolean
---@field Service string "Helm"

---What lua/objects.lua returns: gets what the templates of this chart and of its subcharts gave, hooks too, and returns the
---list that takes its place.
---@alias todo.ChartObjects fun(objects: table[], values: table, release: todo.ChartRelease): table[]
