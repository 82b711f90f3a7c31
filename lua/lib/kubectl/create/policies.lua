-- kube create quota, poddisruptionbudget, priorityclass, cronjob.
local json = require "json"
local kube_errors = require "kubectl.errors"
local label_selector = require "kubectl.label_selector"
local object_maker = require "kubectl.maker"
local quantity = require "kubectl.quantity"

local function quota(name, options)
    local hard, scopes
    for statement in ((options.hard or "") .. ","):gmatch("([^,]*),") do
        if (options.hard or "") == "" then break end
        local key, value = statement:match("^([^=]*)=([^=]*)$")
        if not key then
            kube_errors.raise(("Invalid argument syntax %s, expected <resource>=<value>"):format(statement))
        end
        local amount = quantity.parse(value)
        if not amount then
            kube_errors.raise("quantities must match the regular expression "
                .. "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'")
        end
        hard = hard or {}
        hard[key] = quantity.text(amount)
    end
    if (options.scopes or "") ~= "" then
        scopes = json.list {}
        for scope in (options.scopes .. ","):gmatch("([^,]*),") do
            if scope == "" then kube_errors.raise('invalid resource quota scope ""') end
            scopes[#scopes + 1] = scope
        end
    end
    return { metadata = { name = name }, spec = { hard = hard, scopes = scopes }, status = {} }
end

local function number_or_text(text) return text and (text:find("^%d+$") and math.tointeger(text) or text) end

local function budget(name, options)
    local min, max = options.min_available, options.max_unavailable
    if (options.selector or "") == "" then kube_errors.raise("a selector must be specified") end
    if not min and not max then kube_errors.raise("one of min-available or max-unavailable must be specified") end
    if min and max then kube_errors.raise("min-available and max-unavailable cannot be both specified") end
    if min and not min:find("^%d+%%?$") then kube_errors.raise("invalid format specified for min-available") end
    if max and not max:find("^%d+%%?$") then kube_errors.raise("invalid format specified for max-unavailable") end
    return { metadata = { name = name }, spec = { selector = label_selector.object(options.selector),
        minAvailable = number_or_text(min), maxUnavailable = number_or_text(max) },
        status = { currentHealthy = 0, desiredHealthy = 0, disruptionsAllowed = 0, expectedPods = 0 } }
end

local function priority_class(name, options)
    return { metadata = { name = name }, value = options.value, globalDefault = options.global_default or nil,
        description = options.description ~= "" and options.description or nil,
        preemptionPolicy = options.preemption_policy }
end

local function cron_job(name, options, words)
    local missing = {}
    for _, flag in ipairs { "image", "schedule" } do
        if not options[flag] then missing[#missing + 1] = ("%q"):format(flag) end
    end
    if #missing > 0 then kube_errors.raise(("required flag(s) %s not set"):format(table.concat(missing, ", "))) end
    local container = { name = name, image = options.image, resources = {} }
    if #words > 1 then container.command = table.move(words, 2, #words, 1, {}) end
    local restart = (options.restart or "") ~= "" and options.restart or "OnFailure"
    local template = { metadata = {}, spec = { containers = { container }, restartPolicy = restart } }
    return { metadata = { name = name }, status = {}, spec = { schedule = options.schedule,
        jobTemplate = { metadata = { name = name }, spec = { template = template } } } }
end

return {
    quota = object_maker.command { kind = "v1/ResourceQuota", aliases = { "resourcequota" }, what = "quota",
        usage = "NAME [--hard=KEY=VALUE,…] [--scopes=SCOPE,…] [flags]", summary = "make a quota", build = quota,
        flags = { { "hard", help = "limits, RESOURCE=QUANTITY separated by commas" },
            { "scopes", help = "what the quota counts, separated by commas" } } },
    poddisruptionbudget = object_maker.command { kind = "policy/v1/PodDisruptionBudget", aliases = { "pdb" },
        what = "poddisruptionbudgets", usage = "NAME --selector=SELECTOR --min-available=N [flags]",
        summary = "make a budget of how many pods may be missing", build = budget,
        flags = { { "min-available", help = "how many pods, or what part (50%), must be there" },
            { "max-unavailable", help = "how many pods, or what part (50%), may be missing" },
            { "selector", help = "labels of the pods" } } },
    priorityclass = object_maker.command { kind = "scheduling.k8s.io/v1/PriorityClass", aliases = { "pc" },
        what = "priorityclass", usage = "NAME --value=VALUE [flags]", summary = "make a priority class",
        build = priority_class,
        flags = { { "value", kind = "int", default = 0, help = "the priority" },
            { "global-default", kind = "bool", help = "for pods that name no class" },
            { "description", help = "when to use it" },
            { "preemption-policy", default = "PreemptLowerPriority", help = "Never, or PreemptLowerPriority" } } },
    cronjob = object_maker.command { kind = "batch/v1/CronJob", aliases = { "cj" }, command = true, what = "cronjob",
        usage = "NAME --image=IMAGE --schedule='0/5 * * * ?' [-- COMMAND…] [flags]", summary = "make a cron job",
        build = cron_job,
        flags = { { "image", help = "image of the container" }, { "schedule", help = "when it runs, as cron has it" },
            { "restart", help = "OnFailure or Never" } } },
}
