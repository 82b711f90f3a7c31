-- Times todo-lua beside the programs it stands in for, in one run, and prints ratios: todo-lua tests/bench/run.lua.
-- Nothing here passes or fails; machines are noisy, so compare the ratios and never two runs.
local charts = require "tests.bench.charts"
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
    local argv = { "hyperfine", "-N", "--ignore-failure", "--warmup", "3", "--runs", tostring(runs), "--export-json", out,
        "--style", "none" }
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

-- ---- charts ----

local HELM_FLAGS = " --namespace ns --kube-version 1.36.3"

local function compare_chart(title, path, runs)
    local arguments = "template rel " .. path .. HELM_FLAGS
    return compare(title, { { "todo-lua", ours .. " helm " .. arguments }, { "helm", helm .. " " .. arguments } }, runs)
end

-- Where one render's time goes, from what --verbose says (the least of some runs).
local function breakdown(path)
    local least = {}
    for _ = 1, 7 do
        local argv = { ours, "-v", "helm", "template", "rel", path, "--kube-version", "1.36.3" }
        for name, ms in proc.run(argv, { max_output = 64 << 20 }).stderr:gmatch("(%l+) ([%d.]+) ms") do
            least[name] = math.min(least[name] or math.huge, tonumber(ms))
        end
    end
    local parts = {}
    for _, name in ipairs { "read", "load", "values", "parse", "execute", "yaml" } do
        parts[#parts + 1] = ("%s %.2f ms"):format(name, least[name])
    end
    term.write("  of which: " .. table.concat(parts, ", ") .. "\n")
end

-- A chart that helm refuses is refused by both, which takes time, too.
local function compare_all(list)
    local totals = { 0, 0 }
    for _, one in ipairs(list) do
        local arguments = "template rel " .. one.path .. HELM_FLAGS
        local seconds = time_all({ ours .. " helm " .. arguments, helm .. " " .. arguments }, 5)
        for i = 1, 2 do totals[i] = totals[i] + seconds[i] end
    end
    term.write(term.style("bold", ("all %d charts, one process each\n"):format(#list)))
    term.write(("  todo-lua   %9.0f ms\n  helm       %9.0f ms              %.1f times todo-lua's time\n"):format(
        totals[1] * 1000, totals[2] * 1000, totals[2] / totals[1]))
end

local folder <close> = fs.tempdir()
local created = charts.created(folder.path)
compare_chart("helm template of a chart of helm create", created, 30)
breakdown(created)
local real = charts.real()
for _, one in ipairs(real) do
    if one.name == "kube-prometheus-stack" then
        compare_chart("helm template of kube-prometheus-stack", one.path, 30)
        breakdown(one.path)
    end
end
compare_all(real)
local umbrella = {}
for _, count in ipairs { 30, 60, 120 } do
    local path = charts.umbrella(folder.path, count)
    umbrella[count] = compare_chart(("helm template of an umbrella of %d subcharts with tpl"):format(count), path, 40)[1]
    breakdown(path)
end
term.write(("  todo-lua's time for 60 and 120 over that for 30: %.2f, %.2f\n"):format(umbrella[60] / umbrella[30],
    umbrella[120] / umbrella[30]))

require "tests.bench.kube" (compare, ours, kubectl)

proc.run({ ours, "-C", root, "tests/bench/images.lua", "deploy" }, { stdout = "inherit", stderr = "inherit" })
