-- helm pull: fetches charts, packed or unpacked.
local chart = require "chart"
local download = require "chart_repo.download"
local fail = require "fail"
local flags = require "release.flags"
local fs = require "fs"
local provenance = require "chart_repo.provenance"
local session = require "release.session"

-- Files land below the folder named after the chart: chart.unpack refuses names that lead elsewhere.
local function expand(path, folder)
    local files = chart.unpack(fs.read(path))
    local name = chart.load(path).name
    if name == "." or name == ".." or name:find("/", 1, true) then
        fail.raise("chart", ("chart name %q is not allowed"):format(name))
    end
    local target = fs.join(folder, name)
    if (fs.stat(target, false) or {}).type == "link" then
        fail.raise("denied", target .. " is a symbolic link")
    end
    for _, file in ipairs(files) do
        local place = fs.join(target, file.name)
        fs.mkdir(fs.dirname(place))
        fs.write(place, file.data)
    end
end

local function fetch(word, options, folder, say)
    local path, verification = download.run(word, options, folder, say)
    if verification then say(provenance.report(verification)) end
    return path
end

local function unpacked(word, options, say)
    local temporary <close> = fs.tempdir()
    local path = fetch(word, options, temporary.path, say)
    local folder = options.untardir
    if folder:sub(1, 1) ~= "/" then folder = fs.join(options.destination, folder):gsub("/%.$", "") end
    local name = word:match("[^/]*$")
    local check = folder == "." and name or fs.join(folder, name)
    if fs.exists(check) then
        fail.raise("exists", ("failed to untar: a file or directory with the name %s already exists"):format(check))
    end
    fs.mkdir(check)
    expand(path, folder)
end

local function run(options, words)
    for _, word in ipairs(words) do
        -- As with helm, only what went well is told.
        local said = {}
        local function say(text) said[#said + 1] = text end
        if options.untar then
            unpacked(word, options, say)
        else
            if (fs.stat(options.destination) or {}).type ~= "dir" then
                fail.raise("not_found", ("open %s: no such file or directory"):format(options.destination))
            end
            fetch(word, options, options.destination, say)
        end
        session.write(table.concat(said))
    end
    return 0
end

return {
    usage = "[chart URL | repo/chartname] [...] [flags]",
    summary = "download a chart from a repository and (optionally) unpack it in local directory",
    help = "Fetches charts from repositories, registries (oci://) or URLs.",
    aliases = { "fetch" },
    arguments = { min = 1 },
    flags = flags.of({ "connection", "provenance", "chart_source", "devel" }, {
        { "destination", short = "d", default = ".", help = "folder for the archive" },
        { "prov", kind = "bool", help = "fetch the provenance file, too, without a check" },
        { "untar", kind = "bool", help = "unpack the chart" },
        { "untardir", default = ".", help = "with --untar: folder to unpack into, below --destination" },
    }),
    run = run,
}
