-- Looks at everything a recipe may ask about, once. Recipes are pure functions over what this returns.
local api_fields = require "api_fields"
local chart = require "chart"
local database = require "database"
local docker = require "docker"
local fail = require "fail"
local field_lint = require "field_lint"
local fs = require "fs"
local json = require "json"
local proc = require "proc"
local project = require "project"
local release = require "release"
local secret = require "secret"
local signals = require "signals"
local stack = require "stack"
local tables = require "tables"
local task = require "task"
local term = require "term"
local url = require "url"

local observe = {}

local LOG_LINES = 80

---@class todo.Observation
---@field now number seconds since the epoch
---@field release string
---@field namespace string
---@field provider string
---@field host_address string? where pods reach this machine
---@field pods table[] of the release
---@field events table[] of the namespace
---@field deployments table[]
---@field services table[]
---@field nodes table[]
---@field config table<string, string> data of the ConfigMap
---@field secret_keys table<string, boolean> keys of the Secret that hold something
---@field database { address: string?, problem: string?, is_local: boolean, container: string? }
---@field logs table<string, string> by "pod/container" and "pod/container/previous"
---@field images table<string, boolean> "name:tag" that the local Docker has
---@field record { revision: integer, status: string, description: string }?
---@field chart { severity: string, path: string, message: string }[] what lint says
---@field values table merged chart values
---@field ports table<string, integer> by component, as configured
---@field url string? proven
---@field tried todo.Proof[]
---@field front string component behind the URL

local function decoded(object)
    local data = {}
    for key, value in pairs(object and type(object.data) == "table" and object.data or {}) do
        data[key] = secret.unbase64(value)
    end
    return data
end

-- Where the pods look for the database; the password never leaves this function.
local function look_at_database(ctx, data, seen)
    local text = data.DATABASE_URL
    if not text or text == "" then return { problem = "DATABASE_URL is empty", is_local = false } end
    secret.new(text)
    local ok, parts = pcall(database.parse, text)
    if not ok then return { problem = fail.message(parts), is_local = false } end
    local found = { address = database.describe(text), is_local = parts.host == seen.host_address }
    if not found.is_local then return found end
    local connected, port, container = pcall(function() return database.local_port(ctx, docker.connect()) end)
    local may_be_ours = parts.port >= ctx.config.database.port -- where the container is gone, nothing else tells
    found.is_local = connected and container and port == parts.port or not container and may_be_ours
    if found.is_local then
        found.container = not connected and "unknown" or not container and "absent"
            or container.State.Running and "running" or "stopped"
    end
    return found
end

local function read_log(client, seen, pod, container, previous)
    local ok, text = pcall(function()
        local reader = client:logs(pod.metadata.name, {
            namespace = seen.namespace, container = container, previous = previous or nil, tail = LOG_LINES,
        })
        local all = reader:text()
        reader:close()
        return all
    end)
    if not ok then return end
    seen.logs[pod.metadata.name .. "/" .. container .. (previous and "/previous" or "")] = term.clean(text)
end

local function look_at_logs(client, seen)
    local reads = {}
    for _, pod in ipairs(seen.pods) do
        for _, status in ipairs(signals.containers(pod)) do
            reads[#reads + 1] = function() read_log(client, seen, pod, status.name, false) end
            if (status.restartCount or 0) > 0 then
                reads[#reads + 1] = function() read_log(client, seen, pod, status.name, true) end
            end
        end
    end
    if #reads > 0 then task.all(reads) end
end

local function look_at_images(seen)
    local ok, list = pcall(function() return docker.connect():images() end)
    for _, image in ipairs(ok and list or {}) do
        for _, tag in ipairs(type(image.RepoTags) == "table" and image.RepoTags or {}) do seen.images[tag] = true end
    end
end

local function look_at_chart(ctx, seen)
    local path = project.path(ctx, ctx.config.chart)
    if not path then return end
    local ok, problems = pcall(chart.lint, path, { values = ctx.layer_values, values_files = ctx.options.values,
        set = ctx.options.set, release = seen.release, namespace = seen.namespace })
    seen.chart = ok and problems
        or { { severity = "error", path = ctx.config.chart, message = fail.message(problems) } }
    if not ok then return end
    local rendered
    ok, rendered = pcall(function()
        return stack.chart(ctx):render(tables.merge(api_fields.capabilities(), stack.preview_options(ctx)))
    end)
    if not ok then return end -- doctor has no secrets; what else is wrong, lint has said
    local findings = field_lint.run(stack.chart(ctx), rendered, ctx.k8s, fs.join(ctx.cache_dir, "openapi"))
    table.move(findings, 1, #findings, #seen.chart + 1, seen.chart)
end

local function look_at_release(client, seen)
    local _, record = release.current(client, { name = seen.release, namespace = seen.namespace })
    if record then
        seen.record = {
            revision = record.revision, status = record.status, description = record.body().info.description,
        }
    end
end

-- Who set which field is of no use to a recipe and makes up most of an object.
local function list(client, kind, options)
    local items = client:list(kind, options)
    for _, item in ipairs(items) do item.metadata.managedFields = nil end
    return items
end

---@async
---@param ctx todo.Context with k8s
---@return todo.Observation
function observe.cluster(ctx)
    local client = ctx.k8s
    local seen = {
        now = proc.time(), release = ctx.config.release, namespace = ctx.config.namespace, provider = ctx.provider.name,
        logs = {}, images = {}, chart = {}, ports = ctx.config.ports, front = ctx.config.url.component, tried = {},
    }
    seen.values = stack.values(ctx)
    seen.namespace = ctx.config.namespace
    local where = { namespace = seen.namespace }
    local ours = { namespace = seen.namespace, labels = { ["app.kubernetes.io/instance"] = seen.release } }
    local config, secrets
    task.all {
        function() seen.pods = list(client, "pods", ours) end,
        function() seen.deployments = list(client, "deployments", ours) end,
        function() seen.services = list(client, "services", where) end,
        function() seen.events = list(client, "events", where) end,
        function() seen.nodes = list(client, "nodes") end,
        function() config = client:get("configmaps", seen.release .. "-config", where) end,
        function() secrets = client:get("secrets", seen.release .. "-secret", where) end,
        function() look_at_release(client, seen) end,
        function() look_at_images(seen) end,
    }
    seen.config = config and type(config.data) == "table" and config.data or {}
    local data = decoded(secrets)
    seen.secret_keys = {}
    for key, value in pairs(data) do seen.secret_keys[key] = value ~= "" end
    local known, address = pcall(ctx.provider.host_address, ctx)
    seen.host_address = known and address or nil
    seen.database = look_at_database(ctx, data, seen)
    look_at_logs(client, seen)
    look_at_chart(ctx, seen)
    seen.url, seen.tried = url.find(ctx)
    return seen
end

---An observation as text that can be kept and read again; known secrets are masked.
---@param seen todo.Observation
---@return string
function observe.encode(seen)
    local copy = tables.copy(seen)
    copy.values = tables.merge(copy.values, { secrets = {} })
    for key in pairs(copy.values.secrets or {}) do copy.values.secrets[key] = "" end
    return secret.redact(json.encode(copy, { indent = "  ", sort = true, secrets = "mask" })) .. "\n"
end

return observe
