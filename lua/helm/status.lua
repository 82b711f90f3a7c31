-- helm status: how a release stands.
local capabilities = require "release.capabilities"
local fail = require "fail"
local flags = require "release.flags"
local json = require "json"
local live_resources = require "release.live_resources"
local printer = require "release.printer"
local records = require "release.records"
local session = require "release.session"

-- Keys in order, as Go writes those of maps.
local function plain(value)
    if type(value) ~= "table" then return value end
    local copy = json.is_list(value) and json.list {} or {}
    for key, item in pairs(value) do copy[key] = plain(item) end
    return copy
end

local function fetch(env, options, name)
    capabilities.check_reachable(env.client)
    session.check_name(name, "releaseContent: Release name is invalid: %s")
    local record
    if options.revision > 0 then
        record = records.get(env.client, env.namespace, name, options.revision)
    else
        local history = records.history(env.client, env.namespace, name)
        record = history[#history]
    end
    if not record then fail.raise("not_found", "release: not found") end
    return record
end

local function run(options, words)
    local env = session.open(options, words[1])
    local record = fetch(env, options, words[1])
    local as_table, found = options.output == "table", nil
    if options.show_resources then
        found = live_resources.of(env, record, as_table)
        if not as_table and next(found) then record.body().info.resources = plain(found) end
    end
    record.body().chart = nil -- helm leaves it out, too
    session.print(options, record.body(), function()
        return printer.status(record, { description = options.show_desc,
            resources = found and next(found) and live_resources.text(found) or nil })
    end)
    return 0
end

return {
    usage = "RELEASE [flags]",
    summary = "display the status of the named release",
    help = "Shows when a release was last deployed, how it stands, its tests and its notes.",
    arguments = { min = 1, max = 1 },
    flags = flags.of({}, {
        { "revision", kind = "int", default = 0, help = "that revision; default the last" },
        { "show-desc", kind = "bool", help = "the description of the revision, too" },
        { "show-resources", kind = "bool", help = "the release's live objects, too" },
        session.output_flag(),
    }),
    run = run,
}
