-- What recipes read out of an observation: states of containers, events, log lines, URLs. Pure functions.
local rollout = require "rollout"
local tables = require "tables"

local signals = {}

---@param pod table
---@return string? component "backend"
function signals.component(pod)
    local labels = tables.at(pod, "metadata.labels")
    return labels and labels["app.kubernetes.io/component"]
end

---Pods that are meant to serve and do not.
---@param seen todo.Observation
---@return table[]
function signals.unready(seen)
    return tables.filter(seen.pods, function(pod)
        return not rollout.pod_ready(pod) and not tables.at(pod, "metadata.deletionTimestamp")
            and tables.at(pod, "status.phase") ~= "Succeeded"
    end)
end

signals.containers = rollout.containers

---@param status table of a container
---@return table? waiting reason, message
function signals.waiting(status) return tables.at(status, "state.waiting") end

---How the container last ended.
---@param status table
---@return table? terminated reason, exitCode
function signals.ended(status)
    return tables.at(status, "lastState.terminated") or tables.at(status, "state.terminated")
end

local function stamp(event)
    return tables.at(event, "lastTimestamp") or tables.at(event, "eventTime")
        or tables.at(event, "metadata.creationTimestamp") or ""
end

---Events of one object, the newest last.
---@param seen todo.Observation
---@param name string of the object
---@param reason string? a Lua pattern over the event's reason
---@return table[]
function signals.events(seen, name, reason)
    local list = tables.filter(seen.events, function(event)
        return tables.at(event, "involvedObject.name") == name and (not reason or (event.reason or ""):find(reason))
    end)
    table.sort(list, function(a, b) return stamp(a) < stamp(b) end)
    return list
end

---Text of the newest event that matches; nil where there is none.
---@param seen todo.Observation
---@param name string
---@param reason string?
---@param text string? a Lua pattern over the message
---@return string?
function signals.latest_event(seen, name, reason, text)
    local list = signals.events(seen, name, reason)
    for index = #list, 1, -1 do
        local message = list[index].message or ""
        if not text or message:find(text) then return message end
    end
    return nil
end

---Log of a container, "" where none was read.
---@param seen todo.Observation
---@param pod table
---@param container string
---@param previous boolean?
---@return string
function signals.log(seen, pod, container, previous)
    return seen.logs[pod.metadata.name .. "/" .. container .. (previous and "/previous" or "")] or ""
end

---The last line of a text that one of the patterns matches, and the pattern's captures.
---@param text string
---@param patterns string[] Lua patterns over the lower-cased line
---@return string? line
---@return integer? index of the pattern
function signals.last_line(text, patterns)
    local found, which
    for line in text:gmatch("[^\n]+") do
        local lower = line:lower()
        for index, pattern in ipairs(patterns) do
            if lower:find(pattern) then
                found, which = line, index
                break
            end
        end
    end
    return found, which
end

---The last lines of a text.
---@param text string
---@param count integer
---@return string[]
function signals.tail(text, count)
    local lines = {}
    for line in text:gmatch("[^\n]+") do lines[#lines + 1] = line end
    return table.move(lines, math.max(1, #lines - count + 1), #lines, 1, {})
end

---Parts of an http URL; nil where it is none.
---@param url string?
---@return { scheme: string, host: string, port: integer, path: string }?
function signals.parse_url(url)
    local scheme, host, port, path = (url or ""):match("^(https?)://([^/:]+):?(%d*)(.*)$")
    if not scheme then return nil end
    return { scheme = scheme, host = host, port = tonumber(port) or (scheme == "https" and 443 or 80), path = path }
end

---The Service of this namespace that an in-cluster host name means.
---@param seen todo.Observation
---@param host string
---@return string? service name in this namespace; nil where the name leads elsewhere
function signals.service_name(seen, host)
    local name, rest = host:match("^([^.]+)%.?(.*)$")
    if rest == "" then return name end
    local namespace, suffix = rest:match("^([^.]+)(.*)$")
    if namespace == seen.namespace and (suffix == "" or suffix:find("^%.svc")) then return name end
    return nil
end

---@param list table[]?
---@param name string
---@return table?
function signals.named(list, name)
    for _, object in ipairs(list or {}) do
        if object.metadata.name == name then return object end
    end
    return nil
end

---Why an in-cluster URL cannot work: no such Service, or none of its ports.
---@param seen todo.Observation
---@param url string?
---@return string? problem nil where nothing is wrong with it
function signals.url_problem(seen, url)
    if not url or url == "" then return "it is empty" end
    local parts = signals.parse_url(url)
    if not parts then return "it is no URL" end
    if parts.host == "localhost" or parts.host == "127.0.0.1" then
        return parts.host .. " means the pod itself, not another one"
    end
    local name = signals.service_name(seen, parts.host)
    if not name then return nil end
    local service = signals.named(seen.services, name)
    if not service then return ("there is no Service %s in namespace %s"):format(name, seen.namespace) end
    local ports = {}
    for index, port in ipairs(service.spec.ports or {}) do
        if port.port == parts.port then return nil end
        ports[index] = tostring(port.port)
    end
    return ("Service %s has port %s, not %d"):format(name, table.concat(ports, ", "), parts.port)
end

return signals
