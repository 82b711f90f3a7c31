-- Client-side apply, as kubectl does it by default: the manifest is remembered in an annotation, and what changes is
-- computed from the remembered one, the new one and the live object. Both programs can take turns on an object.
local chart = require "chart"
local json = require "json"
local tables = require "tables"

local last_applied = {}

last_applied.ANNOTATION = "kubectl.kubernetes.io/last-applied-configuration"

-- Groups whose kinds have merge rules of their own (strategic merge); all others take JSON merge patches.
local built_in = {
    [""] = true, apps = true, batch = true, autoscaling = true, policy = true, ["networking.k8s.io"] = true,
    ["rbac.authorization.k8s.io"] = true, ["storage.k8s.io"] = true, ["scheduling.k8s.io"] = true,
    ["coordination.k8s.io"] = true, ["discovery.k8s.io"] = true, ["node.k8s.io"] = true, ["events.k8s.io"] = true,
    ["certificates.k8s.io"] = true, ["admissionregistration.k8s.io"] = true,
}

---A copy of the manifest that remembers itself.
---@param manifest table
---@return table
function last_applied.remembering(manifest)
    local copy = tables.copy(manifest)
    copy.metadata.annotations = copy.metadata.annotations or {}
    copy.metadata.annotations[last_applied.ANNOTATION] = nil
    local text = json.encode(copy, { sort = true, html = true }) .. "\n"
    copy.metadata.annotations[last_applied.ANNOTATION] = text
    return copy
end

---What was applied last; nil where the object was made in another way.
---@param live table
---@return table?
function last_applied.of(live)
    local text = (live.metadata.annotations or {})[last_applied.ANNOTATION]
    return text and json.decode(text) or nil
end

-- A JSON merge patch from one value to another: only its additions and changes, or only its removals.
local function merge_patch(from, to, removals)
    local patch = {}
    for key, value in pairs(to) do
        local old = from[key]
        local deeper = type(value) == "table" and type(old) == "table" and not tables.is_list(value)
            and not tables.is_list(old)
        if deeper then
            local inner = merge_patch(old, value, removals)
            if next(inner) then patch[key] = inner end
        elseif not removals and not tables.equal(old, value) then
            patch[key] = value
        end
    end
    for key in pairs(removals and from or {}) do
        if to[key] == nil then patch[key] = json.null end
    end
    return patch
end

---The patch that brings the live object to the manifest; what others added stays.
---@param group string
---@param target table the manifest, remembering itself
---@param live table
---@return table? patch nil where nothing changes
---@return string content_type
function last_applied.patch(group, target, live)
    local original = last_applied.of(live)
    if built_in[group] then
        local patch, kind = chart.patch(original, target, live)
        return patch, kind
    end
    local patch = tables.merge(merge_patch(original or {}, target, true), merge_patch(live, target, false))
    return next(patch) and patch or nil, "application/merge-patch+json"
end

return last_applied
