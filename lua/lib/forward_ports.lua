-- Local ports that lead into pods and stay open while the pods behind them come and go: every connection goes to the
-- best pod of that moment, and one that was refused before its first answer tries the next.
local fail = require "fail"
local http = require "http"
local pods = require "pods"
local tables = require "tables"
local task = require "task"

local forward = {}

local DIAL_SECONDS = 10 -- for the stream to one pod
local SILENCE_SECONDS = 10 -- of a server that answers no ping any more
local PATIENCE = 30 -- for a pod that runs
local REFUSED_PATIENCE = 5 -- for its program to listen
local RETRY_SECONDS = 0.25
local REASON_SECONDS = 2 -- for a node to say why it closed a stream
-- The stream cannot say that one side has ended only: after the local side has, the pod may be quiet for so long.
local LINGER_SECONDS = 10
local MOST_REPEATED = 1 << 20 -- bytes sent before the first answer that are kept for another pod

---@class todo.Forwarder
---@field ports { address: string, ["local"]: integer, remote: integer|string }[] what listens
local Forwarder = {}
Forwarder.__index = Forwarder

-- ---- which port ----

local function named_port(pod, name)
    for _, container in ipairs(pods.containers(pod)) do
        for _, port in ipairs(container.spec.ports or {}) do
            if port.name == name then return port.containerPort end
        end
    end
    fail.raise("not_found", ("Pod '%s' does not have a named port '%s'"):format(pod.metadata.name, name))
end

local function service_port(service, wanted)
    for _, port in ipairs(service.spec.ports or {}) do
        if port.port == wanted or port.name == wanted then return port end
    end
    fail.raise("not_found", type(wanted) == "number"
        and ("Service %s does not have a service port %d"):format(service.metadata.name, wanted)
        or ("Service '%s' does not have a named port '%s'"):format(service.metadata.name, wanted))
end

---The pod's own port that a port of the object leads to.
---@param object table a Service, or anything else with pods
---@param pod table
---@param wanted integer|string number or name
---@return integer
function forward.port_of(object, pod, wanted)
    if object.kind == "Service" then
        local port = service_port(object, wanted)
        if port.protocol == "UDP" then
            fail.raise("usage", ("UDP protocol is not supported for %s"):format(wanted))
        end
        wanted = port.targetPort or port.port
        if object.spec.clusterIP == "None" and wanted == 0 then wanted = port.port end
    end
    return math.tointeger(wanted) or named_port(pod, wanted)
end

-- ---- which pod ----

local function usable(pod)
    return tables.at(pod, "status.phase") == "Running" and not pod.metadata.deletionTimestamp
end

-- Keeps the pods of the object known. An object that is a pod is followed by its name: a StatefulSet makes it anew.
local function follow(self, object)
    local options = { namespace = object.metadata.namespace }
    if object.kind == "Pod" then
        options.fields = "metadata.name=" .. object.metadata.name
    else
        options.labels = pods.selector(object)
    end
    local watch <close> = self.client:watch("pods", options)
    for event in watch do
        self.known[event.object.metadata.name] = event.type ~= "DELETED" and event.object or nil
        self.changed:set()
    end
end

