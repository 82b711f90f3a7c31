---@meta proc

---Child processes and this process's surroundings. No shell unless you run one. Secrets never belong on a command line:
---give them with `stdin` or `env`.
local proc = {}

---@class todo.ProcOptions
---@field cwd string?
---@field env table<string, string|todo.Secret|false>? added to this process's environment; false removes a name
---@field clear_env boolean? start from an empty environment
---@field stdin string|"inherit"|"null"|"pipe"|todo.Secret? text to feed; default "null". "pipe" with proc.spawn only
---@field stdout "capture"|"inherit"|"null"|"pipe"|string? run: default "capture"; spawn: default "pipe"; a path starting with "/" appends to that file
---@field stderr "capture"|"inherit"|"null"|"pipe"|"stdout"|string?
---@field timeout number|string? seconds; the process group is killed and "timeout" raised
---@field max_output integer? bytes kept of each captured stream (the newest), default 16 MiB
---@field on_stdout fun(chunk: string)? called with each piece as it comes
---@field on_stderr fun(chunk: string)?
---@field check boolean? run: a non-zero status raises kind "exit" with the last lines of stderr; default true
---@field detached boolean? spawn: own session, outlives this program

---@class todo.ProcResult
---@field status integer exit status, or 128 + signal
---@field stdout string
---@field stderr string

---Runs a program to its end. Cancelled or timed out: its process group gets SIGTERM, after 5 s SIGKILL.
---@async
---@param argv string[] program and arguments
---@param options todo.ProcOptions?
---@return todo.ProcResult
function proc.run(argv, options) end

---Starts a program.
---@param argv string[]
---@param options todo.ProcOptions?
---@return todo.Process
function proc.spawn(argv, options) end

---@class todo.Process
---@field pid integer
local Process = {}
---@async
---@return integer status
function Process:wait() end
---@param signal string|integer? default "TERM"
function Process:kill(signal) end
---@async
---@param bytes string
function Process:write(bytes) end
function Process:close_stdin() end
---@async
---@return string? bytes of stdout, nil at its end
function Process:read() end
---@async
---@return string? bytes of stderr, nil at its end
function Process:read_err() end
---@async
---@return string? line of stdout without newline, nil at its end
function Process:read_line() end
---Closes the pipes and, unless detached, kills the process group.
function Process:close() end

---@param name string
---@param value string? sets; false unsets
---@return string? value the value before
function proc.env(name, value) end

---Full path of a program in PATH; nil where there is none.
---@param name string
---@return string?
function proc.which(name) end

---@return integer
function proc.pid() end

---@class todo.Platform
---@field os "linux"|"darwin"
---@field arch "amd64"|"arm64"|string Go's name
---@field cpus integer
---@field memory integer bytes
---@field uid integer
---@field user string
---@field home string
---@field hostname string
---@field wsl boolean

---@return todo.Platform
function proc.platform() end

---Whether a process lives: its start time in clock ticks since boot (a recycled pid has another), nil where there is none.
---@param pid integer
---@return integer? start
function proc.alive(pid) end

---Signals a process that this program did not start as a child; false where it does not exist. `start` guards against a recycled pid.
---@param pid integer
---@param signal string|integer
---@param start integer?
---@return boolean
function proc.signal(pid, signal, start) end

---Replaces this process with another program (no return).
---@param argv string[]
function proc.exec(argv) end

---Seconds since the epoch, with fraction.
---@return number
function proc.time() end

return proc
