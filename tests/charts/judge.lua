-- What helm makes of a chart. Its answers are kept in the user's cache under the hash of all that went into them, so a
-- second run asks only todo-lua.
local fs = require "fs"
local proc = require "proc"
local executable = require "program".executable
local secret = require "secret"
local task = require "task"

local judge = {}

-- Stands for a line on which two runs of helm disagree: random passwords, certificates, the time.
local RANDOM = "\0random"

local function lines_of(text)
    local lines = {}
    for line in (text .. "\n"):gmatch("([^\n]*)\n") do lines[#lines + 1] = line end
    return lines
end

local function masked(first, second)
    if first == second then return first end
    local a, b = lines_of(first), lines_of(second)
    assert(#a == #b, "two runs of helm differ in their number of lines")
    for i = 1, #a do
        if a[i] ~= b[i] then a[i] = RANDOM end
    end
    return table.concat(a, "\n")
end

-- helm lists the faults that a schema finds in an order that changes from run to run.
local function in_order(message)
    if not message:find("^Error: values don't meet the specifications") then return message end
    local lines = lines_of(message)
    table.sort(lines)
    return table.concat(lines, "\n")
end

---Runs a program's `template`.
---@async
---@param program string[]
---@param arguments string[]
---@return string answer the output, or "Error: …" without lines of the program's log and todo-lua's own hint
function judge.ask(program, arguments)
    local argv = table.move(program, 1, #program, 1, {})
    table.move(arguments, 1, #arguments, #argv + 1, argv)
    local result = proc.run(argv, { check = false, max_output = 64 << 20, timeout = 60 })
    if result.status == 0 then return result.stdout end
    local message = result.stderr:match("Error: .*") or "status " .. result.status .. ": " .. result.stderr
    if argv[1] == executable then message = message:gsub("\n  [^\n]*\n$", "\n") end
    return in_order(message:gsub("\n+Use %-%-debug flag to render out invalid YAML%s*$", ""):gsub("%s+$", ""))
end

---helm's answer, with RANDOM in place of lines that are not always the same.
---@async
---@param cache string folder
---@param key string hash of chart and values
---@param arguments string[]
---@return string
function judge.helm(cache, key, arguments)
    local helm = assert(proc.which("helm"), "helm is built by tests/run.lua") -- its folder is named by its sources
    local path = fs.join(cache, secret.sha256(helm .. "\0" .. key):sub(1, 32))
    local kept = fs.read(path)
    if kept then return kept end
    local function ask() return judge.ask({ helm, "template" }, arguments) end
    local answers = task.all { ask, ask }
    local answer = masked(answers[1], answers[2])
    local fresh = path .. "." .. proc.pid()
    fs.write(fresh, answer)
    fs.rename(fresh, path)
    return answer
end

---The first difference, told in a few lines; nil where there is none.
---@param expected string helm's answer
---@param actual string
---@return string?
function judge.difference(expected, actual)
    if expected == actual then return nil end
    local a, b = lines_of(expected), lines_of(actual)
    for i = 1, math.max(#a, #b) do
        if a[i] ~= b[i] and (a[i] ~= RANDOM or not b[i]) then
            return ("line %d\n  helm:     %s\n  todo-lua: %s"):format(i, a[i] or "(ends)", b[i] or "(ends)")
        end
    end
end

return judge
