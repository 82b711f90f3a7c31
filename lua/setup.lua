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
    summary = "Shows what a deploy needs on this machine and installs what is missing.",
    options = { { "check", help = "only look; exit status 1 where something is missing" } },
    groups = { "cluster", "output", "yes" },
    examples = { "todo-lua setup", "todo-lua setup --check -o json" },
}

local ctx = project.open(options)
local provider, why = fail.catch({ not_found = true }, function() return cluster.choose(ctx) end)
local detection = provider and cluster.detect(ctx, provider) or { available = false, reason = fail.message(why) }

local items, missing = json.list {}, 0
local function look(list)
    for _, item in ipairs(list) do
        local result = prerequisites.check(item, true)
        items[#items + 1] = {
            name = item.name, path = result.path, version = result.version, minimum = item.minimum, ok = result.ok,
            required = not item.optional, why = item.why,
        }
        if not result.ok and not item.optional then missing = missing + 1 end
    end
end
look(prerequisites.list(ctx))
look(prerequisites.optional())
if not detection.available then missing = missing + 1 end

local function mark(item)
    if item.ok then return term.style("green", "✓") end
    return item.required and term.style("red", "✗") or term.style("dim", "-")
end

local function show()
    for _, item in ipairs(items) do
        local state = item.ok and (item.version or item.path) or item.path and "too old: " .. (item.version or "?")
            or "missing"
        local wanted = item.minimum and (" (>= %s)"):format(item.minimum) or ""
        log.info("%s %-14s %-22s %s%s", mark(item), item.name, state, item.why, wanted)
    end
    log.info("%s %-14s %-22s %s", detection.available and term.style("green", "✓") or term.style("red", "✗"), "cluster",
        provider and provider.name or "none", detection.available and why or detection.reason or "")
    for _, addon in ipairs(addons.wanted(ctx)) do
        log.info("+ %-14s %-22s %s", addon.name, "with the cluster", addon.purpose)
    end
end

if options.output == "json" then
    term.write(json.encode({ ok = missing == 0, provider = provider and provider.name, items = items,
        addons = json.list(addons.wanted(ctx)),
        reason = not detection.available and detection.reason or nil,
        packages = json.list(tables.copy(detection.packages or {})) }, { indent = "  " }) .. "\n")
else
    show()
end

if options.check then
    require("program").exit(missing == 0 and 0 or 1)
end
if not provider then error(why, 0) end
local _, text = prerequisites.ensure(ctx)
log.result("%s", text)
