-- todo-lua kube version: this program's version and the server's.
local json = require "json"
local kube_errors = require "kubectl.errors"
local program = require "program"
local yaml = require "yaml"

return {
    summary = "show the versions of this program and of the server",
    usage = "[flags]",
    arguments = { max = 0 },
    flags = {
        { "client", kind = "bool", help = "this program's only" },
        { "output", short = "o", default = "", help = "json or yaml" },
    },
    run = function(session, options)
        if options.output ~= "" and options.output ~= "json" and options.output ~= "yaml" then
            kube_errors.raise("--output must be 'yaml' or 'json'")
        end
        local versions = { clientVersion = { gitVersion = "todo-lua " .. program.version } }
        local ok, server = true, nil
        if not options.client then ok, server = pcall(function() return session.client:version() end) end
        versions.serverVersion = ok and server or nil
        if options.output == "json" then
            io.write(json.encode(versions, { sort = true, indent = "  " }), "\n")
        elseif options.output == "yaml" then
            io.write(yaml.encode(versions, { sort = true }))
        else
            io.write("Client Version: ", versions.clientVersion.gitVersion, "\n")
            if versions.serverVersion then io.write("Server Version: ", versions.serverVersion.gitVersion, "\n") end
        end
        if not ok then error(server, 0) end
    end,
}
