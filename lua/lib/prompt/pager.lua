-- Long text where people read it: through $PAGER, or less, as git and psql do; as it is where it fits, and in a pipe.
local fs = require "fs"
local proc = require "proc"
local secret = require "secret"
local task = require "task"
local term = require "term"

local pager = {}

-- The command line of the pager; nil where none is wanted, or there is none.
local function command()
    local given = os.getenv("PAGER")
    if given then return given:find("%S") and given ~= "cat" and given or nil end
    return proc.which("less") and "less" or proc.which("more") and "more" or nil
end

local function fits(text)
    local columns, rows = term.size()
    local taken = 1 -- for the prompt below it
    for line in text:gmatch("([^\n]*)\n?") do
        taken = taken + math.max(1, math.ceil(term.width(line) / columns))
        if taken > rows then return false end
    end
    return true
end

-- The pager reads a file of ours and has the terminal for itself, Ctrl-C included.
local function read_with(program, text)
    local dir = fs.tempdir()
    local _ <close> = setmetatable({}, { __close = function()
        task.on_interrupt(nil)
        dir:close()
    end })
    local path = dir.path .. "/text"
    fs.write(path, secret.redact(text), 384) -- 0600
    task.on_interrupt(function() end)
    proc.run({ "sh", "-c", 'exec < "$0"\n' .. program, path }, { check = false,
        stdin = "inherit", stdout = "inherit", stderr = "inherit", env = { LESS = os.getenv("LESS") or "FRX" } })
end

---@async
---@param text string
function pager.show(text)
    local program = term.is_tty("stdout") and term.is_tty("stdin") and not fits(text) and command()
    if program then read_with(program, text) else term.write(text) end
end

return pager
