-- Brings objects to the server: creates, patches, replaces, deletes, as helm's client does (helm.sh/helm/v3/pkg/kube).
local chart = require "chart"
local fail = require "fail"
local objects = require "release.objects"
local tables = require "tables"
local task = require "task"

local apply = {}

local MANAGER = "todo-lua"
local CONFLICT_TRIES, CONFLICT_SECONDS = 5, 0.01

local patch_types = {
    ["application/strategic-merge-patch+json"] = "strategic", ["application/merge-patch+json"] = "merge",
}

---How objects get there.
---@class todo.ApplyOptions
---@field force boolean? replace instead of patching
---@field server_side boolean? let the server merge (server-side apply)
---@field force_conflicts boolean? with server_side: take fields over from other managers
---@field on_object fun(label: string, index: integer, count: integer)? called before each object

-- The server's quota controller answers with a conflict now and then; nothing was changed then.
local function on_conflict_again(fn)
    for try = 1, CONFLICT_TRIES do
        local ok, result = pcall(fn)
        if ok then return result end
        if fail.kind(result) ~= "conflict" or try == CONFLICT_TRIES then error(result, 0) end
        task.sleep(CONFLICT_SECONDS * try)
    end
end

local function wrapped(problem, format, ...)
    return fail.new(fail.kind(problem) or "http", format:format(...) .. ": " .. fail.message(problem),
        fail.field(problem, "hint"), { cause = problem, status = fail.field(problem, "status") })
end

