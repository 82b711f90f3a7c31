-- helm list: the releases of a namespace, or of all.
local capabilities = require "release.capabilities"
local fail = require "fail"
local flags = require "release.flags"
local gotemplate = require "release.gotemplate"
local gotime = require "release.gotime"
local json = require "json"
local printer = require "release.printer"
local records = require "release.records"
local session = require "release.session"
local tables = require "tables"

local KEYS = { "name", "namespace", "revision", "updated", "status", "chart", "app_version" }

-- Flag by status; what is asked for together is shown together.
local status_flags = {
    deployed = "deployed", uninstalled = "uninstalled", uninstalling = "uninstalling", superseded = "superseded",
    failed = "failed", ["pending-install"] = "pending", ["pending-upgrade"] = "pending",
    ["pending-rollback"] = "pending",
}

local function wanted_statuses(options)
    local wanted, count = {}, 0
    for status, flag in pairs(status_flags) do
        if options.all or options[flag] then wanted[status], count = true, count + 1 end
    end
    if count == 0 then return { deployed = true, failed = true } end
    return wanted
end

local function newest(list)
    local found = {}
    for _, record in ipairs(list) do
        local key = record.object.metadata.namespace .. "/" .. record.object.metadata.labels.name
        if not found[key] or found[key].revision <= record.revision then found[key] = record end
    end
    local kept = {}
    for _, record in pairs(found) do kept[#kept + 1] = record end
    return kept
end

local function name_of(record) return record.object.metadata.labels.name end

-- By date helm compares whole seconds and leaves equal ones in an order that changes from run to run; the fractions
-- make one of these orders.
local function sort(list, options)
    local function key(record)
        return options.date and (gotime.epoch(record.body().info.last_deployed) or 0) or name_of(record)
    end
    table.sort(list, function(a, b)
        local x, y = key(a), key(b)
        if x == y then return a.object.metadata.namespace < b.object.metadata.namespace end
        -- By date helm shows the oldest first, too.
        if options.reverse then return x > y end
        return x < y
    end)
end

local function filtered(list, pattern)
    if not pattern or pattern == "" then return list end
    local matches, kept = gotemplate.matches(pattern, tables.map(list, name_of)), {}
    for index, record in ipairs(list) do
        if matches[index] then kept[#kept + 1] = record end
    end
    return kept
end

local function page(list, options)
    local first = options.offset + 1
    local last = options.max > 0 and math.min(#list, first + options.max - 1) or #list
    return table.move(list, first, last, 1, {})
end

local function find(options)
    local env = session.open(options)
    capabilities.check_reachable(env.client)
    local namespace = env.namespace
    if options.all_namespaces then namespace = nil end
    local list = filtered(records.all(env.client, namespace), options.filter)
    local wanted = wanted_statuses(options)
    local only_superseded = wanted.superseded and next(wanted, next(wanted)) == nil
    local kept = tables.filter(only_superseded and list or newest(list), function(record)
        return wanted[record.status]
    end)
    if options.selector and options.selector ~= "" and #list > 0 then
        local selected, first = {}, options.selector:match("^%s*([!=]=)") or options.selector:match("^%s*([=<>(),])")
        if first then
            fail.raise("usage", ("found '%s', expected: !, identifier, or 'end of string'"):format(first))
        end
        for _, record in ipairs(records.all(env.client, namespace, options.selector)) do
            selected[record.object.metadata.uid] = true
        end
        kept = tables.filter(kept, function(record) return selected[record.object.metadata.uid] end)
    end
    sort(kept, options)
    return page(kept, options)
end

local function updated(body, options)
    local stamp = body.info.last_deployed
    if gotime.is_zero(stamp) then return "-" end
    if options.time_format and options.time_format ~= "" then return gotemplate.time(stamp, options.time_format) end
    return gotime.string(stamp)
end

local function element(record, options)
    local body = record.body()
    return session.ordered(KEYS, {
        name = body.name, namespace = body.namespace, revision = tostring(body.version),
        updated = updated(body, options), status = body.info.status, chart = printer.chart_name(body),
        app_version = printer.app_version(body),
    })
end

local function table_text(list, options)
    local rows = {}
    if not options.no_headers then
        rows[1] = { "NAME", "NAMESPACE", "REVISION", "UPDATED", "STATUS", "CHART", "APP VERSION" }
    end
    for _, item in ipairs(list) do
        rows[#rows + 1] = { item.name, item.namespace, item.revision, item.updated, item.status, item.chart,
            item.app_version }
    end
    return session.table(rows)
end

local function names_only(list, options)
    local names = json.list {}
    for index, record in ipairs(list) do names[index] = name_of(record) end
    session.print(options, names, function()
        return table.concat(names, "\n") .. (#names > 0 and "\n" or "")
    end)
end

local function run(options)
    local list = find(options)
    if options.short then
        names_only(list, options)
        return 0
    end
    local elements = json.list {}
    for index, record in ipairs(list) do elements[index] = element(record, options) end
    session.print(options, elements, function() return table_text(elements, options) end)
    return 0
end

return {
    usage = "[flags]",
    summary = "list releases",
    help = "Lists the releases of a namespace; without further flags those that are deployed or failed.",
    aliases = { "ls" },
    arguments = { min = 0, max = 0 },
    flags = flags.of({}, {
        { "all", short = "a", kind = "bool", help = "releases of every status" },
        { "all-namespaces", short = "A", kind = "bool", help = "of all namespaces" },
        { "date", short = "d", kind = "bool", help = "sort by date" },
        { "deployed", kind = "bool", help = "deployed releases" },
        { "failed", kind = "bool", help = "failed releases" },
        { "filter", short = "f", help = "only names that match this regular expression" },
        { "max", short = "m", kind = "int", default = 256, help = "number of releases at most" },
        { "no-headers", kind = "bool", help = "print no headers" },
        { "offset", kind = "int", default = 0, help = "leave so many out at the start" },
        { "pending", kind = "bool", help = "pending releases" },
        { "reverse", short = "r", kind = "bool", help = "turn the order around" },
        { "selector", short = "l", help = "only records with these labels" },
        { "short", short = "q", kind = "bool", help = "print names only" },
        { "superseded", kind = "bool", help = "revisions that later ones took the place of" },
        { "time-format", help = "print times in this layout of Go" },
        { "uninstalled", kind = "bool", help = "releases that were uninstalled with --keep-history" },
        { "uninstalling", kind = "bool", help = "releases that are being uninstalled" },
        session.output_flag(),
    }),
    run = run,
}
