-- A process in a pod joined to this program's own input and output.
local fail = require "fail"
local task = require "task"
local term = require "term"

local remote = {}

-- ctrl-p ctrl-q, as docker and kubectl have it.
local DETACH = "\16\17"

-- Hands typing on until its end; returns true where the keys asked to leave.
local function pump_input(input, session, detach)
    local held = ""
    for bytes in function() return input:read() end do
        bytes, held = held .. bytes, ""
        if detach then
            local at = bytes:find(DETACH, 1, true)
            if at then
                session:write(bytes:sub(1, at - 1))
                return true
            end
            if bytes:sub(-1) == DETACH:sub(1, 1) then bytes, held = bytes:sub(1, -2), DETACH:sub(1, 1) end
        end
        session:write(bytes)
    end
    session:close_stdin()
    return false
end

local function pump_output(session)
    for stream, bytes in function() return session:read() end do
        (stream == "stderr" and io.stderr or io.stdout):write(bytes)
    end
end

-- A process that has ended takes nothing more; its exit status is told then.
local function tolerant(fn, ...)
    local ok, result = pcall(fn, ...)
    if not ok and fail.kind(result) ~= "closed" then error(result, 0) end
    return ok and result
end

-- What the runtimes say of a program that the image lacks; images of one program have no shell at all.
local function explained(problem)
    local text = type(problem) ~= "string" and not problem.hint and fail.message(problem) or ""
    local name = text:match('exec: \\?"([^"\\]+)\\?": executable file not found')
        or text:match('exec: \\?"([^"\\]+)\\?": stat [^ ]+: no such file')
    if name then
        problem.hint = ("the container's image has no %s; sh is in most images, and todo-lua kube debug POD -it "
            .. "--image=IMAGE --target=CONTAINER brings the programs of another image"):format(name)
    end
    return problem
end

local function join(open, options)
    local session <close> = open(options.tty and { term.size() } or nil)
    if not options.stdin then
        pump_output(session)
        return session:wait()
    end
    local input <close> = term.input { raw = options.tty }
    local never, problem, left = task.event(), nil, false
    task.any {
        function() pump_output(session) end,
        function()
            local ok, result = pcall(tolerant, pump_input, input, session, options.detach)
            if ok then left = result else problem = result end
            if ok and not left then never:wait() end
        end,
        function()
            for columns, rows in function() return input:resized() end do
                tolerant(session.resize, session, columns, rows)
            end
        end,
    }
    if problem then error(problem, 0) end
    return not left and session:wait() or nil
end

---Runs until the process ends, or the keys that leave it are typed.
---@async
---@param open async fun(size: integer[]?): todo.K8sSession starts it, given the terminal's size
---@param options { stdin: boolean?, tty: boolean?, detach: boolean? }
---@return integer? status nil where it was left
function remote.join(open, options)
    local ok, status = pcall(join, open, options)
    if not ok then error(explained(status), 0) end
    return status
end

---Runs a command to its end and collects what it says (at most 16 MiB).
---@async
---@param client todo.K8s
---@param pod string
---@param options todo.ExecOptions
---@return { status: integer, stdout: string, stderr: string }
function remote.run(client, pod, options)
    local session <close> = client:exec(pod, options)
    local parts, size = { stdout = {}, stderr = {} }, 0
    for stream, bytes in function() return session:read() end do
        size = size + #bytes
        if size > 16 << 20 then fail.raise("too_large", "the command in pod " .. pod .. " says more than 16 MiB") end
        table.insert(parts[stream], bytes)
    end
    return { status = session:wait(), stdout = table.concat(parts.stdout), stderr = table.concat(parts.stderr) }
end

return remote
