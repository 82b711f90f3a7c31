-- Runs one Lua test file and prints TAP: todo-lua tests/harness.lua [--pattern=PATTERN] FILE. The file returns a table of tests,
-- `{ subject_situation_outcome = function() … end, setup = …, teardown = … }`; each test may wait. After the tests the working
-- folder must be what it was.
local fs = require "fs"
local program = require "program"
local task = require "task"

local pattern = (program.args[1] or ""):match("^%-%-pattern=(.*)")
local file = program.args[pattern and 2 or 1]

-- luaunit reads and writes globals that nobody declared; here they are strict, so it gets a table of its own for them.
local function load_luaunit()
    local path = assert(package.searchpath("luaunit", package.path), "luaunit is not installed (lua-unit)")
    local own = setmetatable({}, { __index = function(_, name) return rawget(_G, name) end })
    own._G = own
    package.loaded.luaunit = assert(loadfile(path, "t", own))()
    return package.loaded.luaunit
end
local lu = load_luaunit()

io.stdout:setvbuf("line") -- of long ones people want to see how far they are
assert(file, "usage: todo-lua tests/harness.lua [--pattern=PATTERN] FILE")

local cwd = fs.cwd()
local tests = dofile(file)
assert(type(tests) == "table", file .. " does not return its tests")

local suite = { setUp = tests.setup, tearDown = tests.teardown }
local count = 0
for name, test in pairs(tests) do
    if type(test) == "function" and name ~= "setup" and name ~= "teardown" and name ~= "setup_all"
        and name ~= "teardown_all" and (not pattern or name:find(pattern)) then
        count = count + 1
        suite["test_" .. name] = function(...)
            collectgarbage() -- what a test left behind is finalised here, where it can be seen
            return test(...)
        end
    end
end
if count == 0 and pattern then
    print("1..0 # nothing matches " .. pattern)
    return 0
end
assert(count > 0, file .. " has no tests")

if tests.teardown_all then task.defer(tests.teardown_all) end
if tests.setup_all then tests.setup_all() end

local runner = lu.LuaUnit:new()
runner:setOutputType("tap")
local failed = runner:runSuiteByInstances({ { fs.basename(file):gsub("%.lua$", ""), suite } })
if fs.cwd() ~= cwd then
    print("not ok " .. count + 1 .. " the tests changed the working folder")
    failed = failed + 1
end
return failed > 0 and 1 or 0
