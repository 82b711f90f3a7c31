-- The life of a release as helm 3 lives it: install, upgrade, uninstall, with its records, hooks and patches.
local chart = require "chart"
local fail = require "fail"
local format = require "format"
local fs = require "fs"
local json = require "json"
local records = require "records"
local rollout = require "rollout"
local tables = require "tables"
local task = require "task"
local yaml = require "yaml"

local release = {}

local MANAGER = "todo-lua"
-- A record that stays pending longer than this belongs to a program that was killed.
local PENDING_SECONDS = 300

local function key_of(object)
    return table.concat({ object.apiVersion, object.kind, object.metadata.namespace or "", object.metadata.name }, "/")
end

local function label_of(object) return object.kind .. " " .. object.metadata.name end

-- helm marks what it creates, and refuses to take over what others made.
local function owned_copy(object, info)
    local copy = tables.copy(object)
    local meta = copy.metadata
    meta.labels = tables.merge(meta.labels == json.null and {} or meta.labels or {},
        { ["app.kubernetes.io/managed-by"] = "Helm" })
    meta.annotations = tables.merge(meta.annotations == json.null and {} or meta.annotations or {}, {
        ["meta.helm.sh/release-name"] = info.name, ["meta.helm.sh/release-namespace"] = info.namespace,
    })
    return copy
end

local function check_ownership(live, info)
    local notes = live.metadata.annotations or {}
    local labels = live.metadata.labels or {}
    if notes["meta.helm.sh/release-name"] == info.name and notes["meta.helm.sh/release-namespace"] == info.namespace
        and labels["app.kubernetes.io/managed-by"] == "Helm" then return end
    fail.raise("conflict", ("%s exists and does not belong to release %s"):format(label_of(live), info.name),
        ("delete it (kubectl delete %s %s -n %s), or choose another release name with --release"):format(
            live.kind:lower(), live.metadata.name, live.metadata.namespace or info.namespace))
end

local function get_live(client, object, info)
    return client:get({ apiVersion = object.apiVersion, kind = object.kind }, object.metadata.name,
        { namespace = object.metadata.namespace or info.namespace })
end

-- Port collisions have a message of their own: it is the one failure that another release on the same machine causes.
local function explain(problem, object)
    local message = fail.message(problem)
    if message:find("provided port is already allocated", 1, true) then
        fail.raise("port_busy", ("%s: %s"):format(label_of(object), message:match("[^:]*already allocated") or message),
            "another Service of this cluster has that port: delete it, or set another: --set "
                .. "frontend.service.nodePort=30081",
            { cause = problem })
    end
    fail.raise(fail.kind(problem) or "http", ("%s: %s"):format(label_of(object), message), fail.field(problem, "hint"),
        { cause = problem })
end

local function create(client, object, info)
    local ok, result = pcall(client.create, client, object, { namespace = object.metadata.namespace or info.namespace,
        field_manager = MANAGER })
    if not ok then explain(result, object) end
    return result
end

local patch_types = {
    ["application/strategic-merge-patch+json"] = "strategic", ["application/merge-patch+json"] = "merge",
}

local function patch(client, original, target, live, info)
    local change, content_type = chart.patch(original, target, live)
    if not change then return false end
    local ok, problem = pcall(client.patch, client, { apiVersion = target.apiVersion, kind = target.kind },
        target.metadata.name, change, { namespace = target.metadata.namespace or info.namespace,
            type = patch_types[content_type], field_manager = MANAGER })
    if not ok then explain(problem, target) end
    return true
end

local function objects_of(manifest_text)
    local by_key = {}
    for _, object in ipairs(yaml.decode_all(manifest_text or "")) do
        if type(object) == "table" and object.kind then by_key[key_of(object)] = object end
    end
    return by_key
end

-- An object without what the server itself writes.
local function content_of(object)
    local copy = tables.copy(object)
    copy.metadata.managedFields, copy.metadata.resourceVersion = nil, nil
    return copy
end

