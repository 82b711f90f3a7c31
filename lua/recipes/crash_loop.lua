-- Pod in CrashLoopBackOff: the application ends by itself, most often over a setting that it misses.
local signals = require "signals"

local config_reasons = { CreateContainerConfigError = true, CreateContainerError = true }
local start_reasons = { RunContainerError = true, StartError = true, ContainerCannotRun = true }

-- Exit statuses of shells and kernels (128 + signal).
local statuses = {
    [0] = "it ended as if its work were done; a server must keep running",
    [126] = "its command may not be executed",
    [127] = "its command does not exist in the image",
    [134] = "it aborted itself (SIGABRT)",
    [139] = "it crashed (segmentation fault)",
    [143] = "it was asked to end (SIGTERM)",
}

local missing_patterns = {
    "([%u][%u%d_]+) is not set", "([%u][%u%d_]+) is missing", "([%u][%u%d_]+) is required",
        "[Mm]issing.-([%u][%u%d_][%u%d_]+)",
    "KeyError: '([%u][%u%d_]+)'", "[Ff]ield required.-([%u][%u%d_][%u%d_]+)",
}

local log_causes = {
    { "modulenotfounderror", "a Python module is missing in the image" },
    { "cannot find module", "a Node.js module is missing in the image" },
    { "eaddrinuse", "its port is taken inside the pod" },
    { "exec format error", "the image was built for another processor" },
    { "permission denied", "it may not read or write something it needs as user 1001" },
    { "no such file or directory", "a file it needs is not in the image" },
}

local function missing_variable(text)
    for line in text:gmatch("[^\n]+") do
        for _, pattern in ipairs(missing_patterns) do
            local name = line:match(pattern)
            if name then return name end
        end
    end
    return nil
end

local function cause_of(seen, pod, ended, text)
    if ended and ended.reason == "OOMKilled" then
        return "it used more memory than its limit allows", "raise the limit, for example --set "
            .. (signals.component(pod) or "backend") .. ".resources.limits.memory=1Gi"
    end
    local name = missing_variable(text)
    if name then
        local known = seen.config[name] ~= nil or seen.secret_keys[name] ~= nil
        return ("the setting %s is missing"):format(name), known
            and ("%s is part of the release: deploy again, and the pods start with it"):format(name)
            or ("add %s to the chart's configuration, or to the environment of the component"):format(name)
    end
    local lower = text:lower()
    for _, entry in ipairs(log_causes) do
        if lower:find(entry[1], 1, true) then return entry[2], "mend the image, then: todo-lua deploy" end
    end
    if ended and ended.exitCode == 137 and signals.latest_event(seen, pod.metadata.name, "^Killing$", "liveness") then
        return "it was killed because its liveness probe failed", "look at its log: todo-lua logs --previous"
    end
    local status = ended and statuses[ended.exitCode]
    return status or "it ended with an error; its log says why", "look at its log: todo-lua logs --previous"
end

local function crashed(seen, pod, status)
    local ended = signals.ended(status)
    local text = signals.log(seen, pod, status.name, true)
    if text == "" then text = signals.log(seen, pod, status.name) end
    local cause, fix = cause_of(seen, pod, ended, text)
    local evidence = { ended and ("last end: %s, exit status %s, %s restarts"):format(ended.reason or "?",
        tostring(ended.exitCode), tostring(status.restartCount)) or "no end recorded" }
    for _, line in ipairs(signals.tail(text, 5)) do evidence[#evidence + 1] = line end
    return {
        object = "pod/" .. pod.metadata.name, summary = ("%s crashes again and again"):format(status.name),
        cause = cause, evidence = evidence, fix = { text = fix, action = "deploy" },
    }
end

local function not_started(pod, status, waiting)
    local message = waiting.message or ""
    local cause = "the container cannot be created"
    local kind, name = message:match("(%a+) \"([^\"]+)\" not found")
    local key = message:match("couldn't find key (%S+)")
    if key then cause = ("the key %s is missing in the ConfigMap or Secret"):format(key)
    elseif kind then cause = ("the %s %s is missing"):format(kind, name)
    elseif message:find("runAsNonRoot", 1, true) then cause = "the image would run as root, which its pod forbids"
    elseif message:lower():find("exec format", 1, true) then cause = "the image was built for another processor"
    elseif message:find("no such file", 1, true) then cause = "the image's command does not exist in it" end
    return {
        object = "pod/" .. pod.metadata.name, summary = ("%s cannot start (%s)"):format(status.name, waiting.reason),
        cause = cause, evidence = { message }, fix = { text = "restore the release's objects", action = "deploy" },
    }
end

return {
    name = "crash_loop",
    symptom = "Pod in CrashLoopBackOff",
    find = function(seen)
        local findings = {}
        for _, pod in ipairs(signals.unready(seen)) do
            for _, status in ipairs(signals.containers(pod)) do
                local waiting = signals.waiting(status)
                local ended = signals.ended(status)
                local failing = waiting and waiting.reason == "CrashLoopBackOff"
                    or ended and (status.restartCount or 0) > 0 and ended.exitCode ~= 0
                if waiting and (config_reasons[waiting.reason] or start_reasons[waiting.reason]) then
                    findings[#findings + 1] = not_started(pod, status, waiting)
                elseif failing then
                    findings[#findings + 1] = crashed(seen, pod, status)
                end
            end
        end
        return findings
    end,
}
