-- helm package: packs charts.
local chart = require "chart"
local dependencies = require "chart_repo.dependencies"
local fail = require "fail"
local flags = require "release.flags"
local fs = require "fs"
local session = require "release.session"
local source = require "chart_repo.source"

local function pack(folder, options)
    local stat = fs.stat(folder)
    if not stat then fail.raise("not_found", ("stat %s: no such file or directory"):format(folder)) end
    if stat.type ~= "dir" then
        fail.raise("usage", ("%s is no folder of a chart"):format(folder))
    end
    local path = fs.join(fs.cwd(), folder):gsub("/%.$", "")
    if options.dependency_update then dependencies.update(path, options, function() end) end
    local c = chart.load(path)
    local missing = source.missing(c)
    if #missing > 0 then
        fail.raise("chart", "found in Chart.yaml, but missing in charts/ directory: " .. table.concat(missing, ", "))
    end
    local target = options.destination == "." and fs.cwd() or options.destination
    return c:save(target, { version = options.version, app_version = options.app_version })
end

local function run(options, words)
    if #words == 0 then fail.raise("usage", "need at least one argument, the path to the chart") end
    if options.sign then
        fail.raise("usage", "--sign is not supported: todo-lua makes no OpenPGP signatures", nil, { status = 2 })
    end
    for _, folder in ipairs(words) do
        session.write(("Successfully packaged chart and saved it to: %s\n"):format(pack(folder, options)))
    end
    return 0
end

return {
    usage = "[CHART_PATH] [...] [flags]",
    summary = "package a chart directory into a chart archive",
    help = "Packs the charts in these folders as NAME-VERSION.tgz.",
    flags = flags.of({ "connection" }, {
        { "app-version", help = "appVersion in place of the chart's own" },
        { "dependency-update", short = "u", kind = "bool", help = "bring charts/ up to date first" },
        { "destination", short = "d", default = ".", help = "folder for the archive" },
        { "key", help = "for --sign: name of the key" },
        { "passphrase-file", help = "for --sign: file with the key's passphrase, - for standard input" },
        { "sign", kind = "bool", help = "refused: no signatures are made" },
        { "version", help = "version in place of the chart's own" },
    }),
    run = run,
}
