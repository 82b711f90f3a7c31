-- helm install: makes a release of a chart.
local fail = require "fail"
local flags = require "release.flags"
local fs = require "fs"
local gotemplate = require "release.gotemplate"
local helm_release = require "release.command"
local install = require "release.install"
local session = require "release.session"
local source = require "chart_repo.source"

local function name_and_chart(options, words)
    if #words > 2 then
        fail.raise("usage", "expected at most two arguments, unexpected arguments: " .. table.concat(words, ", ", 3))
    end
    if #words == 2 then
        if options.generate_name then
            fail.raise("usage", "cannot set --generate-name and also specify a name")
        end
        if options.name_template then
            fail.raise("usage", "cannot set --name-template and also specify a name")
        end
        return words[1], words[2]
    end
    if options.name_template and options.name_template ~= "" then
        return gotemplate.name(options.name_template), words[1]
    end
    if not options.generate_name then
        fail.raise("usage", "must either provide a name or specify --generate-name")
    end
    local base = fs.basename(words[1]):gsub("%..*$", "")
    return ("%s-%d"):format(base == "" and "chart" or base, os.time()), words[1]
end

local function run(options, words)
    local record = helm_release.told("INSTALLATION FAILED", function()
        local name, path = name_and_chart(options, words)
        local c = source.chart(path, options, true)
        local o = helm_release.options(options)
        session.check_name(name, 'release name "%s": invalid release name, must match regex '
            .. "^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$ and the length must not be longer "
            .. "than 53")
        return install.run(session.open(options, name), c, o)
    end)
    helm_release.print(options, record)
    return 0
end

return {
    usage = "[NAME] CHART [flags]",
    summary = "install a chart",
    help = "Makes a release of a chart: renders it and creates its objects in the cluster.",
    arguments = { min = 1 },
    flags = flags.of({ "values", "schema", "dns", "timeout", "wait", "apply", "change", "post_renderer", "chart" }, {
        { "generate-name", short = "g", kind = "bool", help = "make up a name" },
        { "name-template", help = "make up a name from this template" },
        { "replace", kind = "bool", help = "take the name of a release that was uninstalled with --keep-history" },
        session.output_flag(),
    }),
    run = helm_release.interruptible(run),
}
