-- A repository's index.yaml (helm.sh/helm/v3/pkg/repo/index.go): read, searched, made.
local address = require "chart_repo.address"
local chart = require "chart"
local fail = require "fail"
local fs = require "fs"
local gotime = require "release.gotime"
local json = require "json"
local log = require "log"
local session = require "release.session"
local tables = require "tables"
local yaml = require "yaml"

local index = {}

-- In the order of helm's structs.
local VERSION_KEYS = { "name", "home", "sources", "version", "description", "keywords", "maintainers", "icon",
    "apiVersion", "condition", "tags", "appVersion", "deprecated", "annotations", "kubeVersion", "dependencies", "type",
    "urls", "created", "removed", "digest", "checksum", "engine", "tillerVersion", "url" }
local INDEX_KEYS = { "serverInfo", "apiVersion", "generated", "entries", "publicKeys", "annotations" }
local MAINTAINER_KEYS = { "name", "email", "url" }
local DEPENDENCY_KEYS = { "name", "version", "repository", "condition", "tags", "enabled", "import-values", "alias" }
local NO_TIME = "0001-01-01T00:00:00Z"

---@class todo.ChartVersion fields of Chart.yaml, and:
---@field name string
---@field version string
---@field urls string[]
---@field created string?
---@field digest string? SHA-256 of the archive in hex

---@class todo.ChartIndex
---@field apiVersion string
---@field generated string
---@field entries table<string, todo.ChartVersion[]> by the chart's name, newest first

---An empty one.
---@return todo.ChartIndex
function index.new() return { apiVersion = "v1", generated = gotime.now(), entries = {} } end

local function map_of(value) return type(value) == "table" and value or {} end

-- Newest first; what is no version comes last. Equal ones stay in their order.
local function sorted(versions)
    local places = {}
    for place, entry in ipairs(versions) do places[entry] = place end
    table.sort(versions, function(a, b)
        local order = chart.compare_versions(a.version, b.version)
        if order and order ~= 0 then return order > 0 end
        if not order then
            local first = chart.compare_versions(a.version, a.version) ~= nil
            local second = chart.compare_versions(b.version, b.version) ~= nil
            if first ~= second then return first end
        end
        return places[a] < places[b]
    end)
    return versions
end

---@param found todo.ChartIndex
---@return todo.ChartIndex
function index.sort(found)
    for _, versions in pairs(found.entries) do sorted(versions) end
    return found
end

-- Names of fields by their lower case: encoding/json finds them in any.
local function known(keys)
    local set = {}
    for _, key in ipairs(keys) do set[key:lower()] = key end
    return set
end

local known_index, known_version = known(INDEX_KEYS), known(VERSION_KEYS)
local known_inside = { maintainers = known(MAINTAINER_KEYS), dependencies = known(DEPENDENCY_KEYS) }

-- The entry's fields under their proper names.
local function named(entry)
    local wrong = {}
    for key in pairs(entry) do
        local proper = known_version[tostring(key):lower()]
        if proper and proper ~= key then wrong[key] = proper end
    end
    for key, proper in pairs(wrong) do entry[proper], entry[key] = entry[key], nil end
    return entry
end

-- Why helm would leave an entry out; nil where it would not.
local function fault_of(entry)
    if type(entry.name) ~= "string" or entry.name == "" then
        return "validation: chart.metadata.name is required"
    end
    if entry.name == "." or entry.name == ".." then
        return ("validation: chart.metadata.name %q is not allowed"):format(entry.name)
    end
    if entry.name:find("/", 1, true) then
        return ("validation: chart.metadata.name %q is invalid"):format(entry.name)
    end
    if type(entry.version) ~= "string" or entry.version == "" then
        return "validation: chart.metadata.version is required"
    end
    if not chart.compare_versions(entry.version, entry.version) then
        return ("validation: chart.metadata.version %q is invalid"):format(entry.version)
    end
    if entry.type and entry.type ~= "" and entry.type ~= "application" and entry.type ~= "library" then
        return "validation: chart.metadata.type must be application or library"
    end
    for _, field in ipairs { "maintainers", "dependencies" } do
        for _, one in ipairs(map_of(entry[field])) do
            if type(one) ~= "table" then
                return ("validation: %s must not contain empty or null nodes"):format(field)
            end
            if one.alias and one.alias ~= "" and one.alias:find("[^%w_-]") then
                return ("validation: dependency %q has disallowed characters in the alias"):format(one.name or "")
            end
        end
    end
    return nil
