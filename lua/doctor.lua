-- Says what is wrong with the stack, with evidence, and offers the fixes. The knowledge is in recipes/, one file for
-- each row of the troubleshooting table; files of your own in ~/.config/todo-lua/recipes/ join them.
local cli = require "cli"
local cluster = require "cluster"
local docker = require "docker"
local docker_endpoint = require "docker_endpoint"
local doctor = require "doctor"
local fail = require "fail"
local format = require "format"
local fs = require "fs"
local json = require "json"
local log = require "log"
local observe = require "observe"
local program = require "program"
local project = require "project"
local tables = require "tables"
local term = require "term"

local options = cli.parse {
    name = "doctor",
    summary = "Says what is wrong with the stack, with evidence, and offers fixes. Exit status 1 unless all is well.",
    options = {
        { "list", help = "list the recipes" },
        { "save", value = "FILE", help = "write what was observed (secrets masked) to FILE" },
        { "from", value = "FILE", help = "diagnose a saved observation instead of the cluster" },
    },
    groups = { "cluster", "values", "output", "yes" },
    arguments = { { "recipe", help = "only these recipes", many = true } },
    examples = { "todo-lua doctor", "todo-lua doctor database --yes", "todo-lua doctor -o json" },
}

local ctx = project.open(options)
local recipes, broken = doctor.recipes(ctx)

if options.list then
    for _, recipe in ipairs(recipes) do log.result("%-14s %s", recipe.name, recipe.symptom or "") end
    program.exit(0)
end

-- Faults below the stack: there is nothing to observe then.
local function machine_finding()
    if options.context then return nil end
    local connected, problem = pcall(docker.connect)
    if not connected then
        local fix = { text = "start it and everything on it: todo-lua deploy", action = "deploy" }
        if fail.kind(problem) == "denied" then
            fix = { text = fail.field(problem, "hint") }
        elseif docker_endpoint.resolve().named_by then
            fix = { text = docker_endpoint.advice(docker_endpoint.resolve()) }
        end
        return { object = "docker", summary = "Docker does not answer", cause = fail.message(problem), evidence = {},
            fix = fix, recipe = "machine" }
    end
    local status = cluster.choose(ctx).status(ctx)
    if status.state == "running" then return nil end
    return { object = "cluster/" .. ctx.provider.name, summary = "no cluster runs", recipe = "machine",
        cause = status.message or status.state, evidence = {},
        fix = { text = "start it: todo-lua deploy", action = "deploy" } }
end

local function observation()
    if options.from then
        return json.decode(fs.read(options.from) or fail.raise("not_found", options.from .. " does not exist"))
    end
    cluster.choose(ctx)
    cluster.connect(ctx)
    return observe.cluster(ctx)
end

local function diagnose()
    local chosen = doctor.select(recipes, options.recipe)
    local below = not options.from and machine_finding()
    if below then return { below }, {} end
    local line = ctx.board:line("doctor", "looking at the cluster")
    local seen = observation()
    line:drop()
    if options.save then fs.write(options.save, observe.encode(seen), 384) end -- 0600
    if not seen.record and #seen.pods == 0 then
        return { { object = "release/" .. seen.release, summary = "the release is not deployed", recipe = "machine",
            cause = ("namespace %s has no release %s"):format(seen.namespace, seen.release), evidence = {},
            fix = { text = "deploy it", action = "deploy" } } }, {}
    end
    return doctor.diagnose(chosen, seen)
end

local function show(finding)
    log.result("%s %s: %s", term.style("red", "✗"), term.style("bold", finding.object), finding.summary)
    log.result("  cause     %s", term.clean(finding.cause))
    for _, text in ipairs(finding.evidence) do
        if text and text ~= "" then log.result("  seen      %s", term.clean(text)) end
    end
    if finding.fix then log.result("  fix       %s", finding.fix.text) end
end

local function offer(findings)
    local applied = 0
    local done = {}
    for _, finding in ipairs(findings) do
        -- Several findings may share one fix.
        local key = doctor.can_apply(finding) and (finding.fix.action or finding.object)
            .. table.concat(finding.fix.set or {}, ",")
        if key and not done[key] and project.confirm(ctx, ("Apply: %s?"):format(finding.fix.text)) then
            done[key] = true
            doctor.apply(ctx, finding)
            applied = applied + 1
        end
    end
    return applied
end

local findings, failed = diagnose()
for _, item in ipairs(failed) do broken[#broken + 1] = item end

if options.output == "json" then
    local list = tables.map(findings, function(finding)
        return { recipe = finding.recipe, object = finding.object, summary = finding.summary, cause = finding.cause,
            evidence = json.list(finding.evidence), fix = finding.fix and finding.fix.text,
            can_apply = doctor.can_apply(finding) }
    end)
    term.write(json.encode({ findings = json.list(list), broken = json.list(broken) }, { indent = "  " }) .. "\n")
    program.exit(#findings == 0 and 0 or 1)
end

for _, item in ipairs(broken) do log.warn("recipe %s does not work: %s", item.path, item.message) end
for _, finding in ipairs(findings) do show(finding) end
if #findings == 0 then
    ctx.board:close()
    log.result("%s %s looked, nothing found", term.style("green", "✓"), format.count(#recipes, "recipe"))
    program.exit(0)
end
local applied = options.from and 0 or offer(findings)
ctx.board:close()
log.info(applied > 0 and "Applied. Look again: todo-lua doctor" or "Nothing was changed.")
program.exit(applied > 0 and 0 or 1)
