-- helm lint: what is wrong with charts. Without --kubernetes it says what helm says.
local address = require "chart_repo.address"
local chart = require "chart"
local fail = require "fail"
local flags = require "release.flags"
local fs = require "fs"
local values = require "release.values"

local labels = { info = "[INFO]", warning = "[WARNING]", error = "[ERROR]" }

-- With --kubernetes, what Kubernetes would not understand of the objects that the chart renders.
local function add_fields(path, options, found)
    for _, finding in ipairs(found) do
        -- What does not render has no fields; the reason is among the findings already.
        if finding.severity == "error" then return end
    end
    local api_fields, field_lint = require "api_fields", require "field_lint"
    local client = options.kubernetes == "cluster"
        and require "k8s".connect(require "release.session".connection(options)) or nil
    local given = setmetatable({}, { __index = options })
    local able = api_fields.capabilities()
    given.kube_version = options.kube_version or (client and client:version().gitVersion or able.kube_version)
    given.api_versions = able.api_versions
    local c = chart.load(path)
    local ok, rendered = pcall(c.render, c, given)
    if not ok then
        table.insert(found, { severity = "error", path = "templates/", message = fail.message(rendered) })
        return
    end
    local findings, unchecked = field_lint.run(c, rendered, client, require "project".cache_dir() .. "/openapi")
    table.move(findings, 1, #findings, #found + 1, found)
    if #unchecked > 0 then
        table.insert(found, { severity = "info", path = "templates/",
            message = "fields of these kinds are not known here: " .. table.concat(unchecked, ", ") })
    end
end

-- One chart's findings as helm prints them; whether it failed.
local function lint_one(path, options)
    local ok, found = pcall(chart.lint, path, options)
    if ok and options.kubernetes then add_fields(path, options, found) end
    local lines, failed, noted = {}, not ok, not ok
    if not ok then
        lines[1] = "Error " .. tostring(type(found) == "table" and found.message or found)
        found = {}
    end
    for _, finding in ipairs(found) do
        if finding.severity == "error" or (options.strict and finding.severity == "warning") then failed = true end
        if finding.severity ~= "info" then noted = true end
        if not options.quiet or finding.severity ~= "info" then
            lines[#lines + 1] = ("%s %s: %s"):format(labels[finding.severity], finding.path, finding.message)
        end
    end
    if not options.quiet or noted then
        io.write("==> Linting ", path, "\n", table.concat(lines, "\n"), #lines > 0 and "\n" or "", "\n")
    end
    return failed, noted
end

-- Charts anywhere below a folder.
local function add_charts(paths, folder)
    for _, name in ipairs(fs.list(folder)) do
        local path = fs.join(folder, name)
        if name == "Chart.yaml" then
            paths[#paths + 1] = folder
        elseif name:find("%.tgz$") or name:find("%.tar%.gz$") then
            paths[#paths + 1] = path
        elseif (fs.stat(path, false) or {}).type == "dir" then
            add_charts(paths, path)
        end
    end
end

local function add_subcharts(paths)
    for _, path in ipairs { table.unpack(paths) } do
        local folder = address.clean(path .. "/charts")
        if (fs.stat(folder, false) or {}).type == "dir" then add_charts(paths, folder) end
    end
end

-- What is wrong with the flags is no chart's fault. Standard input can be read once only.
local function settle(options)
    chart.load({ files = { ["Chart.yaml"] = "apiVersion: v2\nname: lint\nversion: 0.0.0\n" } })
        :render { kube_version = options.kube_version }
    options.values = values.given(options)
    for _, flag in ipairs(flags.groups.values) do options[flag.key or flag[1]:gsub("-", "_")] = nil end
end

local function run(options, paths)
    if #paths == 0 then paths[1] = "." end
    if options.with_subcharts then add_subcharts(paths) end
    settle(options)
    local failures, noted = 0, 0
    for _, path in ipairs(paths) do
        local failed, found = lint_one(path, options)
        if failed then failures = failures + 1 end
        if found then noted = noted + 1 end
    end
    local summary = ("%d chart(s) linted, %d chart(s) failed"):format(#paths, failures)
    if failures > 0 then error({ kind = "chart", message = summary }, 0) end
    if not options.quiet or noted > 0 then io.write(summary, "\n") end
    return 0
end

return {
    usage = "PATH [flags]",
    summary = "look for what is wrong with a chart",
    help = "Looks for what would keep a chart from being installed, and for what is no good habit. With --kubernetes\n"
        .. "it looks for misspelt and mistyped fields in the rendered objects, too.",
    flags = flags.of({ "values", "capabilities", "schema" }, {
        { "kubernetes", optional = "embedded", choices = { "embedded", "cluster" },
            help = "check the rendered objects' fields, too: against those of Kubernetes that the program carries, or "
                .. "the cluster's" },
        { "quiet", kind = "bool", help = "print warnings and errors only" },
        { "strict", kind = "bool", help = "fail on warnings, too" },
        { "with-subcharts", kind = "bool", help = "look at the charts under charts/, too" },
    }),
    run = run,
}
