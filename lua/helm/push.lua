-- helm push: uploads a packed chart to a registry.
local download = require "chart_repo.download"
local fail = require "fail"
local flags = require "release.flags"
local oci = require "chart_repo.oci"
local places = require "chart_repo.places"

local function run(options, words)
    local path, target = words[1], words[2]
    local scheme = target:match("^(%a[%w+.-]*)://")
    if not scheme then fail.raise("usage", "scheme prefix missing from remote (e.g. \"oci://\")") end
    if not oci.is(target) then fail.raise("usage", ("scheme %q not supported"):format(scheme)) end
    oci.push(path, target, download.access(options), places.of(options))
    return 0
end

return {
    usage = "[chart] [remote] [flags]",
    summary = "push a chart to remote",
    help = "Uploads a packed chart to a registry, oci://HOST/PATH; it gets the chart's name, its version as the tag.",
    arguments = { min = 2 },
    flags = flags.of { "connection" },
    run = run,
}
