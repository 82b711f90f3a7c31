-- Health check failing: the endpoint that the probes ask for is not there, or answers badly.
local signals = require "signals"

-- In order; 5xx are left out: then the endpoint exists and says itself what is wrong.
local meanings = {
    { "statuscode: 404", "the application has no such route" },
    { "statuscode: 405", "the route does not take GET" },
    { "statuscode: 40[13]", "the route demands a login; probes carry none" },
    { "connection refused",
        "nothing listens on the probe's port: another port, or only on 127.0.0.1 instead of 0.0.0.0" },
    { "context deadline exceeded", "the application takes longer to answer than the probe waits" },
}

local function probe_paths(pod)
    local parts = {}
    for _, container in ipairs(pod.spec.containers or {}) do
        for _, kind in ipairs { "startupProbe", "livenessProbe", "readinessProbe" } do
            local get = container[kind] and container[kind].httpGet
            if get then parts[#parts + 1] = ("%s asks %s on port %s"):format(kind, get.path, tostring(get.port)) end
        end
    end
    return table.concat(parts, ", ")
end

local function is_running(pod)
    for _, status in ipairs(signals.containers(pod)) do
        if type(status.state) == "table" and type(status.state.running) == "table" then return true end
    end
    return false
end

local function missing_routes(message)
    local kind = message:match("^(%a+) probe failed") or "Health"
    return kind
end

return {
    name = "health",
    symptom = "Health check failing",
    find = function(seen)
        local findings = {}
        for _, pod in ipairs(signals.unready(seen)) do
            local message = signals.latest_event(seen, pod.metadata.name, "^Unhealthy$")
            for _, entry in ipairs(is_running(pod) and message and meanings or {}) do
                if message:find(entry[1]) then
                    findings[#findings + 1] = {
                        object = "pod/" .. pod.metadata.name,
                        summary = ("%s probe of %s fails"):format(missing_routes(message), signals.component(pod)
                            or "the pod"),
                        cause = entry[2], evidence = { message, probe_paths(pod) },
                        fix = { text = "make the application answer there (/health, /health/ready; frontend: "
                            .. "/api/health) "
                            .. "with status 200, then: todo-lua deploy" },
                    }
                    break
                end
            end
        end
        return findings
    end,
}
