-- Ten million inputs for the fuzz targets in all, from a seed of the moment, which is printed.
local fs = require "fs"
local lu = require "luaunit"

local jsonpath = require "tests.fuzz.jsonpath"
local targets = require "tests.fuzz.targets"

local SLICE = 125000

local seed = os.time() % 1000000000
local total = 0

local tests = {}

for name, share in pairs(targets.shares) do
    tests[name .. "_stands_any_input"] = function()
        local grown <close> = fs.tempdir()
        local made = 0
        while made < share do
            local runs = targets.run(name, math.min(SLICE, share - made), seed + made, grown.path)
            lu.assertTrue(runs > 0)
            made = made + runs
            print(("# fuzz: %s: %d of %d inputs without a finding"):format(name, made, share))
        end
        total = total + made
    end
end

local TEMPLATES = 500000

function tests.jsonpath_stands_any_template()
    for made = 0, TEMPLATES - 1, SLICE do
        jsonpath(SLICE, seed + made)
        print(("# fuzz: jsonpath: %d of %d inputs without a finding"):format(made + SLICE, TEMPLATES))
    end
    total = total + TEMPLATES
end

function tests.teardown_all()
    print(("# fuzz: %d inputs in all, seed %d"):format(total, seed))
end

return tests
