-- The scripts pass luacheck with the project's own settings.
local lu = require "luaunit"
local proc = require "proc"

local tests = {}

function tests.scripts_pass_luacheck()
    local result = proc.run({ "luacheck", "-q", "--no-color", "lua", "tests", "examples/overrides" }, { check = false })
    lu.assertEquals(result.status, 0, result.stdout)
end

return tests
