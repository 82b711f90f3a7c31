-- Proxies that do harm, between a client and an API server.
local fs = require "fs"
local http = require "http"
local json = require "json"
local task = require "task"
local websocket = require "tests.websocket"

local faults = {}

---@class todo.Fault
---@field reset boolean? the connection ends as soon as the client has said something
---@field cut integer? the connection ends after so many bytes of the server
---@field stall integer? nothing comes any more after so many bytes of the server, and nobody says so
---@field slow integer? so many bytes at a time, a millisecond apart

-- Waits for the other side's end without a word.
local function be_silent(conn)
    while conn:read() do end -- luacheck: ignore 542
end

-- Passes the server's bytes on until the fault strikes.
local function pass_down(server, client, fault)
    local passed, limit = 0, fault.cut or fault.stall or math.maxinteger
    for bytes in function() return server:read(fault.slow or math.min(65536, math.max(1, limit - passed))) end do
        client:write(bytes:sub(1, limit - passed))
        passed = passed + #bytes
        if passed >= limit then
            if fault.stall then be_silent(server) end
            return
        end
        if fault.slow then task.sleep(0.001) end
    end
end

-- Bytes as they are, so TLS goes through. plan(n) says what happens to the n-th connection; nil: nothing.
---@param port integer of the server
---@param plan fun(n: integer): todo.Fault?
---@param host string? default 127.0.0.1
---@return todo.Listener
function faults.tcp(port, plan, host)
    local count = 0
    return http.listen("127.0.0.1", 0, function(client)
        count = count + 1
        local fault = plan(count) or {}
        if fault.reset then
            client:read(1) -- what stays unread makes the close a reset
            return client:close()
        end
        local connected, server = pcall(http.connect, host or "127.0.0.1", port)
        if not connected then return client:close() end
        local up = task.spawn(function()
            pcall(function()
                for bytes in function() return client:read() end do server:write(bytes) end
                server:shutdown()
            end)
        end)
        pcall(pass_down, server, client, fault)
        up:cancel()
        server:close()
        client:close()
    end)
end

-- A kubeconfig like this one for another port of the same server.
---@param from string path
---@param port integer
---@param path string
---@param scheme string? default https
function faults.kubeconfig(from, port, path, scheme)
    fs.write(path, (fs.read(from):gsub("https://([^:%s]+):%d+", (scheme or "https") .. "://%1:" .. port)), 0x180)
    return path
end

local function send(conn, status, headers, body)
    local head = {}
    for name, value in pairs(headers) do head[#head + 1] = ("%s: %s\r\n"):format(name, value) end
    websocket.answer(conn, status, body, table.concat(head))
end

-- Forwards one request and streams its answer in chunks; false where the connection is to end.
local function forward(server, conn, request, fault)
    local length = tonumber(request.headers["content-length"]) or 0
    local body = ""
    while #body < length do body = body .. assert(conn:read(length - #body)) end
    local answer = http.stream(("https://127.0.0.1:%d%s"):format(server.port, request.path), { method = request.method,
        body = length > 0 and body or nil, ca_file = server.pki .. "/ca.crt", proxy = "", timeout = 0,
        cert = fs.read(server.pki .. "/admin.crt"), key = fs.read(server.pki .. "/admin.key"),
        headers = { Accept = request.headers.accept, ["Content-Type"] = request.headers["content-type"] } })
    conn:write(("HTTP/1.1 %d X\r\nContent-Type: %s\r\nTransfer-Encoding: chunked\r\n\r\n"):format(answer.status,
        answer.headers["content-type"] or "application/json"))
    local passed, limit = 0, fault.cut or math.maxinteger
    for bytes in function() return answer:read() end do
        local chunk = ("%x\r\n%s\r\n"):format(#bytes, bytes)
        conn:write(chunk:sub(1, #chunk - 2 - math.max(0, passed + #bytes - limit)))
        passed = passed + #bytes
        if passed >= limit then
            answer:close()
            return false -- in the middle of a chunk
        end
        conn:write("\r\n")
    end
    conn:write("0\r\n\r\n")
    return true
end

-- Speaks plain HTTP to the client and asks the real server for the answers, as its administrator. plan(request, n) says
-- what happens to the n-th request: { status =, headers =, body = } in place of the server's answer, { cut = bytes of the
-- body } in the middle of a chunk; nil: nothing.
---@param server todo.ApiServer
---@param plan fun(request: table, n: integer): table?
---@return todo.Listener
function faults.http(server, plan)
    local count = 0
    return http.listen("127.0.0.1", 0, function(conn)
        pcall(function()
            for request in function() return websocket.request(conn) end do
                count = count + 1
                local fault = plan(request, count) or {}
                if fault.status then
                    send(conn, fault.status, fault.headers or {}, fault.body or "")
                    if request.method ~= "GET" then break end
                elseif not forward(server, conn, request, fault) then
                    break
                end
            end
        end)
        conn:close()
    end)
end

-- A Status as API servers send it.
---@param code integer
---@param reason string
---@param message string
function faults.status(code, reason, message)
    return json.encode { kind = "Status", apiVersion = "v1", status = "Failure", code = code, reason = reason,
        message = message }
end

return faults
