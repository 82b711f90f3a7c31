-- Docker engines of other versions than the machine's, built from their Go modules. Each runs beside the machine's own in
-- namespaces of its own: what it mounts, routes and filters goes when it ends.
local docker = require "docker"
local fs = require "fs"
local gobuild = require "cluster.standalone.gobuild"
local needs = require "tests.needs"
local pins = require "cluster.standalone.pins"
local proc = require "proc"
local task = require "task"

local ground = {}

local START_SECONDS = 60
local STOP_SECONDS = 60
local LOG_LINES = 15
local CGROUP = "todo-lua-test-engine"

local DOCKER = "github.com/docker/docker"
local TAGS = "exclude_graphdriver_btrfs,exclude_graphdriver_devicemapper,exclude_graphdriver_zfs,no_systemd"

-- Modules of Docker before 29 have no go.mod: their sources are laid beside one, without what they vendor.
local function docker_set(version, sum)
    local name = "docker-" .. version:match("^%d+")
    return {
        name = name, folder = "tests/engines/" .. name, tags = TAGS,
        ldflags = ("-X %s/dockerversion.Version=%s"):format(DOCKER, version),
        cut = { module = DOCKER, version = "v" .. version .. "+incompatible", sum = sum, into = "docker",
            without = "vendor", instead = { ["go.mod"] = "docker.mod" } },
        programs = { ["dockerd-" .. version] = DOCKER .. "/cmd/dockerd" },
    }
end

-- 23.0.0, 24.0.6: of later ones the module of a BuildKit between two releases, which they need, cannot be had.
---@type todo.GoSet[]
local sets = {
    docker_set("23.0.0", "h1:L6c28tNyqZ4/ub9AZC9d5QUuunoHHfEH4/Ue+h/E5nE="),
    docker_set("24.0.6", "h1:hceabKCtUgDqPu+qm0NgsaXf28Ljf4/pWFL7xjWWDgE="),
    docker_set("25.0.6", "h1:5cPwbwriIcsua2REJe8HqQV+6WlWc1byg2QSXzBxBGg="),
    docker_set("26.1.4", "h1:vuTpXDuoga+Z38m1OZHzl7NKisKWaWlhjQk7IDPSLsU="),
    docker_set("27.3.1", "h1:KttF0XoteNTicmUtBO0L2tP+J7FGRFTjaEF4k6WdhfI="),
    docker_set("28.5.2", "h1:DBX0Y0zAjZbSrm1uzOkdr1onVghKaftjlSWt4AFexzM="),
    { name = "docker-29", folder = "tests/engines/docker-29", tags = TAGS,
        -- What its releases/versions.yaml says comes next.
        ldflags = "-X github.com/moby/moby/v2/dockerversion.Version=29.8.1",
        programs = { ["dockerd-29.8.1"] = "github.com/moby/moby/v2/cmd/dockerd" } },
    { name = "runc", folder = "tests/engines/runc", cgo = true, tags = "seccomp", ldflags = "-X main.version=1.4.4",
        programs = { runc = "github.com/opencontainers/runc" } },
}

---@class todo.TestEngine
---@field name string a word
---@field version string
---@field api string the newest API that it speaks
---@field containerd boolean whether images are in containerd's store

-- 24's store of containerd's, a first try, tells the images that it loaded without their tags.
---@type todo.TestEngine[]
ground.engines = {
    { name = "v20", version = "20.10.24+dfsg1", api = "1.41" },
    { name = "v23", version = "23.0.0", api = "1.42" },
    { name = "v24", version = "24.0.6", api = "1.43" },
    { name = "v25", version = "25.0.6", api = "1.44" },
    { name = "v25_containerd", version = "25.0.6", api = "1.44", containerd = true },
    { name = "v26", version = "26.1.4", api = "1.45" },
    { name = "v26_containerd", version = "26.1.4", api = "1.45", containerd = true },
    { name = "v27", version = "27.3.1", api = "1.47" },
    { name = "v27_containerd", version = "27.3.1", api = "1.47", containerd = true },
    { name = "v28", version = "28.5.2", api = "1.51" },
    { name = "v28_containerd", version = "28.5.2", api = "1.51", containerd = true },
    { name = "v29", version = "29.8.1", api = "1.56" },
    { name = "v29_containerd", version = "29.8.1", api = "1.56", containerd = true },
}

