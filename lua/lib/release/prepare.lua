-- A chart rendered for a release: what is recorded, and the objects it means.
local capabilities = require "release.capabilities"
local chart = require "chart"
local fail = require "fail"
local http = require "http"
local objects = require "release.objects"
local ownership = require "release.ownership"
local records = require "release.records"
local tables = require "tables"
local task = require "task"
local yaml = require "yaml"

local prepare = {}

---@class todo.ReleaseOptions: todo.ReuseOptions
---@field values table the user's values
---@field dry_run "none"|"client"|"server"|nil
---@field hide_secret boolean?
---@field timeout number seconds of one wait
---@field wait boolean?
---@field wait_for_jobs boolean?
---@field atomic boolean?
---@field no_hooks boolean?
---@field force boolean?
---@field server_side boolean?
---@field force_conflicts boolean?
---@field cleanup_on_fail boolean?
---@field recreate_pods boolean?
---@field take_ownership boolean?
---@field disable_openapi_validation boolean?
---@field replace boolean?
---@field create_namespace boolean?
---@field skip_crds boolean?
---@field upgrade_crds boolean?
---@field sub_notes boolean?
---@field skip_schema boolean?
---@field enable_dns boolean? getHostByName asks for addresses
---@field description string?
---@field labels table<string, string>?
---@field history_max integer?
---@field post_renderer (async fun(manifest: string): string)? changes the manifest before it is recorded and applied

---@param o todo.ReleaseOptions
---@return boolean
function prepare.is_dry(o) return o.dry_run == "client" or o.dry_run == "server" end

---@param o todo.ReleaseOptions
function prepare.check(o)
    if o.hide_secret and not prepare.is_dry(o) then
        fail.raise("usage", "Hiding Kubernetes secrets requires a dry-run mode")
    end
    if records.has_system_labels(o.labels or {}) then
        fail.raise("usage", "user supplied labels contains system reserved label name. System labels: "
            .. "[name owner status version createdAt modifiedAt]")
    end
end

-- The manifest without what its Secrets hold. Each document begins with a line that names its template.
local function hidden(manifest)
    local parts, text = {}, "\n" .. manifest
    local from = text:find("\n---\n# Source: ", 1, true)
    while from do
        local body = text:find("\n", from + 5, true) + 1
        local next_from = text:find("\n---\n# Source: ", body - 1, true)
        local content = text:sub(body, (next_from or #text))
        local object = yaml.decode(content)
        if type(object) == "table" and object.kind == "Secret" and object.apiVersion == "v1" then
            content = "# HIDDEN: The Secret output has been suppressed\n"
        end
        parts[#parts + 1] = text:sub(from + 1, body - 1) .. content
        from = next_from
    end
    return table.concat(parts)
end

local function raise_chart(problem)
    error(fail.new(fail.kind(problem) or "chart", fail.message(problem), fail.field(problem, "hint"),
        { cause = problem, in_chart = true }), 0)
end

---@class todo.RevisionInfo
---@field revision integer
---@field is_upgrade boolean
---@field status string
---@field description string
---@field first_deployed string RFC 3339
---@field last_deployed string
---@field defaults table? in place of the chart's own values
---@field labels table<string, string>? of the user's

---Renders and makes the record of a new revision.
---@async
---@param env todo.ReleaseEnv
---@param c todo.Chart
---@param o todo.ReleaseOptions
---@param info todo.RevisionInfo
---@return todo.Record record
---@return todo.Rendered rendered
function prepare.render(env, c, o, info)
    local options = tables.merge(capabilities.of(env.client), {
        release = env.name, namespace = env.namespace, revision = info.revision, is_upgrade = info.is_upgrade,
        sub_notes = o.sub_notes, skip_schema = o.skip_schema,
    })
    options.values, options.defaults = o.values, info.defaults
    if o.dry_run ~= "client" then options.lookup = capabilities.lookup(env.client) end
    if o.enable_dns then options.resolve = http.addresses end
    local ok, rendered = pcall(c.render, c, options)
    if not ok then raise_chart(rendered) end
    local body = chart.release(c, rendered, {
        name = env.name, namespace = env.namespace, revision = info.revision, status = info.status,
        description = info.description, first_deployed = info.first_deployed, last_deployed = info.last_deployed,
    })
    if o.hide_secret and body.manifest then body.manifest = hidden(body.manifest) end
    if o.post_renderer then
        body.manifest = o.post_renderer(body.manifest or "")
    end
    return records.new(body, info.labels), rendered
end

---The objects of a record's manifest.
---@async
---@param env todo.ReleaseEnv
---@param record todo.Record
---@param trouble string what an error begins with
---@param validated boolean? see objects.build
---@return table[]
function prepare.objects(env, record, trouble, validated)
    local ok, list = pcall(objects.build, env.client, record.body().manifest, env.namespace, validated)
    if ok then return list end
    error(fail.new(fail.kind(list) or "invalid", trouble .. ": " .. fail.message(list), fail.field(list, "hint"),
        { cause = list }), 0)
end

---The objects with the release's marks.
---@param env todo.ReleaseEnv
---@param list table[]
---@return table[]
function prepare.marked(env, list)
    return tables.map(list, function(object) return ownership.mark(object, env) end)
end

---Those of the objects that exist; raises where one belongs to somebody else.
---@async
---@param env todo.ReleaseEnv
---@param list table[]
---@param o todo.ReleaseOptions
---@param trouble string what an error begins with
---@return table[]
function prepare.existing(env, list, o, trouble)
    local function look(object)
        local live = objects.get(env.client, object)
        if live and not o.take_ownership then ownership.check(live, env) end
        return live ~= nil
    end
    local ok, found = pcall(function()
        return task.all(tables.map(list, function(object) return function() return look(object) end end))
    end)
    if not ok then
        error(fail.new(fail.kind(found) or "http", trouble .. ": " .. fail.message(found), fail.field(found, "hint"),
            { cause = found }), 0)
    end
    local adopted = {}
    for index, object in ipairs(list) do
        if found[index] then adopted[#adopted + 1] = object end
    end
    return adopted
end

return prepare
