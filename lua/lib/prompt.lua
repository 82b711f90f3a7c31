-- The prompt's comfort on top of host/repl.c: kinds and objects of the cluster by their names, results as tables and
-- YAML, and commands that start with a colon.
local cluster_names = require "prompt.names"
local fail = require "fail"
local inspect = require "inspect"
local mask = require "mask"
local pager = require "prompt.pager"
local program = require "program"
local suggest = require "suggest"
local term = require "term"

local prompt = {}

local unknown -- the last global of a line that stands for nothing

---Makes modules and kinds global: a name that nobody set is looked up when it is used. Called before the first line.
function prompt.install()
    cluster_names.guard_clients()
    setmetatable(_G, { __index = function(_, name)
        if type(name) ~= "string" then return nil end
        if package.preload[name] then return require(name) end
        local kind = cluster_names.kind(name)
        if kind == nil then unknown = name end
        return kind
    end })
    cluster_names.prefetch()
end

---@return string "context/namespace> "
function prompt.text()
    local place = cluster_names.place()
    return (place and place .. (cluster_names.writable() and "!" or "") or "") .. "> "
end

---What may stand for `text`: kinds, names of objects, fields and methods of objects.
---@param text string
---@return string[]
function prompt.complete(text) return cluster_names.complete(text) end

-- Prints what a line gave: things of the cluster as kubectl does, other values as Lua writes them.
local function show(results)
    if results.n == 1 then
        local text = cluster_names.show(results[1])
        if text then return pager.show(text) end
    end
    for i = 1, results.n do results[i] = mask.objects(results[i]) end
    pager.show(inspect(table.unpack(results, 1, results.n)))
end

local function no_such_name(name)
    local known = table.move(cluster_names.words(), 1, #cluster_names.words(), 1, {})
    for module in pairs(package.preload) do known[#known + 1] = module end
    fail.raise("not_found", ("nothing is called %s%s"):format(name, suggest.phrase(name, known)),
        "kinds of the cluster and modules have names here; :help says more")
end

---Runs a compiled line and prints its results. A name that stands for nothing is more likely mistyped than meant.
---@async
---@param chunk function
function prompt.run(chunk)
    unknown = nil
    local results = table.pack(chunk())
    if results.n == 1 and results[1] == nil and unknown then no_such_name(unknown) end
    if results.n > 0 then show(results) end
end

local HELP = [[
A line is Lua. Modules are globals: k8s, docker, chart, yaml, json, fs, proc, task, term, http.
pods, deploy, svc, nodes, … are the cluster's kinds: deploy.backend is an object, pods:names() lists names; objects have
logs, why, events, describe, yaml, url, exec, restart, scale, patch, delete. :help prompt lists them.

]]

local KIND_HELP = [[
%s are the %s of the cluster: alone on a line they print as a table, and .NAME or ["NAME"] is one of them.

%s]]

local commands = {}
local short = { ns = "namespace", ctx = "context", q = "quit", h = "help" }

commands.help = { "NAME", "documentation of a module, function or kind", function(name)
    if name == "" then
        local lines = { HELP }
        for _, word in ipairs { "help", "write", "namespace", "context", "quit" } do
            lines[#lines + 1] = ("  %-20s %s\n"):format(":" .. word .. " " .. commands[word][1], commands[word][2])
        end
        return pager.show(table.concat(lines))
    end
    local documentation = require "prompt.documentation"
    local word = name:match("^:?(%a+)$")
    local command = word and commands[short[word] or word]
    if command then
        return pager.show((":%s %s\n%s\n"):format(short[word] or word, command[1], command[2]))
    end
    local kind = word and not package.preload[word] and cluster_names.kind(word)
    if kind then return pager.show(KIND_HELP:format(word, tostring(kind), documentation.text("prompt"))) end
    pager.show(documentation.text(name))
end }

commands.write = { "on|off", "allow changes to the cluster, or forbid them again", function(word)
    if word ~= "on" and word ~= "off" and word ~= "" then
        fail.raise("usage", ":write takes on or off")
    end
    if word ~= "" then cluster_names.set_writable(word == "on") end
    term.write(cluster_names.pin_text() .. "\n")
end }

commands.namespace = { "NAME", "look at another namespace", function(name)
    if name ~= "" then cluster_names.set_namespace(name) end
    term.write((cluster_names.place() or "no cluster") .. "\n")
end }

commands.context = { "NAME", "look at the cluster of another context", function(name)
    if name == "" then return show { n = 1, require "k8s".contexts() } end
    cluster_names.set_context(name)
    term.write((cluster_names.place() or "no cluster") .. "\n")
end }

commands.quit = { "", "end (as Ctrl-D)", function() program.exit(0) end }

---A line that starts with a colon.
---@async
---@param line string
function prompt.command(line)
    local word, rest = line:match("^:%s*(%S*)%s*(.-)%s*$")
    local command = commands[short[word] or word]
    if not command then
        local known = {}
        for name in pairs(commands) do known[#known + 1] = name end
        fail.raise("usage", ("there is no command :%s%s"):format(word, suggest.phrase(word, known)), ":help lists them")
    end
    command[3](rest)
end

return prompt
