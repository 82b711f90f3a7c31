-- helm search: charts of the repositories that are known (cmd/helm/search of helm).
local chart = require "chart"
local fail = require "fail"
local gotemplate = require "release.gotemplate"
local index = require "chart_repo.index"
local json = require "json"
local places = require "chart_repo.places"
local repositories = require "chart_repo.repositories"
local session = require "release.session"

local KEYS = { "name", "version", "app_version", "description" }
local MOST_SCORE = 25

-- What is searched: name, full name, description, keywords; the earlier the part, the better the match.
local function line_of(repository, entry)
    return table.concat({ entry.name, repository .. "/" .. entry.name, entry.description or "",
        table.concat(entry.keywords or {}, " ") }, "\v")
end

local function score_of(line, position)
    local score, at = 0, 0
    repeat
        at = line:find("\v", at + 1, true)
        if not at or position <= at then return score end
        score = score + 1
    until false
end

local function add_charts(list, repository, found)
    for name, versions in pairs(found.entries) do
        for _, entry in ipairs(versions) do
            list[#list + 1] = { name = repository .. "/" .. name, chart = entry, score = 0,
                line = line_of(repository, entry) }
        end
    end
end

local function charts_of(options)
    local where, list = places.of(options), {}
    local file = repositories.load(where.repository_config)
    if #file.repositories == 0 then fail.raise("not_found", "no repositories configured") end
    for _, entry in ipairs(file.repositories) do
        local ok, found = pcall(index.load, places.index(where.repository_cache, entry.name))
        if ok then
            add_charts(list, entry.name, found)
        else
            io.stderr:write(("WARNING: Repo %q is corrupt or missing. Try 'helm repo update'.\nWARNING: %s\n"):format(
                entry.name, fail.message(found)))
        end
    end
    return list
end

local function literal(list, word)
    local kept = {}
    for _, result in ipairs(list) do
        local line = result.line:lower()
        local position = line:find(word:lower(), 1, true)
        result.score = position and score_of(line, position) or MOST_SCORE
        if result.score < MOST_SCORE then kept[#kept + 1] = result end
    end
    return kept
end

local function regular(list, pattern)
    local lines, kept = {}, {}
    for place, result in ipairs(list) do lines[place] = result.line end
    local positions = gotemplate.positions(pattern, lines)
    for place, result in ipairs(list) do
        if positions[place] then
            result.score = score_of(result.line, positions[place])
            kept[#kept + 1] = result
        end
    end
    return kept
end

local function sort(list)
    table.sort(list, function(a, b)
        if a.score ~= b.score then return a.score < b.score end
        if a.name ~= b.name then return a.name < b.name end
        return (chart.compare_versions(a.chart.version, b.chart.version) or 0) > 0
    end)
end

local function within(list, range, every)
    local kept, seen = {}, {}
    local ok, problem = pcall(chart.satisfies, range, "0.0.0")
    if not ok then fail.raise("semver", "an invalid version/constraint format: " .. fail.message(problem)) end
    for _, result in ipairs(list) do
        if (every or not seen[result.name]) and chart.satisfies(range, result.chart.version) then
            kept[#kept + 1], seen[result.name] = result, true
        end
    end
    return kept
end

local function rows_of(list)
    local rows = { { "NAME", "CHART VERSION", "APP VERSION", "DESCRIPTION" } }
    for _, result in ipairs(list) do
        local entry = result.chart
        rows[#rows + 1] = { result.name, entry.version, tostring(entry.appVersion or ""), entry.description or "" }
    end
    return rows
end

local function run(options, words)
    local list = charts_of(options)
    if #words > 0 then
        list = (options.regexp and regular or literal)(list, table.concat(words, " "))
    end
    sort(list)
    list = within(list, options.version or (options.devel and ">0.0.0-0") or ">0.0.0", options.versions)
    if #list == 0 and options.fail_on_no_result then fail.raise("not_found", "no results found") end
    local elements = json.list {}
    for place, row in ipairs(rows_of(list)) do
        if place > 1 then
            elements[place - 1] = session.ordered(KEYS,
                { name = row[1], version = row[2], app_version = row[3], description = row[4] })
        end
    end
    session.print(options, elements, function()
        if #list == 0 then return "No results found\n" end
        return session.table(rows_of(list), options.max_col_width)
    end)
    return 0
end

return {
    summary = "search for a keyword in charts",
    help = "Looks for charts in the repositories that are known here. (Artifact Hub is not asked.)",
    commands = {
        repo = {
            usage = "[keyword] [flags]", summary = "search repositories for a keyword in charts",
            flags = {
                { "devel", kind = "bool", help = "pre-releases, too: as --version '>0.0.0-0'" },
                { "fail-on-no-result", kind = "bool", help = "fail where nothing is found" },
                { "max-col-width", kind = "int", default = 50, help = "columns are at most so wide" },
                { "regexp", short = "r", kind = "bool", help = "the keyword is a regular expression" },
                { "version", help = "only versions in this range" },
                { "versions", short = "l", kind = "bool", help = "every version on a line of its own" },
                session.output_flag(),
            },
            run = run,
        },
    },
}
