-- todo-lua kube taint: keeps pods away from nodes.
local chart = require "chart"
local json = require "json"
local kube_errors = require "kubectl.errors"
local kube_session = require "kubectl.session"
local object_printer = require "kubectl.printer"
local resource_args = require "kubectl.resource_args"
local tables = require "tables"

local flags = {
    { "all", kind = "bool", help = "all nodes" },
    { "selector", short = "l", help = "label selector of the nodes" },
    { "overwrite", kind = "bool", help = "change what has another value already" },
    { "field-manager", default = "kubectl-taint", help = "who owns the fields" },
    kube_session.dry_run_flag, kube_session.validate_flag,
}
table.move(object_printer.flags, 1, #object_printer.flags, #flags + 1, flags)

local effects = { NoSchedule = true, PreferNoSchedule = true, NoExecute = true }

local function parse_taint(spec)
    local head, effect = spec:match("^([^:]*):([^:]*)$")
    if not head and spec:find(":", 1, true) then kube_errors.raise("invalid taint spec: " .. spec) end
    if effect and not effects[effect] then
        kube_errors.raise(("invalid taint effect: %s, unsupported taint effect"):format(effect),
            "the effects are NoSchedule, PreferNoSchedule and NoExecute")
    end
    local key, value = (head or spec):match("^([^=]*)=([^=]*)$")
    if not key then key = head or spec end
    if head and head:find("=.*=") or not key:find("^[%w][%w_./-]*$") then
        kube_errors.raise("invalid taint spec: " .. spec, "KEY=VALUE:EFFECT adds one, KEY- or KEY:EFFECT- removes it")
    end
    return { key = key, value = value ~= "" and value or nil, effect = effect }
end

local function parse(given)
    local add, remove, seen = {}, {}, {}
    for _, spec in ipairs(given) do
        local taint = parse_taint((spec:gsub("%-$", "")))
        if spec:find("%-$") then
            remove[#remove + 1] = taint
        else
            if not taint.effect then
                kube_errors.raise("invalid taint spec: " .. spec, "usage: KEY=VALUE:EFFECT")
            end
            local id = taint.key .. ":" .. taint.effect
            if seen[id] then
                kube_errors.raise(("duplicated taints with the same key and effect: %s"):format(spec))
            end
            seen[id], add[#add + 1] = true, taint
        end
    end
    return add, remove
end

local function split(words)
    local resources, given = resource_args.with_changes(words, { "[=:]", "%-$" }, "taint")
    if #resources == 0 then kube_errors.raise("one or more resources must be specified as <resource> <name>") end
    if #given == 0 then
        kube_errors.raise("at least one taint update is required", "KEY=VALUE:EFFECT adds one, KEY- removes it")
    end
    return resources, given
end

local function check(session, options, resources, add, remove)
    local resource = session:resource(resources[1])
    if resource.kind ~= "Node" or resource.group ~= "" then
        kube_errors.raise(("invalid resource type %s, only node types are supported"):format(resources[1]:lower()))
    end
    local both = {}
    for _, new in ipairs(add) do
        for _, old in ipairs(remove) do
            if new.key == old.key and (not old.effect or new.effect == old.effect) then
                both[#both + 1] = ("%s=%s"):format(old.key, old.effect or "")
            end
        end
    end
    if #both > 0 then
        kube_errors.raise("can not both modify and remove the following taint(s) in the same command: "
            .. table.concat(both, ", "))
    end
    if options.all and options.selector then
        kube_errors.raise("setting 'all' parameter with a non empty selector is prohibited")
    end
    if not options.all and not options.selector and #resources < 2 then
        kube_errors.raise("at least one resource name must be specified since 'all' parameter is not set")
    end
end

local function same(a, b) return a.key == b.key and (not b.effect or a.effect == b.effect) end

local function without(taints, gone)
    return tables.filter(taints, function(one) return not same(one, gone) end)
end

-- The node's taints afterwards, and what that is called.
local function changed(node, options, add, remove)
    local old, problems, removed = node.spec.taints or {}, {}, false
    local exists = {}
    for _, new in ipairs(add) do
        for _, one in ipairs(old) do
            if same(one, new) then exists[#exists + 1] = new.key end
        end
    end
    if not options.overwrite and #exists > 0 then
        kube_errors.raise(("node %s already has %s taint(s) with same effect(s) and --overwrite is false"):format(
            node.metadata.name, table.concat(exists, ",")))
    end
    local all = tables.copy(add)
    for _, one in ipairs(old) do
        if #tables.filter(add, function(new) return same(one, new) end) == 0 then all[#all + 1] = one end
    end
    local added = #all ~= #old
    for _, gone in ipairs(remove) do
        local left = without(all, gone)
        removed = #left ~= #all
        if not removed then
            problems[#problems + 1] = { kind = "kube", message = ("taint %q not found"):format(gone.key
                .. (gone.effect and ":" .. gone.effect or "")) }
        end
        all = left
    end
    kube_errors.raise_all(problems)
    return json.list(all), (added and removed or options.overwrite) and "modified" or added and "tainted" or "untainted"
end

return {
    summary = "keep pods away from nodes",
    usage = "node NAME… | node --all | node -l SELECTOR  KEY=VALUE:EFFECT… KEY-… [flags]",
    examples = { "todo-lua kube taint node node-1 dedicated=db:NoSchedule",
        "todo-lua kube taint node node-1 dedicated-" },
    flags = flags,
    run = function(session, options, words)
        local strategy = kube_session.dry_run(options)
        local resources, given = split(words)
        local add, remove = parse(given)
        check(session, options, resources, add, remove)
        local report = object_printer.reporter(options)
        local named = not options.all and not options.selector
        local found = resource_args.find_all(session, named and resources or { "nodes" },
            { selector = options.selector, all = options.all })
        for _, one in ipairs(found) do
            local node = tables.copy(one.object)
            local taints, operation = changed(node, options, add, remove)
            node.spec.taints = #taints > 0 and taints or nil
            if strategy ~= "client" then
                local patch, kind = chart.patch(one.object, node, one.object)
                node = session:write("PATCH", one.resource, nil, node.metadata.name, { body = patch or {},
                    type = patch and kind or "application/strategic-merge-patch+json",
                    manager = options.field_manager, options = options })
                node.apiVersion, node.kind = "v1", "Node"
            end
            report(node, operation)
        end
    end,
}
