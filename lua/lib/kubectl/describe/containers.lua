-- Containers, their states, probes, variables and mounts, as pods and pod templates describe them.
local pod_resources = require "kubectl.pod_resources"
local sort_by = require "kubectl.sort_by"
local tables = require "tables"
local text = require "kubectl.describe.text"

local containers = {}

local function ports_text(ports, field)
    local words = {}
    for i, port in ipairs(ports or {}) do
        words[i] = ("%d/%s"):format(port[field] or 0, port.protocol or "")
        if port.name then words[i] = ("%s (%s)"):format(words[i], port.name) end
    end
    return table.concat(words, ", ")
end

local function ports(w, title, list, field)
    local words = ports_text(list, field)
    w:put(2, "%s%s:\t%s\n", title, words:find(",", 1, true) and "s" or "", words ~= "" and words or "<none>")
end

local function seccomp(w, profile)
    if not profile then return end
    w:put(2, "SeccompProfile:\t%s\n", profile.type)
    if profile.type == "Localhost" then w:put(3, "LocalhostProfile:\t%s\n", profile.localhostProfile) end
end

local function basics(w, container, status, space)
    w:put(1, "%s%s:\n", space ~= "" and " " or "", container.name)
    if status then w:put(2, "Container ID:\t%s\n", status.containerID) end
    w:put(2, "Image:\t%s\n", container.image)
    if status then w:put(2, "Image ID:\t%s\n", status.imageID) end
    ports(w, "Port", container.ports, "containerPort")
    ports(w, "Host Port", container.ports, "hostPort")
    seccomp(w, tables.at(container, "securityContext.seccompProfile"))
end

local function lines(w, title, words)
    if not words or #words == 0 then return end
    w:put(2, "%s:\n", title)
    for _, word in ipairs(words) do
        for line in (word .. "\n"):gmatch("([^\n]*)\n") do w:put(3, "%s\n", line) end
    end
end

local function state(w, title, of)
    if of and of.running then
        w:put(2, "%s:\tRunning\n", title)
        w:put(3, "Started:\t%s\n", text.date(of.running.startedAt))
    elseif of and of.terminated then
        local ended = of.terminated
        w:put(2, "%s:\tTerminated\n", title)
        if ended.reason then w:put(3, "Reason:\t%s\n", ended.reason) end
        if ended.message then w:put(3, "Message:\t%s\n", ended.message) end
        w:put(3, "Exit Code:\t%d\n", ended.exitCode or 0)
        if (ended.signal or 0) > 0 then w:put(3, "Signal:\t%d\n", ended.signal) end
        w:put(3, "Started:\t%s\n", text.date(ended.startedAt))
        w:put(3, "Finished:\t%s\n", text.date(ended.finishedAt))
    else
        w:put(2, "%s:\tWaiting\n", title)
        if of and of.waiting and of.waiting.reason then w:put(3, "Reason:\t%s\n", of.waiting.reason) end
    end
end

local function status_of(w, status)
    state(w, "State", status.state)
    if tables.at(status, "lastState.terminated") then state(w, "Last State", status.lastState) end
    w:put(2, "Ready:\t%s\n", status.ready and "True" or "False")
    w:put(2, "Restart Count:\t%d\n", status.restartCount or 0)
end

local function amounts(w, level, title, list)
    if not list or next(list) == nil then return end
    w:put(level, "%s:\n", title)
    for _, name in ipairs(tables.keys(list)) do w:put(level + 1, "%s:\t%s\n", name, text.quantity(list[name])) end
end

---Limits and requests.
---@param w todo.DescribeText
---@param level integer
---@param resources table?
function containers.resources(w, level, resources)
    amounts(w, level, "Limits", resources and resources.limits)
    amounts(w, level, "Requests", resources and resources.requests)
end

local function host_port(host, port)
    if host:find(":", 1, true) then host = "[" .. host .. "]" end
    return host .. ":" .. port
end

local function probe_text(probe)
    local attributes = ("delay=%ds timeout=%ds period=%ds #success=%d #failure=%d"):format(probe.initialDelaySeconds
        or 0,
        probe.timeoutSeconds or 0, probe.periodSeconds or 0, probe.successThreshold or 0, probe.failureThreshold or 0)
    if probe.exec then
        return ("exec [%s] %s"):format(table.concat(probe.exec.command or {}, " "), attributes)
    elseif probe.httpGet then
        local get = probe.httpGet
        local host = get.port and host_port(get.host or "", tostring(get.port)) or get.host or ""
        return ("http-get %s://%s%s %s"):format((get.scheme or ""):lower(), host, get.path or "", attributes)
    elseif probe.tcpSocket then
        return ("tcp-socket %s:%s %s"):format(probe.tcpSocket.host or "", probe.tcpSocket.port, attributes)
    elseif probe.grpc then
        return ("grpc <pod>:%d %s %s"):format(probe.grpc.port, probe.grpc.service or "", attributes)
    end
    return "unknown " .. attributes
