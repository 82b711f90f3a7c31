-- helm show: what a chart says of itself.
local chart_source = require "chart_repo.source"
local fail = require "fail"
local flags = require "release.flags"
local json = require "json"
local jsonpath = require "kubectl.jsonpath"
local session = require "release.session"

local function readme_of(c)
    for _, file in ipairs(c:files()) do
        local name = file.name:lower()
        if name == "readme.md" or name == "readme.txt" or name == "readme" then return file end
    end
end

-- Numbers are float64 where helm prints them.
local function floats(value)
    if math.type(value) == "integer" then return value + 0.0 end
    if type(value) ~= "table" then return value end
    local copy = json.is_list(value) and json.list {} or {}
    for key, item in pairs(value) do copy[key] = floats(item) end
    return copy
end

-- By part: its text; nothing where the chart has none. `among`: others stand before it.
local parts = {}

function parts.chart(c) return session.yaml(c.metadata) .. "\n" end

function parts.values(c, among, options)
    local raw = c:read("values.yaml")
    if not raw then return "" end
    local text = among and "---\n" or ""
    if options.jsonpath and options.jsonpath ~= "" then
        local ok, path = pcall(jsonpath.compile, options.jsonpath, { missing = false })
        if not ok then
            fail.raise("usage", ("error parsing jsonpath %s: %s"):format(options.jsonpath, fail.message(path)))
        end
        -- As with helm, what is not there prints nothing.
        local found, shown = pcall(path.print, path, floats(c.values))
        return text .. (found and shown or "")
    end
    return text .. raw .. "\n"
end

function parts.readme(c, among)
    local readme = readme_of(c)
    return readme and (among and "---\n" or "") .. readme.data .. "\n" or ""
end

function parts.crds(c, among)
    local crds, texts = c:crds(), {}
    for index, crd in ipairs(crds) do texts[index] = crd.data .. "\n" end
    local starts = #crds > 0 and among and not crds[1].data:find("^%-%-%-")
    return (starts and "---\n" or "") .. table.concat(texts)
end

local function command(summary, shown, own)
    return {
        usage = "CHART [flags]", summary = summary, arguments = { min = 1, max = 1 },
        flags = flags.of({ "connection", "provenance", "chart_source", "devel" }, own),
        run = function(options, words)
            local c = chart_source.load(words[1], options)
            for _, name in ipairs(shown) do session.write(parts[name](c, #shown > 1, options)) end
            return 0
        end,
    }
end

return {
    summary = "show information of a chart",
    help = "Prints what is in a chart: a folder, an archive, a URL or a chart of a repository.",
    aliases = { "inspect" },
    commands = {
        all = command("show all information of the chart", { "chart", "values", "readme", "crds" }),
        chart = command("show the chart's definition", { "chart" }),
        values = command("show the chart's values", { "values" },
            { { "jsonpath", help = "print what this JSONPath finds" } }),
        readme = command("show the chart's README", { "readme" }),
        crds = command("show the chart's CRDs", { "crds" }),
    },
}
