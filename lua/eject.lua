-- Writes an editable copy of something embedded: todo-lua eject deploy.lua, todo-lua eject chart.
local cli = require "cli"
local fail = require "fail"
local fs = require "fs"
local log = require "log"
local program = require "program"
local suggest = require "suggest"

local args = cli.parse {
    name = "eject",
    summary = "Writes editable copies of embedded files into the project; the copy on disk then wins.",
    arguments = {
        { "name", many = true,
            help = "a script (deploy, lua/lib/board.lua) or a folder (chart, docker); nothing: list them" },
    },
    options = { { "force", help = "overwrite files that exist" } },
    examples = { "todo-lua eject deploy", "todo-lua eject chart" },
}

-- The embedded files that a name means: itself, with lua/ before or .lua behind it, or all in a folder of that name.
local function find(name)
    for _, candidate in ipairs { name, name .. ".lua", "lua/" .. name, "lua/" .. name .. ".lua" } do
        for _, file in ipairs(program.resources(candidate)) do
            if file == candidate then return { file } end
        end
    end
    for _, folder in ipairs { name .. "/", "lua/" .. name .. "/" } do
        local files = program.resources(folder)
        if #files > 0 then return files end
    end
    local known = {}
    for _, file in ipairs(program.resources()) do
        known[#known + 1] = file:match("^lua/([^/]+)%.lua$")
        known[#known + 1] = file:match("^([^/]+)/")
    end
    fail.raise("not_found", ("nothing embedded is called %s%s"):format(name, suggest.phrase(name, known)),
        "todo-lua eject lists what is")
end

if #args.name == 0 then
    for _, file in ipairs(program.resources()) do log.result(file) end
    return 0
end

local root = program.project or fs.cwd()
for _, name in ipairs(args.name) do
    for _, file in ipairs(find(name)) do
        local path = fs.join(root, file)
        if fs.exists(path) and not args.force then
            log.info(file .. " exists already; kept (--force overwrites it)")
        else
            fs.mkdir(fs.dirname(path))
            fs.write(path, program.embedded(file), file:find("%.sh$") and 493 or nil)
            log.info("wrote " .. file)
        end
    end
end