---Several problems as helm's library prints them (hashicorp/go-multierror).
---@param problems any[] at least one
---@return todo.Error
function apply.joined(problems)
    local lines = { #problems == 1 and "1 error occurred:" or #problems .. " errors occurred:" }
    for _, problem in ipairs(problems) do lines[#lines + 1] = "\t* " .. fail.message(problem) end
    return fail.new(fail.kind(problems[1]) or "http", table.concat(lines, "\n") .. "\n\n",
        fail.field(problems[1], "hint"), { problems = problems, cause = problems[1] })
end

---@async
---@param client todo.K8s
---@param object table
---@param how todo.ApplyOptions
local function create_one(client, object, how)
    return on_conflict_again(function()
        if how.server_side then
            return client:apply(object, { field_manager = MANAGER, force = how.force_conflicts })
        end
        return client:create(object, { field_manager = MANAGER })
    end)
end

-- Objects that follow each other and are of one kind.
local function batches(list)
    local groups = {}
    for _, object in ipairs(list) do
        local last = groups[#groups]
        if last and last[1].kind == object.kind then last[#last + 1] = object else groups[#groups + 1] = { object } end
    end
    return groups
end

---Calls fn for every object, those of one kind at once, kinds one after the other. All are tried; raises what failed.
---@async
---@param list table[]
---@param fn async fun(object: table)
function apply.each(list, fn)
    local problems = {}
    for _, group in ipairs(batches(list)) do
        task.all(tables.map(group, function(object)
            return function()
                local ok, problem = pcall(fn, object)
                if not ok then
                    if fail.kind(problem) == "cancelled" then error(problem, 0) end
                    problems[#problems + 1] = problem
                end
            end
        end))
    end
    if #problems > 0 then error(apply.joined(problems), 0) end
end

---@async
---@param client todo.K8s
---@param list table[]
---@param how todo.ApplyOptions?
function apply.create(client, list, how)
    how = how or {}
    local count = 0
    apply.each(list, function(object)
        count = count + 1
        if how.on_object then how.on_object(objects.label(object), count, #list) end
        create_one(client, object, how)
    end)
end

---The patch from what was installed and what is there to what is wanted; nil where nothing changes.
---@param original table?
---@param target table
---@param live table
---@return table? change
---@return string? type of the client's patch
function apply.change(original, target, live)
    local change, content_type = chart.patch(original, target, live)
    if not change then return nil end
    return change, patch_types[content_type]
end

-- An object without what the server itself writes.
local function content_of(object)
    local copy = tables.copy(object)
    copy.metadata.managedFields, copy.metadata.resourceVersion = nil, nil
    return copy
end

-- Everything else (no answer, no time) says nothing of the change.
local function is_refusal(problem)
    local status = fail.field(problem, "status")
    return status and status >= 400 and status < 500 and fail.kind(problem) ~= "busy"
end

local MEANWHILE = 10 -- times that others may write before what they write counts as a difference

---Whether the server's object would differ. A patch alone does not tell: it goes on setting fields that the server
---leaves out because they have their zero value.
---@async
---@param client todo.K8s
---@param original table?
---@param target table
---@param live table?
---@return boolean
function apply.would_change(client, original, target, live)
    for try = 1, MEANWHILE do
        if not live then return true end
        local change, kind = apply.change(original, target, live)
        if not change then return false end
        local ok, patched = pcall(client.patch, client, objects.kind(target), target.metadata.name, change,
            { namespace = target.metadata.namespace, type = kind, field_manager = MANAGER, dry_run = true })
        if not ok and not is_refusal(patched) then error(patched, 0) end
        -- What the server refuses here it refuses in earnest, too, with a message.
        if not ok then return true end
        local same = tables.equal(content_of(patched), content_of(live))
        if same or patched.metadata.resourceVersion == live.metadata.resourceVersion or try == MEANWHILE then
            return not same
        end
        live = objects.get(client, target) -- a controller has written since it was read
    end
end

local function replace(client, target, live)
    local wanted = tables.copy(target)
    wanted.metadata.resourceVersion = live.metadata.resourceVersion
    client:update(wanted, { field_manager = MANAGER })
end

local function update_one(client, original, target, live, how)
    if how.server_side then
        client:apply(target, { field_manager = MANAGER, force = how.force_conflicts })
        return
    end
    if how.force then
        local ok, problem = pcall(replace, client, target, live)
        if not ok then error(wrapped(problem, "failed to replace object"), 0) end
        return
    end
    local change, kind = apply.change(original, target, live)
    if not change then return end
    local ok, problem = pcall(client.patch, client, objects.kind(target), target.metadata.name, change,
        { namespace = target.metadata.namespace, type = kind, field_manager = MANAGER })
    if not ok then error(wrapped(problem, 'cannot patch "%s" with kind %s', target.metadata.name, target.kind), 0) end
end

---@class todo.ApplyResult
---@field created table[]
---@field updated table[]
---@field deleted table[]

-- One object of the wanted ones; an error that ends the update is raised, one of a patch returned.
local function bring(client, original, target, how, result)
    local got, live = pcall(objects.get, client, target)
    if not got then error(wrapped(live, "could not get information about the resource"), 0) end
    if not live then
        result.created[#result.created + 1] = target
        local ok, problem = pcall(create_one, client, target, how)
        if not ok then error(wrapped(problem, "failed to create resource"), 0) end
        return nil
    end
    result.updated[#result.updated + 1] = target
    local ok, problem = pcall(update_one, client, original or live, target, live, how)
    if not ok then
        if fail.kind(problem) == "cancelled" then error(problem, 0) end
        return problem
    end
    return nil
end

local function remove_dropped(client, original, target, result)
    local wanted = objects.by_key(target)
    for _, object in ipairs(original) do
        local live = not wanted[objects.key(object)] and objects.get(client, object)
        if live and not objects.is_kept(live) then
            local deleted = client:delete(objects.kind(object), object.metadata.name,
                { namespace = object.metadata.namespace, propagation = "Background" })
            if deleted then result.deleted[#result.deleted + 1] = object end
        end
    end
end

local function run_update(client, original, target, how, result)
    local before, problems = objects.by_key(original), {}
    for index, object in ipairs(target) do
        if how.on_object then how.on_object(objects.label(object), index, #target) end
        problems[#problems + 1] = bring(client, before[objects.key(object)], object, how, result)
    end
    if #problems == 1 then error(problems[1], 0) end
    if #problems > 1 then
        fail.raise(fail.kind(problems[1]), table.concat(tables.map(problems, fail.message), " && "),
            fail.field(problems[1], "hint"), { problems = problems })
    end
    remove_dropped(client, original, target, result)
end

---Creates what is missing, changes what differs from `target`, deletes what only `original` has.
---@async
---@param client todo.K8s
---@param original table[] what the release had
---@param target table[] what it is to have
---@param how todo.ApplyOptions?
---@return todo.ApplyResult result what was tried, also where it failed
---@return any problem nil where all went well
function apply.update(client, original, target, how)
    local result = { created = {}, updated = {}, deleted = {} }
    local ok, problem = pcall(run_update, client, original, target, how or {}, result)
    if ok then return result, nil end
    return result, problem
end

---Deletes objects, kinds one after the other; what is gone already is fine.
---@async
---@param client todo.K8s
---@param list table[]
---@param propagation "Background"|"Foreground"|"Orphan"|nil default Background
---@return any[] problems empty where all went well
function apply.delete(client, list, propagation)
    local ok, problem = pcall(apply.each, list, function(object)
        on_conflict_again(function()
            client:delete(objects.kind(object), object.metadata.name,
                { namespace = object.metadata.namespace, propagation = propagation or "Background" })
        end)
    end)
    if ok then return {} end
    return fail.field(problem, "problems") or { problem }
end

---Waits until none of the objects exists.
---@async
---@param client todo.K8s
---@param list table[]
---@param seconds number
function apply.wait_gone(client, list, seconds)
    local deadline = task.now() + seconds
    local left = list
    while true do
        left = tables.filter(left, function(object) return objects.get(client, object) ~= nil end)
        if #left == 0 then return end
        if task.now() >= deadline then
            fail.raise("timeout", "context deadline exceeded",
                table.concat(tables.map(left, objects.label), ", ") .. " still there")
        end
        task.sleep(math.min(0.3, math.max(0.01, deadline - task.now())))
    end
end

return apply
