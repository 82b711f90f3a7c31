-- todo-lua kube autoscale: an autoscaler for a workload.
local fail = require "fail"
local json = require "json"
local kube_errors = require "kubectl.errors"
local manifests = require "kubectl.manifests"
local object_maker = require "kubectl.maker"
local quantity = require "kubectl.quantity"
local resource_args = require "kubectl.resource_args"

local own = {
    { "min", kind = "int", default = -1, help = "at least so many pods (default: the server's)" },
    { "max", kind = "int", help = "at most so many pods" },
    { "cpu", help = "processor of a pod: 70% of what it asks for, or an amount such as 500m" },
    { "cpu-percent", kind = "int", default = -1, help = "the same, only as percentage; an older form" },
    { "memory", help = "memory of a pod: 60% of what it asks for, or an amount such as 200Mi" },
    { "name", help = "name of the autoscaler (default: the workload's)" },
}
table.move(manifests.flags, 1, #manifests.flags, #own + 1, own)

local units = { cpu = "m", memory = "Mi" }

-- What the autoscaler holds a resource at.
local function target_of(resource, given)
    given = given:match("^%s*(.-)%s*$")
    local percent = given:match("^(.*)%%$")
    if percent then
        local value = percent:find("^%d+$") and math.tointeger(percent)
        if not value then kube_errors.raise("invalid percentage value: " .. percent) end
        return { type = "Utilization", averageUtilization = value }
    end
    local amount = quantity.parse(tonumber(given) and given .. units[resource] or given)
    if not amount then kube_errors.raise(("invalid resource %s value: %s"):format(resource, given)) end
    return { type = "AverageValue", averageValue = quantity.text(amount) }
end

local function metrics_of(options)
    local metrics = json.list {}
    local function add(resource, target)
        metrics[#metrics + 1] = { type = "Resource", resource = { name = resource, target = target } }
    end
    if options.cpu_percent > 0 then
        add("cpu", { type = "Utilization", averageUtilization = options.cpu_percent })
    end
    for _, resource in ipairs { "cpu", "memory" } do
        if (options[resource] or "") ~= "" then add(resource, target_of(resource, options[resource])) end
    end
    return #metrics > 0 and metrics or nil
end

local function check(options)
    local min, max = options.min, options.max or kube_errors.raise('required flag(s) "max" not set')
    if max < 1 then
        kube_errors.raise(("--max=MAXPODS is required and must be at least 1, max: %d"):format(max))
    elseif max < min then
        kube_errors.raise(("--max=MAXPODS must be larger or equal to --min=MINPODS, max: %d, min: %d"):format(max, min))
    elseif options.cpu_percent > 0 and (options.cpu or "") ~= "" then
        kube_errors.raise("--cpu-percent and --cpu are mutually exclusive")
    end
end

-- Only what can be scaled can be scaled by itself.
local function check_scalable(session, one)
    local meta = one.object.metadata
    local ok, problem = pcall(session.fetch, session, one.resource, meta.namespace, meta.name, "scale")
    if ok then return end
    if fail.field(problem, "status") ~= 404 then error(problem, 0) end
    kube_errors.raise(("cannot autoscale a %s: could not find scale subresource for %s/%s, Resource=%s in discovery "
        .. "information"):format(one.object.kind, one.resource.group, one.resource.version, one.resource.plural))
end

return {
    summary = "make an autoscaler for a workload",
    usage = "TYPE NAME | TYPE/NAME | -f FILE --max=N [--min=N] [--cpu=70%] [flags]",
    examples = { "todo-lua kube autoscale deploy/web --min=2 --max=10 --cpu=80%" },
    flags = object_maker.with_flags(own, "kubectl-autoscale"),
    run = function(session, options, words)
        check(options)
        local metrics = metrics_of(options)
        local found = resource_args.find_all(session, words, options)
        options.done = options.dry_run == "client" and "created" or "autoscaled"
        for _, one in ipairs(found) do
            check_scalable(session, one)
            local object, name = one.object, one.object.metadata.name
            local scaler = { apiVersion = "autoscaling/v2", kind = "HorizontalPodAutoscaler",
                metadata = { name = (options.name or "") ~= "" and options.name or name },
                spec = { maxReplicas = options.max, minReplicas = options.min > 0 and options.min or nil,
                    metrics = metrics,
                    scaleTargetRef = { apiVersion = object.apiVersion, kind = object.kind, name = name } },
                status = { currentMetrics = json.null, desiredReplicas = 0 } }
            object_maker.show(object_maker.make(session, "horizontalpodautoscalers.v2.autoscaling", scaler, options),
                options)
        end
    end,
}
