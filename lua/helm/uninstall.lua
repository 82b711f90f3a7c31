-- helm uninstall: removes releases.
local fail = require "fail"
local flags = require "release.flags"
local session = require "release.session"
local uninstall = require "release.uninstall"
require "release.command" -- its groups of flags

local propagation = { background = "Background", foreground = "Foreground", orphan = "Orphan" }

local function run_one(options, name)
    session.check_name(name, "uninstall: Release name is invalid: %s")
    local ok, kept = pcall(uninstall.run, session.open(options, name), {
        timeout = options.timeout, no_hooks = options.no_hooks, keep_history = options.keep_history,
        wait = options.wait, dry_run = options.dry_run, propagation = propagation[options.cascade],
        description = options.description ~= "" and options.description or nil,
    })
    if not ok then
        local gone = fail.kind(kept) == "not_found" and fail.message(kept):find("release: not found", 1, true)
        if not (options.ignore_not_found and gone) then error(kept, 0) end
        kept = ""
    end
    if kept ~= "" then session.write(kept .. "\n") end
    session.write(('release "%s" uninstalled\n'):format(name))
end

local function run(options, words)
    if not propagation[options.cascade] then
        fail.raise("usage", ('invalid cascade value (%s). Must be "background", "foreground", or "orphan"'):format(
            options.cascade))
    end
    for _, name in ipairs(words) do run_one(options, name) end
    return 0
end

return {
    usage = "RELEASE… [flags]",
    summary = "uninstall a release",
    help = "Removes the objects of a release and its history.",
    aliases = { "del", "delete", "un" },
    arguments = { min = 1 },
    flags = flags.of({ "timeout" }, {
        { "cascade", default = "background",
            help = "how dependents go: background, foreground or orphan (they stay)" },
        { "description", help = "text for the history" },
        { "dry-run", kind = "bool", help = "change nothing" },
        { "ignore-not-found", kind = "bool", help = "a release that does not exist is no error" },
        { "keep-history", kind = "bool", help = "keep the records, marked as uninstalled" },
        { "no-hooks", kind = "bool", help = "run no hooks" },
        { "wait", kind = "bool", help = "wait until all objects are gone" },
    }),
    run = run,
}
