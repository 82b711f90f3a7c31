-- Runs the tests: todo-lua tests/run.lua [SUITE…]. Without a name, the default suites; the others are too long for every
-- run. Installs what a suite needs, or fails; closes with "N passed, N failed".
local cli = require "cli"
local fs = require "fs"
local proc = require "proc"
local program = require "program"
local task = require "task"
local term = require "term"

local needs = require "tests.needs"

local root = program.project
assert(root, "run the tests inside the project")

-- Suites run in two lanes at once, each lane's in this order: "node" holds those that share the tests' cluster, which has
-- one node, "host" the others. `asan` runs a suite with the sanitized program.
local suites = {
    { name = "unit", lane = "host", default = true, needs = { "build", "fuzz", "docker", "judges" }, asan = true,
        files = { "tests/unit/*_test.lua" }, programs = true },
    { name = "golden", lane = "host", default = true, needs = { "judges" }, files = { "tests/golden/*_test.lua" } },
    { name = "charts", lane = "host", default = true, needs = { "judges" }, files = { "tests/charts/*_test.lua" },
        notes = true },
    { name = "cluster", lane = "host", default = true, needs = { "docker", "judges", "programs" },
        files = { "tests/cluster/*_test.lua" } },
    { name = "release", lane = "host", default = true, needs = { "judges", "programs" },
        files = { "tests/release/*_test.lua" } },
    { name = "node", lane = "node", default = true, needs = { "docker", "judges", "programs", "cluster" },
        files = { "tests/node/*_test.lua" } },
    { name = "kube", lane = "node", default = true, needs = { "docker", "judges", "programs", "cluster" },
        files = { "tests/kube/*_test.lua" } },
    { name = "addons", lane = "node", needs = { "docker", "judges", "programs" }, files = { "tests/addons/*_test.lua" },
        notes = true },
    { name = "versions", lane = "node", needs = { "docker", "judges", "programs" },
        files = { "tests/versions/*_test.lua" }, notes = true, silent = 3600 },
    { name = "deploy", lane = "node", default = true, needs = { "docker", "judges", "programs", "cluster", "browser" },
        files = { "tests/deploy/*_test.lua" }, notes = true },
    { name = "minikube", lane = "host", needs = { "docker", "judges", "programs" },
        files = { "tests/minikube/*_test.lua" }, notes = true, silent = 3600 },
    { name = "kind", lane = "host", needs = { "docker", "judges", "programs" },
        files = { "tests/kind/*_test.lua" }, notes = true },
    { name = "k3d", lane = "host", needs = { "docker", "judges", "programs" }, files = { "tests/k3d/*_test.lua" } },
    { name = "engines", lane = "host", needs = { "docker", "judges", "programs", "buildx", "registry" },
        files = { "tests/engines/*_test.lua" }, notes = true, silent = 3600 },
    { name = "soak", lane = "node", needs = { "docker", "judges", "programs", "cluster" },
        files = { "tests/soak/*_test.lua" }, notes = true, silent = 3600 },
    -- Behind all others of its lane: it gives the cluster a second node.
    { name = "registry", lane = "node", needs = { "docker", "judges", "programs", "cluster", "registry" },
        files = { "tests/registry/*_test.lua" } },
    { name = "fuzz", lane = "host", needs = { "fuzz" }, files = { "tests/fuzz/*_test.lua" }, notes = true, silent = 36000 },
}

