-- Slow pod startup: the image is being fetched, or the application takes longer than its startup probe allows.
local format = require "format"
local signals = require "signals"
local tables = require "tables"

local PULL_SECONDS = 30
local WAIT_SECONDS = 30

-- "1m2.5s", "45.2s", "812ms" as Go prints durations.
local function go_seconds(text)
    local total = 0
    for amount, unit in text:gmatch("([%d.]+)(%a+)") do
        local factor = ({ h = 3600, m = 60, s = 1, ms = 0.001 })[unit]
        if not factor then return nil end
        total = total + tonumber(amount) * factor
    end
    return total
end

local function age(seen, pod)
    local born = format.epoch(tables.at(pod, "metadata.creationTimestamp"))
    return born and seen.now - born or 0
end

local function finding(pod, summary, cause, evidence, fix)
    return { object = "pod/" .. pod.metadata.name, summary = summary, cause = cause, evidence = evidence,
        fix = { text = fix } }
end

local function slow_pull(seen, pod)
    local message = signals.latest_event(seen, pod.metadata.name, "^Pulled$", "Successfully pulled")
    local seconds = message and go_seconds(message:match(" in ([%w.]+)") or "")
    if seconds and seconds >= PULL_SECONDS then
        return finding(pod, ("fetching the image took %s"):format(format.duration(seconds)),
            "the image was not on the node",
            { message }, "the next start finds it there; to bring it in beforehand: todo-lua build")
    end
    local pulling = signals.latest_event(seen, pod.metadata.name, "^Pulling$")
    if pulling and not signals.latest_event(seen, pod.metadata.name, "^Pulled$") and age(seen, pod) >= PULL_SECONDS
        and not signals.latest_event(seen, pod.metadata.name, "^Failed$") then
        return finding(pod, ("the image is being fetched for %s"):format(format.age(age(seen, pod))),
            "the image is not on the node", { pulling }, "wait, or bring it in from this machine: todo-lua build")
    end
    return nil
end

local function slow_application(seen, pod)
    local killed = signals.latest_event(seen, pod.metadata.name, "^Killing$", "startup probe")
    if killed then
        return finding(pod, "the application starts too slowly", "it was not up when its startup probe gave up",
            { killed }, "look at its log for what takes so long: todo-lua logs "
            .. (signals.component(pod) or "") .. " --previous")
    end
    local probe = signals.latest_event(seen, pod.metadata.name, "^Unhealthy$", "^Startup probe")
    for _, status in ipairs(signals.containers(pod)) do
        if probe and status.started == false and age(seen, pod) >= WAIT_SECONDS and (status.restartCount or 0) == 0 then
            return finding(pod, ("the application is starting for %s"):format(format.age(age(seen, pod))),
                "it does not answer its startup probe yet", { probe },
                    "wait; a first start takes longer than later ones")
        end
    end
    return nil
end

return {
    name = "slow_start",
    symptom = "Slow pod startup",
    find = function(seen)
        local findings = {}
        for _, pod in ipairs(signals.unready(seen)) do
            findings[#findings + 1] = slow_pull(seen, pod) or slow_application(seen, pod)
        end
        return findings
    end,
}
