-- Whose an object is: helm marks what it creates, and refuses to take over what others made
-- (helm.sh/helm/v3/pkg/action/validate.go).
local fail = require "fail"
local json = require "json"
local tables = require "tables"

local ownership = {}

local MANAGED_BY, RELEASE_NAME, RELEASE_NAMESPACE = "app.kubernetes.io/managed-by", "meta.helm.sh/release-name",
    "meta.helm.sh/release-namespace"

---A copy that carries the release's marks.
---@param object table
---@param info { name: string, namespace: string }
---@return table
function ownership.mark(object, info)
    local copy = tables.copy(object)
    local meta = copy.metadata
    meta.labels = tables.merge(meta.labels == json.null and {} or meta.labels or {}, { [MANAGED_BY] = "Helm" })
    meta.annotations = tables.merge(meta.annotations == json.null and {} or meta.annotations or {},
        { [RELEASE_NAME] = info.name, [RELEASE_NAMESPACE] = info.namespace })
    return copy
end

local function mismatch(found, key, wanted)
    local actual = (found or {})[key]
    if actual == wanted then return nil end
    if actual == nil then return ('missing key "%s": must be set to "%s"'):format(key, wanted) end
    return ('key "%s" must equal "%s": current value is "%s"'):format(key, wanted, tostring(actual))
end

---Why the live object is not the release's; nil where it is.
---@param live table
---@param info { name: string, namespace: string }
---@return string?
function ownership.problem(live, info)
    local parts = { "invalid ownership metadata" }
    local function look(what, found, key, wanted)
        local problem = mismatch(found, key, wanted)
        if problem then parts[#parts + 1] = ("%s validation error: %s"):format(what, problem) end
    end
    look("label", live.metadata.labels, MANAGED_BY, "Helm")
    look("annotation", live.metadata.annotations, RELEASE_NAME, info.name)
    look("annotation", live.metadata.annotations, RELEASE_NAMESPACE, info.namespace)
    return #parts > 1 and table.concat(parts, "; ") or nil
end

---Raises where a live object belongs to somebody else.
---@param live table
---@param info { name: string, namespace: string }
function ownership.check(live, info)
    local problem = ownership.problem(live, info)
    if not problem then return end
    local meta = live.metadata
    fail.raise("conflict", ('%s "%s" in namespace "%s" exists and cannot be imported into the current release: %s')
        :format(live.kind, meta.name, meta.namespace or "", problem),
        ("delete it (kubectl delete %s %s%s), use another release name, or take it over with --take-ownership"):format(
            live.kind:lower(), meta.name, meta.namespace and " -n " .. meta.namespace or ""))
end

return ownership
