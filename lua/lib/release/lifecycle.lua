-- What the changes of a release have in common: who may begin one, and how one ends that failed.
local apply = require "release.apply"
local bundle = require "release.bundle"
local fail = require "fail"
local gotime = require "release.gotime"
local lease = require "release.lease"
local records = require "release.records"
local tables = require "tables"
local wait = require "wait"

local lifecycle = {}

---How long a pending record without a lease (another program's: helm has none) counts as somebody's work, where the
---caller has no say of their own.
lifecycle.settings = { foreign_seconds = math.huge }

---Sees to it that nobody works on the release: what a killed program left pending is marked as failed.
---@async
---@param env todo.ReleaseEnv
---@param history todo.Record[]
---@param foreign_seconds number? 0: goes on without a word, as helm's rollback does
function lifecycle.settle(env, history, foreign_seconds)
    local last = history[#history]
    if not last or not records.is_pending(last) or env.held then return end
    local found = lease.look(env)
    if found and found.alive then lease.raise_busy(env, found.holder) end
    if not found then
        local begun = gotime.epoch(last.body().info.last_deployed)
        local patience = foreign_seconds or lifecycle.settings.foreign_seconds
        if patience == 0 then return end
        if not begun or os.time() - begun < patience then lease.raise_busy(env) end
    end
    env.log.warn("release %s was left %s by a program that was killed; taking it up again", env.name, last.status)
    records.set_status(env.client, last, "failed", "interrupted: the program that did this was killed")
end

---@param env todo.ReleaseEnv
---@param o todo.ReleaseOptions
---@return todo.ApplyOptions
function lifecycle.how(env, o)
    return {
        force = o.force, server_side = o.server_side, force_conflicts = o.force_conflicts,
        on_object = env.on_step and function(label, index, count)
            env.on_step(("%s (%d of %d)"):format(label, index, count))
        end or nil,
    }
end

---Waits for the objects where the options say so.
---@async
---@param env todo.ReleaseEnv
---@param list table[]
---@param o todo.ReleaseOptions
function lifecycle.wait(env, list, o)
    if not o.wait then return end
    wait.ready(env.client, list, { namespace = env.namespace, seconds = o.timeout, jobs = o.wait_for_jobs,
        board = env.board, prefix = env.name, late = "context deadline exceeded" })
end

---Notes in the record that it failed, for good or because the task was cancelled.
---@async
---@param env todo.ReleaseEnv
---@param record todo.Record
---@param text string
function lifecycle.mark_failed(env, record, text)
    local ok, problem = pcall(records.set_status, env.client, record, "failed", text)
    if not ok then env.log.warn("the record of release %s cannot be written: %s", env.name, fail.message(problem)) end
end

---Saves what tells why it failed, before it is undone.
---@async
---@param env todo.ReleaseEnv
---@param record todo.Record
---@param list table[] the release's objects
---@param problem any
function lifecycle.save_bundle(env, record, list, problem)
    local ok, path = pcall(bundle.save, env, record, list, problem)
    if ok then
        env.log.warn("what was found is saved in %s", path)
    else
        env.log.warn("the failure's traces cannot be saved: %s", fail.message(path))
    end
end

---An error that wraps another one, as helm's errors do.
---@param problem any
---@param message string
---@param record todo.Record?
function lifecycle.raise(problem, message, record)
    error(fail.new(fail.kind(problem) or "http", message, fail.field(problem, "hint"),
        { cause = problem, record = record, status = fail.field(problem, "status") }), 0)
end

---Deletes what an update created before it failed.
---@async
---@param env todo.ReleaseEnv
---@param created table[]
---@param verb string
---@param problem any
function lifecycle.clean_up(env, created, verb, problem)
    if #created == 0 then return end
    local problems = apply.delete(env.client, created)
    if #problems == 0 then return end
    lifecycle.raise(problem, ("an error occurred while cleaning up resources. original %s error: %s: unable to "
        .. "cleanup resources: %s"):format(verb, fail.message(problem),
            table.concat(tables.map(problems, fail.message), ", ")))
end

local selectors = { ReplicaSet = true, StatefulSet = true, DaemonSet = true, Deployment = true, Job = true,
    ReplicationController = true, Service = true }

---Deletes the pods of the objects, so that they start anew (--recreate-pods).
---@async
---@param env todo.ReleaseEnv
---@param list table[]
function lifecycle.recreate_pods(env, list)
    for _, object in ipairs(list) do
        local selector = selectors[object.kind]
            and (tables.at(object, "spec.selector.matchLabels") or tables.at(object, "spec.selector"))
        if selector and next(selector) then
            for _, pod in ipairs(env.client:list("pods",
                { namespace = object.metadata.namespace, labels = selector })) do
                env.client:delete("pods", pod.metadata.name,
                    { namespace = pod.metadata.namespace, uid = pod.metadata.uid })
            end
        end
    end
end

return lifecycle