end

local function probes(w, container)
    for _, probe in ipairs { { "Liveness", "livenessProbe" }, { "Readiness", "readinessProbe" },
        { "Startup", "startupProbe" } } do
        if container[probe[2]] then w:put(2, "%s:\t%s\n", probe[1], probe_text(container[probe[2]])) end
    end
end

local function from_sources(w, sources)
    if not sources or #sources == 0 then return end
    w:put(2, "Environment Variables from:\n")
    for _, source in ipairs(sources) do
        local kind = source.configMapRef and "ConfigMap" or source.secretRef and "Secret" or ""
        local ref = source.configMapRef or source.secretRef or {}
        local prefix = (source.prefix or "") ~= "" and (" with prefix '%s'"):format(source.prefix) or ""
        w:put(3, "%s\t%s%s\tOptional: %s\n", ref.name, kind, prefix, tostring(ref.optional == true))
    end
end

-- What the downward API fills in, where kubectl says it.
local function field_value(pod, path)
    local field = pod and path:match("^metadata%.(name)$") or pod and path:match("^metadata%.(namespace)$")
    return field and pod.metadata[field] or ""
end

-- The container's own limit or request, or where it comes from.
local function resource_value(container, ref)
    local value = pod_resources.field(container, ref)
    if value == 0 and (ref.resource == "limits.cpu"
        or ref.resource == "limits.memory") then return "node allocatable" end
    return ("%d"):format(value)
end

local function variable(w, container, env, pod)
    local from = env.valueFrom
    if not from then
        local first = true
        for line in ((env.value or "") .. "\n"):gmatch("([^\n]*)\n") do
            w:put(3, "%s\t%s\n", first and env.name .. ":" or "", line)
            first = false
        end
    elseif from.fieldRef then
        w:put(3, "%s:\t%s (%s:%s)\n", env.name, field_value(pod, from.fieldRef.fieldPath), from.fieldRef.apiVersion,
            from.fieldRef.fieldPath)
    elseif from.resourceFieldRef then
        w:put(3, "%s:\t%s (%s)\n", env.name, resource_value(container, from.resourceFieldRef),
            from.resourceFieldRef.resource)
    elseif from.secretKeyRef then
        w:put(3, "%s:\t<set to the key '%s' in secret '%s'>\tOptional: %s\n", env.name, from.secretKeyRef.key,
            from.secretKeyRef.name, tostring(from.secretKeyRef.optional == true))
    elseif from.configMapKeyRef then
        w:put(3, "%s:\t<set to the key '%s' of config map '%s'>\tOptional: %s\n", env.name, from.configMapKeyRef.key,
            from.configMapKeyRef.name, tostring(from.configMapKeyRef.optional == true))
    end
end

local function variables(w, container, pod)
    local list = container.env or {}
    w:put(2, "Environment:%s\n", #list == 0 and "\t<none>" or "")
    for _, env in ipairs(list) do variable(w, container, env, pod) end
end

local function sorted(list, field)
    local copy = table.move(list or {}, 1, #(list or {}), 1, {})
    sort_by.stable(copy, function(a, b) return a[field] < b[field] end)
    return copy
end

local function mounts(w, container)
    local list = sorted(container.volumeMounts, "mountPath")
    w:put(2, "Mounts:%s\n", #list == 0 and "\t<none>" or "")
    for _, mount in ipairs(list) do
        local words = mount.readOnly and "ro" or "rw"
        if mount.subPath then words = words .. (',path=%q'):format(mount.subPath) end
        w:put(3, "%s from %s (%s)\n", mount.mountPath, mount.name, words)
    end
    local devices = sorted(container.volumeDevices, "devicePath")
    if #devices > 0 then w:put(2, "Devices:%s\n", #list == 0 and "\t<none>" or "") end
    for _, device in ipairs(devices) do w:put(3, "%s from %s\n", device.devicePath, device.name) end
end

---@param w todo.DescribeText
---@param title string
---@param list table[]?
---@param statuses table[]?
---@param pod table? nil: they belong to a template
function containers.put(w, title, list, statuses, pod)
    local space, by_name = pod and "" or "  ", {}
    for _, status in ipairs(statuses or {}) do by_name[status.name] = status end
    w:put(0, "%s%s:%s\n", space, title, #(list or {}) == 0 and " <none>" or "")
    for _, container in ipairs(list or {}) do
        local status = by_name[container.name]
        basics(w, container, status, space)
        lines(w, "Command", container.command)
        lines(w, "Args", container.args)
        if status then status_of(w, status) end
        containers.resources(w, 2, container.resources)
        probes(w, container)
        from_sources(w, container.envFrom)
        variables(w, container, pod)
        mounts(w, container)
    end
end

return containers