end

local function valid(name, versions, source)
    local kept, list = {}, map_of(versions)
    for place = #list, 1, -1 do -- as helm goes through them
        local entry = list[place]
        local fault = type(entry) == "table" and fault_of(named(entry))
        if type(entry) ~= "table" then
            log.warn("skipping loading invalid entry for chart %q from %s: empty entry", name, source)
        elseif fault then
            log.warn("skipping loading invalid entry for chart %q %q from %s: %s", name, entry.version or "", source,
                fault)
        else
            entry.urls = map_of(entry.urls)
            table.insert(kept, 1, entry)
        end
    end
    return kept
end

-- Raises where a map has a field that helm's struct lacks; `inside` sees to the fields that hold maps themselves.
local function check_fields(map, set, inside)
    local unknown
    for name in pairs(map) do
        local text = tostring(name)
        if not set[text:lower()] and (not unknown or text < unknown) then unknown = text end
    end
    if unknown then
        fail.raise("parse", ("error unmarshaling JSON: while decoding JSON: json: unknown field %q"):format(unknown))
    end
    for name, value in pairs(inside and map or {}) do inside(name, value) end
end

local function check_version(version)
    check_fields(version, known_version, function(name, value)
        local set = known_inside[name]
        for _, item in ipairs(set and map_of(value) or {}) do
            if type(item) == "table" then check_fields(item, set) end
        end
    end)
end

-- helm reads an index that is YAML strictly, one that is JSON not.
local function check_document(document)
    check_fields(document, known_index, function(field, entries)
        if field ~= "entries" then return end
        for _, name in ipairs(tables.keys(map_of(entries))) do
            for _, version in ipairs(map_of(entries[name])) do
                if type(version) == "table" then check_version(version) end
            end
        end
    end)
end

---@param bytes string
---@param source string for messages
---@return todo.ChartIndex
function index.parse(bytes, source)
    if bytes == "" then fail.raise("parse", "empty index.yaml file") end
    local is_json, document = pcall(json.decode, bytes)
    if not is_json then document = yaml.decode(bytes) end
    if type(document) ~= "table" then fail.raise("parse", "error unmarshaling JSON: the index is no map") end
    if not is_json then check_document(document) end
    if type(document.apiVersion) ~= "string" or document.apiVersion == "" then
        fail.raise("parse", "no API version specified")
    end
    local entries = {}
    for _, name in ipairs(tables.keys(map_of(document.entries))) do
        entries[name] = valid(name, document.entries[name], source)
    end
    return index.sort { apiVersion = document.apiVersion, generated = document.generated, entries = entries,
        annotations = document.annotations, publicKeys = document.publicKeys }
end

---@param path string
---@return todo.ChartIndex
function index.load(path)
    local bytes = fs.read(path)
    if not bytes then fail.raise("not_found", ("open %s: no such file or directory"):format(path)) end
    local ok, found = pcall(index.parse, bytes, path)
    if ok then return found end
    fail.raise(fail.kind(found) or "parse", ("error loading %s: %s"):format(path, fail.message(found)))
end

