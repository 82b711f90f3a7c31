-- helm rollback: takes a release back to an earlier revision.
local fail = require "fail"
local flags = require "release.flags"
local helm_release = require "release.command"
local rollback = require "release.rollback"
local session = require "release.session"

local function run(options, words)
    local revision = 0
    if words[2] then
        revision = words[2]:find("^[+-]?%d+$") and math.tointeger(words[2])
        if not revision then
            fail.raise("usage", ('could not convert revision to a number: strconv.Atoi: parsing "%s": invalid syntax')
                :format(words[2]))
        end
    end
    session.check_name(words[1], "prepareRollback: Release name is invalid: %s")
    local o = helm_release.options(options)
    o.dry_run = options.dry_run_only
    rollback.run(session.open(options, words[1]), revision, o)
    session.write("Rollback was a success! Happy Helming!\n")
    return 0
end

return {
    usage = "RELEASE [REVISION] [flags]",
    summary = "roll back a release to a previous revision",
    help = "Makes a new revision that is what an earlier one was; without REVISION, the one before the last.",
    arguments = { min = 1 },
    flags = flags.of({ "timeout", "wait", "apply" }, {
        { "cleanup-on-fail", kind = "bool", help = "delete what a failed rollback created" },
        { "dry-run", kind = "bool", key = "dry_run_only", help = "change nothing" },
        { "history-max", kind = "int", default = session.default_history(),
            help = "number of revisions to keep; 0: all" },
        { "no-hooks", kind = "bool", help = "run no hooks" },
        { "recreate-pods", kind = "bool", help = "start the pods of changed objects anew" },
    }),
    run = run,
}
