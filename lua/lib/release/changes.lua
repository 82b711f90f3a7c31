-- What would change: between two revisions of a release, and between a release and the objects in the cluster.
local apply = require "release.apply"
local diff = require "diff"
local fail = require "fail"
local json = require "json"
local mask = require "mask"
local objects = require "release.objects"
local ownership = require "release.ownership"
local tables = require "tables"
local task = require "task"
local yaml = require "yaml"

local changes = {}

---@class todo.ChangeOptions
---@field show_secrets boolean?
---@field no_hooks boolean? without hooks
---@field include_tests boolean? test hooks, too
---@field suppress string[]? kinds that are left out

local function is_test(hook)
    for _, event in ipairs(type(hook.events) == "table" and hook.events or {}) do
        if event:find("^test") then return true end
    end
    return false
end

-- The objects of a record, hooks included, in the record's order.
local function objects_of(body, o)
    local list = {}
    local function add(text)
        if type(text) ~= "string" then return end
        for _, object in ipairs(yaml.decode_all(text)) do
            local named = type(object) == "table" and type(object.kind) == "string" and type(object.metadata) == "table"
            if named and type(object.apiVersion) == "string" then list[#list + 1] = object end
        end
    end
    add(body.manifest)
    for _, hook in ipairs(not o.no_hooks and type(body.hooks) == "table" and body.hooks or {}) do
        if o.include_tests or not is_test(hook) then add(hook.manifest) end
    end
    return list
end

local function is_left_out(object, o)
    for _, kind in ipairs(o.suppress or {}) do
        if kind == object.kind then return true end
    end
    return false
end

local function add_change(found, old, new, o)
    if is_left_out(new or old, o) then return end
    found[#found + 1] = diff.object(old, new, o)
end

---@param old table? body of a record; nil: nothing
---@param new table? likewise
---@param o todo.ChangeOptions
---@return todo.ObjectDiff[] in the new one's order, then what goes
function changes.between(old, new, o)
    local before, after = old and objects_of(old, o) or {}, new and objects_of(new, o) or {}
    if not o.show_secrets then
        mask.learn(before)
        mask.learn(after)
    end
    local was, is, found = objects.by_key(before), objects.by_key(after), {}
    for _, object in ipairs(after) do add_change(found, was[objects.key(object)], object, o) end
    for _, object in ipairs(before) do
        if not is[objects.key(object)] then add_change(found, object, nil, o) end
    end
    return found
end

-- An object without what the server itself writes.
local function content_of(object)
    if not object then return nil end
    local copy = tables.copy(object)
    local meta = copy.metadata
    meta.managedFields, meta.resourceVersion, meta.generation = nil, nil, nil
    meta.uid, meta.creationTimestamp, meta.selfLink = nil, nil, nil
    copy.status = nil
    return copy
end

-- What the server would make of it; it changes nothing.
local function dry_run(client, original, target, live)
    local where = { namespace = target.metadata.namespace, dry_run = true, field_manager = "todo-lua" }
    if not live then
        local ok, made = pcall(client.create, client, target, where)
        if ok then return made end
        -- Its namespace or its kind comes with the release itself.
        if fail.kind(made) == "not_found" then return target end
        error(made, 0)
    end
    local change, kind = apply.change(original or live, target, live)
    if not change then return live end
    where.type = kind
    return client:patch(objects.kind(target), target.metadata.name, change, where)
end

-- A field that the target does not name and the server would leave alone is no difference; one that it puts there by
-- itself (a token, a cluster address) is, where the object is new: then only what is wanted is shown.
local function compare(client, original, target, live)
    local result = dry_run(client, original, target, live)
    if not live then return nil, target end
    return content_of(live), content_of(result)
end

---What the cluster's objects would become, as a server-side dry run tells.
---@async
---@param env todo.ReleaseEnv
---@param old table? body of the revision that is deployed
---@param new table body of the revision that is to come; the same one: what has drifted
---@param o todo.ChangeOptions
---@return todo.ObjectDiff[]
function changes.live(env, old, new, o)
    local client = env.client
    local target = tables.map(objects.build(client, new.manifest, env.namespace),
        function(object) return ownership.mark(object, env) end)
    local before = old and objects.build(client, old.manifest, env.namespace) or {}
    local was, is, found = objects.by_key(before), objects.by_key(target), {}
    local sides = task.all(tables.map(target, function(object)
        return function()
            local live = objects.get(client, object)
            local a, b = compare(client, was[objects.key(object)], object, live)
            return { a, b }
        end
    end))
    if not o.show_secrets then
        for _, side in ipairs(sides) do mask.learn { side[1] or side[2], side[2] } end
    end
    for _, side in ipairs(sides) do add_change(found, side[1], side[2], o) end
    for _, object in ipairs(before) do
        local live = not is[objects.key(object)] and objects.get(client, object)
        if live and not objects.is_kept(live) then
            if not o.show_secrets then mask.learn { live } end
            add_change(found, content_of(live), nil, o)
        end
    end
    return found
end

---What server-side apply would change of one object; nil where nothing.
---@async
---@param client todo.K8s
---@param object table
---@return todo.ObjectDiff?
function changes.applied(client, object)
    local live = objects.get(client, object)
    if not live then return diff.object(nil, object) end
    local result = client:apply(object, { field_manager = "todo-lua", force = true, dry_run = true })
    return diff.object(content_of(live), content_of(result))
end

---@param change todo.ObjectDiff
---@param namespace string of objects that name none
---@return string "shop, web, Deployment (apps) has changed:"
function changes.title(change, namespace)
    local verbs = { added = "has been added", removed = "has been removed", changed = "has changed" }
    return ("%s, %s, %s (%s) %s:"):format(change.namespace or namespace, change.name, change.kind,
        change.apiVersion:match("^(.*)/") or change.apiVersion, verbs[change.change])
end

---A plain value for JSON.
---@param list todo.ObjectDiff[]
---@param context integer? unchanged lines around each change
---@return table
function changes.plain(list, context)
    return json.list(tables.map(list, function(change)
        local hunks = json.list(tables.map(diff.hunks(change.lines, context), function(hunk)
            return { old = hunk.old, new = hunk.new, lines = json.list(tables.map(hunk.lines, function(line)
                return line.op .. line.text
            end)) }
        end))
        return { change = change.change, apiVersion = change.apiVersion, kind = change.kind,
            namespace = change.namespace, name = change.name, hunks = hunks }
    end))
end

return changes
