---@meta program

---This program: its version, arguments, project and embedded files.
local program = {}

---@type string
program.version = ""
---@type string[] arguments after the script's name
program.args = {}
---@type string script as it was found ("deploy.lua", a path)
program.script = ""
---@type string? root of the project (nearest folder upward with lua/config.lua), nil outside of one
program.project = nil
---@type "normal"|"quiet"|"verbose"
program.verbosity = "normal"
---@type string full path of the running executable
program.executable = ""

---Content of an embedded or project file, disk first: "lua/deploy.lua", "chart/values.yaml", "docker/Dockerfile.mcp".
---@param name string
---@return string? bytes
---@return string? path on disk, nil where it is the embedded one
function program.resource(name) end

---Embedded files whose name starts with `prefix`, sorted.
---@param prefix string?
---@return string[]
function program.resources(prefix) end

---Content of an embedded file, whatever lies on disk.
---@param name string
---@return string? bytes
function program.embedded(name) end

---Ends the program after cleanup with this exit status.
---@param status integer
function program.exit(status) end

return program
