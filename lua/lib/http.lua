-- What module http offers on top of the host's primitives. The host runs this file with the module.
local http = ...

local task = require "task"

function http.get(url, options)
    return http.request(url, options)
end

local function serve(conn, handler)
    local open <close> = conn
    handler(open)
end

function http.listen(host, port, handler)
    local listener = http.bind(host, port)
    task.spawn(function()
        for conn in listener.accept, listener do task.spawn(serve, conn, handler) end
    end)
    return listener
end
