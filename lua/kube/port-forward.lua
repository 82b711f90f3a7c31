-- todo-lua kube port-forward: local ports that lead into pods.
local fail = require "fail"
local forward = require "forward_ports"
local kube_errors = require "kubectl.errors"
local kube_pods = require "kubectl.pods"
local tables = require "tables"

local flags = {
    { "address", kind = "strings", default = { "localhost" },
        help = "addresses to listen on; localhost is 127.0.0.1 and ::1" },
}
table.move(kube_pods.flags, 1, #kube_pods.flags, #flags + 1, flags)

local function number(text)
    local value = text:match("^%d+$") and math.tointeger(text)
    return value and value < 65536 and value or nil
end

-- "[LOCAL:]REMOTE"; the remote one may be a name.
local function parse_port(word, object, pod)
    local left, right = word:match("^([^:]*):([^:]*)$")
    if not left then left, right = word, word end
    if right == "" then kube_errors.raise("remote port cannot be empty") end
    local remote = number(right) or right
    if left == right and not number(left) then -- a name stands for its number on both sides
        local ports = object.kind == "Service" and object.spec.ports or {}
        for _, port in ipairs(ports) do
            if port.name == remote then left = tostring(port.port) end
        end
        if left == right then left = tostring(forward.port_of(object, pod, remote)) end
    end
    local here = left == "" and 0 or number(left)
    if not here then kube_errors.raise(("error parsing local port '%s'"):format(left)) end
    return { ["local"] = here, remote = remote }
end

local function addresses(list)
    local out = {}
    for _, address in ipairs(list) do
        local both = address == "localhost"
        out[#out + 1] = both and "127.0.0.1" or address
        if both then out[#out + 1] = "::1" end
    end
    return out
end

return {
    summary = "forward local ports to a pod",
    usage = "TYPE/NAME [flags] [LOCAL_PORT:]REMOTE_PORT […]",
    help = "Forwards local ports to a pod. When the pod goes and others take its place, connections go to those.",
    examples = {
        "todo-lua kube port-forward svc/web 8080:http", "todo-lua kube port-forward deploy/web :8000",
        "todo-lua kube port-forward web-0 5432",
    },
    flags = flags,
    run = function(session, options, words)
        if #words < 2 then kube_errors.raise("TYPE/NAME and list of ports are required for port-forward") end
        local pod, object = kube_pods.find(session, words[1], options)
        local phase = tables.at(pod, "status.phase")
        if phase ~= "Running" then
            kube_errors.raise("unable to forward port because pod is not running. Current status=" .. tostring(phase))
        end
        local ports = {}
        for i = 2, #words do ports[i - 1] = parse_port(words[i], object, pod) end
        for _, port in ipairs(ports) do forward.port_of(object, pod, port.remote) end
        local forwarder = forward.open(session:writer(), object, ports, {
            addresses = addresses(options.address),
            connected = function(port) io.stdout:write(("Handling connection for %d\n"):format(port)) end,
            failed = function(port, problem)
                io.stderr:write(("error: connection to port %d: %s\n"):format(port, fail.message(problem)))
            end,
        })
        for _, port in ipairs(forwarder.ports) do
            local address = port.address:find(":", 1, true) and "[" .. port.address .. "]" or port.address
            io.stdout:write(("Forwarding from %s:%d -> %d\n"):format(address, port["local"],
                forward.port_of(object, pod, port.remote)))
        end
        forwarder:wait()
    end,
}
