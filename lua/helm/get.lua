-- helm get: what the record of a release holds.
local capabilities = require "release.capabilities"
local fail = require "fail"
local flags = require "release.flags"
local gotemplate = require "release.gotemplate"
local gotime = require "release.gotime"
local json = require "json"
local printer = require "release.printer"
local records = require "release.records"
local session = require "release.session"
local values = require "release.values"

local get = {}

local function fetch(options, name)
    local env = session.open(options, name)
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

local function text_of(value) return value ~= nil and value ~= json.null and tostring(value) or "" end

local function command(summary, own, run)
    local all = { { "revision", kind = "int", default = 0, help = "that revision; default the last" } }
    table.move(own, 1, #own, 2, all)
    return {
        usage = "RELEASE [flags]", summary = summary, arguments = { min = 1, max = 1 }, flags = flags.of({}, all),
        run = function(options, words)
            run(options, fetch(options, words[1]))
            return 0
        end,
    }
end

get.all = command("download all information for a named release", {
    { "template", help = "print this template of Go instead: {{.Release.Name}}" },
}, function(options, record)
    if options.template and options.template ~= "" then
        local body = record.body()
        body.labels = record.object.metadata.labels -- as helm reads it
        return gotemplate.write(options.template, nil, body)
    end
    session.write(printer.status(record, { debug = true, metadata = true }))
end)

get.hooks = command("download all hooks for a named release", {}, function(_, record)
    session.write(printer.hooks(record.body()))
end)

get.manifest = command("download the manifest for a named release", {}, function(_, record)
    session.write(text_of(record.body().manifest) .. "\n")
end)

get.notes = command("download the notes for a named release", {}, function(_, record)
    local notes = text_of(record.body().info.notes)
    if notes ~= "" then session.write("NOTES:\n" .. notes .. "\n") end
end)

get.values = command("download the values file for a named release", {
    { "all", short = "a", kind = "bool", help = "with the chart's defaults" }, session.output_flag(),
}, function(options, record)
    local shown = options.all and values.computed(record) or printer.config(record)
    session.print(options, shown, function()
        return (options.all and "COMPUTED VALUES:\n" or "USER-SUPPLIED VALUES:\n") .. session.yaml(shown)
    end, true)
end)

local METADATA = { "name", "chart", "version", "appVersion", "annotations", "dependencies", "namespace", "revision",
    "status", "deployedAt" }

local function metadata_of(body)
    local meta = body.chart.metadata
    return session.ordered(METADATA, {
        name = body.name, chart = text_of(meta.name), version = text_of(meta.version),
        appVersion = text_of(meta.appVersion), annotations = meta.annotations, dependencies = meta.dependencies,
        namespace = text_of(body.namespace), revision = body.version, status = text_of(body.info.status),
        deployedAt = gotime.rfc3339(body.info.last_deployed),
    })
end

-- As k8s.io/apimachinery/pkg/labels prints a set.
local function set_text(set)
    local parts = {}
    for name, value in pairs(set ~= json.null and set or {}) do parts[#parts + 1] = name .. "=" .. text_of(value) end
    table.sort(parts)
    return table.concat(parts, ",")
end

local function dependency_names(list)
    local names = {}
    for _, dependency in ipairs(list ~= json.null and list or {}) do names[#names + 1] = dependency.name end
    table.sort(names)
    return table.concat(names, ",")
end

get.metadata = command("fetch the metadata of a named release", { session.output_flag() }, function(options, record)
    local found = metadata_of(record.body())
    session.print(options, found, function()
        return ("NAME: %s\nCHART: %s\nVERSION: %s\nAPP_VERSION: %s\nANNOTATIONS: %s\nDEPENDENCIES: %s\nNAMESPACE: %s\n"
            .. "REVISION: %d\nSTATUS: %s\nDEPLOYED_AT: %s\n"):format(found.name, found.chart, found.version,
            found.appVersion, set_text(found.annotations), dependency_names(found.dependencies), found.namespace,
            found.revision, found.status, found.deployedAt)
    end)
end)

return {
    summary = "download extended information of a named release",
    help = "Prints what the record of a release holds.",
    commands = get,
}
