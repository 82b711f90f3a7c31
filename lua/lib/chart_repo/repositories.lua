-- helm's list of chart repositories, repositories.yaml, and their indexes in the cache (helm.sh/helm/v3/pkg/repo).
local address = require "chart_repo.address"
local fail = require "fail"
local fetch = require "chart_repo.fetch"
local fs = require "fs"
local index = require "chart_repo.index"
local json = require "json"
local places = require "chart_repo.places"
local secret = require "secret"
local session = require "release.session"
local tables = require "tables"
local task = require "task"
local yaml = require "yaml"

local repositories = {}

local LOCK_SECONDS = 30
local NO_TIME = "0001-01-01T00:00:00Z"

---@class todo.ChartRepository
---@field name string
---@field url string
---@field username string
---@field password string
---@field certFile string
---@field keyFile string
---@field caFile string
---@field insecure_skip_tls_verify boolean
---@field pass_credentials_all boolean

local texts = { "name", "url", "username", "password", "certFile", "keyFile", "caFile" }
local switches = { "insecure_skip_tls_verify", "pass_credentials_all" }

---An entry with all its fields.
---@param values table
---@return todo.ChartRepository
function repositories.entry(values)
    local made = {}
    for _, field in ipairs(texts) do made[field] = values[field] and tostring(values[field]) or "" end
    for _, field in ipairs(switches) do made[field] = values[field] == true end
    return made
end

---@class todo.RepositoryFile
---@field path string
---@field exists boolean
---@field apiVersion string
---@field generated string
---@field repositories todo.ChartRepository[]

---@param path string
---@return todo.RepositoryFile
function repositories.load(path)
    local bytes = fs.read(path)
    local document = bytes and yaml.decode(bytes) or {}
    if type(document) ~= "table" then document = {} end
    local list = {}
    local found = document.repositories
    for _, values in ipairs(type(found) == "table" and found or {}) do
        if type(values) == "table" then list[#list + 1] = repositories.entry(values) end
    end
    return { path = path, exists = bytes ~= nil, repositories = list,
        apiVersion = type(document.apiVersion) == "string" and document.apiVersion or "",
        generated = type(document.generated) == "string" and document.generated or NO_TIME }
end

---@param file todo.RepositoryFile
---@param name string
---@return todo.ChartRepository?
---@return integer? place
function repositories.find(file, name)
    for place, entry in ipairs(file.repositories) do
        if entry.name == name then return entry, place end
    end
end

---Adds an entry, or puts it in the place of the one with its name.
---@param file todo.RepositoryFile
---@param entry todo.ChartRepository
function repositories.put(file, entry)
    local _, place = repositories.find(file, entry.name)
    file.repositories[place or #file.repositories + 1] = entry
end

---Writes the file; it may hold passwords, so others cannot read it.
---@param file todo.RepositoryFile
function repositories.save(file)
    fs.mkdir(fs.dirname(file.path))
    fs.write(file.path, session.yaml { apiVersion = file.apiVersion, generated = file.generated,
        repositories = json.list(file.repositories) }, 384) -- 0600
end

---Calls fn while nobody else changes the file.
---@async
---@param path string
---@param fn async fun(): any
---@return any
function repositories.locked(path, fn)
    fs.mkdir(fs.dirname(path))
    local deadline = task.now() + LOCK_SECONDS
    local lock = fs.lock((path:gsub("%.[^./]*$", "")) .. ".lock")
    while not lock do
        if task.now() > deadline then fail.raise("timeout", "context deadline exceeded") end
        task.sleep(0.1)
        lock = fs.lock((path:gsub("%.[^./]*$", "")) .. ".lock")
    end
    local held <close> = lock
    return fn(held)
end

---How to speak with a repository.
---@param entry todo.ChartRepository
---@param timeout number?
---@return todo.ChartAccess
function repositories.access(entry, timeout)
    return { owner = entry.url, username = entry.username,
        password = entry.password ~= "" and secret.new(entry.password) or nil,
        pass_credentials = entry.pass_credentials_all, cert_file = entry.certFile, key_file = entry.keyFile,
        ca_file = entry.caFile, insecure = entry.insecure_skip_tls_verify, timeout = timeout }
end

---Raises where a URL's scheme is none that repositories are spoken with.
---@param url string
function repositories.check_scheme(url)
    local scheme = address.parse(url).scheme
    if scheme ~= "http" and scheme ~= "https" then
        fail.raise("usage", "could not find protocol handler for: " .. scheme)
    end
end

---Fetches a repository's index; raises where what it answers is none.
---@async
---@param url string
---@param access todo.ChartAccess
---@return todo.ChartIndex
---@return string bytes
function repositories.fetch_index(url, access)
    repositories.check_scheme(url)
    local bytes = fetch.get(address.resolve(url, "index.yaml"), access)
    return index.parse(bytes, url), bytes
end

---Brings a repository's index into the cache.
---@async
---@param entry todo.ChartRepository
---@param cache string
---@param timeout number?
---@return todo.ChartIndex
function repositories.refresh(entry, cache, timeout)
    local found, bytes = repositories.fetch_index(entry.url, repositories.access(entry, timeout))
    local names = tables.keys(found.entries)
    fs.mkdir(cache)
    fs.write(places.charts(cache, entry.name), table.concat(names, "\n") .. (#names > 0 and "\n" or ""))
    fs.write(places.index(cache, entry.name), bytes)
    return found
end

return repositories
