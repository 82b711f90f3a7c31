-- Where helm keeps what it knows of repositories (helm.sh/helm/v3/pkg/helmpath, pkg/cli): the same files serve both.
local fs = require "fs"
local proc = require "proc"

local places = {}

-- By use: helm's variable, the desktop's, and the folders below the home folder.
local bases = {
    cache = { "HELM_CACHE_HOME", "XDG_CACHE_HOME", linux = ".cache", darwin = "Library/Caches" },
    config = { "HELM_CONFIG_HOME", "XDG_CONFIG_HOME", linux = ".config", darwin = "Library/Preferences" },
    data = { "HELM_DATA_HOME", "XDG_DATA_HOME", linux = ".local/share", darwin = "Library" },
}

local function variable(name)
    local value = os.getenv(name)
    return value ~= "" and value or nil
end

---One of helm's own folders.
---@param use "cache"|"config"|"data"
---@return string path
function places.base(use)
    local base = bases[use]
    local own = variable(base[1])
    if own then return own end
    local platform = proc.platform()
    return fs.join(variable(base[2]) or fs.join(os.getenv("HOME") or platform.home, base[platform.os] or base.linux),
        "helm")
end

---@class todo.ChartPlaces
---@field repository_config string file that lists the repositories
---@field repository_cache string folder of their indexes and of the charts that were fetched
---@field registry_config string file of the registries' credentials

---The flags' places, else the environment's, else helm's own.
---@param options table?
---@return todo.ChartPlaces
function places.of(options)
    local function place(key, name, use, path)
        local flag = options and options[key]
        return flag and flag ~= "" and flag or variable(name) or fs.join(places.base(use), path)
    end
    return {
        repository_config = place("repository_config", "HELM_REPOSITORY_CONFIG", "config", "repositories.yaml"),
        repository_cache = place("repository_cache", "HELM_REPOSITORY_CACHE", "cache", "repository"),
        registry_config = place("registry_config", "HELM_REGISTRY_CONFIG", "config", "registry/config.json"),
    }
end

---File of a repository's index in the cache.
---@param cache string
---@param name string of the repository
---@return string
function places.index(cache, name) return fs.join(cache, name .. "-index.yaml") end

---File of the names of its charts.
---@param cache string
---@param name string of the repository
---@return string
function places.charts(cache, name) return fs.join(cache, name .. "-charts.txt") end

return places
