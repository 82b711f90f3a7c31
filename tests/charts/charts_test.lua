-- Real charts, rendered by helm and by todo-lua: every byte that helm always prints alike is the same.
local chart = require "chart"
local fs = require "fs"
local json = require "json"
local lu = require "luaunit"
local needs = require "tests.needs"
local program = require "program"
local secret = require "secret"

local judge = require "tests.charts.judge"
local source = require "tests.charts.source"
local variations = require "tests.charts.variations"

local scratch = fs.tempdir()
local ours = { program.executable, "helm", "template" }
local COMMON = { "--namespace", "ns", "--kube-version", "1.36.3" }

local totals = { cases = 0, identical = 0, rendered = 0 }

-- name, function that makes the values of the case (or none), and more flags
local CASES = {
    { "defaults" },
    { "features", variations.features },
    { "filled", variations.filled },
    { "turned", function(defaults) return variations.turned(defaults, 1) end },
    { "upgrade", nil, { "--is-upgrade", "--include-crds", "--skip-tests", "-a", "monitoring.coreos.com/v1" } },
}

local function arguments_of(one, case, defaults)
    local arguments = table.move(COMMON, 1, #COMMON, 3, { "rel", one.path })
    local parts = { one.origin, one.name }
    if case[2] then
        local values = json.encode(case[2](defaults) or {}, { sort = true, indent = " " })
        local path = ("%s/%s-%s.json"):format(scratch.path, one.name, case[1])
        fs.write(path, values)
        table.move({ "-f", path }, 1, 2, #arguments + 1, arguments)
        parts[#parts + 1] = values
    end
    table.move(case[3] or {}, 1, #(case[3] or {}), #arguments + 1, arguments)
    table.move(COMMON, 1, #COMMON, #parts + 1, parts)
    table.move(case[3] or {}, 1, #(case[3] or {}), #parts + 1, parts)
    return arguments, secret.sha256(table.concat(parts, "\0"))
end

local tests = {}

for _, one in ipairs(source.charts(needs.cache("charts"))) do
    tests[one.name:gsub("%W", "_") .. "_gives_helms_bytes"] = function()
        local defaults, faults = chart.load(one.path):merge(), {}
        for _, case in ipairs(CASES) do
            local arguments, key = arguments_of(one, case, defaults)
            local expected = judge.helm(one.answers, key, arguments)
            local difference = judge.difference(expected, judge.ask(ours, arguments))
            totals.cases = totals.cases + 1
            totals.identical = totals.identical + (difference and 0 or 1)
            totals.rendered = totals.rendered + (expected:find("^Error: ") and 0 or 1)
            if difference then faults[#faults + 1] = ("%s, %s: %s"):format(one.name, case[1], difference) end
        end
        lu.assertEquals(table.concat(faults, "\n"), "")
    end
end

function tests.teardown_all()
    print(("# charts: %d of %d renders identical to helm's (%d of them errors)"):format(totals.identical, totals.cases,
        totals.cases - totals.rendered))
    scratch:close()
end

return tests
