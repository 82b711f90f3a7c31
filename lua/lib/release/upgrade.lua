-- Upgrades a release (helm.sh/helm/v3/pkg/action/upgrade.go).
local apply = require "release.apply"
local capabilities = require "release.capabilities"
local crds = require "release.crds"
local fail = require "fail"
local gotime = require "release.gotime"
local hooks = require "release.hooks"
local lease = require "release.lease"
local lifecycle = require "release.lifecycle"
local objects = require "release.objects"
local prepare = require "release.prepare"
local records = require "release.records"
local rollback = require "release.rollback"
local tables = require "tables"
local values = require "release.values"

local upgrade = {}

local function no_deployed(env)
    fail.raise("not_found", ('"%s" has no deployed releases'):format(env.name),
        "todo-lua helm upgrade --install installs a release that does not exist")
end

---The revision that an upgrade starts from; nil where there is none.
---@param history todo.Record[]
---@return todo.Record?
function upgrade.base(history)
    local deployed, last = records.deployed(history), history[#history]
    if deployed then return deployed end
    return last and (last.status == "failed" or last.status == "superseded") and last or nil
end

-- The last revision's labels with the new ones; "null" takes one away.
local function merged_labels(last, given)
    local labels = {}
    for name, value in pairs(tables.merge(last.labels, given or {})) do
        if value ~= "null" then labels[name] = value end
    end
    return labels
end

local removed_api = "current release manifest contains removed kubernetes api(s) for this kubernetes version and it is "
    .. "therefore unable to build the kubernetes objects for performing the diff. error from kubernetes"

local function original_objects(env, current)
    local ok, list = pcall(objects.build, env.client, current.body().manifest, env.namespace)
    if ok then return list end
    local text = fail.message(list):find("no matches for kind", 1, true) and removed_api
        or "unable to build kubernetes objects from current release manifest"
    lifecycle.raise(list, text .. ": " .. fail.message(list))
end

---Renders and checks.
---@async
---@param env todo.ReleaseEnv
---@param c todo.Chart
---@param o todo.ReleaseOptions
---@param foreign_seconds number? see lifecycle.settle
---@return todo.ReleaseJob
function upgrade.prepare(env, c, o, foreign_seconds)
    capabilities.check_reachable(env.client)
    prepare.check(o)
    local history = records.history(env.client, env.namespace, env.name)
    lifecycle.settle(env, history, foreign_seconds)
    local last, current = history[#history], upgrade.base(history)
    if not current then no_deployed(env) end
    local given, defaults = values.reused(o.values, current, o)
    if o.upgrade_crds then crds.install(env, c, tables.merge(o, { values = given })) end
    local record, rendered = prepare.render(env, c, setmetatable({ values = given }, { __index = o }), {
        revision = last.revision + 1, is_upgrade = true, status = "pending-upgrade",
        description = "Preparing upgrade", first_deployed = current.body().info.first_deployed,
        last_deployed = gotime.now(), defaults = defaults, labels = merged_labels(last, o.labels),
    })
    local target = prepare.objects(env, record, "unable to build kubernetes objects from new release manifest",
        not o.disable_openapi_validation)
    local original = original_objects(env, current)
    target = prepare.marked(env, target)
    local known = objects.by_key(original)
    local added = tables.filter(target, function(object) return not known[objects.key(object)] end)
    local adopted = prepare.existing(env, added, o, "Unable to continue with update")
    table.move(adopted, 1, #adopted, #original + 1, original)
    return { record = record, rendered = rendered, resources = target, original = original, history = history,
        current = current }
end

local function run_event(env, record, o, event)
    if o.no_hooks then return end
    local ok, problem = pcall(hooks.run, env, record, event, o.timeout)
    if ok then return end
    if fail.kind(problem) == "cancelled" then error(problem, 0) end
    lifecycle.raise(problem, ("%s hooks failed: %s"):format(event, fail.message(problem)))
end

local function carry_out(env, job, o, created)
    run_event(env, job.record, o, "pre-upgrade")
    local result, problem = apply.update(env.client, job.original, job.resources, lifecycle.how(env, o))
    table.move(result.created, 1, #result.created, 1, created)
    if problem then
        records.save(env.client, job.current) -- as helm: nulls of the new values may have got into it
        error(problem, 0)
    end
    if o.recreate_pods then
        local ok, trouble = pcall(lifecycle.recreate_pods, env, result.updated)
        if not ok then env.log.warn("pods were not started anew: %s", fail.message(trouble)) end
    end
    lifecycle.wait(env, job.resources, o)
    run_event(env, job.record, o, "post-upgrade")
    records.set_status(env.client, job.current, "superseded")
    records.set_status(env.client, job.record, "deployed", o.description or "Upgrade complete")
end

-- The newest revision that was ever deployed.
local function last_successful(env)
    local history = records.history(env.client, env.namespace, env.name)
    for index = #history, 1, -1 do
        local status = history[index].status
        if status == "superseded" or status == "deployed" then return history[index] end
    end
    return nil
end

local function roll_back(env, job, o, problem)
    lifecycle.save_bundle(env, job.record, job.resources, problem)
    local good = last_successful(env)
    if not good then
        lifecycle.raise(problem, ("unable to find a previously successful release when attempting to rollback. "
            .. "original upgrade error: %s"):format(fail.message(problem)), job.record)
    end
    local ok, trouble = pcall(rollback.run, env, good.revision, {
        wait = true, wait_for_jobs = o.wait_for_jobs, no_hooks = o.no_hooks, recreate_pods = o.recreate_pods,
        force = o.force, timeout = o.timeout, server_side = o.server_side, force_conflicts = o.force_conflicts,
    })
    if not ok then
        lifecycle.raise(problem, ("an error occurred while rolling back the release. original upgrade error: %s: %s")
            :format(fail.message(problem), fail.message(trouble)), job.record)
    end
    lifecycle.raise(problem, ("release %s failed, and has been rolled back due to atomic being set: %s"):format(
        env.name, fail.message(problem)), job.record)
end

local function fail_release(env, job, o, problem, created)
    lifecycle.mark_failed(env, job.record, ('Upgrade "%s" failed: %s'):format(env.name, fail.message(problem)))
    if o.cleanup_on_fail then lifecycle.clean_up(env, created, "upgrade", problem) end
    if o.atomic then roll_back(env, job, o, problem) end
    lifecycle.raise(problem, fail.message(problem), job.record)
end

---Carries out what was prepared.
---@async
---@param env todo.ReleaseEnv
---@param job todo.ReleaseJob
---@param o todo.ReleaseOptions
---@return todo.Record
function upgrade.perform(env, job, o)
    local function on_abort()
        if records.is_pending(job.record) then
            lifecycle.mark_failed(env, job.record, ('Upgrade "%s" failed: context canceled'):format(env.name))
        end
    end
    return lease.hold(env, on_abort, function()
        records.make_room(env.client, job.history, o.history_max or 0)
        records.create(env.client, job.record)
        local created = {}
        local ok, problem = pcall(carry_out, env, job, o, created)
        if not ok then fail_release(env, job, o, problem, created) end
        return job.record
    end)
end

---@async
---@param env todo.ReleaseEnv
---@param c todo.Chart
---@param o todo.ReleaseOptions
---@return todo.Record
function upgrade.run(env, c, o)
    o.wait = o.wait or o.atomic
    local job = upgrade.prepare(env, c, o)
    if prepare.is_dry(o) then
        job.record.body().info.description = o.description or "Dry run complete"
        return job.record
    end
    return upgrade.perform(env, job, o)
end

return upgrade
