-- Prints the chart's values as a deploy would have them, or says where one comes from.
local cli = require "cli"
local fail = require "fail"
local json = require "json"
local mask = require "mask"
local origins = require "origins"
local project = require "project"
local stack = require "stack"
local term = require "term"
local yaml = require "yaml"

local spec = {
    name = "values",
    summary = "Prints the chart's merged values, or with \"why\" says who set one: file and line, flag or Lua layer.",
    arguments = {
        { "action", help = "why: say where the value at PATH comes from", choices = { "why" } },
        { "path", help = "backend.image.tag, list[0].name" },
    },
    options = { { "reveal", help = "print secrets in clear" } },
    groups = { "cluster", "values", "output" },
    examples = {
        "todo-lua values --set frontend.replicaCount=2",
        "todo-lua values why backend.image.tag -f mine.yaml",
    },
}
local options = cli.parse(spec)
local ctx = project.open(options)

local function print_json(value)
    term.write(json.encode(value, { indent = "  ", secrets = "mask" }) .. "\n")
end

local function print_merged()
    local merged = stack.values(ctx)
    if not options.reveal then merged = mask.value(merged) end
    if options.output == "json" then print_json(merged) else
        term.write(yaml.encode(merged, { sort = true, secrets = options.reveal and "reveal" or "mask" }))
    end
end

local MAX_VALUE = 60

local function value_text(value)
    local text = json.encode(value, { secrets = "mask" })
    return term.truncate(term.clean(text), MAX_VALUE)
end

local function place_text(place)
    if not place then return "(made by the merge)" end
    local text = place.name
    if place.line then text = text .. ":" .. place.line end
    if place.column then text = text .. ":" .. place.column end
    return text
end

local function print_rows(rows)
    local wide = 0
    for _, row in ipairs(rows) do wide = math.max(wide, term.width(row[2])) end
    for _, row in ipairs(rows) do
        local line = row[1] .. row[2] .. (row[3] and (" "):rep(wide - term.width(row[2]) + 2) .. row[3] or "")
        term.write((row.style and term.style(row.style, line) or line) .. "\n")
    end
end

local function loser_row(place)
    if place.cut then return { "    ", place_text(place), ("%s is %s"):format(place.cut, value_text(place.value)) } end
    return { "    ", place_text(place), value_text(place.value) }
end

local function print_why(found)
    local rows = {}
    if found.removed then
        term.write(("%s is not set: removed by\n"):format(found.path))
        rows[1] = loser_row(found.removed)
        rows[1][1], rows[1].style = "  = ", "bold"
    elseif #found.values == 1 and found.values[1].path == found.path then
        local one = found.values[1]
        term.write(("%s = %s\n"):format(one.path, value_text(one.value)))
        rows[1] = { "  = ", place_text(one.origin), value_text(one.value), style = "bold" }
    else
        for index, one in ipairs(found.values) do
            rows[index] = { "", ("%s = %s"):format(one.path, value_text(one.value)), place_text(one.origin) }
        end
    end
    for _, place in ipairs(found.losers) do rows[#rows + 1] = loser_row(place) end
    print_rows(rows)
end

if options.action == "why" then
    if not options.path then
        fail.raise("usage", "values: why needs the PATH of a value", "todo-lua values why backend.image.tag",
            { status = 2 })
    end
    local path = origins.parse(options.path)
    local found = origins.why(ctx, path, options.reveal)
    if #found.values == 0 and not found.removed then origins.raise_unknown(ctx, path) end
    if options.output == "json" then print_json(found) else print_why(found) end
else
    print_merged()
end
