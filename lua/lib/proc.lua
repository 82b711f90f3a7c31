-- What module proc offers on top of the host's primitives. The host runs this file with the module and the methods of a
-- process.
local proc, Process = ...

local task = require "task"

local MAX_OUTPUT = 16 * 1024 * 1024
local TAIL_LINES = 20

-- Lines of stdout. What is read ahead is kept beside the handle, weakly.
local pending = setmetatable({}, { __mode = "k" })

function Process:read_line()
    local rest = pending[self] or ""
    while true do
        local line, after = rest:match("^(.-)\r?\n(.*)$")
        if line then
            pending[self] = after
            return line
        end
        local chunk = self:read()
        if not chunk then
            pending[self] = nil
            if rest == "" then return nil end
            return rest
        end
        rest = rest .. chunk
    end
end

-- Keeps the newest `limit` bytes.
local function collector(limit, callback)
    local chunks, size = {}, 0
    return function(chunk)
        if callback then callback(chunk) end
        chunks[#chunks + 1] = chunk
        size = size + #chunk
        while size - #chunks[1] >= limit do
            size = size - #table.remove(chunks, 1)
        end
    end, function()
        return table.concat(chunks):sub(-limit)
    end
end

local function feed(process, input)
    -- A program that ends without reading all of its input is no error.
    pcall(process.write, process, input)
    process:close_stdin()
end

local function last_lines(text)
    local lines = {}
    for line in text:gmatch("[^\n]+") do
        lines[#lines + 1] = line
        if #lines > TAIL_LINES then table.remove(lines, 1) end
    end
    return table.concat(lines, "\n")
end

local function check(argv, result)
    if result.status == 0 then return end
    local output = last_lines(result.stderr ~= "" and result.stderr or result.stdout)
    local how = result.status > 128 and ("was ended by signal %d"):format(result.status - 128)
        or ("ended with status %d"):format(result.status)
    error({
        kind = "exit",
        status = result.status,
        output = output,
        message = ("%s %s%s"):format(argv[1], how, output ~= "" and ":\n" .. output or ""),
    }, 0)
end

local function run(argv, options, input)
    local spawn_options = {}
    for name, value in pairs(options) do spawn_options[name] = value end
    if input then spawn_options.stdin = "pipe" end
    for _, name in ipairs { "stdout", "stderr" } do
        if options[name] == nil or options[name] == "capture" then spawn_options[name] = "pipe" end
    end
    local process <close> = proc.spawn(argv, spawn_options)
    local keep_out, out = collector(options.max_output or MAX_OUTPUT, options.on_stdout)
    local keep_err, err = collector(options.max_output or MAX_OUTPUT, options.on_stderr)
    task.all {
        function() if input then feed(process, input) end end,
        function() for chunk in process.read, process do keep_out(chunk) end end,
        function() for chunk in process.read_err, process do keep_err(chunk) end end,
        function() process:wait() end,
    }
    return { status = process:wait(), stdout = out(), stderr = err() }
end

function proc.run(argv, options)
    options = options or {}
    local input = options.stdin
    if input == "inherit" or input == "null" then input = nil end
    local result
    if options.timeout then
        result = task.timeout(options.timeout, run, argv, options, input)
    else
        result = run(argv, options, input)
    end
    if options.check ~= false then check(argv, result) end
    return result
end
