-- helm diff: what an upgrade or a rollback would change, how revisions differ, and what has drifted in the cluster. The
-- commands and flags are those that users of the helm-diff plugin know.
local capabilities = require "release.capabilities"
local changes = require "release.changes"
local diff = require "diff"
local fail = require "fail"
local flags = require "release.flags"
local helm_release = require "release.command"
local json = require "json"
local prepare = require "release.prepare"
local records = require "release.records"
local session = require "release.session"
local source = require "chart_repo.source"
local term = require "term"
local upgrade = require "release.upgrade"
local values = require "release.values"

local common = {
    { "context", short = "C", kind = "int", default = -1, key = "lines",
        help = "unchanged lines around each change; -1: all" },
    { "detailed-exitcode", kind = "bool", help = "exit status 2 where there are changes" },
    { "include-tests", kind = "bool", help = "compare test hooks, too" },
    { "no-hooks", kind = "bool", help = "do not compare hooks" },
    { "output", short = "o", kind = "format", default = "diff", choices = { "diff", "json" }, help = "diff or json" },
    { "show-secrets", kind = "bool", help = "show what Secrets hold instead of whether it changed" },
    { "suppress", kind = "strings", help = "leave this kind out; may be repeated" },
}

-- Other programs' secrets are learnt before anything is written, so what is written passes the redactor; it must not
-- where the user wants to see them.
local function write(options, text)
    if options.show_secrets then io.write(text) else term.write(text) end
end

local function report(options, env, list)
    if options.output == "json" then
        write(options, json.encode(changes.plain(list, options.lines), { indent = "  " }) .. "\n")
    else
        for index, change in ipairs(list) do
            local title = term.style("yellow", changes.title(change, env.namespace))
            write(options, (index > 1 and "\n" or "") .. title .. "\n" .. diff.text(change.lines, options.lines))
        end
    end
    return options.detailed_exitcode and #list > 0 and 2 or 0
end

local function history_of(env)
    capabilities.check_reachable(env.client)
    return records.history(env.client, env.namespace, env.name)
end

local function find(history, revision)
    for _, record in ipairs(history) do
        if record.revision == revision then return record.body() end
    end
    fail.raise("not_found", ("release has no %d version"):format(revision), "todo-lua helm history lists them")
end

local function number(word)
    local revision = word:find("^%d+$") and math.tointeger(word)
    if not revision then fail.raise("usage", ("%q is no revision"):format(word), nil, { status = 2 }) end
    return revision
end

local function current_of(env, history)
    return upgrade.base(history) or fail.raise("not_found", ('release "%s": not found'):format(env.name),
        "todo-lua helm list -a lists them")
end

local function run_upgrade(options, words)
    session.check_name(words[1], "release name is invalid: %s")
    local env = session.open(options, words[1])
    local history = history_of(env)
    local current = upgrade.base(history)
    if not current and not (options.allow_unreleased or options.install) then
        fail.raise("not_found", ('"%s" has no deployed releases'):format(env.name),
            "--install shows what an install would make")
    end
    local o = helm_release.options(options)
    o.dry_run = "server"
    local given, defaults = o.values, nil
    if current then given, defaults = values.reused(o.values, current, o) end
    local c = source.chart(words[2], options)
    local record = prepare.render(env, c, setmetatable({ values = given }, { __index = o }), {
        revision = current and history[#history].revision + 1 or 1, is_upgrade = current ~= nil,
        status = "pending-upgrade", description = "", first_deployed = "", last_deployed = "", defaults = defaults,
    })
    local old = current and current.body()
    local found = options.live and changes.live(env, old, record.body(), options)
        or changes.between(old, record.body(), options)
    return report(options, env, found)
end

local function run_revision(options, words)
    local env = session.open(options, words[1])
    local history = history_of(env)
    if #history == 0 then current_of(env, history) end
    local old = number(words[2])
    local new = words[3] and number(words[3]) or history[#history].revision
    return report(options, env, changes.between(find(history, old), find(history, new), options))
end

local function run_rollback(options, words)
    local env = session.open(options, words[1])
    local history = history_of(env)
    local current = current_of(env, history)
    local revision = words[2] and number(words[2]) or 0
    local target = find(history, revision > 0 and revision or history[#history].revision - 1)
    local found = options.live and changes.live(env, current.body(), target, options)
        or changes.between(current.body(), target, options)
    return report(options, env, found)
end

local function run_release(options, words)
    local first, second = session.open(options, words[1]), session.open(options, words[2])
    local old, new = current_of(first, history_of(first)), current_of(second, history_of(second))
    return report(options, second, changes.between(old.body(), new.body(), options))
end

local function run_drift(options, words)
    local env = session.open(options, words[1])
    local body = current_of(env, history_of(env)).body()
    return report(options, env, changes.live(env, body, body, options))
end

local function with(own)
    local all = table.move(common, 1, #common, 1, {})
    return table.move(own, 1, #own, #all + 1, all)
end

local live = { "live", kind = "bool",
    help = "compare with the objects in the cluster, as a server-side dry run would change them" }

local upgrade_command = {
    usage = "RELEASE CHART [flags]",
    summary = "show what an upgrade would change",
    arguments = { min = 2, max = 2 },
    flags = flags.of({ "values", "schema", "chart" }, with {
        { "allow-unreleased", kind = "bool", help = "show an install where there is no release" },
        { "install", kind = "bool", help = "the same, by helm's name" },
        live,
        { "post-renderer", help = "program that changes the rendered manifest on its way" },
        { "post-renderer-args", kind = "stringArray", help = "argument of that program; may be repeated" },
        { "reset-then-reuse-values", kind = "bool", help = "as helm upgrade's" },
        { "reset-values", kind = "bool", help = "as helm upgrade's" },
        { "reuse-values", kind = "bool", help = "as helm upgrade's" },
    }),
    run = run_upgrade,
}

return {
    summary = "show what would change, what did, and what has drifted",
    help = "Shows differences of a release: what an upgrade or a rollback would change, how two revisions or two\n"
        .. "releases differ, and where the cluster's objects are no longer what the release says. Secrets are masked.",
    commands = {
        upgrade = upgrade_command,
        revision = { usage = "RELEASE REVISION1 [REVISION2] [flags]", summary = "show how two revisions differ",
            arguments = { min = 2, max = 3 }, flags = with {}, run = run_revision },
        rollback = { usage = "RELEASE [REVISION] [flags]", summary = "show what a rollback would change",
            arguments = { min = 1, max = 2 }, flags = with { live }, run = run_rollback },
        release = { usage = "RELEASE1 RELEASE2 [flags]", summary = "show how two releases differ",
            arguments = { min = 2, max = 2 }, flags = with {}, run = run_release },
        drift = { usage = "RELEASE [flags]", summary = "show where the cluster differs from the release",
            arguments = { min = 1, max = 1 }, flags = with {}, run = run_drift },
    },
}
