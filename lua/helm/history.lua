-- helm history: the revisions of a release.
local capabilities = require "release.capabilities"
local fail = require "fail"
local flags = require "release.flags"
local gotime = require "release.gotime"
local json = require "json"
local printer = require "release.printer"
local records = require "release.records"
local session = require "release.session"

local KEYS = { "revision", "updated", "status", "chart", "app_version", "description" }

local function entry(record)
    local body = record.body()
    return session.ordered(KEYS, {
        revision = body.version, updated = body.info.last_deployed, status = body.info.status,
        chart = printer.chart_name(body), app_version = printer.app_version(body),
        description = body.info.description ~= json.null and body.info.description or "",
    })
end

local function table_text(list)
    local rows = { { "REVISION", "UPDATED", "STATUS", "CHART", "APP VERSION", "DESCRIPTION" } }
    for _, item in ipairs(list) do
        rows[#rows + 1] = { tostring(item.revision), gotime.ansic(item.updated), item.status, item.chart,
            item.app_version, item.description }
    end
    return session.table(rows)
end

local function run(options, words)
    local env = session.open(options, words[1])
    capabilities.check_reachable(env.client)
    session.check_name(words[1], "release name is invalid: %s")
    local history = records.history(env.client, env.namespace, env.name)
    if #history == 0 then fail.raise("not_found", "release: not found") end
    local list = json.list {}
    for index = math.max(1, #history - options.max + 1), #history do list[#list + 1] = entry(history[index]) end
    session.print(options, list, function() return table_text(list) end)
    return 0
end

return {
    usage = "RELEASE [flags]",
    summary = "fetch release history",
    help = "Lists the revisions of a release, oldest first.",
    aliases = { "hist" },
    arguments = { min = 1, max = 1 },
    flags = flags.of({}, {
        { "max", kind = "int", default = 256, help = "number of revisions at most" },
        session.output_flag(),
    }),
    run = run,
}
