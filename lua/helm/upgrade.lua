-- helm upgrade: brings a release to a new revision.
local capabilities = require "release.capabilities"
local flags = require "release.flags"
local helm_release = require "release.command"
local install = require "release.install"
local records = require "release.records"
local session = require "release.session"
local source = require "chart_repo.source"
local upgrade = require "release.upgrade"

local function is_absent(env)
    capabilities.check_reachable(env.client)
    local history = records.history(env.client, env.namespace, env.name)
    local last = history[#history]
    return not last or last.status == "uninstalled", last ~= nil
end

local function run_install(options, words, env, replaces)
    if options.output == "table" then
        session.write(('Release "%s" does not exist. Installing it now.\n'):format(words[1]))
    end
    local c = source.chart(words[2], options, true)
    local o = helm_release.options(options)
    o.replace = replaces
    helm_release.print(options, install.run(env, c, o))
    return 0
end

local function run(options, words)
    local function check_name() session.check_name(words[1], "release name is invalid: %s") end
    local env
    if options.install then
        env = session.open(options, words[1])
        check_name()
        local absent, replaces = is_absent(env)
        if absent then return run_install(options, words, env, replaces) end
    end
    local c = source.chart(words[2], options)
    local o = helm_release.options(options)
    local record = helm_release.told("UPGRADE FAILED", function()
        env = env or session.open(options, words[1])
        check_name()
        return upgrade.run(env, c, o)
    end)
    if options.output == "table" then
        session.write(('Release "%s" has been upgraded. Happy Helming!\n'):format(words[1]))
    end
    helm_release.print(options, record)
    return 0
end

return {
    usage = "RELEASE CHART [flags]",
    summary = "upgrade a release",
    help = "Brings a release to a new revision: with another chart, with other values, or with both.",
    arguments = { min = 2, max = 2 },
    flags = flags.of({ "values", "schema", "dns", "timeout", "wait", "apply", "change", "post_renderer", "chart" }, {
        { "cleanup-on-fail", kind = "bool", help = "delete what a failed upgrade created" },
        { "history-max", kind = "int", default = session.default_history(),
            help = "number of revisions to keep; 0: all" },
        { "install", short = "i", kind = "bool", help = "install the release where it does not exist" },
        { "recreate-pods", kind = "bool", help = "start the pods of changed objects anew" },
        { "reset-then-reuse-values", kind = "bool",
            help = "the chart's defaults, over them the last revision's values, over them the new ones" },
        { "reset-values", kind = "bool", help = "forget the last revision's values" },
        { "reuse-values", kind = "bool", help = "the last revision's defaults and values, over them the new ones" },
        session.output_flag(),
    }),
    run = helm_release.interruptible(run),
}
