-- Takes a release back to an earlier revision (helm.sh/helm/v3/pkg/action/rollback.go).
local apply = require "release.apply"
local capabilities = require "release.capabilities"
local fail = require "fail"
local gotime = require "release.gotime"
local hooks = require "release.hooks"
local json = require "json"
local lease = require "release.lease"
local lifecycle = require "release.lifecycle"
local prepare = require "release.prepare"
local records = require "release.records"

local rollback = {}

local function find(history, revision)
    for _, record in ipairs(history) do
        if record.revision == revision then return record end
    end
    fail.raise("not_found", ("release has no %d version"):format(revision))
end

-- The earlier revision as a new one: its fields in the order of helm's struct.
local function new_record(env, current, previous)
    local body = records.copy(previous)
    local info = json.decode [[{"first_deployed":"","last_deployed":"","deleted":"","description":"","status":"",
        "notes":null}]]
    info.first_deployed = current.body().info.first_deployed
    info.last_deployed = gotime.now()
    info.description = ("Rollback to %d"):format(previous.revision)
    info.status = "pending-rollback"
    info.notes = previous.body().info.notes
    body.info, body.version, body.namespace = info, current.revision + 1, env.namespace
    return records.new(body, previous.labels)
end

-- Where a hook fails, the record stays as it is, as helm leaves it: pending, the hook running.
local function run_event(env, record, o, event)
    if not o.no_hooks then hooks.run(env, record, event, o.timeout) end
end

local function carry_out(env, history, current, record, o)
    local original = prepare.objects(env, current, "unable to build kubernetes objects from current release manifest")
    local target = prepare.objects(env, record, "unable to build kubernetes objects from new release manifest")
    run_event(env, record, o, "pre-rollback")
    target = prepare.marked(env, target)
    local result, problem = apply.update(env.client, original, target, lifecycle.how(env, o))
    if problem then
        records.set_status(env.client, current, "superseded")
        lifecycle.mark_failed(env, record, ('Rollback "%s" failed: %s'):format(env.name, fail.message(problem)))
        if o.cleanup_on_fail then lifecycle.clean_up(env, result.created, "rollback", problem) end
        error(problem, 0)
    end
    if o.recreate_pods then
        local ok, trouble = pcall(lifecycle.recreate_pods, env, result.updated)
        if not ok then env.log.warn("pods were not started anew: %s", fail.message(trouble)) end
    end
    local ready, reason = pcall(lifecycle.wait, env, target, o)
    if not ready then
        lifecycle.mark_failed(env, record, ('Release "%s" failed: %s'):format(env.name, fail.message(reason)))
        lifecycle.raise(reason, ("release %s failed: %s"):format(env.name, fail.message(reason)))
    end
    run_event(env, record, o, "post-rollback")
    for _, old in ipairs(history) do
        if old.status == "deployed" then records.set_status(env.client, old, "superseded") end
    end
    records.set_status(env.client, record, "deployed")
end

---@async
---@param env todo.ReleaseEnv
---@param revision integer 0: the one before the last
---@param o todo.ReleaseOptions
---@return todo.Record
function rollback.run(env, revision, o)
    capabilities.check_reachable(env.client)
    if revision < 0 then fail.raise("usage", "invalid release revision") end
    local history = records.history(env.client, env.namespace, env.name)
    if #history == 0 then fail.raise("not_found", "release: not found") end
    if not o.dry_run then lifecycle.settle(env, history, 0) end
    local current = history[#history]
    local previous = find(history, revision == 0 and current.revision - 1 or revision)
    local record = new_record(env, current, previous)
    if o.dry_run then return record end
    local function on_abort()
        if records.is_pending(record) then
            lifecycle.mark_failed(env, record, ('Rollback "%s" failed: context canceled'):format(env.name))
        end
    end
    return lease.hold(env, on_abort, function()
        records.make_room(env.client, history, o.history_max or 0)
        records.create(env.client, record)
        carry_out(env, history, current, record, o)
        return record
    end)
end

return rollback
