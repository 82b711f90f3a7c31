-- Frontend cannot reach the backend: BACKEND_URL leads nowhere.
local rollout = require "rollout"
local signals = require "signals"

local refused = { "econnrefused", "enotfound", "eai_again", "fetch failed", "cannot reach the backend" }

local function log_evidence(seen)
    for _, pod in ipairs(seen.pods) do
        if signals.component(pod) == "frontend" and rollout.pod_ready(pod) then
            local line = signals.last_line(signals.log(seen, pod, "frontend"), refused)
            if line and not line:lower():find("5432", 1, true) then return line end
        end
    end
    return nil
end

return {
    name = "backend_url",
    symptom = "Frontend can't reach backend",
    find = function(seen)
        if not signals.named(seen.deployments, seen.release .. "-frontend") then return {} end
        local given = seen.config.BACKEND_URL
        local problem = signals.url_problem(seen, given)
        if not problem then return {} end
        local service = seen.release .. "-backend"
        local live = signals.named(seen.services, service)
        local port = live and live.spec.ports[1].port or seen.ports.backend
        local expected = ("http://%s:%d"):format(service, port)
        return { {
            object = ("configmap/%s-config"):format(seen.release),
            summary = "the frontend cannot reach the backend",
            cause = ("BACKEND_URL is %q: %s"):format(given or "", problem),
            evidence = { "BACKEND_URL=" .. (given or ""), live and "Service " .. service .. " has port " .. port
                or "there is no Service " .. service, log_evidence(seen) },
            fix = {
                text = ("set it to %s (where your own values set config.backendUrl, change it there)"):format(expected),
                action = "deploy", set = { "config.backendUrl=" .. expected }, restart = "frontend",
            },
        } }
    end,
}
