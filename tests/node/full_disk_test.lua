-- A disk that is full in the middle of a build, for real: an engine of the test's own whose data lie on a small disk. The
-- build says what it lacks, leaves no half image, and the run after it completes.
local docker = require "docker"
local eventually = require "tests.eventually"
local fs = require "fs"
local lu = require "luaunit"
local proc = require "proc"
local program = require "program"

local tests = {}
local MB = 1 << 20
local dir, daemon, host

local function path(name) return fs.join(dir.path, name) end

local function resize(size) proc.run { "mount", "-o", "remount,size=" .. size, path "disk" } end

local function project(megabytes)
    fs.mkdir(path "project/lua")
    fs.write(path "project/lua/config.lua", fs.read(program.project .. "/lua/config.lua"))
    fs.write(path "project/todo.local.lua", [[
return {
    components = { "backend" },
    images = { backend = { name = "todo-lua-test-disk", context = "source", dockerfile = "Dockerfile" } },
}
]])
    fs.write(path "project/Dockerfile", "FROM scratch\nCOPY big /big\n")
    fs.mkdir(path "project/source")
    proc.run { "dd", "if=/dev/urandom", "of=" .. path "project/source/big", "bs=1M", "count=" .. megabytes }
end

local function build()
    return proc.run({ program.project .. "/build/bin/todo-lua", "-C", path "project", "build.lua", "--no-load", "--cluster",
        "standalone" }, { check = false, timeout = 400, env = { DOCKER_HOST = host, XDG_STATE_HOME = path "state",
        XDG_CONFIG_HOME = path "config" } })
end

function tests.setup_all()
    dir = fs.tempdir()
    fs.mkdir(path "disk")
    proc.run { "mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", path "disk" }
    host = "unix://" .. path "docker.sock"
    -- In a network of its own: without a bridge, dockerd removes the one that is there.
    daemon = proc.spawn({ "unshare", "--net", "dockerd", "--host", host, "--data-root", path "disk/data", "--exec-root", path "exec",
        "--pidfile", path "pid", "--bridge", "none", "--iptables=false", "--storage-driver", "vfs" },
        { stdout = path "log", stderr = "stdout" })
    eventually(60, "the engine answers", function() return docker.connect { host = host } end)
end

function tests.teardown_all()
    if daemon then
        daemon:kill("TERM")
        daemon:wait()
    end
    proc.run({ "umount", path "disk" }, { check = false })
    dir:close()
end

-- Of `megabytes` in the context, on a disk of 64 MB: the engine unpacks the context, then makes the layer.
local function fails_and_completes(megabytes)
    resize("64m")
    project(megabytes)
    local full = build()
    lu.assertEquals(full.status, 1, full.stderr)
    lu.assertStrContains(full.stderr, "image todo-lua-test-disk: ")
    lu.assertStrContains(full.stderr, "no space left on device")
    lu.assertStrContains(full.stderr, "free some space")
    local engine = docker.connect { host = host }
    lu.assertNil(engine:image("todo-lua-test-disk:latest"))
    resize("512m")
    local whole = build()
    lu.assertEquals(whole.status, 0, whole.stderr)
    lu.assertTrue(engine:image("todo-lua-test-disk:latest").Size >= megabytes * MB)
    engine:remove_image("todo-lua-test-disk:latest", { force = true })
    for _, image in ipairs(engine:images()) do engine:remove_image(image.Id, { force = true }) end
    -- What BuildKit keeps of the context for the next build.
    engine:call("POST", "/build/prune", { query = { all = true } })
end

function tests.t1_context_that_does_not_fit() fails_and_completes(100) end

function tests.t2_layer_that_does_not_fit() fails_and_completes(40) end

return tests
