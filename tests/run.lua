-- Runs the tests: todo-lua tests/run.lua [SUITE…]. Without a name, the default suites in their order; the others are too long
-- for every run. Installs what a suite needs, or fails; closes with "N passed, N failed".
local cli = require "cli"
local fs = require "fs"
local proc = require "proc"
local program = require "program"
local task = require "task"
local term = require "term"

local needs = require "tests.needs"

local root = program.project
assert(root, "run the tests inside the project")

-- name, what it needs, and how its test files are found. `asan` runs them with the sanitized program.
local suites = {
    { name = "unit", default = true, needs = { "build", "fuzz", "docker", "judges" }, asan = true,
        files = { "tests/unit/*_test.lua" }, programs = true },
    { name = "fuzz", needs = { "fuzz" }, files = { "tests/fuzz/*_test.lua" }, notes = true },
    { name = "golden", default = true, needs = { "judges" }, files = { "tests/golden/*_test.lua" } },
    { name = "charts", default = true, needs = { "judges" }, files = { "tests/charts/*_test.lua" }, notes = true },
    { name = "cluster", default = true, needs = { "docker", "judges", "cluster" },
        files = { "tests/cluster/*_test.lua" } },
    { name = "kube", default = true, needs = { "docker", "judges", "cluster" }, files = { "tests/kube/*_test.lua" } },
    { name = "release", default = true, needs = { "docker", "judges", "cluster" },
        files = { "tests/release/*_test.lua" } },
    { name = "registry", needs = { "docker", "judges", "cluster", "registry" },
        files = { "tests/registry/*_test.lua" } },
    { name = "soak", needs = { "docker", "judges", "cluster" }, files = { "tests/soak/*_test.lua" }, notes = true },
    { name = "deploy", default = true, needs = { "docker", "judges", "cluster", "browser" },
        files = { "tests/deploy/*_test.lua" }, notes = true },
}

local options = cli.parse {
    name = "tests/run.lua",
    summary = "Runs the tests.",
    arguments = {
        { "suite", many = true, help = "unit, fuzz, golden, charts, cluster, kube, release, registry, soak, deploy "
            .. "(default: all but fuzz, registry and soak)" },
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
        local names = {}
        for _, suite in ipairs(suites) do names[#names + 1] = suite.name end
        error({ kind = "usage", message = "there is no suite " .. unknown,
            hint = "the suites are " .. table.concat(names, ", ") }, 0)
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

local SILENT_SECONDS = 900 -- no test is quiet for so long

-- What of prove's output people want to see: failures with their notes, each file's line, and the notes of suites whose
-- tests tell figures.
local function printer(notes)
    local failing = false
    return function(line)
        if line:find("^ok ") then
            totals.passed, failing = totals.passed + 1, false
        elseif line:find("^not ok ") then
            totals.failed, failing = totals.failed + 1, true
            term.write(term.style("red", line) .. "\n")
        elseif failing or notes or not line:find("^#") then
            if line ~= "" and not line:find("^%d+%.%.%d+") then term.write(line .. "\n") end
        end
    end
end

local function prove(command, files, notes)
    if #files == 0 then return end
    local before = totals.failed
    local argv = { "prove", "-v", "--merge", "--timer", "--exec", table.concat(command, " ") }
    table.move(files, 1, #files, #argv + 1, argv)
    local process <close> = proc.spawn(argv, { stderr = "stdout", cwd = root })
    local heard = task.now()
    local watchdog = task.spawn(function()
        while task.now() - heard < SILENT_SECONDS do task.sleep(5) end
        term.write(("not a word for %d s: giving up on these tests\n"):format(SILENT_SECONDS))
        process:kill("KILL")
    end)
    local print_line = printer(notes)
    for line in process.read_line, process do
        heard = task.now()
        print_line(line)
    end
    watchdog:cancel()
    if process:wait() ~= 0 and totals.failed == before then totals.failed = totals.failed + 1 end
end

-- The C tests are programs of the build; premake names them after their files.
local function unit_programs(config)
    local list = {}
    for _, source in ipairs(glob("tests/unit/*_test.c")) do
        list[#list + 1] = ("build/%s/test-%s"):format(config, fs.basename(source):gsub("%.c$", ""))
    end
    return list
end

local function run_suite(suite)
    local started = task.now()
    term.write(term.style("bold", "== " .. suite.name) .. "\n")
    for _, need in ipairs(suite.needs) do needs[need](root) end
    local config = suite.asan and "asan" or "bin"
    if suite.programs then prove({ "env", "CMOCKA_MESSAGE_OUTPUT=TAP" }, unit_programs(config)) end
    local files = {}
    for _, pattern in ipairs(suite.files) do table.move(glob(pattern), 1, #glob(pattern), #files + 1, files) end
    local command = { "build/" .. config .. "/todo-lua", "tests/harness.lua" }
    if options.pattern then command[#command + 1] = "--pattern=" .. options.pattern end
    prove(command, files, suite.notes)
    term.write(("== %s took %.0f s\n"):format(suite.name, task.now() - started))
end

local function attempt(text, fn, ...)
    local ok, err = pcall(fn, ...)
    if ok then return end
    totals.failed = totals.failed + 1
    term.write(term.style("red", ("%s: %s"):format(text, tostring(err))) .. "\n")
end

for _, suite in ipairs(chosen()) do attempt(("suite %s cannot run"):format(suite.name), run_suite, suite) end
attempt("the cluster that deploy made does not start again", needs.resume)
term.write(("%d passed, %d failed\n"):format(totals.passed, totals.failed))
return (totals.failed > 0 or totals.passed == 0) and 1 or 0
