-- todo-lua kube wait: until objects are in a condition, have a value, exist, or are gone.
local fail = require "fail"
local jsonpath = require "kubectl.jsonpath"
local kube_errors = require "kubectl.errors"
local manifests = require "kubectl.manifests"
local object_printer = require "kubectl.printer"
local object_wait = require "kubectl.object_wait"
local resource_args = require "kubectl.resource_args"
local tables = require "tables"
local task = require "task"

local A_WEEK = 168 * 3600
local POLL_SECONDS = 0.5

local flags = {
    { "for", default = "", key = "for_", help = "condition=NAME[=VALUE], jsonpath={PATH}[=VALUE], create or delete" },
    { "timeout", kind = "duration", default = 30, help = "how long; 0 looks once, negative means a week" },
    { "all", kind = "bool", help = "all objects of the type" },
    { "all-namespaces", short = "A", kind = "bool", help = "objects of all namespaces" },
    { "selector", short = "l", help = "label selector" },
    { "field-selector", help = "field selector" },
}
table.move(manifests.flags, 1, #manifests.flags, #flags + 1, flags)
table.move(object_printer.flags, 1, #object_printer.flags, #flags + 1, flags)

-- Checks of an object, by the word before "=".
local makers = {}

-- A condition that speaks of an older specification does not count.
local function is_current(object, condition)
    local generation = tables.at(object, "metadata.generation")
    local observed = condition.observedGeneration or tables.at(object, "status.observedGeneration")
    return not (generation and observed and observed < generation)
end

function makers.condition(argument)
    local name, value = argument:match("^([^=]*)=(.*)$")
    name, value = (name or argument):lower(), (value or "true"):lower()
    return function(object)
        for _, condition in ipairs(tables.at(object, "status.conditions") or {}) do
            if (condition.type or ""):lower() == name then
                return is_current(object, condition) and (condition.status or ""):lower() == value
            end
        end
        return false
    end
end

-- "{.a.b}=value" or "{.a.b}": the path ends before the first "=" outside of brackets.
local function split_path(argument)
    local depth = 0
    for i = 1, #argument do
        local char = argument:sub(i, i)
        if char == "{" or char == "[" then depth = depth + 1 end
        if char == "}" or char == "]" then depth = depth - 1 end
        if char == "=" and depth == 0 then return argument:sub(1, i - 1), argument:sub(i + 1) end
    end
    return argument, nil
end

function makers.jsonpath(argument)
    local expression, value = split_path(argument)
    if value == "" then kube_errors.raise("jsonpath wait has to have a value after equal sign, like --for=jsonpath="
        .. "'{.status.readyReplicas}'=3") end
    local ok, path = pcall(function() return jsonpath.compile(jsonpath.relaxed(expression)) end)
    if not ok then kube_errors.raise(fail.message(path)) end
    return function(object)
        local found = path:find(object)[1] or {}
        if #found == 0 then return false end
        if #found > 1 then kube_errors.raise("given jsonpath expression matches more than one value") end
        if value == nil then return true end
        if type(found[1]) == "table" then
            kube_errors.raise("jsonpath leads to a nested object or list which is not supported")
        end
        return jsonpath.text(found[1]):match("^%s*(.-)%s*$") == value:match("^%s*(.-)%s*$")
    end
end

local function check_of(text)
    local kind, argument = text:match("^(%a+)=(.*)$")
    if text == "delete" or text == "create" then return text end
    if kind and makers[kind] then return kind, makers[kind](argument) end
    kube_errors.raise(("unrecognized condition: %q"):format(text),
        "conditions are condition=NAME, jsonpath={PATH}, create "
        .. "and delete")
end

local function timed_out(one)
    kube_errors.raise(("timed out waiting for the condition on %s/%s"):format(one.resource.plural,
        one.object.metadata.name))
end

local function wait_gone(session, one, deadline, once)
    local meta = one.object.metadata
    local function gone(object) return object == nil or object.metadata.uid ~= meta.uid end
    if once then kube_errors.raise(("condition not met for %s/%s"):format(one.resource.plural, meta.name)) end
    object_wait.until_true(session.client, one.resource, meta.namespace, meta.name, deadline, gone)
end

local function wait_for(session, one, check, deadline, once)
    local meta = one.object.metadata
    if once then
        if check(one.object) then return end
        kube_errors.raise(("condition not met for %s/%s"):format(one.resource.plural, meta.name))
    end
    local existed = false
    object_wait.until_true(session.client, one.resource, meta.namespace, meta.name, deadline, function(object)
        if not object and not existed then
            fail.raise("not_found", ("%s%s %q not found"):format(one.resource.plural, one.resource.group ~= "" and "."
                .. one.resource.group or "", meta.name), nil, { status = 404 })
        end
        existed = true
        return object ~= nil and check(object)
    end)
end

local function missing(problem) return fail.field(problem, "status") == 404 end

-- The objects; for "create", as soon as they are there.
local function find(session, words, options, kind, deadline)
    while true do
        local found, problems = resource_args.find(session, words, options)
        local absent = tables.filter(problems, missing)
        if kind == "delete" then problems = tables.filter(problems, function(one) return not missing(one) end) end
        local wait = kind == "create" and (#absent > 0 or #found == 0) and #absent == #problems
        if not wait then
            kube_errors.raise_all(problems)
            return found
        end
        if task.now() >= deadline then kube_errors.raise("timed out waiting for the condition") end
        task.sleep(math.min(POLL_SECONDS, math.max(0, deadline - task.now())))
    end
end

return {
    summary = "wait until objects are as you want them",
    usage = "TYPE/NAME… | TYPE --all | -f FILE --for=CONDITION [flags]",
    examples = { "todo-lua kube wait pod/backend-x --for=condition=Ready --timeout=60s",
        "todo-lua kube wait deploy/web --for=jsonpath='{.status.readyReplicas}'=2",
        "todo-lua kube wait pod/old --for=delete" },
    flags = flags,
    run = function(session, options, words)
        local kind, check = check_of(options.for_)
        local timeout = options.timeout < 0 and A_WEEK or options.timeout
        local deadline, once = task.now() + timeout, options.timeout == 0
        local found = find(session, words, options, kind, deadline)
        if #found == 0 and kind ~= "delete" then kube_errors.raise("no matching resources found") end
        local print = object_printer.wanted(options) and object_printer.new(options)
        for _, one in ipairs(found) do
            local ok, problem = true, nil
            if kind == "delete" then
                ok, problem = pcall(wait_gone, session, one, deadline, once)
            elseif check then
                ok, problem = pcall(wait_for, session, one, check, deadline, once)
            end
            if not ok and fail.kind(problem) == "timeout" then timed_out(one) end
            if not ok then error(problem, 0) end
            io.write(print and print(one.object) or object_printer.name(one.object) .. " condition met\n")
            io.stdout:flush()
        end
    end,
}