local programs, containerd -- folders
---Builds what is missing.
---@async
function ground.ensure()
    needs.packages { "docker.io", "iptables", "iproute2", "util-linux", "libseccomp-dev", "pkg-config", "gcc",
        "libc6-dev" }
    local ctx = needs.context()
    containerd = gobuild.ensure(needs.cache "standalone", pins.sets, pins.pause, ctx.progress)
    programs = gobuild.ensure(needs.cache "engines", sets, nil, ctx.progress)
end

-- The end of its input ends the engine, and the end of this shell all that the engine left: it has the number 1 there.
local INSIDE = [[ip link set lo up; "$@" & engine=$!; cat; kill $engine; wait $engine]]

local function command(engine, folder)
    local bundled = engine.version:find("dfsg", 1, true)
    local argv = { "unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child", "sh", "-c", INSIDE,
        "sh", bundled and "dockerd" or fs.join(programs, "dockerd-" .. engine.version),
        "--host", "unix://" .. folder .. "/docker.sock", "--data-root", folder .. "/data",
        "--exec-root", folder .. "/exec", "--pidfile", folder .. "/pid", "--config-file", folder .. "/daemon.json",
        "--cgroup-parent", "/" .. CGROUP, "--userland-proxy=false" }
    if not engine.containerd then table.move({ "--storage-driver", "overlay2" }, 1, 2, #argv + 1, argv) end
    return argv
end

local function log_tail(folder)
    local lines = {}
    for line in (fs.read(folder .. "/log") or ""):gmatch("[^\n]+") do lines[#lines + 1] = line end
    return table.concat(lines, "\n", math.max(1, #lines - LOG_LINES + 1))
end

local function await(host)
    local deadline = task.now() + START_SECONDS
    while task.now() < deadline do
        task.sleep(0.2)
        local ok, client = pcall(docker.connect, { host = host })
        if ok then return client end
    end
    return nil
end

-- Groups that processes were in stay when these end.
local function drop_groups()
    proc.run({ "find", "/sys/fs/cgroup", "-depth", "-type", "d", "(", "-path", "*/" .. CGROUP .. "/*", "-o", "-name",
        CGROUP, ")", "-exec", "rmdir", "{}", "+" }, { check = false })
end

---@class todo.RunningEngine
---@field host string
---@field client todo.Docker
---@field enter string[] begins the commands that see its network
local Running = {}
Running.__index = Running

---The end of what it has said.
---@return string
function Running:log() return log_tail(self.dir.path) end

---Ends it and all that it holds.
---@async
function Running:close()
    if self.client then self.client:close() end
    self.child:close_stdin()
    pcall(task.timeout, STOP_SECONDS, self.child.wait, self.child)
    self.child:close()
    drop_groups()
    self.dir:close()
end

---Starts an engine.
---@async
---@param engine todo.TestEngine
---@return todo.RunningEngine
function ground.start(engine)
    local self = setmetatable({ dir = fs.tempdir() }, Running)
    local folder = self.dir.path
    self.host = "unix://" .. folder .. "/docker.sock"
    fs.write(folder .. "/daemon.json", engine.containerd and '{"features":{"containerd-snapshotter":true}}' or "{}")
    self.child = proc.spawn(command(engine, folder), { stdin = "pipe", stdout = folder .. "/log", stderr = "stdout",
        env = { PATH = table.concat({ programs, containerd, proc.env "PATH" }, ":"), DOCKER_HOST = false } })
    self.client = await(self.host)
    if not self.client then
        local said = self:log()
        self:close()
        error(("engine %s does not start:\n%s"):format(engine.name, said), 0)
    end
    local inner = fs.read(("/proc/%d/task/%d/children"):format(self.child.pid, self.child.pid)):match("%d+")
    self.enter = { "nsenter", "--target", inner, "--net" }
    return self
end

return ground
