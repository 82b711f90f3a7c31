-- A program of many commands, as helm and kubectl are: one file for each in a folder, found by its name. A file returns
--   usage      what follows the command's name, "[NAME] CHART [flags]"
--   summary    its line in the list of commands; help: what --help begins with, default the summary
--   flags      its flags (lua/lib/pflag.lua), to which those of every command are added
--   arguments  { min=, max= } how many words it takes, default any number
--   aliases    other names
--   examples   lines for --help
--   run        the program says with what it is called
--   commands   a table of commands below this one, by name; run, where it has one too, takes all other words
local pflag = require "pflag"
local program = require "program"

local commands = {}

---@class todo.CommandTree
---@field name string "helm"; its commands are in lua/NAME/
---@field summary string
---@field flags todo.Flag[] of every command
---@field incomplete integer? exit status where the words name a group of commands and none of them; default 0
---@field commands table? filled here

local function folder_of(tree) return "lua/" .. tree.name .. "/" end

local function command_names(tree)
    local fs = require "fs"
    local names, seen = {}, {}
    local function add(file)
        local name = file:match("([%w-]+)%.lua$")
        if name and not seen[name] then names[#names + 1], seen[name] = name, true end
    end
    for _, file in ipairs(program.resources(folder_of(tree))) do add(file) end
    local folder = program.project and program.project .. "/" .. folder_of(tree)
    for _, file in ipairs(folder and fs.exists(folder) and fs.list(folder) or {}) do add(file) end
    table.sort(names)
    return names
end

local function load_command(tree, name)
    return require(tree.name .. "." .. name)
end

local function children(tree, command)
    if command ~= tree then return command.commands end
    local all = {}
    for _, name in ipairs(command_names(tree)) do all[name] = load_command(tree, name) end
    return all
end

-- Its file is looked for, not read: that is for require.
local function has_command(tree, word)
    if not word:find("^[%w-]+$") then return false end
    local file = folder_of(tree) .. word .. ".lua"
    return program.resources(file)[1] or program.project and require "fs".exists(program.project .. "/" .. file)
end

-- The command below `command` that `word` names.
local function find(tree, command, word)
    if command == tree and has_command(tree, word) then
        return word, load_command(tree, word)
    end
    for name, child in pairs(children(tree, command)) do
        if name == word then return name, child end
        for _, alias in ipairs(child.aliases or {}) do
            if alias == word then return name, child end
        end
    end
end

local function sorted_names(all)
    local names = {}
    for name in pairs(all) do names[#names + 1] = name end
    table.sort(names)
    return names
end

local function unknown(tree, path, command, word)
    local near = require "suggest".nearest(word, sorted_names(children(tree, command)))
    pflag.usage_error(('unknown command "%s" for "%s"'):format(word, path),
        (near and ("did you mean %s? "):format(near) or "") .. ("todo-lua %s --help lists the commands"):format(path))
end

-- The command's own flags and those of every command. Its own win, as cobra has it; their key is another then.
local function joined(tree, command)
    if command == tree then return tree.flags end
    local all, own = table.move(command.flags or {}, 1, #(command.flags or {}), 1, {}), {}
    for _, flag in ipairs(all) do own[flag[1]] = true end
    for _, flag in ipairs(tree.flags) do
        if not own[flag[1]] then all[#all + 1] = flag end
    end
    return all
end

---The command that the words mean.
---@param tree todo.CommandTree
---@param words string[]
---@return table command
---@return string path the names that led there
---@return string[] words the others
function commands.resolve(tree, words)
    tree.commands = tree.commands or {}
    local command, path = tree, tree.name
    while command.commands do
        local index = pflag.first_word(words, joined(tree, command))
        if not index then break end
        local word = words[index]
        if command.run and not find(tree, command, word) then break end
        words = { table.unpack(words) }
        table.remove(words, index)
        if command == tree and word == "help" then
            table.insert(words, "--help")
        else
            local name, child = find(tree, command, word)
            if not child then unknown(tree, path, command, word) end
            command, path = child, path .. " " .. name
        end
    end
    return command, path, words
end

local function use_line(command, path)
    return ("todo-lua %s %s"):format(path, command.usage or "[flags]")
end

local function help_text(tree, command, path)
    local parts = { command.help or command.summary, "\n\nUsage:\n  ",
        command.commands and ("todo-lua %s [command]"):format(path) or use_line(command, path), "\n" }
    local function add(...) table.move({ ... }, 1, select("#", ...), #parts + 1, parts) end
    if command.aliases then
        add("\nAliases:\n  ", path:match("%S+$"), ", ", table.concat(command.aliases, ", "), "\n")
    end
    if command.examples then add("\nExamples:\n  ", table.concat(command.examples, "\n  "), "\n") end
    if command.commands then
        add("\nAvailable Commands:\n")
        local all = children(tree, command)
        for _, name in ipairs(sorted_names(all)) do add(("  %-13s %s\n"):format(name, all[name].summary)) end
    end
    if command.flags and command ~= tree then add("\nFlags:\n", pflag.help(command.flags)) end
    add("\nGlobal Flags:\n", pflag.help(tree.flags))
    if command.commands then
        add(("\nUse \"todo-lua %s [command] --help\" for more about a command.\n"):format(path))
    end
    return table.concat(parts)
end

local function plural(count) return count == 1 and "argument" or "arguments" end

local function check_arguments(command, path, words)
    local min, max = (command.arguments or {}).min or 0, (command.arguments or {}).max
    local problem
    if min == max and #words ~= min then
        problem = min == 0 and "accepts no arguments" or ("requires %d %s"):format(min, plural(min))
    elseif #words < min then
        problem = ("requires at least %d %s"):format(min, plural(min))
    elseif max and #words > max then
        problem = ("accepts at most %d %s"):format(max, plural(max))
    end
    if problem then pflag.usage_error(('"%s" %s'):format(path, problem), "usage: " .. use_line(command, path)) end
end

---Reads the words; --help is answered here.
---@async
---@param tree todo.CommandTree
---@param words string[]
---@param call async fun(command: table, options: table, words: string[], seen: table, dash: integer?): integer? runs
---the command, given what pflag.parse returns
---@return integer status
function commands.run(tree, words, call)
    local command, path
    command, path, words = commands.resolve(tree, words)
    local options, rest, seen, dash = pflag.parse(words, joined(tree, command))
    if options.help or not command.run then
        io.write(help_text(tree, command, path))
        return not options.help and command ~= tree and tree.incomplete or 0
    end
    check_arguments(command, path, rest)
    return call(command, options, rest, seen, dash) or 0
end

return commands
