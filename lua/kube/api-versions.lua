-- todo-lua kube api-versions: the groups and versions that the server has.
local api_resources = require "kubectl.api_resources"
local tables = require "tables"

return {
    summary = "list the groups and versions that the server has",
    usage = "[flags]",
    arguments = { max = 0 },
    run = function(session)
        local versions = {}
        for _, one in ipairs(api_resources.all(session)) do
            versions[one.group == "" and one.version or one.group .. "/" .. one.version] = true
        end
        io.write(table.concat(tables.keys(versions), "\n"), "\n")
    end,
}
