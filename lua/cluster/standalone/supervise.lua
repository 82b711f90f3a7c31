-- Keeps the processes of the standalone cluster running. Started by the provider, it outlives it:
--   todo-lua cluster/standalone/supervise RUN_FOLDER
-- The components are no less detached: whoever ends this process ends only the watch over them, and the next start
-- takes up those that still run.
local fs = require("fs")
local http = require("http")
local json = require("json")
local proc = require("proc")
local processes = require("cluster.standalone.processes")
local program = require("program")
local task = require("task")

local LONGEST_PAUSE, LONG_ENOUGH = 30, 60 -- seconds
local LOG_LIMIT = 32 * 1024 * 1024

local run_folder = program.args[1]
local plan = json.decode(fs.read(fs.join(run_folder, "plan.json")))
local layout = { run = run_folder }
local api_ready = false

local function say(text, ...)
    print(os.date("!%Y-%m-%dT%H:%M:%SZ ") .. text:format(...))
    io.stdout:flush()
end

local function log_path(name)
    return fs.join(plan.logs, name .. ".log")
end

-- /readyz is open to the anonymous, so the supervisor holds no key of the cluster.
local function watch_api()
    while not api_ready do
        local ok, answer = pcall(http.get, plan.server .. "/readyz", { ca_file = plan.ca_file, timeout = 2,
            proxy = "" })
        if ok and answer.status == 200 then
            api_ready = true
            say("the API server is ready")
        else
            task.sleep(0.1)
        end
    end
end

local function run_once(component)
    local noted = processes.noted(layout, component.name)
    if noted then
        say("%s runs already (process %d)", component.name, noted.pid)
        while processes.start_time(noted.pid) == noted.start do task.sleep(1) end
        return "another"
    end
    local child = proc.spawn(component.argv, {
        detached = true,
        cwd = "/",
        env = component.path and { PATH = component.path .. ":" .. proc.env("PATH") } or component.env,
        stdin = "null",
        stdout = log_path(component.name),
        stderr = "stdout",
    })
    processes.note(layout, component.name, child.pid)
    say("%s started (process %d)", component.name, child.pid)
    return child:wait()
end

local function keep(component)
    while component.after == "api" and not api_ready do task.sleep(0.05) end
    local pause = 0.5
    while true do
        local since = task.now()
        local status = run_once(component)
        if task.now() - since > LONG_ENOUGH then pause = 0.5 end
        say("%s ended with status %s; it starts again in %.1f s", component.name, status, pause)
        task.sleep(pause)
        pause = math.min(pause * 2, LONGEST_PAUSE)
    end
end

-- The components append, so a log can be cut while it is written.
local function trim_logs()
    while true do
        task.sleep(60)
        for _, component in ipairs(plan.components) do
            local path = log_path(component.name)
            local stat = fs.stat(path)
            if stat and stat.size > LOG_LIMIT then
                proc.run({ "cp", path, path .. ".1" }, { check = false })
                proc.run({ "truncate", "-s", "0", path }, { check = false })
            end
        end
    end
end

local jobs = { trim_logs, watch_api }
for _, component in ipairs(plan.components) do
    jobs[#jobs + 1] = function() keep(component) end
end
task.all(jobs)