local function names(default)
    local list = {}
    for _, suite in ipairs(suites) do
        if default == nil or (suite.default or false) == default then list[#list + 1] = suite.name end
    end
    return table.concat(list, ", ")
end

local options = cli.parse {
    name = "tests/run.lua",
    summary = "Runs the tests.",
    arguments = {
        { "suite", many = true, help = names() .. " (default: all but " .. names(false) .. ")" },
    },
    options = { { "pattern", value = "PATTERN", help = "only tests whose name matches this Lua pattern" } },
}

local function chosen()
    local wanted, list = {}, {}
    for _, name in ipairs(options.suite) do wanted[name] = true end
    for _, suite in ipairs(suites) do
        if wanted[suite.name] or (#options.suite == 0 and suite.default) then list[#list + 1] = suite end
        wanted[suite.name] = nil
    end
    local unknown = next(wanted)
    if unknown then
        error({ kind = "usage", message = "there is no suite " .. unknown, hint = "the suites are " .. names() }, 0)
    end
    return list
end

local function glob(pattern)
    local folder, name = pattern:match("^(.*)/([^/]+)$")
    local match = "^" .. name:gsub("[%-%.]", "%%%0"):gsub("%*", ".*") .. "$"
    local found = {}
    for _, entry in ipairs(fs.exists(folder) and fs.list(folder) or {}) do
        if entry:match(match) then found[#found + 1] = folder .. "/" .. entry end
    end
    return found
end

-- prove prints every TAP line (-v); they are counted here. A file that ends without its plan, or with a status but no
-- failed test, counts as one failure: prove's verdict says so.
local totals = { passed = 0, failed = 0 }

local SILENT_SECONDS = 900 -- no file of tests takes so long: prove says nothing before its end

local function say(suite, text) term.write(("%-8s %s\n"):format(suite.name, text)) end

-- What nobody needs to read of a run that goes well.
local IDLE = { "^%d+%.%.%d+", "^%s*$", "^# Start", "^# Ran ", "^%[[%d:]+%]$", "^All tests successful", "^Files=", "^Result: PASS" }

local function is_idle(line)
    for _, pattern in ipairs(IDLE) do
        if line:find(pattern) then return true end
    end
    return false
end

-- What of prove's output people want to see: failures with their notes, each file's verdict, and the notes of suites
-- whose tests tell figures.
local function printer(suite)
    local failing, file, count = false, "", 0
    return function(line)
        local begun, milliseconds = line:match("^%[[%d:]+%] (%S+)"), line:match("^ok +(%d+) ms")
        if begun then
            file, count = begun, 0
        elseif milliseconds then
            say(suite, ("%s: %d tests, %.1f s"):format(file, count, milliseconds / 1000))
        elseif line:find("^ok ") then
            totals.passed, count, failing = totals.passed + 1, count + 1, false
        elseif line:find("^not ok ") then
            totals.failed, failing = totals.failed + 1, true
            say(suite, term.style("red", line))
        elseif not is_idle(line) and (failing or suite.notes or not line:find("^#")) then
            say(suite, line)
        end
    end
end

local function prove(suite, command, files)
    if #files == 0 then return end
    local told = printer(suite)
    local failed = false
    local argv = { "prove", "-v", "--merge", "--timer", "--exec", table.concat(command, " ") }
    table.move(files, 1, #files, #argv + 1, argv)
    local process <close> = proc.spawn(argv, { stderr = "stdout", cwd = root })
    local heard = task.now()
    local watchdog = task.spawn(function()
        local patience = suite.silent or SILENT_SECONDS
        while task.now() - heard < patience do task.sleep(5) end
        say(suite, ("not a word for %d s: giving up on these tests"):format(patience))
        process:kill("KILL")
    end)
    for line in process.read_line, process do
        heard = task.now()
        failed = failed or line:find("^not ok ")
        told(line)
    end
    watchdog:cancel()
    if process:wait() ~= 0 and not failed then totals.failed = totals.failed + 1 end
end

-- The C tests are programs of the build; premake names them after their files.
local function unit_programs(config)
    local list = {}
    for _, source in ipairs(glob("tests/unit/*_test.c")) do
        list[#list + 1] = ("build/%s/test-%s"):format(config, fs.basename(source):gsub("%.c$", ""))
    end
    return list
end

-- Both lanes may need the same; whoever comes first brings it.
local brought = {}

local function bring(need)
    brought[need] = brought[need] or task.spawn(needs[need], root):detach()
    brought[need]:wait()
end

local function run_suite(suite)
    local started = task.now()
    for _, need in ipairs(suite.needs) do bring(need) end
    say(suite, term.style("bold", ("begins, all it needs came in %.0f s"):format(task.now() - started)))
    started = task.now()
    local config = suite.asan and "asan" or "bin"
    if suite.programs then prove(suite, { "env", "CMOCKA_MESSAGE_OUTPUT=TAP" }, unit_programs(config)) end
    local files = {}
    for _, pattern in ipairs(suite.files) do table.move(glob(pattern), 1, #glob(pattern), #files + 1, files) end
    local command = { "build/" .. config .. "/todo-lua", "tests/harness.lua" }
    if options.pattern then command[#command + 1] = "--pattern=" .. options.pattern end
    prove(suite, command, files)
    say(suite, ("took %.0f s"):format(task.now() - started))
end

local function attempt(text, fn, ...)
    local ok, err = pcall(fn, ...)
    if ok then return end
    totals.failed = totals.failed + 1
    term.write(term.style("red", ("%s: %s"):format(text, tostring(err))) .. "\n")
end

local list = chosen()
local function lane(name)
    return function()
        for _, suite in ipairs(list) do
            if suite.lane == name then attempt(("suite %s cannot run"):format(suite.name), run_suite, suite) end
        end
    end
end
task.all { lane "host", lane "node" }
attempt("the tests' cluster does not make room", needs.resume)
term.write(("%d passed, %d failed\n"):format(totals.passed, totals.failed))
return (totals.failed > 0 or totals.passed == 0) and 1 or 0
