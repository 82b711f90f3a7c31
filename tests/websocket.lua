-- The server's side of WebSocket (RFC 6455) on a plain TCP connection, for tests that play an API server.
local proc = require "proc"

local websocket = {}

---@class todo.TestSocket
local Socket = {}
Socket.__index = Socket

-- Reads one request's head: method, path, headers in lower case. nil at the end of the connection.
---@param conn todo.Conn
---@return { method: string, path: string, headers: table<string, string> }?
function websocket.request(conn)
    local text = ""
    while not text:find("\r\n\r\n", 1, true) do
        local bytes = conn:read(1) -- no more than the head: what follows may be frames
        if not bytes then return nil end
        text = text .. bytes
    end
    local request = { headers = {} }
    request.method, request.path = text:match("^(%S+) (%S+)")
    for name, value in text:gmatch("\r\n([^:\r\n]+): ([^\r\n]*)") do request.headers[name:lower()] = value end
    return request
end

---@param conn todo.Conn
---@param status integer
---@param body string
function websocket.answer(conn, status, body, headers)
    conn:write(("HTTP/1.1 %d X\r\n%sContent-Length: %d\r\n\r\n%s"):format(status, headers or "", #body, body))
end

local function accept_of(key)
    return (proc.run({ "sh", "-c", "openssl sha1 -binary | base64" },
        { stdin = key .. "258EAFA5-E914-47DA-95CA-C5AB0DC85B11" }).stdout:gsub("%s", ""))
end

-- Answers an upgrade and returns the socket.
---@param conn todo.Conn
---@param request table
---@param protocol string?
---@return todo.TestSocket
function websocket.accept(conn, request, protocol)
    conn:write(("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        .. "Sec-WebSocket-Accept: %s\r\nSec-WebSocket-Protocol: %s\r\n\r\n"):format(
        accept_of(request.headers["sec-websocket-key"]), protocol or "v5.channel.k8s.io"))
    return setmetatable({ conn = conn, bytes = "" }, Socket)
end

function Socket:take(count)
    while #self.bytes < count do
        local more = self.conn:read()
        if not more then return nil end
        self.bytes = self.bytes .. more
    end
    local taken = self.bytes:sub(1, count)
    self.bytes = self.bytes:sub(count + 1)
    return taken
end

-- The next frame: opcode and payload; nil at the end.
---@return integer? opcode
---@return string? payload
function Socket:frame()
    local head = self:take(2)
    if not head then return nil end
    local first, second = head:byte(1, 2)
    local length = second & 0x7f
    assert(second & 0x80 ~= 0, "a client's frame must be masked")
    if length == 126 then length = (">I2"):unpack(self:take(2)) elseif length == 127 then
        length = (">I8"):unpack(self:take(8))
    end
    local mask, payload = { self:take(4):byte(1, 4) }, self:take(length)
    if not payload then return nil end
    local plain = {}
    for i = 1, length do plain[i] = string.char(payload:byte(i) ~ mask[(i - 1) % 4 + 1]) end
    return first & 0xf, table.concat(plain)
end

-- The next data message, pings answered: channel and bytes; nil once the client closes.
---@return integer? channel
---@return string? bytes
function Socket:message()
    while true do
        local opcode, payload = self:frame()
        if not opcode then return nil end
        if opcode == 9 then
            self:send_frame(10, payload)
        elseif opcode == 8 then
            self:send_frame(8, payload)
            return nil
        elseif opcode ~= 10 then
            return payload:byte(1), payload:sub(2)
        end
    end
end

---@param opcode integer
---@param payload string
---@param more boolean? this message has more frames
function Socket:send_frame(opcode, payload, more)
    local first = string.char((more and 0 or 0x80) | opcode)
    local length = #payload
    local head = length < 126 and string.char(length) or length < 65536 and "\126" .. (">I2"):pack(length)
        or "\127" .. (">I8"):pack(length)
    self.conn:write(first .. head .. payload)
end

---@param channel integer
---@param bytes string
function Socket:send(channel, bytes) self:send_frame(2, string.char(channel) .. bytes) end

---@param code integer?
function Socket:close(code) self:send_frame(8, (">I2"):pack(code or 1000)) end

return websocket
