-- A port of this machine for a server that is told which to take. It lies below those that the system gives to connections
-- (net.ipv4.ip_local_port_range): one of these may be somebody's before the server has begun to listen.
local http = require "http"

local LOWEST, HIGHEST = 10000, 29999

---@return integer
local function free_port()
    for _ = 1, 100 do
        local port = math.random(LOWEST, HIGHEST)
        local ok, listener = pcall(http.bind, "127.0.0.1", port)
        if ok then
            listener:close()
            return port
        end
    end
    error("this machine has no free port")
end

return free_port
