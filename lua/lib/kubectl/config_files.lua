-- Kubeconfig files as kubectl merges, shows and edits them. (For connecting, the client reads them itself.)
local fail = require "fail"
local fs = require "fs"
local kube_errors = require "kubectl.errors"
local proc = require "proc"
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
---@field current_file string? the file that says so
---@field clusters table<string, table>
---@field contexts table<string, table>
---@field users table<string, table>
---@field folders table<table, string> of an entry: where its file is, to which its paths are relative

---@param explicit string?
---@return todo.KubeconfigFiles
function kubeconfig_files.load(explicit)
    local merged = { clusters = {}, contexts = {}, users = {}, folders = {} }
    for _, name in ipairs(kubeconfig_files.names(explicit)) do
        local config = read(name)
        if not config and explicit then
            kube_errors.raise(("stat %s: no such file or directory"):format(name), "check the path of --kubeconfig")
        end
        config = config or {}
        local current = config["current-context"]
        if current and current ~= "" and not merged.current then merged.current, merged.current_file = current, name end
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

---Makes another context the current one, in the file that names one now, else in the first. Everything else in the file
---stays as it is; nobody else may read it.
---@param explicit string?
---@param context string
function kubeconfig_files.use(explicit, context)
    local config = kubeconfig_files.load(explicit)
    local name = config.current_file or kubeconfig_files.names(explicit)[1]
    name = fs.realpath(name) or name
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
    fs.write(name, changed, 0x180)
end

return kubeconfig_files
