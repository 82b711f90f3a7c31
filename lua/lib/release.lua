-- The release as deploy wants it: looks first, writes only what differs. What is done is helm's, in lua/lib/release/.
local apply = require "release.apply"
local fail = require "fail"
local install = require "release.install"
local lifecycle = require "release.lifecycle"
local objects = require "release.objects"
local records = require "release.records"
local tables = require "tables"
local task = require "task"
local uninstall = require "release.uninstall"
local upgrade = require "release.upgrade"
local values = require "release.values"
local yaml = require "yaml"

local release = {}

-- A record that another program (helm has no lease) left pending for longer counts as abandoned.
local FOREIGN_SECONDS = 300
-- As helm keeps by default.
local KEPT = 10

local function env_of(ctx, line)
    return {
        client = ctx.k8s, name = ctx.config.release, namespace = ctx.config.namespace, log = ctx.log,
        state_dir = ctx.state_dir, on_step = function(text) line:set(text) end,
    }
end

-- Port collisions have a message of their own: it is the one failure that another release on the same machine causes.
local function explain(problem)
    local first = (fail.field(problem, "problems") or {})[1] or problem
    local message = fail.message(first)
    if message:find("provided port is already allocated", 1, true) then
        fail.raise("port_busy", message:match("[^:]*already allocated") or message,
            "another Service of this cluster has that port: delete it, or set another: --set "
                .. "frontend.service.nodePort=30081", { cause = problem })
    end
    fail.raise(fail.kind(first) or "http", (message:gsub("%s+$", "")), fail.field(first, "hint"), { cause = problem })
end

local function explain_chart(ctx, problem)
    fail.raise(fail.kind(problem) or "chart", "the chart cannot be rendered: " .. fail.message(problem),
        fail.field(problem, "hint")
            or ("todo-lua doctor checks the chart; its files are in %s"):format(ctx.config.chart),
        { cause = fail.field(problem, "cause") })
end

-- Whether the deployed revision is what the chart gives and the cluster has all of it, unchanged.
local function needs_nothing(env, job)
    local current, last = job.current, job.history[#job.history]
    if not current or last ~= current or current.status ~= "deployed" then return false end
    if current.body().manifest ~= job.record.body().manifest then return false end
    local before = objects.by_key(job.original)
    local changed = task.all(tables.map(job.resources, function(object)
        return function()
            return apply.would_change(env.client, before[objects.key(object)], object, objects.get(env.client, object))
        end
    end))
    for _, one in ipairs(changed) do
        if one then return false end
    end
    return true
end

local function prepare(env, c, o)
    local history = records.history(env.client, env.namespace, env.name)
    lifecycle.settle(env, history, FOREIGN_SECONDS)
    if upgrade.base(history) then return upgrade, upgrade.prepare(env, c, o, FOREIGN_SECONDS) end
    return install, install.prepare(env, c, o)
end

---Installs the chart or upgrades it; nothing is written where nothing differs.
---@async
---@param ctx todo.Context with k8s
---@param line todo.BoardLine
---@param c todo.Chart
---@param options todo.ChartOptions
---@return boolean changed
---@return string text
---@return todo.Rendered rendered
function release.ensure(ctx, line, c, options)
    local env = env_of(ctx, line)
    local o = {
        values = values.given(options), timeout = ctx.config.timeout, create_namespace = true, history_max = KEPT,
        replace = true, reset_values = true,
    }
    local prepared, action, job = pcall(prepare, env, c, o)
    if not prepared then
        if fail.field(action, "in_chart") then explain_chart(ctx, action) end
        explain(action)
    end
    if action == upgrade and needs_nothing(env, job) then
        return false, ("%s revision %d is deployed, nothing differs"):format(env.name, job.current.revision),
            job.rendered
    end
    local ok, record = pcall(action.perform, env, job, o)
    if not ok then explain(record) end
    ctx.log.detail("release %s: %d objects", env.name, #job.resources)
    return true, ("%s revision %d %s"):format(env.name, record.revision,
        action == install and "installed" or "deployed"), job.rendered
end

---Removes a release with its records.
---@async
---@param ctx todo.Context with k8s
---@param line todo.BoardLine
---@return boolean removed false where there was none
function release.uninstall(ctx, line)
    local env = env_of(ctx, line)
    if #records.history(env.client, env.namespace, env.name) == 0 then return false end
    uninstall.run(env, { timeout = ctx.config.timeout, thorough = true })
    return true
end

---Objects of the deployed revision, for those who look.
---@async
---@param client todo.K8s
---@param info { name: string, namespace: string }
---@return table[] objects
---@return todo.Record? record
function release.current(client, info)
    local history = records.history(client, info.namespace, info.name)
    local record = records.deployed(history) or history[#history]
    if not record then return {}, nil end
    local found = {}
    for _, object in ipairs(yaml.decode_all(record.body().manifest or "")) do
        if type(object) == "table" and object.kind then found[#found + 1] = object end
    end
    table.sort(found, function(a, b) return objects.key(a) < objects.key(b) end)
    return found, record
end

return release
