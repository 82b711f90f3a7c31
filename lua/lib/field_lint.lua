-- Looks for fields that Kubernetes does not have in what a chart renders, and says where in the chart they are written.
local api_fields = require "api_fields"
local api_schema = require "api_schema"
local fail = require "fail"
local fs = require "fs"
local origins = require "origins"
local tables = require "tables"

local field_lint = {}

---@class todo.FieldFinding
---@field severity "error"
---@field path string "templates/web.yaml:7"; without a line where a helper or a value wrote the field
---@field message string "Deployment web: spec.replicaz: unknown field (did you mean replicas?)"

local function key_of(line)
    local dashes, key = line:match('^(%s*[-%s]*)"?([%w_./$-]+)"?%s*:')
    return key, dashes and #dashes
end

-- How many of the keys above the line are those of the path, from the nearest on.
local function matching_parents(lines, index, path)
    local _, indent = key_of(lines[index])
    local wanted, count = #path - 1, 0
    for above = index - 1, 1, -1 do
        local key, other = key_of(lines[above])
        if key and other < indent then
            while type(path[wanted]) == "number" do wanted = wanted - 1 end
            if path[wanted] ~= key then return count end
            count, wanted, indent = count + 1, wanted - 1, other
        end
    end
    return count
end

-- The line of a template on which a field is written; nil where it is not there, or in two places that look alike.
local function line_of(text, path)
    local lines, best, best_count, twice = {}, nil, -1, false
    for line in (text .. "\n"):gmatch("(.-)\n") do lines[#lines + 1] = line end
    local wanted = #path
    while type(path[wanted]) == "number" do wanted = wanted - 1 end
    local own = table.move(path, 1, wanted, 1, {})
    for index, line in ipairs(lines) do
        if own[wanted] and key_of(line) == own[wanted] then
            local count = matching_parents(lines, index, own)
            if count > best_count then
                best, best_count, twice = index, count, false
            elseif count == best_count then
                twice = true
            end
        end
    end
    return not twice and best or nil
end

local function place(c, manifest, path)
    local name = manifest.name:match("^[^/]*/(.*)$") or manifest.name
    local text = c:read(name)
    local line = text and line_of(text, path)
    return line and ("%s:%d"):format(name, line) or name
end

local function text_of(manifest, fault)
    local object = manifest.object
    local name = tables.at(object, "metadata.name")
    local at = origins.text(fault.path)
    if fault.path[1] == "apiVersion" and #fault.path == 1 then at = "" end
    local phrase = fault.nearest and (" (did you mean %s?)"):format(fault.nearest) or ""
    return ("%s %s: %s%s%s"):format(object.kind, type(name) == "string" and name or "?",
        at ~= "" and at .. ": " or "", fault.message, phrase)
end

local function all_manifests(rendered)
    local all = { table.unpack(rendered.crds) }
    table.move(rendered.manifests, 1, #rendered.manifests, #all + 1, all)
    return table.move(rendered.hooks, 1, #rendered.hooks, #all + 1, all)
end

---@param rendered todo.Rendered
---@return string[] apiVersions that its objects have
function field_lint.api_versions(rendered)
    local seen = {}
    for _, manifest in ipairs(all_manifests(rendered)) do
        if type(manifest.object.apiVersion) == "string" then seen[manifest.object.apiVersion] = true end
    end
    return tables.keys(seen)
end

---@param c todo.Chart
---@param rendered todo.Rendered
---@param schemas todo.FieldSchemas
---@return todo.FieldFinding[] findings
---@return string[] unchecked kinds that no schema knows
function field_lint.check(c, rendered, schemas)
    local manifests, findings, unchecked = all_manifests(rendered), {}, {}
    local own = api_fields.of_crds(tables.map(manifests, function(manifest) return manifest.object end))
    local all = { served = schemas.served, table.unpack(schemas) }
    -- What the chart itself defines comes first: the cluster may have an older definition.
    if own then table.insert(all, 1, own) end
    for _, manifest in ipairs(manifests) do
        local faults = api_schema.check(all, manifest.object)
        if not faults then
            unchecked[("%s %s"):format(manifest.object.apiVersion, manifest.kind)] = true
        end
        for _, fault in ipairs(faults or {}) do
            findings[#findings + 1] = { severity = "error", path = place(c, manifest, fault.path),
                message = text_of(manifest, fault) }
        end
    end
    return findings, tables.keys(unchecked)
end

---Checks against the cluster's own fields; against those that the program carries where the cluster has none to show.
---@async
---@param c todo.Chart
---@param rendered todo.Rendered
---@param client todo.K8s?
---@param folder string? where the cluster's documents are kept
---@return todo.FieldFinding[]
---@return string[] unchecked
function field_lint.run(c, rendered, client, folder)
    local schemas = { api_fields.embedded() }
    if client then
        -- Clusters before 1.24 do not serve them.
        schemas = fail.catch({ not_found = true }, function()
            return api_fields.cluster(client, field_lint.api_versions(rendered), folder)
        end) or schemas
    end
    return field_lint.check(c, rendered, schemas)
end

---Says what of a release that was just brought to the cluster it did not understand.
---@async
---@param ctx todo.Context with k8s
---@param c todo.Chart
---@param rendered todo.Rendered
function field_lint.warn(ctx, c, rendered)
    local ok, findings = pcall(field_lint.run, c, rendered, ctx.k8s, fs.join(ctx.cache_dir, "openapi"))
    if not ok then
        if fail.kind(findings) == "cancelled" then error(findings, 0) end
        ctx.log.detail("the chart's fields were not checked: %s", fail.message(findings))
        return
    end
    for _, finding in ipairs(findings) do
        ctx.log.warn("%s: %s", fs.join(ctx.config.chart, finding.path), finding.message)
    end
end

return field_lint