---The newest version in a range; without one, the newest that is no pre-release.
---@param found todo.ChartIndex
---@param name string
---@param range string?
---@return todo.ChartVersion
function index.get(found, name, range)
    local versions = found.entries[name]
    if not versions then fail.raise("not_found", "no chart name found") end
    if #versions == 0 then fail.raise("not_found", "no chart version found") end
    range = range or ""
    for _, entry in ipairs(versions) do
        if entry.version == range then return entry end
    end
    for _, entry in ipairs(versions) do
        if chart.satisfies(range == "" and "*" or range, entry.version) then return entry end
    end
    fail.raise("not_found", ("no chart version found for %s-%s"):format(name, range))
end

---@param found todo.ChartIndex
---@param name string
---@param version string
---@return boolean
function index.has(found, name, version)
    return (pcall(index.get, found, name, version))
end

---Adds what `other` has and this one has not.
---@param found todo.ChartIndex
---@param other todo.ChartIndex
function index.merge(found, other)
    local names = {}
    for name in pairs(other.entries) do names[#names + 1] = name end
    table.sort(names)
    for _, name in ipairs(names) do
        for _, entry in ipairs(other.entries[name]) do
            if not index.has(found, entry.name, entry.version) then
                found.entries[entry.name] = found.entries[entry.name] or {}
                table.insert(found.entries[entry.name], entry)
            end
        end
    end
end

local function archives_of(folder)
    local list, below = {}, {}
    for _, name in ipairs(fs.list(folder)) do
        local path = fs.join(folder, name)
        if name:find("%.tgz$") then
            list[#list + 1] = { name = name, folder = "", path = path }
        elseif (fs.stat(path) or {}).type == "dir" then
            for _, inner in ipairs(fs.list(path)) do
                if inner:find("%.tgz$") then
                    below[#below + 1] = { name = inner, folder = name, path = fs.join(path, inner) }
                end
            end
        end
    end
    return table.move(below, 1, #below, #list + 1, list)
end

---The index of the archives in a folder and in those right below it; what is no chart is left out.
---@async
---@param folder string
---@param url string of the repository, "" where links are relative
---@return todo.ChartIndex
function index.of_folder(folder, url)
    local made = index.new()
    for _, archive in ipairs(archives_of(folder)) do
        local ok, c = pcall(chart.load, archive.path)
        if ok then
            local parent = address.join(url, archive.folder)
            local entry = { created = gotime.now(), digest = fs.sha256(archive.path),
                urls = { parent ~= "" and address.join(parent, archive.name) or archive.name } }
            for key, value in pairs(c.metadata) do entry[key] = value end
            made.entries[c.name] = made.entries[c.name] or {}
            table.insert(made.entries[c.name], entry)
        end
    end
    return made
end

local function is_empty(value)
    return value == nil or value == json.null or value == "" or value == false
        or type(value) == "table" and next(value) == nil
end

local function ordered_entry(entry)
    local kept = { urls = json.list(entry.urls), created = entry.created or NO_TIME }
    for _, key in ipairs(VERSION_KEYS) do
        if kept[key] == nil and not is_empty(entry[key]) then kept[key] = entry[key] end
    end
    local keys = {}
    for _, key in ipairs(VERSION_KEYS) do
        if kept[key] ~= nil then keys[#keys + 1] = key end
    end
    return session.ordered(keys, kept)
end

---@param found todo.ChartIndex
---@param path string
---@param as_json boolean?
function index.write(found, path, as_json)
    local entries, names = {}, {}
    for name, versions in pairs(found.entries) do
        local list = json.list {}
        for place, entry in ipairs(versions) do list[place] = ordered_entry(entry) end
        entries[name], names[#names + 1] = list, name
    end
    table.sort(names)
    local values, keys = { apiVersion = found.apiVersion, generated = found.generated or NO_TIME,
        entries = session.ordered(names, entries) }, {}
    for _, key in ipairs(INDEX_KEYS) do
        if values[key] == nil and not is_empty(found[key]) then values[key] = found[key] end
        if values[key] ~= nil then keys[#keys + 1] = key end
    end
    local document = session.ordered(keys, values)
    fs.write(path, as_json and session.json(document, false, "  "):gsub("\n$", "") or session.yaml(document))
end

return index
