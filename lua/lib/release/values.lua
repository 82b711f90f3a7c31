-- The user's values of a release: those of the command line, and what earlier revisions recorded.
local chart = require "chart"
local gotemplate = require "release.gotemplate"
local json = require "json"
local log = require "log"
local yaml = require "yaml"

local values = {}

-- The engine's rules for values over a chart's, without a chart.
local function carrier(defaults, name)
    return chart.load { files = {
        ["Chart.yaml"] = ("apiVersion: v2\nname: %s\nversion: 0.0.0\n"):format(json.encode(name or "values")),
        ["values.yaml"] = defaults and next(defaults) ~= nil and yaml.encode(defaults) or "",
    } }
end

---The user's values from files and flags.
---@param options todo.ChartOptions
---@return table
function values.given(options)
    return carrier():merge(options)
end

local function is_map(value) return type(value) == "table" and not json.is_list(value) end

local function go_text(value) return gotemplate.on('{{ printf "%v" . }}', value) end

-- `over` with what it lacks from `under` (chartutil.CoalesceTables). Both change, as in helm: nulls get into `under`.
local function coalesce(over, under, prefix)
    local known = {}
    for key, value in pairs(under) do known[key] = value ~= json.null end
    for key, value in pairs(over) do
        if value == json.null then under[key] = json.null end
    end
    for key, value in pairs(under) do
        local own, name = over[key], prefix .. key
        if own == json.null and known[key] then
            over[key] = nil
        elseif own == nil then
            over[key] = value
        elseif is_map(value) and is_map(own) then
            coalesce(own, value, name .. ".")
        elseif is_map(value) then
            log.warn("cannot overwrite table with non table for %s (%s)", name, go_text(value))
        elseif is_map(own) and value ~= json.null then
            log.warn("destination for %s is a table. Ignoring non-table value (%s)", name, go_text(value))
        end
    end
    return over
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
    local c = record.body().chart
    return carrier(c.values ~= json.null and c.values or nil, c.metadata.name):merge { values = values.config(record) }
end

local function over_recorded(given, record)
    local config = values.config(record)
    local merged = coalesce(given, config, "")
    -- Records are written in the order of their keys.
    if record.body().config ~= json.null then
        record.body().config = json.decode(json.encode(config, { sort = true, secrets = "reveal" }))
    end
    return merged
end

---@class todo.ReuseOptions
---@field reset_values boolean?
---@field reuse_values boolean?
---@field reset_then_reuse_values boolean?

---The values of an upgrade (Upgrade.reuseValues of helm). What is merged gets nulls of the new values into the
---current revision's, too.
---@param given table the user's new ones
---@param current todo.Record
---@param o todo.ReuseOptions
---@return table values
---@return table? defaults in place of the new chart's own
function values.reused(given, current, o)
    if o.reset_values then return given end
    if o.reuse_values then
        local defaults = values.computed(current)
        return over_recorded(given, current), defaults
    end
    if o.reset_then_reuse_values then return over_recorded(given, current) end
    if next(given) == nil then return values.config(current) end
    return given
end

return values
