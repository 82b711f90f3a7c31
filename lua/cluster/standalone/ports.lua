-- Which ports somebody listens on, so that the cluster takes others.
local fs = require("fs")

local ports = {}

local LISTEN = "0A"

-- Wildcard addresses as /proc/net writes them.
local WILDCARDS = { ["00000000"] = true, ["00000000000000000000000000000000"] = true }

local function sockets(kind)
    local list = {}
    for _, file in ipairs({ kind, kind .. "6" }) do
        for address, port, state in (fs.read("/proc/net/" .. file) or ""):gmatch("%d+: (%x+):(%x+) %x+:%x+ (%x+)") do
            list[#list + 1] = { wildcard = WILDCARDS[address] or false, port = tonumber(port, 16), state = state }
        end
    end
    return list
end

---Whether somebody listens on this port of every address (which keeps all others from listening on it anywhere).
---@param port integer
---@param kind "tcp"|"udp"
---@return boolean
function ports.wildcard_holder(port, kind)
    for _, socket in ipairs(sockets(kind)) do
        if socket.wildcard and socket.port == port and (kind == "udp" or socket.state == LISTEN) then return true end
    end
    return false
end

---For each wanted port itself, or the next in steps of 10000 where it is taken; below the range of NodePorts.
---@param wanted table<string, integer>
---@return table<string, integer>
function ports.free(wanted)
    local result = {}
    for name, port in pairs(wanted) do
        while ports.wildcard_holder(port, "tcp") and port + 10000 < 30000 do port = port + 10000 end
        result[name] = port
    end
    return result
end

return ports
