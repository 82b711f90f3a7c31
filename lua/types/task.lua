---@meta task

---Cooperative tasks on the program's one loop. The main script is a task too. Every function marked async yields to the
---loop while it waits, so other tasks go on; nothing else ever interrupts a script.
local task = {}

---An error as every host module raises it. `tostring(e)` is `message`, with the hint on a second line.
---@class todo.Error
---@field kind string short and stable: "usage", "not_found", "denied", "timeout", "cancelled", "parse", "connect", "tls", "conflict", "http", "exit", …
---@field message string one sentence, with the script's file and line where a script caused it
---@field hint string? what to do next
---@field status integer? HTTP status or exit status
---@field cause todo.Error? the error below
---@field where string? "file.lua:12" of the calling script

---@class todo.Task
local Task = {}

---Waits for the task's end and returns its results; raises its error, or kind "cancelled" if it was cancelled.
---@async
---@return any ...
function Task:wait() end

---Stops the task where it waits; its open resources close. Harmless on a task that has ended.
function Task:cancel() end

---"running" (also while it waits), "done", "failed" or "cancelled".
---@return string
function Task:status() end

---Waits for the end, at most `seconds`; true once it has ended in whatever way, false after so long.
---@async
---@param seconds number|string?
---@return boolean ended
function Task:join(seconds) end

---Makes it nobody's child: it goes on when the task that spawned it ends.
---@return todo.Task self
function Task:detach() end

---Starts `fn(...)` as a task of its own. A child task is cancelled when the task that spawned it ends, unless detached. A
---child's error that nobody raised by waiting fails the parent when it ends.
---@param fn async fun(...): any
---@param ... any arguments for fn
---@return todo.Task
function task.spawn(fn, ...) end

---Runs every function at once and waits for all. The first error cancels the others and is raised.
---@async
---@param fns (async fun(): any)[] list of functions
---@return any[] results first result of each, same order
function task.all(fns) end

---Runs every function at once; returns the index and results of the first that ends well and cancels the others.
---Raises the last error if all fail.
---@async
---@param fns (async fun(): any)[]
---@return integer index
---@return any ...
function task.any(fns) end

---Runs fn and cancels it after `seconds`, raising an error of kind "timeout".
---@async
---@param seconds number|string seconds, or a duration such as "1m30s"
---@param fn async fun(...): any
---@param ... any
---@return any ...
function task.timeout(seconds, fn, ...) end

---@async
---@param seconds number|string
function task.sleep(seconds) end

---Registers cleanup that may wait: runs as a task of its own, newest first, when the calling task ends in any way (done,
---failed, cancelled, Ctrl-C); bounded to 30 s each.
---@param fn async fun()
function task.defer(fn) end

---Seconds of a monotonic clock.
---@return number
function task.now() end

---The task that runs now.
---@return todo.Task
function task.current() end

---A queue between tasks. `get` waits for an item; after close it returns nil once the queue is empty.
---@class todo.Channel
local Channel = {}
---@param value any
function Channel:put(value) end
---@async
---@param seconds number? raises "timeout" after so long
---@return any
function Channel:get(seconds) end
function Channel:close() end
---@return todo.Channel
function task.channel() end

---Something that several tasks can wait for.
---@class todo.Event
local Event = {}
---Wakes all who wait, and lets later waits pass at once.
function Event:set() end
function Event:clear() end
---@async
---@param seconds number|string?
---@return boolean happened false after so long
function Event:wait(seconds) end
---@return todo.Event
function task.event() end

---Calls fn() on every SIGINT while the handler is set, instead of cancelling the main task; nil restores that.
---@param fn fun()?
function task.on_interrupt(fn) end

return task
