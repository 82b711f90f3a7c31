-- helm create: makes a chart, of the starter in lua/starter/ or of one of the user's own.
local address = require "chart_repo.address"
local chart = require "chart"
local fail = require "fail"
local fs = require "fs"
local places = require "chart_repo.places"
local program = require "program"
local session = require "release.session"

local PLACEHOLDER = "<CHARTNAME>"
local MOST_NAME = 250

-- In helm's order; the starter's helmignore would take effect in the repository under its real name.
local files = { "Chart.yaml", "values.yaml", ".helmignore", "templates/ingress.yaml", "templates/httproute.yaml",
    "templates/deployment.yaml", "templates/service.yaml", "templates/serviceaccount.yaml", "templates/hpa.yaml",
    "templates/NOTES.txt", "templates/_helpers.tpl", "templates/tests/test-connection.yaml" }

local function check_name(name)
    if name == "" or #name > MOST_NAME then
        fail.raise("usage", ("chart name must be between 1 and %d characters"):format(MOST_NAME))
    end
    if name:find("[^%w._-]") then
        fail.raise("usage", 'chart name must match the regular expression "^[a-zA-Z0-9._-]+$"')
    end
end

local function renamed(text, name) return (text:gsub(PLACEHOLDER, (name:gsub("%%", "%%%%")))) end

local function write(path, text)
    fs.mkdir(fs.dirname(path))
    fs.write(path, text)
end

local function check_folder(path)
    local stat = fs.stat(path)
    if stat and stat.type ~= "dir" then
        fail.raise("exists", ("file %s already exists and is not a directory"):format(path))
    end
end

local function create(name, parent)
    check_name(name)
    local stat = fs.stat(parent)
    if not stat then fail.raise("not_found", ("stat %s: no such file or directory"):format(parent)) end
    if stat.type ~= "dir" then fail.raise("not_found", "no such directory " .. parent) end
    local folder = fs.join(parent, name)
    check_folder(folder)
    for _, file in ipairs(files) do
        local path = fs.join(folder, file)
        if fs.exists(path) then session.write(("WARNING: File %q already exists. Overwriting.\n"):format(path)) end
        write(path, renamed(program.resource("lua/starter/" .. file:gsub("^%.", "")), name))
    end
    fs.mkdir(fs.join(folder, "charts"))
end

-- ---- of a starter ----

local function walk(folder, prefix, found)
    for _, name in ipairs(fs.list(folder)) do
        local path = fs.join(folder, name)
        if fs.stat(path).type == "dir" then
            walk(path, prefix .. name .. "/", found)
        else
            found[prefix .. name] = fs.read(path)
        end
    end
    return found
end

local function files_of(path)
    if fs.stat(path).type == "dir" then return walk(path, "", {}) end
    local found = {}
    for _, file in ipairs(chart.unpack(fs.read(path))) do found[file.name] = file.data end
    return found
end

-- The starter's subcharts, each packed.
local function save_subcharts(all, target)
    local charts = {}
    for name, data in pairs(all) do
        local sub, rest = name:match("^charts/([^/]+)/(.+)$")
        if sub then
            charts[sub] = charts[sub] or {}
            charts[sub][rest] = data
        elseif name:find("^charts/[^/]+%.tgz$") then
            charts[name] = {}
            for _, file in ipairs(chart.unpack(data)) do charts[name][file.name] = file.data end
        end
    end
    for _, content in pairs(charts) do chart.load({ files = content }):save(fs.join(target, "charts")) end
end

local function create_from(name, parent, starter)
    local path = starter:find("^/") and starter or fs.join(places.base "data", "starters", starter)
    if not fs.exists(path) then
        fail.raise("not_found", ("could not load %s: stat %s: no such file or directory"):format(path, path))
    end
    local ok, problem = pcall(chart.load, path)
    if not ok then
        fail.raise(fail.kind(problem), ("could not load %s: %s"):format(path, fail.message(problem)))
    end
    check_name(name)
    local folder = fs.join(parent, name)
    check_folder(folder)
    local all = files_of(path)
    all["Chart.yaml"] = session.yaml { apiVersion = "v2", appVersion = "0.1.0", name = name, type = "application",
        version = "0.1.0", description = "A Helm chart for Kubernetes" }
    for file, data in pairs(all) do
        if file == "values.yaml" or file:find("^templates/") then data = renamed(data, name) end
        if not file:find("^charts/") then write(fs.join(folder, file), data) end
    end
    save_subcharts(all, folder)
end

local function run(options, words)
    local name, parent = fs.basename(words[1]), fs.dirname(words[1])
    session.write(("Creating %s\n"):format(words[1]))
    if options.starter and options.starter ~= "" then
        create_from(name, parent, options.starter)
    else
        create(name, address.clean(fs.join(fs.cwd(), parent)))
    end
    return 0
end

return {
    usage = "NAME [flags]",
    summary = "create a new chart with the given name",
    help = "Makes a chart that can be installed as it is. It renders what the chart of helm create renders, from the\n"
        .. "same files and values, but its text is todo-lua's own (lua/starter/; a file of the project there wins).",
    arguments = { min = 1, max = 1 },
    flags = { { "starter", short = "p", help = "starter to make it of: a name in helm's folder starters, or a path" } },
    run = run,
}
