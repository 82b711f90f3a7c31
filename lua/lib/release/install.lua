-- Installs a release (helm.sh/helm/v3/pkg/action/install.go).
local apply = require "release.apply"
local capabilities = require "release.capabilities"
local crds = require "release.crds"
local fail = require "fail"
local gotime = require "release.gotime"
local hooks = require "release.hooks"
local lease = require "release.lease"
local lifecycle = require "release.lifecycle"
local prepare = require "release.prepare"
local records = require "release.records"
local uninstall = require "release.uninstall"

local install = {}

local function check_name(history, o)
    local last = history[#history]
    if not last or o.replace and (last.status == "uninstalled" or last.status == "failed") then return end
    fail.raise("exists", "cannot re-use a name that is still in use",
        "todo-lua helm upgrade --install changes a release that exists")
end

---@class todo.ReleaseJob
---@field record todo.Record of the new revision
---@field rendered todo.Rendered
---@field resources table[] objects as they will be sent
---@field original table[] objects that exist already and are changed
---@field history todo.Record[]
---@field current todo.Record? revision that an upgrade starts from

---Renders and checks; of the cluster only its custom resource definitions are changed.
---@async
---@param env todo.ReleaseEnv
---@param c todo.Chart
---@param o todo.ReleaseOptions
---@return todo.ReleaseJob
function install.prepare(env, c, o)
    capabilities.check_reachable(env.client)
    prepare.check(o)
    local history = records.history(env.client, env.namespace, env.name)
    if not prepare.is_dry(o) then check_name(history, o) end
    crds.install(env, c, o)
    local last, now = history[#history], gotime.now()
    local record, rendered = prepare.render(env, c, o, {
        revision = 1, is_upgrade = false, status = "pending-install", description = "Initial install underway",
        first_deployed = now, last_deployed = now, labels = o.labels,
    })
    local resources = prepare.objects(env, record, "unable to build kubernetes objects from release manifest",
        not o.disable_openapi_validation)
    resources = prepare.marked(env, resources)
    local adopted = prepare.existing(env, resources, o, "Unable to continue with install")
    if last and not prepare.is_dry(o) then
        record.body().version, record.revision = last.revision + 1, last.revision + 1
    end
    return { record = record, rendered = rendered, resources = resources, original = adopted, history = history }
end

local function ensure_namespace(env)
    local ok, problem = pcall(env.client.create, env.client, {
        apiVersion = "v1", kind = "Namespace", metadata = { name = env.namespace, labels = { name = env.namespace } },
    }, {})
    if not ok and fail.kind(problem) ~= "exists" then error(problem, 0) end
end

local function supersede_last(env, history)
    local last = history[#history]
    if not last or last.status == "failed" then return end
    records.set_status(env.client, last, "superseded", "superseded by new release")
end

local function run_event(env, record, o, event)
    if o.no_hooks then return end
    local ok, problem = pcall(hooks.run, env, record, event, o.timeout)
    if not ok then
        if fail.kind(problem) == "cancelled" then error(problem, 0) end
        lifecycle.raise(problem, ("failed %s: %s"):format(event, fail.message(problem)))
    end
end

local function carry_out(env, job, o)
    run_event(env, job.record, o, "pre-install")
    if #job.original == 0 then
        apply.create(env.client, job.resources, lifecycle.how(env, o))
    else
        local _, problem = apply.update(env.client, job.original, job.resources, lifecycle.how(env, o))
        if problem then error(problem, 0) end
    end
    lifecycle.wait(env, job.resources, o)
    run_event(env, job.record, o, "post-install")
    records.set_status(env.client, job.record, "deployed", o.description or "Install complete")
end

local function fail_release(env, job, o, problem)
    local record = job.record
    lifecycle.mark_failed(env, record, ('Release "%s" failed: %s'):format(env.name, fail.message(problem)))
    if not o.atomic then lifecycle.raise(problem, fail.message(problem), record) end
    lifecycle.save_bundle(env, record, job.resources, problem)
    local ok, trouble = pcall(uninstall.run, env, { no_hooks = o.no_hooks, timeout = o.timeout })
    if not ok then
        lifecycle.raise(problem, ("an error occurred while uninstalling the release. original install error: %s: %s")
            :format(fail.message(problem), fail.message(trouble)), record)
    end
    lifecycle.raise(problem, ("release %s failed, and has been uninstalled due to atomic being set: %s"):format(
        env.name, fail.message(problem)), record)
end

---Carries out what was prepared.
---@async
---@param env todo.ReleaseEnv
---@param job todo.ReleaseJob
---@param o todo.ReleaseOptions
---@return todo.Record
function install.perform(env, job, o)
    if o.create_namespace then ensure_namespace(env) end
    local record = job.record
    local function on_abort()
        if records.is_pending(record) then
            lifecycle.mark_failed(env, record, ('Release "%s" failed: context canceled'):format(env.name))
        end
    end
    return lease.hold(env, on_abort, function()
        if o.replace then supersede_last(env, job.history) end
        records.create(env.client, record)
        local ok, problem = pcall(carry_out, env, job, o)
        if not ok then fail_release(env, job, o, problem) end
        return record
    end)
end

---@async
---@param env todo.ReleaseEnv
---@param c todo.Chart
---@param o todo.ReleaseOptions
---@return todo.Record
function install.run(env, c, o)
    o.wait = o.wait or o.atomic
    capabilities.check_reachable(env.client)
    local history = records.history(env.client, env.namespace, env.name)
    if not prepare.is_dry(o) and o.replace then lifecycle.settle(env, history) end
    local job = install.prepare(env, c, o)
    if prepare.is_dry(o) then
        job.record.body().info.description = "Dry run complete"
        return job.record
    end
    return install.perform(env, job, o)
end

return install
