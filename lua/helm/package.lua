-- helm package: packs charts.
local chart = require "chart"
local dependencies = require "chart_repo.dependencies"
local fail = require "fail"
local flags = require "release.flags"
local fs = require "fs"
local provenance = require "chart_repo.provenance"
local session = require "release.session"
local source = require "chart_repo.source"

local function pack(folder, options)
    local stat = fs.stat(folder)
    if not stat then fail.raise("not_found", ("stat %s: no such file or directory"):format(folder)) end
    if stat.type ~= "dir" then
        fail.raise("chart", "Chart.yaml file is missing", folder .. " is no folder of a chart")
    end
    local path = fs.join(fs.cwd(), folder):gsub("/%.$", "")
    if options.dependency_update then dependencies.update(path, options, function() end) end
    local c = chart.load(path)
    local missing = source.missing(c)
    if #missing > 0 then
        fail.raise("chart", "found in Chart.yaml, but missing in charts/ directory: " .. table.concat(missing, ", "))
    end
    local target = options.destination == "." and fs.cwd() or options.destination
    if (fs.stat(target) or { type = "dir" }).type ~= "dir" then
        fail.raise("exists", "failed to save: is not a directory: " .. target)
    end
    local archive = c:save(target, { version = options.version, app_version = options.app_version })
    if options.sign then
        provenance.sign(archive, { keyring = provenance.keyring(options), key = options.key,
            passphrase_file = options.passphrase_file })
    end
    return archive
end

local function run(options, words)
    if #words == 0 then fail.raise("usage", "need at least one argument, the path to the chart") end
    if options.sign then
        for _, name in ipairs { "key", "keyring" } do
            if options[name] == "" or (name == "key" and not options.key) then
                fail.raise("usage", ("--%s is required for signing a package"):format(name))
            end
        end
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
        { "key", help = "for --sign: name of the key, or a part of it" },
        { "passphrase-file", help = "for --sign: file with the key's passphrase, - for standard input" },
        { "keyring", help = "for --sign: file of the secret keys (default: pubring.gpg in GnuPG's folder)" },
        { "sign", kind = "bool", help = "sign the archive: write a provenance file beside it" },
        { "version", help = "version in place of the chart's own" },
    }),
    run = run,
}
