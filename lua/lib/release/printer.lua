-- Releases as helm prints them (helm.sh/helm/v3/cmd/helm/status.go, list.go, history.go).
local gotime = require "release.gotime"
local hooks = require "release.hooks"
local json = require "json"
local session = require "release.session"
local values = require "release.values"

local printer = {}

local function text_of(value)
    return value ~= nil and value ~= json.null and tostring(value) or ""
end

---"NAME-VERSION" of a record's chart.
---@param body table
---@return string
function printer.chart_name(body)
    local meta = body.chart and body.chart ~= json.null and body.chart.metadata
    if not meta or meta == json.null then return "MISSING" end
    return ("%s-%s"):format(text_of(meta.name), text_of(meta.version))
end

---@param body table
---@return string
function printer.app_version(body)
    local meta = body.chart and body.chart ~= json.null and body.chart.metadata
    if not meta or meta == json.null then return "MISSING" end
    return text_of(meta.appVersion)
end

local function add_tests(add, body)
    local tests = hooks.of(body.hooks ~= json.null and body.hooks or {}, "test")
    if #tests == 0 then return add("TEST SUITE: None\n") end
    for _, hook in ipairs(body.hooks) do
        for _, event in ipairs(hook.events) do
            local run = hook.last_run
            if event == "test" and run and not gotime.is_zero(run.started_at) then
                add(("TEST SUITE:     %s\nLast Started:   %s\nLast Completed: %s\nPhase:          %s\n"):format(
                    hook.name, gotime.ansic(run.started_at), gotime.ansic(gotime.is_zero(run.completed_at)
                    and "0001-01-01T00:00:00Z" or run.completed_at), text_of(run.phase)))
            end
        end
    end
end

---@class todo.StatusShown
---@field debug boolean? values, hooks and manifest, too
---@field description boolean?
---@field metadata boolean? of the chart
---@field hide_notes boolean?
---@field resources string? text about the release's objects

---The user's values as they are printed: a record that was read has null in place of none.
---@param record todo.Record
---@return any
function printer.config(record)
    return record.body().config or (record.object and json.null or {})
end

local function add_debug(add, record)
    add("USER-SUPPLIED VALUES:\n", session.yaml(printer.config(record)), "\n")
    add("COMPUTED VALUES:\n", session.yaml(values.computed(record)), "\n")
end

---What helm status, install and upgrade print.
---@param record todo.Record
---@param shown todo.StatusShown?
---@return string
function printer.status(record, shown)
    shown = shown or {}
    local body, parts = record.body(), {}
    local info = body.info
    local function add(...)
        for _, text in ipairs { ... } do parts[#parts + 1] = text end
    end
    add("NAME: ", body.name, "\n")
    if not gotime.is_zero(info.last_deployed) then add("LAST DEPLOYED: ", gotime.ansic(info.last_deployed), "\n") end
    add("NAMESPACE: ", text_of(body.namespace), "\nSTATUS: ", text_of(info.status), "\nREVISION: ",
        tostring(body.version), "\n")
    if shown.metadata then
        local meta = body.chart.metadata
        add("CHART: ", text_of(meta.name), "\nVERSION: ", text_of(meta.version), "\nAPP_VERSION: ",
            text_of(meta.appVersion), "\n")
    end
    if shown.description then add("DESCRIPTION: ", text_of(info.description), "\n") end
    if shown.resources then add("RESOURCES:\n", shown.resources, "\n") end
    add_tests(add, body)
    if shown.debug then add_debug(add, record) end
    if text_of(info.description):lower() == "dry run complete" or shown.debug then
        add("HOOKS:\n", printer.hooks(body))
        add("MANIFEST:\n", text_of(body.manifest), "\n")
    end
    if not shown.hide_notes and text_of(info.notes) ~= "" then
        add("NOTES:\n", text_of(info.notes):match("^%s*(.-)%s*$"), "\n")
    end
    return table.concat(parts)
end

---@param body table
---@return string
function printer.hooks(body)
    local parts = {}
    for _, hook in ipairs(body.hooks ~= json.null and body.hooks or {}) do
        parts[#parts + 1] = ("---\n# Source: %s\n%s\n"):format(hook.path, hook.manifest)
    end
    return table.concat(parts)
end

return printer
