-- Times todo-lua beside the programs it stands in for, in one run, and prints ratios: todo-lua tests/bench/run.lua.
-- Nothing here passes or fails; machines are noisy, so compare the ratios and never two runs.
local fs = require "fs"
local json = require "json"
local needs = require "tests.needs"
local proc = require "proc"
local program = require "program"
local term = require "term"

local root = assert(program.project, "run the benchmarks inside the project")
local ours = root .. "/build/bin/todo-lua"

needs.packages { "hyperfine", "time", "lua5.4" }
needs.judges(root)
local helm, kubectl = needs.judge("helm"), needs.judge("kubectl")

-- Seconds (mean of the faster half) of each command, run in turn so that a slow moment hits all of them.
local function time_all(commands, runs)
    local dir <close> = fs.tempdir()
    local out = dir.path .. "/times.json"
    local argv = { "hyperfine", "-N", "--warmup", "3", "--runs", tostring(runs), "--export-json", out, "--style", "none" }
    for _, command in ipairs(commands) do argv[#argv + 1] = command end
    proc.run(argv)
    local seconds = {}
    for i, result in ipairs(json.decode(fs.read(out)).results) do
        table.sort(result.times)
        local half, sum = math.max(1, #result.times // 2), 0
        for j = 1, half do sum = sum + result.times[j] end
        seconds[i] = sum / half
    end
    return seconds
end

-- Peak resident memory in MB. GNU time starts the command from a small process of its own, so what this program holds
-- does not count.
local function memory(command)
    local argv = { "/usr/bin/time", "-f", "%M" }
    for word in command:gmatch("%S+") do argv[#argv + 1] = word end
    return tonumber(proc.run(argv).stderr:match("(%d+)%s*$")) / 1024
end

local function compare(title, entries, runs)
    term.write(term.style("bold", title) .. "\n")
    local commands = {}
    for i, entry in ipairs(entries) do commands[i] = entry[2] end
    local seconds = time_all(commands, runs)
    for i, entry in ipairs(entries) do
        term.write(("  %-10s %9.2f ms %8.1f MB   %s\n"):format(entry[1], seconds[i] * 1000, memory(entry[2]),
            i == 1 and "" or ("%.1f times todo-lua's time"):format(seconds[i] / seconds[1])))
    end
    return seconds
end

term.write(("binary: %.2f MB\n"):format(fs.stat(ours).size / 1e6))
local start = compare("start", {
    { "todo-lua", ours .. " -e return" },
    { "lua5.4", "lua5.4 -e return" },
    { "helm", helm .. " version --short" },
    { "kubectl", kubectl .. " version --client" },
}, 40)
term.write(("  beyond lua5.4: %.2f ms\n"):format((start[1] - start[2]) * 1000))

local secrets = "--set secrets.databaseUrl=a --set secrets.frontendDatabaseUrl=b --set secrets.betterAuthSecret=c"
local template = "template todo-app " .. root .. "/chart --namespace todo-app --kube-version 1.36.3 " .. secrets
compare("helm template of the shipped chart", {
    { "todo-lua", ours .. " helm " .. template },
    { "helm", helm .. " " .. template },
}, 30)

if #program.args > 0 and program.args[1] == "--deploy" then
    term.write(term.style("bold", "unchanged redeploy") .. "\n")
    local seconds = time_all({ ours .. " deploy.lua --yes" }, 5)
    term.write(("  todo-lua   %9.0f ms\n"):format(seconds[1] * 1000))
end
