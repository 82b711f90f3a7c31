-- Kubeconfig files as kubectl merges, shows and edits them. (For connecting, the client reads them itself.)
local fail = require "fail"
local fs = require "fs"
local json = require "json"
local kube_errors = require "kubectl.errors"
local proc = require "proc"
local suggest = require "suggest"
local yaml = require "yaml"

local kubeconfig_files = {}

local LISTS = { clusters = "cluster", contexts = "context", users = "user" }

---@param explicit string? --kubeconfig
---@return string[] files that count, in their order; some may not exist
function kubeconfig_files.names(explicit)
    if explicit then return { explicit } end
    local list, names = proc.env("KUBECONFIG"), {}
    for name in ((list or "") .. ":"):gmatch("([^:]*):") do
        if name ~= "" then names[#names + 1] = name end
    end
    if #names == 0 then names[1] = fs.join(proc.env("HOME") or proc.platform().home, ".kube/config") end
    return names
end

local function read(name)
    local text = fs.read(name)
    if not text then return nil end
    local ok, value = pcall(yaml.decode, text, { name = name })
    if not ok then kube_errors.raise(("error loading config file %q: %s"):format(name, fail.message(value))) end
    return type(value) == "table" and value or {}
end

---@class todo.KubeconfigFiles
---@field current string? current context
---@field clusters table<string, table>
---@field contexts table<string, table>
---@field users table<string, table>
---@field folders table<table, string> of an entry: where its file is, to which its paths are relative

---@param explicit string?
---@param lenient boolean? the explicit file need not be there
---@return todo.KubeconfigFiles
function kubeconfig_files.load(explicit, lenient)
    local merged = { clusters = {}, contexts = {}, users = {}, folders = {} }
    for _, name in ipairs(kubeconfig_files.names(explicit)) do
        local config = read(name)
        if not config and explicit and not lenient then
            kube_errors.raise(("stat %s: no such file or directory"):format(name), "check the path of --kubeconfig")
        end
        config = config or {}
        local current = config["current-context"]
        if current and current ~= "" and not merged.current then merged.current = current end
        for list, field in pairs(LISTS) do
            for _, one in ipairs(type(config[list]) == "table" and config[list] or {}) do
                if one.name and not merged[list][one.name] then
                    merged[list][one.name] = type(one[field]) == "table" and one[field] or {}
                    merged.folders[merged[list][one.name]] = fs.dirname(fs.realpath(name) or name)
                end
            end
        end
    end
    return merged
end

---What helps where a name is not among those of the kubeconfig; nil where there are none.
---@param names string[]
---@param wanted string
---@return string?
function kubeconfig_files.hint(names, wanted)
    return #names > 0 and "the kubeconfig has " .. table.concat(names, ", ") .. suggest.phrase(wanted, names) or nil
end

---The file that takes what no file has yet: the first that exists, else the last.
---@param explicit string?
---@return string
function kubeconfig_files.default_name(explicit)
    local names = kubeconfig_files.names(explicit)
    for _, name in ipairs(names) do
        if fs.exists(name) then return name end
    end
    return names[#names]
end

-- Tokens and keys are for nobody else's eyes.
local function write(name, text)
    local real = fs.realpath(name) or name
    if not fs.exists(fs.dirname(real)) then fs.mkdir(fs.dirname(real), 0x1c0) end
    fs.write(real, text, 0x180)
end

-- The file that has the entry, and where in its list it stands; without one, the file for new entries.
local function locate(explicit, list, name)
    for _, file in ipairs(kubeconfig_files.names(explicit)) do
        local config = read(file) or {}
        for index, one in ipairs(type(config[list]) == "table" and config[list] or {}) do
            if one.name == name then return file, config, index end
        end
    end
    local file = kubeconfig_files.default_name(explicit)
    return file, read(file) or { apiVersion = "v1", kind = "Config" }, nil
end

---Changes one entry, in the file that has it. Everything else in the files stays, their comments excepted.
---@param explicit string?
---@param list "clusters"|"contexts"|"users"
---@param name string
---@param change fun(body: table, folder: string): table? given what the entry says now and the folder to which its
---paths are relative; nil removes it
function kubeconfig_files.change(explicit, list, name, change)
    local file, config, index = locate(explicit, list, name)
    local folder = fs.dirname(fs.realpath(file) or file)
    if type(config[list]) ~= "table" then config[list] = json.list {} end
    local entries = config[list]
    local body = change(index and entries[index][LISTS[list]] or {}, folder)
    if body then
        entries[index or #entries + 1] = { name = name, [LISTS[list]] = body }
    elseif index then
        table.remove(entries, index)
    end
    write(file, yaml.encode(config))
end

---Gives a context another name, where it is. It has to be there.
---@param explicit string?
---@param old string
---@param new string
function kubeconfig_files.rename_context(explicit, old, new)
    local file, config, index = locate(explicit, "contexts", old)
    config.contexts[index].name = new
    write(file, yaml.encode(config))
end

-- The first file that names a current context.
local function current_file(explicit)
    for _, name in ipairs(kubeconfig_files.names(explicit)) do
        local current = (read(name) or {})["current-context"]
        if current and current ~= "" then return name end
    end
end

---Makes another context the current one, in the first file, whose word counts; "" takes the current one away where it
---is named. Everything else in the file stays as it is.
---@param explicit string?
---@param context string
function kubeconfig_files.use(explicit, context)
    local name = context ~= "" and kubeconfig_files.default_name(explicit) or current_file(explicit)
    if not name then return end
    local text = fs.read(name) or "apiVersion: v1\nkind: Config\n"
    local line = ("current-context: %s"):format(yaml.encode(context):gsub("\n$", ""))
    local changed, count = ("\n" .. text):gsub("\n[\"']?current%-context[\"']?:[^\n]*", function() return "\n"
        .. line end, 1)
    changed = changed:sub(2)
    if count == 0 and not text:find("^%s*{") then
        changed = text:gsub("([^\n])$", "%1\n") .. line .. "\n"
    end
    local ok, result = pcall(yaml.decode, changed, { name = name })
    if not ok or result["current-context"] ~= context then -- JSON, or another unusual layout
        result = read(name)
        result["current-context"] = context
        changed = yaml.encode(result)
    end
    write(name, changed)
end

return kubeconfig_files
