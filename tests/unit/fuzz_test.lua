-- The fuzz targets for a moment, always with the same inputs; the suite fuzz runs them for long.
local fs = require "fs"
local lu = require "luaunit"
local program = require "program"

local jsonpath = require "tests.fuzz.jsonpath"
local targets = require "tests.fuzz.targets"

local RUNS, SEED = 1500, 1

local tests = {}

for name in pairs(targets.shares) do
    tests[name .. "_stands_a_short_run_and_its_corpus"] = function()
        local grown <close> = fs.tempdir()
        lu.assertTrue(targets.run(name, RUNS, SEED, grown.path) >= RUNS)
    end
end

function tests.jsonpath_stands_a_short_run() jsonpath(3000, SEED) end

function tests.every_target_has_a_share_of_the_long_run_and_a_corpus()
    local sources = {}
    for _, file in ipairs(fs.list(program.project .. "/tests/fuzz")) do
        sources[#sources + 1] = file:match("^(.*)_fuzz%.c$")
    end
    table.sort(sources)
    local names = {}
    for name in pairs(targets.shares) do names[#names + 1] = name end
    table.sort(names)
    lu.assertEquals(names, sources)
    for _, name in ipairs(names) do lu.assertTrue(fs.exists(program.project .. "/tests/fuzz/corpus/" .. name)) end
end

return tests