-- The best pod that was not tried; ready ones first, then those that only run.
local function best(self, tried)
    local list = {}
    for name, pod in pairs(self.known) do
        if usable(pod) and not tried[name] then list[#list + 1] = pod end
    end
    return pods.sort(list)[1]
end

-- Waits for a pod; after all were tried they are tried again.
local function pick(self, tried, deadline)
    while task.now() < deadline do
        local pod = best(self, tried)
        if pod then return pod end
        if next(tried) then
            for name in pairs(tried) do tried[name] = nil end
            task.sleep(RETRY_SECONDS)
        else
            self.changed:clear()
            self.changed:wait(math.max(0, deadline - task.now()))
        end
    end
end

-- ---- one connection ----

-- A stream that takes nothing more has ended, and what its other direction brings last tells why.
local function send(stream, bytes)
    local ok, problem = pcall(stream.write, stream, bytes)
    if ok then return end
    if fail.kind(problem) ~= "closed" then error(problem, 0) end
    task.event():wait()
end

-- What the local side says; what went before the first answer is kept.
local function pump_up(conn, stream, state)
    for _, bytes in ipairs(state.sent or {}) do send(stream, bytes) end
    for bytes in function() return conn:read() end do
        if state.sent then
            table.insert(state.sent, bytes)
            state.size = state.size + #bytes
            if state.size > MOST_REPEATED then state.sent = nil end
        end
        send(stream, bytes)
    end
    repeat
        local before = state.received
        task.sleep(LINGER_SECONDS)
    until state.received == before
end

local function pump_down(conn, stream, state)
    for bytes in function() return stream:read() end do
        state.sent, state.answered = nil, true
        state.received = state.received + #bytes
        conn:write(bytes)
    end
end

-- Joins both ends until one ends. Returns what went wrong, and whether another pod may be asked instead.
local function join(conn, stream, state)
    local problem
    local function guarded(fn)
        return function()
            local ok, err = pcall(fn, conn, stream, state)
            if not ok and not problem then problem = err end
        end
    end
    task.any { guarded(pump_down), guarded(pump_up) }
    if not problem or state.answered and fail.kind(problem) == "closed" then return nil end -- a peer that hung up
    return problem, fail.kind(problem) == "connect" and not state.answered and state.sent
end

-- A node that refuses says why and closes. Where bytes of ours were under way that resets the connection and the words
-- are lost; asked again without any, it is heard.
local function refusal(open)
    local ok, problem = pcall(function()
        local stream <close> = open()
        task.timeout(REASON_SECONDS, function() return stream:read() end)
    end)
    return not ok and fail.kind(problem) == "connect" and problem or nil
end

local function serve(self, conn, port)
    local state, tried = { sent = {}, size = 0, received = 0 }, {}
    local started = task.now()
    local deadline = started + PATIENCE
    local problem
    while true do
        local pod = pick(self, tried, deadline)
        if not pod then break end
        local name = pod.metadata.name
        tried[name] = true
        local function open()
            local remote = forward.port_of(self.object, pod, port.remote)
            return self.client:forward(name, remote, { namespace = pod.metadata.namespace, timeout = DIAL_SECONDS,
                silence = SILENCE_SECONDS })
        end
        local ok, result = pcall(open)
        problem = not ok and result or nil
        if ok then
            local stream <close> = result
            local refused
            problem, refused = join(conn, stream, state)
            if problem and not refused and state.sent and fail.kind(problem) == "closed" then
                local heard = refusal(open)
                problem, refused = heard or problem, heard ~= nil
            end
            if not refused then return problem end
            deadline = math.min(deadline, started + REFUSED_PATIENCE)
        end
    end
    return problem or fail.new("timeout", ("no pod of %s took the connection within %d s"):format(self.name, PATIENCE))
end

local function listen(self, address, port)
    local listener = http.listen(address, port["local"], function(conn)
        self.options.connected(port["local"])
        local _, problem = pcall(serve, self, conn, port)
        conn:close()
        if problem then self.options.failed(port["local"], problem) end
    end)
    port["local"] = listener.port
    self.listeners[#self.listeners + 1] = listener
    self.ports[#self.ports + 1] = { address = address, ["local"] = port["local"], remote = port.remote }
end

---Opens the ports. On several addresses those that cannot be had are left out, unless none can.
---@async
---@param client todo.K8s
---@param object table a pod, a Service or what else selects pods (spec.selector)
---@param ports { ["local"]: integer, remote: integer|string }[] local 0: any free one
---@param options { addresses: string[]?, connected: fun(port: integer)?, failed: fun(port: integer, problem: any)? }?
---@return todo.Forwarder
function forward.open(client, object, ports, options)
    options = options or {}
    local self = setmetatable({ client = client, object = object, known = {}, changed = task.event(), listeners = {},
        ports = {}, name = object.kind:lower() .. "/" .. object.metadata.name }, Forwarder)
    self.options = { connected = options.connected or function() end, failed = options.failed or function() end }
    local ok, problem = pcall(function()
        for _, port in ipairs(ports) do
            local wanted, opened, last = { ["local"] = port["local"], remote = port.remote }, false, nil
            for _, address in ipairs(options.addresses or { "127.0.0.1" }) do
                local could, err = pcall(listen, self, address, wanted)
                opened, last = opened or could, not could and err or last
            end
            if not opened then error(last, 0) end
        end
    end)
    if not ok then
        self:close()
        error(problem, 0)
    end
    self.follower = task.spawn(follow, self, object)
    return self
end

---Waits as long as it works: raises what ends it for good (the pods cannot be watched any more).
---@async
function Forwarder:wait() self.follower:wait() end

function Forwarder:close()
    for _, listener in ipairs(self.listeners) do listener:close() end
    self.listeners = {}
    if self.follower then self.follower:cancel() end
end

return forward
