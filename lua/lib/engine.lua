-- A Docker engine that answers: the one that runs, or one started here.
local docker = require "docker"
local docker_endpoint = require "docker_endpoint"
local fail = require "fail"
local fs = require "fs"
local log = require "log"
local prerequisites = require "prerequisites"
local proc = require "proc"
local task = require "task"

local engine = {}

local START_SECONDS = 60

local function log_tail(path, count)
    local lines = {}
    for line in (fs.read(path) or ""):gmatch("[^\n]+") do lines[#lines + 1] = line end
    return table.concat(lines, "\n", math.max(1, #lines - count + 1))
end

local function paths(ctx)
    local folder = fs.join(ctx.state_dir, "docker")
    return { folder = folder, log = fs.join(folder, "dockerd.log"), pid = "/var/run/docker.pid" }
end

-- A pid file outlives a machine that lost its power; dockerd would refuse to start over a number that lives again.
local function drop_stale_pid(path)
    local pid = tonumber(fs.read(path) or "")
    if pid and not proc.alive(pid) then fs.remove(path) end
end

local function start_daemon(ctx, line)
    local where = paths(ctx)
    fs.mkdir(where.folder, 448)
    local lock, other = fs.lock(fs.join(where.folder, "lock"))
    line:set("starting dockerd (log: " .. where.log .. ")")
    local pid = other
    -- Where another todo-lua starts it right now, this one only waits.
    if lock then
        drop_stale_pid(where.pid)
        pid = proc.spawn({ prerequisites.which("dockerd"), "--pidfile", where.pid }, {
            stdin = "null", stdout = where.log, stderr = "stdout", detached = true,
        }).pid
    end
    local deadline = task.now() + START_SECONDS
    while task.now() < deadline do
        task.sleep(0.2)
        local ok, client = pcall(docker.connect)
        if ok then
            if lock then lock:close() end
            return client
        end
        if not proc.alive(pid) then break end
    end
    fail.raise("connect", "dockerd does not start: " .. (log_tail(where.log, 1):match("[^\n]*$") or ""),
        "its log: " .. where.log)
end

local function start_service(line)
    line:set("starting the docker service")
    proc.run({ "systemctl", "start", "docker" }, { timeout = 90 })
    return docker.connect()
end

local function how_to_start(platform)
    if platform.os == "darwin" then return "start Docker Desktop: open -a Docker" end
    if platform.wsl then return "start Docker Desktop on Windows, or in WSL: sudo service docker start" end
    if fs.exists("/run/systemd/system") then return "start it: sudo systemctl start docker" end
    return "start it: sudo dockerd &"
end

---Connects, starting the engine where nothing listens and this user may.
---@async
---@param ctx todo.Context
---@param line todo.BoardLine
---@return boolean changed
---@return string text
function engine.up(ctx, line)
    if docker_endpoint.minikube_shell() then
        log.info("This shell uses Minikube's Docker (minikube docker-env). todo-lua finds that by itself; what runs "
            .. "beside the cluster goes into this machine's own.")
    end
    local client, problem = fail.catch({ connect = true }, docker.connect)
    local changed = false
    if not client then
        local platform = proc.platform()
        local endpoint = docker_endpoint.resolve()
        if endpoint.named_by then
            fail.raise("connect", endpoint.context and ("nothing answers at %s, the Docker context %s"):format(
                endpoint.host, endpoint.context) or ("nothing answers at DOCKER_HOST=%s"):format(endpoint.host),
                docker_endpoint.advice(endpoint), { cause = problem })
        end
        if platform.uid ~= 0 or platform.os ~= "linux" or not prerequisites.which("dockerd") then
            fail.raise("connect", "Docker does not run", how_to_start(platform), { cause = problem })
        end
        changed = true
        client = fs.exists("/run/systemd/system") and start_service(line) or start_daemon(ctx, line)
    end
    ctx.docker = client
    return changed, ("Docker Engine %s%s"):format(client.server_version, changed and " started" or "")
end

return engine
