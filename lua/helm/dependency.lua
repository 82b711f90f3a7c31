-- helm dependency: what a chart depends on, listed and brought into its charts/ folder.
local address = require "chart_repo.address"
local chart = require "chart"
local dependencies = require "chart_repo.dependencies"
local fail = require "fail"
local flags = require "release.flags"
local fs = require "fs"
local session = require "release.session"
local tables = require "tables"

-- As filepath.Clean of Go writes it.
local function folder_of(words)
    return address.clean(words[1] or ".")
end

local function fits(range, version)
    if range == version then return true end
    local ok, result = pcall(chart.satisfies, range, version)
    if not ok or not chart.compare_versions(version, version) then return nil end
    return result
end

local function verdict(one, version, good)
    local fitting = fits(one.version or "", version)
    return fitting == nil and "invalid version" or fitting and good or "wrong version"
end

local function archive_status(path, one)
    local ok, c = pcall(chart.load, path)
    if not ok then return "corrupt" end
    if c.name ~= one.name then return "misnamed" end
    return verdict(one, c.version, "ok")
end

local function archives_of(folder, name)
    local charts = fs.join(folder, "charts")
    return tables.filter(fs.exists(charts) and (fs.stat(charts) or {}).type == "dir" and fs.list(charts) or {},
        function(file) return file:sub(1, #name + 1) == name .. "-" and file:find("%.tgz$") ~= nil end), charts
end

-- "ok", "unpacked", "missing" or what is wrong with a dependency in charts/.
local function status_of(folder, one, c)
    local archives, charts = archives_of(folder, one.name)
    if #archives > 1 then
        archives = tables.filter(archives, function(file)
            return file:sub(#one.name + 2, -5):find("^%d+%.%d+%.%d+%f[^%d]") ~= nil
        end)
        if #archives > 1 then return "too many matches" end
    end
    if #archives == 1 then return archive_status(fs.join(charts, archives[1]), one) end
    local version
    for _, sub in ipairs(c:subcharts()) do
        if sub.name == one.name then version = sub.version end
    end
    if not version then return "missing" end
    return verdict(one, version, "unpacked")
end

local function write_strangers(folder, list)
    local charts = fs.join(folder, "charts")
    for _, name in ipairs(fs.exists(charts) and fs.list(charts) or {}) do
        local path = fs.join(charts, name)
        if (fs.stat(path) or {}).type == "dir" or name:find("%.tgz$") then
            local ok, c = pcall(chart.load, path)
            local found = false
            for _, one in ipairs(list) do found = found or ok and one.name == c.name end
            if not ok then
                session.write(("WARNING: %q is not a chart.\n"):format(path))
            elseif not found then
                session.write(("WARNING: %q is not in Chart.yaml.\n"):format(path))
            end
        end
    end
end

local function run_list(options, words)
    local folder = folder_of(words)
    if not fs.exists(folder) then
        fail.raise("not_found", ("stat %s: no such file or directory"):format(folder))
    end
    local c = chart.load(folder)
    local list = c.metadata.dependencies
    if not list then
        session.write(("WARNING: no dependencies at %s\n"):format(fs.join(folder, "charts")))
        return 0
    end
    local rows = { { "NAME", "VERSION", "REPOSITORY", "STATUS" } }
    for _, one in ipairs(list) do
        rows[#rows + 1] = { one.name, one.version or "", one.repository or "", status_of(folder, one, c) }
    end
    session.write(session.table(rows, options.max_col_width) .. "\n")
    write_strangers(folder, list)
    return 0
end

-- strategy: what --verify means.
local function changing(action, strategy)
    return function(options, words)
        action(folder_of(words), options, session.write, options.verify and strategy)
        return 0
    end
end

local change_flags = flags.of({ "connection", "provenance" }, {
    { "skip-refresh", kind = "bool", help = "do not fetch the repositories' indexes anew" },
})

return {
    summary = "manage a chart's dependencies",
    help = "Shows what a chart depends on, and brings it into the chart's charts/ folder: from repositories, from\n"
        .. "registries (oci://), or from folders (file://).",
    aliases = { "dep", "dependencies" },
    commands = {
        build = { usage = "CHART [flags]", summary = "rebuild the charts/ directory based on the Chart.lock file",
            arguments = { max = 1 }, flags = change_flags, run = changing(dependencies.build, "if_possible") },
        list = { usage = "CHART [flags]", summary = "list the dependencies for the given chart", aliases = { "ls" },
            arguments = { max = 1 }, run = run_list,
            flags = { { "max-col-width", kind = "int", default = 80, help = "columns are at most so wide" } } },
        update = { usage = "CHART [flags]", summary = "update charts/ based on the contents of Chart.yaml",
            aliases = { "up" }, arguments = { max = 1 }, flags = change_flags,
            run = changing(dependencies.update, "always") },
    },
}
