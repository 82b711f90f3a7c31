-- --overrides of kube run and expose: a patch of the object before it is sent.
local fail = require "fail"
local kube_errors = require "kubectl.errors"
local local_patch = require "kubectl.local_patch"
local yaml = require "yaml"

local overrides = {}

---@type todo.Flag[]
overrides.flags = {
    { "overrides", help = "JSON that is merged into the object" },
    { "override-type", default = "merge", help = "how: merge, json or strategic" },
}

---@param object table changed
---@param options { overrides: string?, override_type: string }
---@return table
function overrides.apply(object, options)
    if (options.overrides or "") == "" then return object end
    local apply = local_patch[options.override_type] or kube_errors.raise(
        ("invalid override type: %s"):format(options.override_type), "merge, json or strategic")
    local ok, patch = pcall(yaml.decode, options.overrides, { name = "--overrides" })
    if not ok or type(patch) ~= "table" then
        kube_errors.raise("--overrides is not JSON" .. (ok and "" or ": " .. fail.message(patch)))
    end
    return apply(object, patch)
end

return overrides
