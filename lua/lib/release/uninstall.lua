-- Removes a release (helm.sh/helm/v3/pkg/action/uninstall.go).
local apply = require "release.apply"
local capabilities = require "release.capabilities"
local fail = require "fail"
local gotime = require "release.gotime"
local hooks = require "release.hooks"
local lease = require "release.lease"
local objects = require "release.objects"
local ownership = require "release.ownership"
local records = require "release.records"
local tables = require "tables"

local uninstall = {}

---@class todo.UninstallOptions
---@field timeout number
---@field no_hooks boolean?
---@field keep_history boolean?
---@field wait boolean?
---@field dry_run boolean?
---@field description string?
---@field propagation "Background"|"Foreground"|"Orphan"|nil
---@field thorough boolean? objects of failed revisions that no later one names, too

local function purge(env, history)
    for _, record in ipairs(history) do records.delete(env.client, record) end
end

-- What revisions that failed half-way may have made and no later one names: as far as it is this release's still.
local function leftovers(env, history, known)
    local found = {}
    for index = #history, 1, -1 do
        local ok, list = pcall(objects.build, env.client, history[index].body().manifest, env.namespace)
        for _, object in ipairs(ok and list or {}) do
            local key = objects.key(object)
            if not known[key] then
                known[key] = true
                local live = not objects.is_kept(object) and objects.get(env.client, object)
                if live and not ownership.problem(live, env) then found[#found + 1] = object end
            end
        end
    end
    return found
end

-- The release's objects, apart: those that stay, those that go, in the order of their removal.
local function sorted_objects(env, record)
    local ok, list = pcall(objects.build, env.client, record.body().manifest, env.namespace)
    if not ok then
        fail.raise(fail.kind(list), ("failed to delete release: %s"):format(env.name),
            "unable to build kubernetes objects for delete: " .. fail.message(list), { cause = list })
    end
    local ordered = objects.uninstall_order(list)
    return tables.filter(ordered, objects.is_kept),
        tables.filter(ordered, function(object) return not objects.is_kept(object) end)
end

local function kept_text(kept)
    if #kept == 0 then return "" end
    local lines = { "These resources were kept due to the resource policy:" }
    for _, object in ipairs(kept) do lines[#lines + 1] = ("[%s] %s"):format(object.kind, object.metadata.name) end
    return table.concat(lines, "\n") .. "\n"
end

local function delete_objects(env, history, record, o)
    local kept, list = sorted_objects(env, record)
    if o.thorough then
        local known = {}
        for _, object in ipairs(kept) do known[objects.key(object)] = true end
        for _, object in ipairs(list) do known[objects.key(object)] = true end
        local more = leftovers(env, history, known)
        table.move(more, 1, #more, #list + 1, list)
    end
    if env.on_step then env.on_step(("deleting %d objects"):format(#list)) end
    local problems = apply.delete(env.client, list, o.propagation)
    if #problems > 0 then
        fail.raise(fail.kind(problems[1]) or "http", ("failed to delete release: %s"):format(env.name),
            table.concat(tables.map(problems, fail.message), "; "), { problems = problems })
    end
    return list, kept_text(kept)
end

local function supersede_deployed(env, history, record)
    for _, old in ipairs(history) do
        if old ~= record and old.status == "deployed" then records.set_status(env.client, old, "superseded") end
    end
end

local function carry_out(env, history, record, o)
    local info, problems = record.body().info, {}
    local function try(fn, ...)
        local ok, problem = pcall(fn, ...)
        if ok then return end
        if fail.kind(problem) == "cancelled" then error(problem, 0) end
        problems[#problems + 1] = fail.message(problem)
    end
    info.deleted = gotime.now()
    info.status, info.description = "uninstalling", "Deletion in progress (or silently failed)"
    if not o.no_hooks then hooks.run(env, record, "pre-delete", o.timeout) end
    records.save(env.client, record)
    local deleted, kept = delete_objects(env, history, record, o)
    if o.wait then try(apply.wait_gone, env.client, deleted, o.timeout) end
    if not o.no_hooks then try(hooks.run, env, record, "post-delete", o.timeout) end
    info.status, info.description = "uninstalled", o.description or "Uninstallation complete"
    if o.keep_history then
        records.save(env.client, record)
        supersede_deployed(env, history, record)
    else
        try(purge, env, history)
    end
    if #problems > 0 then
        fail.raise("http", ("uninstallation completed with %d error(s): %s"):format(#problems,
            table.concat(problems, "; ")))
    end
    return kept
end

---@async
---@param env todo.ReleaseEnv
---@param o todo.UninstallOptions
---@return string kept what was kept, as helm says it; "" where nothing was
function uninstall.run(env, o)
    capabilities.check_reachable(env.client)
    local history = records.history(env.client, env.namespace, env.name)
    if #history == 0 then
        local prefix = o.dry_run and "" or ("uninstall: Release not loaded: %s: "):format(env.name)
        fail.raise("not_found", prefix .. "release: not found")
    end
    if o.dry_run then return "" end
    local record = history[#history]
    if record.status == "uninstalled" then
        if o.keep_history then
            fail.raise("conflict", ('the release named "%s" is already deleted'):format(env.name))
        end
        purge(env, history)
        return ""
    end
    local found = not env.held and records.is_pending(record) and lease.look(env)
    if found and found.alive then lease.raise_busy(env, found.holder) end
    return lease.hold(env, function() end, function() return carry_out(env, history, record, o) end)
end

return uninstall
