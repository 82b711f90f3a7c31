-- helm test: runs the test hooks of a release.
local capabilities = require "release.capabilities"
local fail = require "fail"
local flags = require "release.flags"
local hooks = require "release.hooks"
local json = require "json"
local printer = require "release.printer"
local records = require "release.records"
local session = require "release.session"
require "release.command" -- its groups of flags

-- Names that --filter asks for and leaves out; other attributes mean nothing to helm either.
local function filters_of(list)
    local wanted, left_out = {}, {}
    for _, filter in ipairs(list) do
        local name = filter:match("^name=(.*)$")
        local excluded = filter:match("^!%s?name=(.*)$")
        if name then wanted[name] = true elseif excluded then left_out[excluded] = true end
    end
    return { wanted = next(wanted) and wanted or nil, left_out = left_out }
end

local function is_chosen(filters, hook)
    return not filters.left_out[hook.name] and (not filters.wanted or filters.wanted[hook.name] == true)
end

-- The hooks that run, and the others in the order in which helm's record has them afterwards: what is left out first.
local function split(list, filters)
    local running, skipped, unwanted = json.list {}, json.list {}, {}
    for _, hook in ipairs(list ~= json.null and list or {}) do
        if filters.left_out[hook.name] then
            skipped[#skipped + 1] = hook
        else
            table.insert(is_chosen(filters, hook) and running or unwanted, hook)
        end
    end
    return running, table.move(unwanted, 1, #unwanted, #skipped + 1, skipped)
end

-- While they run, the record holds what runs alone, as helm's does.
local function run_hooks(env, record, filters, seconds)
    local body = record.body()
    local running, skipped = split(body.hooks, filters)
    if #skipped > 0 then body.hooks = running end
    local ok, problem = pcall(hooks.run, env, record, "test", seconds)
    if #skipped > 0 then
        body.hooks = table.move(body.hooks, 1, #body.hooks, #skipped + 1, skipped)
    end
    records.save(env.client, record)
    return ok, problem
end

local function log_of(env, name)
    local lines <close> = env.client:logs(name, { namespace = env.namespace })
    return lines:text()
end

local function write_logs(env, record, filters)
    for _, hook in ipairs(hooks.of(record.body().hooks, "test")) do
        if is_chosen(filters, hook) then
            local ok, text = pcall(log_of, env, hook.name)
            if not ok then
                fail.raise(fail.kind(text), ("unable to get pod logs for %s: %s"):format(hook.name, fail.message(text)),
                    fail.field(text, "hint"), { cause = text })
            end
            session.write(("POD LOGS: %s\n%s\n"):format(hook.name, text))
        end
    end
end

local function run(options, words)
    local env = session.open(options, words[1])
    capabilities.check_reachable(env.client)
    session.check_name(words[1], "releaseTest: Release name is invalid: %s")
    local history = records.history(env.client, env.namespace, env.name)
    local record = history[#history] or fail.raise("not_found", "release: not found")
    local filters = filters_of(options.filter)
    local ok, problem = run_hooks(env, record, filters, options.timeout)
    if fail.kind(problem) == "cancelled" then error(problem, 0) end
    session.write(printer.status(record, { debug = options.debug, hide_notes = options.hide_notes }))
    if options.logs then
        session.write("\n")
        write_logs(env, record, filters)
    end
    if not ok then error(problem, 0) end
    return 0
end

return {
    usage = "[RELEASE] [flags]",
    summary = "run tests for a release",
    help = "Runs the test hooks of a release, one after the other, and shows how each ended.",
    arguments = { min = 1, max = 1 },
    flags = flags.of({ "timeout" }, {
        { "filter", kind = "strings", default = {},
            help = "only tests with this name: name=NAME; all but it: '!name=NAME'; may be repeated" },
        { "hide-notes", kind = "bool", help = "do not print the notes" },
        { "logs", kind = "bool", help = "print the logs of the test pods once all have ended" },
    }),
    run = run,
}
