-- Runs a release's hooks of one event: by weight, then by name; each has to end before the next starts
-- (helm.sh/helm/v3/pkg/action/hooks.go).
local apply = require "release.apply"
local fail = require "fail"
local gotime = require "release.gotime"
local json = require "json"
local objects = require "release.objects"
local records = require "release.records"
local tables = require "tables"
local wait = require "wait"

local hooks = {}

local function includes(list, wanted)
    if list == json.null then return false end
    for _, item in ipairs(list or {}) do
        if item == wanted then return true end
    end
    return false
end

---The hooks of an event in the order of their execution.
---@param list table[]? hooks as records hold them
---@param event string
---@return table[]
function hooks.of(list, event)
    local entries = {}
    for index, hook in ipairs(list and list ~= json.null and list or {}) do
        if includes(hook.events, event) then entries[#entries + 1] = { hook = hook, index = index } end
    end
    table.sort(entries, function(a, b)
        local x, y = a.hook, b.hook
        if (x.weight or 0) ~= (y.weight or 0) then return (x.weight or 0) < (y.weight or 0) end
        if x.name ~= y.name then return (x.name or "") < (y.name or "") end
        return a.index < b.index
    end)
    return tables.map(entries, function(entry) return entry.hook end)
end

-- what: "deleting", or the event.
local function build(env, hook, what)
    local ok, list = pcall(objects.build, env.client, hook.manifest, env.namespace)
    if ok then return list end
    fail.raise(fail.kind(list), ("unable to build kubernetes object for %s hook %s: %s"):format(what,
        hook.path, fail.message(list)), fail.field(list, "hint"))
end

local function delete_by_policy(env, hook, policy, seconds)
    -- A definition takes all objects of its kind with it.
    if hook.kind == "CustomResourceDefinition" or not includes(hook.delete_policies, policy) then return end
    local list = build(env, hook, "deleting")
    local problems = apply.delete(env.client, list)
    if #problems > 0 then
        fail.raise(fail.kind(problems[1]) or "http", table.concat(tables.map(problems, fail.message), "; "))
    end
    apply.wait_gone(env.client, list, seconds)
end

-- Logs of the hook's pods go to where the caller shows them.
local function output_logs(env, hook, policy)
    if not includes(hook.output_log_policies, policy) or not env.hook_output then return end
    local selector = hook.kind == "Job" and { labels = "job-name=" .. hook.name }
        or hook.kind == "Pod" and { fields = "metadata.name=" .. hook.name }
    if not selector then return end
    selector.namespace = build(env, hook, "logging")[1].metadata.namespace
    for _, pod in ipairs(env.client:list("pods", selector)) do
        for _, container in ipairs(pod.spec.containers) do
            local lines <close> = env.client:logs(pod.metadata.name,
                { namespace = selector.namespace, container = container.name })
            env.hook_output(lines:text())
        end
    end
end

local function try_output(env, hook, policy)
    local ok, problem = pcall(output_logs, env, hook, policy)
    if not ok then env.log.warn("error outputting logs for hook failure: %s", fail.message(problem)) end
end

local function start(env, hook, event, record)
    hook.last_run = json.decode '{"started_at":"","completed_at":"","phase":"Running"}'
    hook.last_run.started_at = gotime.now()
    records.save(env.client, record)
    hook.last_run.phase = "Unknown"
    local list = build(env, hook, event)
    local ok, problem = pcall(apply.create, env.client, list)
    if ok then return list end
    hook.last_run.completed_at, hook.last_run.phase = gotime.now(), "Failed"
    fail.raise(fail.kind(problem), ("warning: Hook %s %s failed: %s"):format(event, hook.path, fail.message(problem)),
        fail.field(problem, "hint"), { cause = problem })
end

-- The hook's fields in the order of helm's struct, so that its JSON is helm's.
local function with_default_policy(hook)
    local policies = hook.delete_policies
    if policies and policies ~= json.null and #policies > 0 then return hook end
    local ordered = json.decode [[{"name":0,"kind":0,"path":0,"manifest":0,"events":0,"last_run":0,"weight":0,
        "delete_policies":0,"output_log_policies":0}]]
    for field in pairs(ordered) do ordered[field] = nil end
    for field, value in pairs(hook) do ordered[field] = value end
    ordered.delete_policies = json.list { "before-hook-creation" }
    return ordered
end

-- Where a hook says nothing of its deletion, it goes before it is made again; the record says so from then on.
local function settle_policy(record, hook)
    local list = record.body().hooks
    for index, one in ipairs(list) do
        if one == hook then
            list[index] = with_default_policy(hook)
            return list[index]
        end
    end
end

local function execute(env, hook, event, record, seconds)
    delete_by_policy(env, hook, "before-hook-creation", seconds)
    if env.on_step then env.on_step(("%s hook %s %s"):format(event, hook.kind, hook.name)) end
    local list = start(env, hook, event, record)
    local ok, problem = pcall(apply.each, list, function(object)
        wait.for_end(env.client, object, seconds)
    end)
    hook.last_run.completed_at, hook.last_run.phase = gotime.now(), ok and "Succeeded" or "Failed"
    return ok, problem
end

---@class todo.ReleaseEnv what the parts of a release's life share
---@field client todo.K8s
---@field name string of the release
---@field namespace string
---@field log table module log
---@field board todo.Board? shows waiting
---@field on_step fun(text: string)? told what is being done
---@field hook_output fun(text: string)? takes the logs of hooks that want them shown
---@field state_dir string for what is saved when a run fails

---Runs the hooks of `event`, each noted in the record; raises where one fails.
---@async
---@param env todo.ReleaseEnv
---@param record todo.Record
---@param event string "pre-install", "test", …
---@param seconds number for each hook
function hooks.run(env, record, event, seconds)
    local list = hooks.of(record.body().hooks, event)
    for index, hook in ipairs(list) do
        hook = settle_policy(record, hook)
        list[index] = hook
        local ok, problem = execute(env, hook, event, record, seconds)
        if not ok then
            try_output(env, hook, "hook-failed")
            local deleted, trouble = pcall(delete_by_policy, env, hook, "hook-failed", seconds)
            if not deleted then
                env.log.warn("error deleting the hook resource on hook failure: %s", fail.message(trouble))
            end
            for before = 1, index - 1 do delete_by_policy(env, list[before], "hook-succeeded", seconds) end
            error(problem, 0)
        end
    end
    for index = #list, 1, -1 do
        try_output(env, list[index], "hook-succeeded")
        delete_by_policy(env, list[index], "hook-succeeded", seconds)
    end
end

return hooks
