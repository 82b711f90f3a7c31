-- The charts of the pinned Go modules (tests/judges/charts.json) as folders that helm can render: a copy of each, with
-- the charts beside it vendored where it depends on them. A dependency that no module carries is taken out of
-- Chart.yaml, since helm refuses a chart that lacks one. Nothing of these charts is kept in this project.
local fs = require "fs"
local json = require "json"
local needs = require "tests.needs"
local proc = require "proc"
local program = require "program"
local secret = require "secret"
local yaml = require "yaml"

local source = {}

local LAYOUT = "1" -- change it where the folders below are made in another way

---@class todo.tests.Chart
---@field name string
---@field path string its folder, dependencies included
---@field origin string hash of all sources
---@field answers string folder for what helm makes of these charts

local function decoded(path)
    return yaml.decode(assert(fs.read(path)), { name = path })
end

-- The folders of a module that hold charts: "charts/*" or one folder.
local function chart_folders(module_dir, pattern)
    local parent, all = pattern:match("^(.*)/(%*)$")
    if not all then return { fs.join(module_dir, pattern) } end
    local found = {}
    for _, name in ipairs(fs.list(fs.join(module_dir, parent))) do
        local folder = fs.join(module_dir, parent, name)
        if fs.exists(folder .. "/Chart.yaml") then found[#found + 1] = folder end
    end
    return found
end

local function copy(from, to)
    proc.run { "cp", "-RL", "--no-preserve=mode,ownership,timestamps", from, to }
end

-- Fills charts/ of the folder from the other charts.
local function vendor(folder, originals)
    local path = folder .. "/Chart.yaml"
    local metadata = decoded(path)
    local kept, dropped = {}, false
    for _, dependency in ipairs(metadata.dependencies or {}) do
        local inside = fs.join(folder, "charts", dependency.name)
        if not fs.exists(inside) and originals[dependency.name] then
            fs.mkdir(folder .. "/charts")
            copy(originals[dependency.name], inside)
            vendor(inside, originals)
        end
        if fs.exists(inside) then kept[#kept + 1] = dependency else dropped = true end
    end
    if not dropped then return end
    metadata.dependencies = #kept > 0 and kept or nil
    fs.write(path, yaml.encode(metadata))
    fs.remove(folder .. "/Chart.lock")
end

---All charts, sorted by name.
---@async
---@param cache string folder for what is made here
---@return todo.tests.Chart[]
function source.charts(cache)
    local pins = json.decode(assert(fs.read(program.project .. "/tests/judges/charts.json")))
    local parts = { LAYOUT }
    for _, pin in ipairs(pins) do parts[#parts + 1] = pin.module .. "@" .. pin.version .. " " .. pin.sum end
    local origin = secret.sha256(table.concat(parts, "\n")):sub(1, 16)
    local root = fs.join(cache, origin)
    local folder, answers = root .. "/charts", root .. "/answers"
    if not fs.exists(folder) then
        for _, old in ipairs(fs.list(cache)) do fs.remove(fs.join(cache, old)) end
        local fresh = root .. "/charts." .. proc.pid()
        local originals = {}
        for _, pin in ipairs(pins) do
            for _, original in ipairs(chart_folders(needs.go_module(pin), pin.charts)) do
                originals[fs.basename(original)] = original
            end
        end
        fs.mkdir(fresh)
        fs.mkdir(answers)
        for name, original in pairs(originals) do
            copy(original, fs.join(fresh, name))
            vendor(fs.join(fresh, name), originals)
        end
        fs.rename(fresh, folder)
    end
    local charts = {}
    for _, name in ipairs(fs.list(folder)) do
        charts[#charts + 1] = { name = name, path = fs.join(folder, name), origin = origin, answers = answers }
    end
    table.sort(charts, function(a, b) return a.name < b.name end)
    return charts
end

return source
