-- Shows what this machine needs for a deploy, and installs what is missing.
local addons = require "addons"
local cli = require "cli"
local cluster = require "cluster"
local fail = require "fail"
local json = require "json"
local log = require "log"
local prerequisites = require "prerequisites"
local project = require "project"
local tables = require "tables"
local term = require "term"

local options = cli.parse {
    name = "setup",
    summary = "Shows what a deploy needs on this machine and installs what is missing, after asking, with apt-get, "
        .. "dnf, pacman or brew.\nAdd-ons come with the cluster: those that cluster.addons of the configuration names.",
    options = {
        { "check", help = "only look, and say what would be installed; exit status 1 where something is missing" },
        { "cluster", value = "NAME",
            help = "provider to prepare for: minikube, kind, k3d, standalone (default: what is here)" },
        { "context", value = "NAME", help = "prepare for the cluster of this kubeconfig context" },
    },
    groups = { "output", "yes" },
    examples = { "todo-lua setup", "todo-lua setup --check -o json" },
}

local ctx = project.open(options)
local provider, why = fail.catch({ not_found = true }, function() return cluster.choose(ctx) end)
local detection = provider and cluster.detect(ctx, provider) or { available = false, reason = fail.message(why) }

local items, missing = json.list {}, 0
local no_answer -- of an engine that is there
local function look(list)
    for _, item in ipairs(list) do
        local result = prerequisites.check(item, true)
        items[#items + 1] = {
            name = item.name, path = result.path, version = result.version, minimum = item.minimum, ok = result.ok,
            required = not item.optional, why = item.why, problem = result.problem and fail.message(result.problem),
            starts = result.starts,
        }
        if not result.ok and not item.optional then missing = missing + 1 end
        if not result.ok then no_answer = result.problem or no_answer end
    end
end
look(prerequisites.list(ctx))
look(prerequisites.optional())
if not detection.available then missing = missing + 1 end

-- What a run without --check would do.
local plan, by_hand = fail.catch({ missing = true }, function() return prerequisites.plan(ctx) end)

local function mark(item)
    if item.ok then return term.style("green", "✓") end
    return item.required and term.style("red", "✗") or term.style("dim", "-")
end

local function state_of(item)
    if item.starts then return "a deploy starts it" end
    if item.problem then return "does not answer" end
    if item.ok then return item.version or item.path end
    return item.path and "too old: " .. (item.version or "?") or "missing"
end

local function show()
    for _, item in ipairs(items) do
        local state = state_of(item)
        local wanted = item.minimum and (" (>= %s)"):format(item.minimum) or ""
        log.info("%s %-14s %-22s %s%s", mark(item), item.name, state, item.why, wanted)
    end
    log.info("%s %-14s %-22s %s", detection.available and term.style("green", "✓") or term.style("red", "✗"), "cluster",
        provider and provider.name or "none", detection.available and why or detection.reason or "")
    for _, addon in ipairs(addons.wanted(ctx)) do
        log.info("+ %-14s %-22s %s", addon.name, "with the cluster", addon.purpose)
    end
    if no_answer then log.info("%s", tostring(no_answer)) end
    if not options.check then return end
    if by_hand then log.info("%s", tostring(by_hand)) end
    if plan and #plan > 0 then log.info("todo-lua setup would run:") end
    for _, command in ipairs(plan or {}) do log.command(command) end
end

if options.output == "json" then
    term.write(json.encode({ ok = missing == 0, provider = provider and provider.name, items = items,
        addons = json.list(addons.wanted(ctx)),
        reason = not detection.available and detection.reason or nil,
        packages = json.list(tables.copy(detection.packages or {})),
        commands = json.list(tables.map(plan or {}, function(command) return json.list(tables.copy(command)) end)),
        by_hand = by_hand and fail.message(by_hand) }, { indent = "  " }) .. "\n")
else
    show()
end

if options.check then
    require("program").exit(missing == 0 and 0 or 1)
end
if not provider then error(why, 0) end
local _, text = prerequisites.ensure(ctx)
if no_answer then error(no_answer, 0) end
log.result("%s", text)