-- Whether the server's object would differ. A patch alone does not tell: it goes on setting fields that the server
-- leaves out because they have their zero value.
local function would_change(client, step, info)
    if not step.live then return true end
    local change, content_type = chart.patch(step.original, step.object, step.live)
    if not change then return false end
    local ok, patched = pcall(client.patch, client, { apiVersion = step.object.apiVersion, kind = step.object.kind },
        step.object.metadata.name, change, { namespace = step.object.metadata.namespace or info.namespace,
            type = patch_types[content_type], field_manager = MANAGER, dry_run = true })
    -- What the server refuses here it refuses in earnest, too, with a message.
    return not ok or not tables.equal(content_of(patched), content_of(step.live))
end

-- What would change: without writing, so that an unchanged rerun is known before a record is made.
local function plan(client, rendered, previous, info)
    local before = previous and objects_of(previous.manifest) or {}
    local steps, wanted = {}, {}
    for index, manifest in ipairs(rendered.manifests) do
        local object = owned_copy(manifest.object, info)
        wanted[key_of(manifest.object)] = true
        steps[index] = { object = object, original = before[key_of(manifest.object)] }
    end
    local looks = tables.map(steps, function(step)
        return function()
            step.live = get_live(client, step.object, info)
            if step.live and not step.original then check_ownership(step.live, info) end
            step.change = would_change(client, step, info)
        end
    end)
    if #looks > 0 then task.all(looks) end
    local removals = {}
    for key, object in pairs(before) do
        local policy = tables.at(object, "metadata.annotations") or {}
        if not wanted[key] and policy["helm.sh/resource-policy"] ~= "keep" then removals[#removals + 1] = object end
    end
    table.sort(removals, function(a, b) return key_of(a) < key_of(b) end)
    return steps, removals
end

local function apply(ctx, client, steps, removals, info, line)
    local counts = { created = 0, changed = 0, removed = 0 }
    for index, step in ipairs(steps) do
        line:set(label_of(step.object), (index - 1) / #steps)
        if not step.live then
            create(client, step.object, info)
            counts.created = counts.created + 1
        elseif patch(client, step.original, step.object, step.live, info) then
            counts.changed = counts.changed + 1
        end
    end
    for _, object in ipairs(removals) do
        client:delete({ apiVersion = object.apiVersion, kind = object.kind }, object.metadata.name,
            { namespace = object.metadata.namespace or info.namespace, propagation = "Background" })
        counts.removed = counts.removed + 1
    end
    ctx.log.detail("release %s: %d created, %d changed, %d removed", info.name, counts.created, counts.changed,
        counts.removed)
    return counts
end

local function has_policy(hook, name)
    for _, policy in ipairs(hook.hook.delete_policies or {}) do
        if policy == name then return true end
    end
    return false
end

local function runs_at(hook, event)
    for _, name in ipairs(hook.hook.events or {}) do
        if name == event then return true end
    end
    return false
end

local function delete_hook(client, hook, info)
    local object = hook.object
    local kind, where = { apiVersion = object.apiVersion, kind = object.kind }, object.metadata.namespace
        or info.namespace
    if not client:delete(kind, object.metadata.name, { namespace = where, propagation = "Background" }) then return end
    local deadline = task.now() + 60
    while client:get(kind, object.metadata.name, { namespace = where }) and task.now() < deadline do task.sleep(0.3) end
end

-- Hooks of one event, by weight, then by name; each has to end before the next starts.
local function run_hooks(ctx, client, rendered, event, info, line)
    local hooks = tables.filter(rendered.hooks, function(hook) return runs_at(hook, event) end)
    table.sort(hooks, function(a, b)
        if a.hook.weight ~= b.hook.weight then return a.hook.weight < b.hook.weight end
        return a.object.metadata.name < b.object.metadata.name
    end)
    for _, hook in ipairs(hooks) do
        line:set(event .. " hook " .. label_of(hook.object))
        local default = #(hook.hook.delete_policies or {}) == 0
        if default or has_policy(hook, "before-hook-creation") then delete_hook(client, hook, info) end
        create(client, owned_copy(hook.object, info), info)
        local ok, problem = pcall(rollout.wait_for_end, client, hook.object, info.namespace, ctx.config.timeout)
        if not ok then
            if has_policy(hook, "hook-failed") then delete_hook(client, hook, info) end
            error(problem, 0)
        end
    end
    for _, hook in ipairs(hooks) do
        if has_policy(hook, "hook-succeeded") then delete_hook(client, hook, info) end
    end
end

local function ensure_namespace(client, name)
    if client:get("Namespace", name) then return false end
    local ok, problem = pcall(client.create, client, {
        apiVersion = "v1", kind = "Namespace", metadata = { name = name, labels = { name = name } },
    }, { field_manager = MANAGER })
    if not ok and fail.kind(problem) ~= "exists" then error(problem, 0) end
    return true
end

-- The file is held for as long as an operation runs: a pending record whose file is free was left by a killed run.
local function take_lock(ctx, info)
    local folder = fs.join(ctx.state_dir, "locks")
    fs.mkdir(folder, 448)
    local lock, holder = fs.lock(fs.join(folder, ("%s.%s.%s"):format(ctx.k8s:cluster_uid(), info.namespace, info.name)))
    if not lock then
        fail.raise("conflict",
            ("another todo-lua (process %s) works on release %s"):format(tostring(holder), info.name),
            "wait for it to end")
    end
    return lock
end

local function settle_pending(ctx, client, last, info)
    if not last or not records.is_pending(last) then return end
    local body = last.body()
    local begun = format.epoch((body.info.last_deployed or ""):gsub("%.%d+", ""):gsub("[+-]%d%d:%d%d$", "Z"))
    local ours = last.object.metadata.managedFields == nil or false
    for _, entry in ipairs(last.object.metadata.managedFields or {}) do ours = ours or entry.manager == MANAGER end
    if not ours and begun and os.time() - begun < PENDING_SECONDS then records.raise_busy(info.name) end
    ctx.log.warn("release %s was left %s by a run that ended early; taking it up again", info.name, last.status)
    records.update(client, body, "failed", "interrupted")
    last.status = "failed"
end

---@param history todo.Record[]
local function base_of(history)
    local deployed = records.deployed(history)
    if deployed then return deployed end
    local last = history[#history]
    return last and (last.status == "failed" or last.status == "superseded") and last or nil
end

local function lookup_with(client)
    return function(api_version, kind, namespace, name)
        local where = { namespace = namespace ~= "" and namespace or nil, all_namespaces = namespace == "" or nil }
        if name ~= "" then return client:get({ apiVersion = api_version, kind = kind }, name, where) end
        return { apiVersion = api_version, kind = kind .. "List",
            items = client:list({ apiVersion = api_version, kind = kind }, where) }
    end
end

local function render(ctx, client, c, options, info, revision, is_upgrade)
    local given = tables.merge(options, {
        release = info.name, namespace = info.namespace, revision = revision, is_upgrade = is_upgrade,
        kube_version = client:version().gitVersion:gsub("^v", ""):gsub("[+-].*$", ""),
    })
    given.values, given.lookup = options.values, lookup_with(client)
    local ok, rendered = pcall(c.render, c, given)
    if ok then return rendered end
    fail.raise(fail.kind(rendered) or "chart", "the chart cannot be rendered: " .. fail.message(rendered),
        fail.field(rendered, "hint")
            or ("todo-lua doctor checks the chart; its files are in %s"):format(ctx.config.chart),
        { cause = rendered })
end

local function needs_nothing(base, last, rendered, steps, removals)
    if not base or last ~= base or base.status ~= "deployed" or #removals > 0 then return false end
    if base.body().manifest ~= rendered.manifest then return false end
    for _, step in ipairs(steps) do
        if step.change then return false end
    end
    return true
end

-- As helm does: custom resource definitions are made with the first install and never touched again.
local function create_crds(client, rendered, info)
    for _, manifest in ipairs(rendered.crds or {}) do
        if not get_live(client, manifest.object, info) then create(client, manifest.object, info) end
    end
end

local function carry_out(ctx, client, work)
    local verb, info, line = work.verb, work.info, work.line
    if verb == "install" then create_crds(client, work.rendered, info) end
    run_hooks(ctx, client, work.rendered, "pre-" .. verb, info, line)
    apply(ctx, client, work.steps, work.removals, info, line)
    run_hooks(ctx, client, work.rendered, "post-" .. verb, info, line)
end

local function record_outcome(client, work, history, ok, problem)
    local verb = work.verb
    if not ok then
        local text = ("Release %q failed: %s"):format(work.info.name, fail.message(problem))
        pcall(records.update, client, work.record, "failed", text)
        error(problem, 0)
    end
    for _, record in ipairs(history) do
        if record.status == "deployed" then
            records.update(client, record.body(), "superseded", record.body().info.description)
        end
    end
    records.update(client, work.record, "deployed", verb == "install" and "Install complete" or "Upgrade complete")
    records.prune(client, work.info.namespace, records.history(client, work.info.namespace, work.info.name))
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
    local client = ctx.k8s
    local info = { name = ctx.config.release, namespace = ctx.config.namespace }
    local _lock <close> = take_lock(ctx, info)
    local history = records.history(client, info.namespace, info.name)
    local last = history[#history]
    settle_pending(ctx, client, last, info)
    local base = base_of(history)
    local revision = (last and last.revision or 0) + 1
    local rendered = render(ctx, client, c, options, info, revision, base ~= nil)
    local steps, removals = plan(client, rendered, base and base.body(), info)
    if needs_nothing(base, last, rendered, steps, removals) then
        return false, ("%s revision %d is deployed, nothing differs"):format(info.name, base.revision), rendered
    end
    ensure_namespace(client, info.namespace)
    local verb = base and "upgrade" or "install"
    local now = format.timestamp(os.time())
    local work = {
        verb = verb, info = info, line = line, rendered = rendered, steps = steps, removals = removals,
        record = chart.release(c, rendered, {
            name = info.name, namespace = info.namespace, revision = revision, status = "pending-" .. verb,
            description = verb == "install" and "Initial install underway" or "Preparing upgrade",
            first_deployed = base and base.body().info.first_deployed or now, last_deployed = now,
        }),
    }
    records.create(client, work.record)
    record_outcome(client, work, history, pcall(carry_out, ctx, client, work))
    return true, ("%s revision %d %s"):format(info.name, revision, verb == "install" and "installed" or "deployed"),
        rendered
end

---Removes a release with its records.
---@async
---@param ctx todo.Context with k8s
---@param line todo.BoardLine
---@return boolean removed false where there was none
function release.uninstall(ctx, line)
    local client = ctx.k8s
    local info = { name = ctx.config.release, namespace = ctx.config.namespace }
    local _lock <close> = take_lock(ctx, info)
    local history = records.history(client, info.namespace, info.name)
    if #history == 0 then return false end
    local seen = {}
    -- Revisions that failed half-way may have made objects that no later one names.
    for index = #history, 1, -1 do
        for key, object in pairs(objects_of(history[index].body().manifest)) do seen[key] = seen[key] or object end
    end
    for _, key in ipairs(tables.keys(seen)) do
        local object = seen[key]
        local policy = tables.at(object, "metadata.annotations") or {}
        if policy["helm.sh/resource-policy"] ~= "keep" then
            line:set("deleting " .. label_of(object))
            client:delete({ apiVersion = object.apiVersion, kind = object.kind }, object.metadata.name,
                { namespace = object.metadata.namespace or info.namespace, propagation = "Background" })
        end
    end
    for _, record in ipairs(history) do
        client:delete("secrets", record.object.metadata.name, { namespace = info.namespace })
    end
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
    local by_key, objects = objects_of(record.body().manifest), {}
    for _, key in ipairs(tables.keys(by_key)) do objects[#objects + 1] = by_key[key] end
    return objects, record
end

return release
