-- What module task offers on top of the host's primitives. The host runs this file with the module and a function that
-- registers how deferred functions are run.
local task, set_cleanup = ...

local spawn = task.spawn

-- Runs each function as a child; calls done(i, ok, first result) as they end and returns once it returned true.
local function race(fns, done)
    local finished, children = task.event(), {}
    for i, fn in ipairs(fns) do
        children[i] = spawn(function()
            local results = table.pack(pcall(fn))
            if done(i, results) then finished:set() end
        end)
    end
    finished:wait()
    for _, child in ipairs(children) do child:cancel() end
end

function task.all(fns)
    local results, left, failure = {}, #fns, nil
    if left == 0 then return results end
    race(fns, function(i, outcome)
        left = left - 1
        if not outcome[1] then failure = failure or outcome end
        results[i] = outcome[2]
        return failure or left == 0
    end)
    if failure then error(failure[2], 0) end
    return results
end

function task.any(fns)
    assert(#fns > 0, "task.any needs at least one function")
    local left, winner, outcome_of = #fns, nil, nil
    race(fns, function(i, outcome)
        left = left - 1
        if winner then return true end
        if outcome[1] then winner = i end
        if outcome[1] or left == 0 then outcome_of = outcome end
        return winner or left == 0
    end)
    if not winner then error(outcome_of[2], 0) end
    return winner, table.unpack(outcome_of, 2, outcome_of.n)
end

function task.timeout(seconds, fn, ...)
    local child = spawn(fn, ...)
    if not child:join(seconds) then
        child:cancel()
        error({ kind = "timeout", message = ("not done after %s"):format(
            type(seconds) == "number" and ("%g s"):format(seconds) or tostring(seconds)) }, 0)
    end
    return child:wait()
end

local Channel = {}
Channel.__index = Channel

function task.channel()
    return setmetatable({ first = 1, last = 0, closed = false, changed = task.event() }, Channel)
end

function Channel:put(value)
    if self.closed then error({ kind = "closed", message = "the channel is closed" }, 2) end
    self.last = self.last + 1
    self[self.last] = value
    self.changed:set()
end

function Channel:get(seconds)
    local deadline = seconds and task.now() + seconds
    while self.first > self.last do
        if self.closed then return nil end
        self.changed:clear()
        if not self.changed:wait(deadline and math.max(0, deadline - task.now())) then
            error({ kind = "timeout", message = ("nothing came for %g s"):format(seconds) }, 2)
        end
    end
    local value = self[self.first]
    self[self.first] = nil
    self.first = self.first + 1
    return value
end

function Channel:close()
    self.closed = true
    self.changed:set()
end

local CLEANUP_SECONDS = 30

set_cleanup(function(functions)
    for i = #functions, 1, -1 do
        local ok, err = pcall(task.timeout, CLEANUP_SECONDS, functions[i])
        if not ok then io.stderr:write("todo-lua: cleanup failed: ", tostring(err), "\n") end
    end
end)
