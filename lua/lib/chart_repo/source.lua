-- The chart that a word of the command line means: a folder, an archive, a URL, a chart of a repository or of a
-- registry (LocateChart of helm). What speaks with repositories is loaded for those who need it only.
local address = require "chart_repo.address"
local chart = require "chart"
local fail = require "fail"
local fs = require "fs"

local source = {}

---Path of the chart that a word means; fetched into helm's cache where it is not here.
---@async
---@param word string
---@param options table flags of the groups chart_source and verify
---@return string path
function source.locate(word, options)
    word = word:match("^%s*(.-)%s*$")
    if fs.exists(word) then
        if options.repo and options.repo ~= "" then
            require "log".warn("local chart found in current working directory. repository url ignored chart=%s "
                .. "repository=%s", word, options.repo)
        end
        local path = address.clean(fs.join(fs.cwd(), word))
        if options.verify then
            local provenance = require "chart_repo.provenance"
            provenance.verify(path, provenance.keyring(options))
        end
        return path
    end
    if word:find("^[/.]") then fail.raise("not_found", ('path "%s" not found'):format(word)) end
    local cache = require "chart_repo.places".of(options).repository_cache
    fs.mkdir(cache)
    return (require "chart_repo.download".run(word, options, cache))
end

---@async
---@param word string
---@param options table flags of the group chart_source
---@return todo.Chart
function source.load(word, options) return chart.load(source.locate(word, options)) end

---Names of a chart's dependencies that are not in charts/.
---@param c todo.Chart
---@return string[]
function source.missing(c)
    local present, missing = {}, {}
    for _, sub in ipairs(c:subcharts()) do present[sub.name] = true end
    for _, one in ipairs(c.metadata.dependencies or {}) do
        if not present[one.name] then missing[#missing + 1] = one.name end
    end
    return missing
end

---The chart that a release is to be made of, with a word where its makers have given it up.
---@async
---@param word string
---@param options table flags of the set chart
---@param installable boolean? library charts are refused
---@return todo.Chart
function source.chart(word, options, installable)
    local path = source.locate(word, options)
    local c = chart.load(path)
    if options.dependency_update and #source.missing(c) > 0 then
        require "chart_repo.dependencies".update(path, options, function(text) io.write(text) end)
        c = chart.load(path)
    end
    c:check(installable)
    if c.metadata.deprecated then io.stderr:write("WARNING: This chart is deprecated\n") end
    return c
end

return source
