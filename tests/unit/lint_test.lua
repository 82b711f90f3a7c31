-- Rules that a program can check: luacheck on the scripts, names of the C functions.
local fs = require "fs"
local lu = require "luaunit"
local proc = require "proc"

local tests = {}

function tests.scripts_pass_luacheck()
    local result = proc.run({ "luacheck", "-q", "--no-color", "lua", "tests", "examples/overrides" }, { check = false })
    lu.assertEquals(result.status, 0, result.stdout)
end

-- Two layers that define the same name would link without a word, and one would call the other's.
function tests.global_names_in_c_are_defined_once_and_prefixed()
    local where = {}
    for _, name in ipairs(fs.list("build/asan")) do
        if name:find("^libtl%-.*%.a$") and name ~= "libtl-regex.a" then
            local symbols = proc.run({ "nm", "-g", "--defined-only", "build/asan/" .. name }).stdout
            for symbol in symbols:gmatch("[TDBR] ([%w_]+)\n") do
                lu.assertNil(where[symbol], symbol .. " is in " .. name .. " and in " .. tostring(where[symbol]))
                where[symbol] = name
                lu.assertNotNil(symbol:find("^tl_") or symbol:find("^luaopen_") or symbol:find("^__"), symbol)
            end
        end
    end
    lu.assertNotNil(where.tl_loop_new)
end

return tests
