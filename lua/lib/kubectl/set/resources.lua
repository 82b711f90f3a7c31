-- kube set resources: what containers ask for and may use.
local fail = require "fail"
local kube_errors = require "kubectl.errors"
local object_change = require "kubectl.object_change"
local quantity = require "kubectl.quantity"

local function amounts_of(text)
    if (text or "") == "" then return nil end
    local amounts = {}
    for statement in (text .. ","):gmatch("([^,]*),") do
        local name, value = statement:match("^([^=]*)=([^=]*)$")
        if not name then
            kube_errors.raise(("Invalid argument syntax %s, expected <resource>=<value>"):format(statement))
        end
        local amount = quantity.parse(value) or kube_errors.raise("quantities must match the regular expression "
            .. "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'", "such as cpu=200m,memory=512Mi")
        amounts[name] = quantity.text(amount)
    end
    return amounts
end

local function run(session, options, words)
    local limits, requests, problems = nil, nil, {}
    local function check()
        if (options.limits or "") == "" and (options.requests or "") == "" then
            kube_errors.raise("you must specify an update to requests or limits (in the form of --requests/--limits)")
        end
        limits, requests = amounts_of(options.limits), amounts_of(options.requests)
    end
    object_change.run(session, words, options, { done = "resource requirements updated", check = check,
        problems = problems, failed = "failed to patch resources update to pod template",
        change = function(object)
            local chosen = object_change.containers(object_change.pod_spec(object), options.containers)
            if #chosen == 0 then
                problems[#problems + 1] = fail.new("kube", "error: unable to find container named "
                    .. options.containers, nil, { verbatim = true })
            end
            for _, container in ipairs(chosen) do
                local resources = container.resources or {}
                container.resources = resources
                for field, amounts in pairs { limits = limits, requests = requests } do
                    resources[field] = resources[field] or {}
                    for name, value in pairs(amounts) do resources[field][name] = value end
                end
            end
        end })
end

return {
    summary = "set what containers ask for and may use", run = run, flags = object_change.with_flags {
        { "containers", short = "c", default = "*", help = "which containers, * for any text" },
        { "limits", help = "at most: cpu=200m,memory=512Mi" },
        { "requests", help = "at least: cpu=100m,memory=256Mi" },
    },
    usage = "TYPE NAME | TYPE/NAME | TYPE --all | -f FILE  --limits=… --requests=… [flags]",
    examples = { "todo-lua kube set resources deploy/web --limits=cpu=200m,memory=512Mi" },
}
