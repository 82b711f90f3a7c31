-- Every command and flag of helm is there, or left out for a reason.
local lu = require "luaunit"
local proc = require "proc"
local program = require "program"

local tests = {}

-- Commands that todo-lua does not have, with the reason.
local LEFT_OUT = {
    completion = "todo-lua has its own completion", help = "--help shows it", plugin = "plugins are helm's programs",
    ["search hub"] = "asks a public service",
}

local function help_of(command, words)
    local argv = table.move(words, 1, #words, #command + 1, table.move(command, 1, #command, 1, {}))
    argv[#argv + 1] = "--help"
    local result = proc.run(argv, { check = false })
    return result.status == 0 and result.stdout or nil
end

local function flags_in(text)
    local found = {}
    for line in text:gmatch("[^\n]+") do
        local short, long = line:match("^ +%-(%a), %-%-([%w-]+)")
        long = long or line:match("^ +%-%-([%w-]+)")
        if long and long ~= "help" then found[long] = short or "" end
    end
    return found
end

local function commands_in(text)
    local list = {}
    for name in (text:match("\nAvailable Commands:\n(.-)\n\n") or ""):gmatch("[^\n]+") do
        list[#list + 1] = name:match("^ +(%S+)")
    end
    return list
end

local function visit(words, lacking)
    local name = table.concat(words, " ")
    if LEFT_OUT[name] then return 0 end
    local theirs, ours = assert(help_of({ "helm" }, words)), help_of({ program.executable, "helm" }, words)
    if not ours then
        lacking[#lacking + 1] = name
        return 0
    end
    local below, count = commands_in(theirs), 1
    for _, inner in ipairs(below) do
        local deeper = table.move(words, 1, #words, 1, {})
        deeper[#deeper + 1] = inner
        count = count + visit(deeper, lacking)
    end
    local known = flags_in(ours)
    for flag, short in pairs(#below == 0 and flags_in(theirs) or {}) do
        if not known[flag] or (short ~= "" and known[flag] ~= short) then
            lacking[#lacking + 1] = ("%s -%s --%s"):format(name, short, flag)
        end
    end
    return count
end

function tests.every_command_and_flag_of_helm_is_there()
    local lacking = {}
    local count = visit({}, lacking)
    table.sort(lacking)
    lu.assertEquals(lacking, {})
    lu.assertTrue(count > 35, count)
end

return tests
