-- The user's values of a release: those of the command line, and what earlier revisions recorded.
local chart = require "chart"
local json = require "json"
local yaml = require "yaml"

local values = {}

-- The engine's rules for values over a chart's, without a chart.
local function carrier(defaults)
    return chart.load { files = {
        ["Chart.yaml"] = "apiVersion: v2\nname: values\nversion: 0.0.0\n",
        ["values.yaml"] = defaults and next(defaults) ~= nil and yaml.encode(defaults) or "",
    } }
end

---The user's values from files and flags.
---@param options todo.ChartOptions
---@return table
function values.given(options)
    return carrier():merge(options)
end

---`over` with what it lacks from `under` (chartutil.CoalesceTables).
---@param over table
---@param under table
---@return table
function values.coalesce(over, under)
    return carrier(under):merge { values = over }
end

---@param record todo.Record
---@return table user-supplied values of that revision
function values.config(record)
    local config = record.body().config
    return config and config ~= json.null and config or {}
end

---All values of a recorded revision: its chart's defaults under the user's.
---@param record todo.Record
---@return table
function values.computed(record)
    local defaults = record.body().chart.values
    return values.coalesce(values.config(record), defaults ~= json.null and defaults or {})
end

---@class todo.ReuseOptions
---@field reset_values boolean?
---@field reuse_values boolean?
---@field reset_then_reuse_values boolean?

---The values of an upgrade (Upgrade.reuseValues of helm).
---@param given table the user's new ones
---@param current todo.Record
---@param o todo.ReuseOptions
---@return table values
---@return table? defaults in place of the new chart's own
function values.reused(given, current, o)
    if o.reset_values then return given end
    if o.reuse_values then return values.coalesce(given, values.config(current)), values.computed(current) end
    if o.reset_then_reuse_values then return values.coalesce(given, values.config(current)) end
    if next(given) == nil then return values.config(current) end
    return given
end

return values
