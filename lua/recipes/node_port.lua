-- Cannot access the NodePort: the Service, its pods, or the way from this machine to the node.
local rollout = require "rollout"
local signals = require "signals"
local tables = require "tables"

local function ready_pods(seen)
    return tables.filter(seen.pods, function(pod)
        return signals.component(pod) == seen.front and rollout.pod_ready(pod)
    end)
end

local function selects(service, pod)
    local labels = tables.at(pod, "metadata.labels") or {}
    for key, value in pairs(service.spec.selector or {}) do
        if labels[key] ~= value then return false end
    end
    return true
end

local function target_missing(service, pod)
    local target = service.spec.ports[1].targetPort or service.spec.ports[1].port
    for _, container in ipairs(pod.spec.containers or {}) do
        for _, port in ipairs(container.ports or {}) do
            if port.containerPort == target or port.name == target then return nil end
        end
    end
    return target
end

local function cause_of(seen, service, pods)
    local name = seen.release .. "-" .. seen.front
    if not service then return "there is no Service " .. name, "deploy" end
    if service.spec.type ~= "NodePort" and service.spec.type ~= "LoadBalancer" then
        return ("Service %s is of type %s, which this machine cannot reach"):format(name, service.spec.type), "deploy"
    end
    if not selects(service, pods[1]) then return "its selector matches no pod", "deploy" end
    local target = target_missing(service, pods[1])
    if target then return ("its targetPort %s is no port of the container"):format(tostring(target)), "deploy" end
    for _, proof in ipairs(seen.tried) do
        if proof.foreign then return "another program on this machine has the port", nil end
    end
    return "this machine has no way to the node's port (a driver that keeps the node in a network of its own)", nil
end

return {
    name = "node_port",
    symptom = "Cannot access NodePort",
    find = function(seen)
        local pods = ready_pods(seen)
        -- Without a ready pod behind it nothing can answer: other recipes say why.
        if seen.url or #pods == 0 or #seen.tried == 0 then return {} end
        local service = signals.named(seen.services, seen.release .. "-" .. seen.front)
        local cause, action = cause_of(seen, service, pods)
        local port = service and service.spec.ports[1].nodePort
        local evidence = { service and ("Service %s: %s, node port %s"):format(service.metadata.name, service.spec.type,
            tostring(port)) or nil }
        for _, proof in ipairs(seen.tried) do evidence[#evidence + 1] = proof.url .. ": " .. tostring(proof.why) end
        return { {
            object = "service/" .. seen.release .. "-" .. seen.front, summary = "the stack's URL does not answer",
            cause = cause, evidence = evidence,
            fix = {
                text = action and "restore the Service"
                    or ("minikube: `minikube service %s-%s -n %s --url`; a taken port: "
                    .. "--set %s.service.nodePort=30081"):format(seen.release, seen.front, seen.namespace, seen.front),
                action = action,
            },
        } }
    end,
}
