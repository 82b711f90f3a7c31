-- A machine that is in the way: no right to Docker's socket, a disk that is full. One clear message, and nothing lost.
local fs = require "fs"
local json = require "json"
local lu = require "luaunit"
local proc = require "proc"
local program = require "program"
local secret = require "secret"

local tests = {}
local NOBODY = "65534"
local dir

function tests.setup() dir = fs.tempdir() end

function tests.teardown() dir:close() end

-- Runs the program in a project of its own as a user without any rights.
local function as_nobody(...)
    local home, copy = dir.path .. "/home", dir.path .. "/todo-lua"
    fs.mkdir(home)
    proc.run { "cp", program.executable, copy }
    proc.run { "cp", "-r", program.project .. "/lua", program.project .. "/chart", home }
    proc.run { "chown", "-R", NOBODY, home }
    proc.run { "chmod", "755", dir.path, copy }
    return proc.run({ "setpriv", "--reuid", NOBODY, "--regid", NOBODY, "--clear-groups", copy, ... }, {
        cwd = home, check = false, timeout = 60,
        env = { HOME = home, XDG_STATE_HOME = false, XDG_CONFIG_HOME = false, XDG_CACHE_HOME = false,
            DOCKER_HOST = "unix:///var/run/docker.sock", ASAN_OPTIONS = "detect_leaks=0" },
    })
end

function tests.socket_without_the_right_to_it_names_the_way_to_get_it()
    local result = as_nobody("build.lua")
    lu.assertEquals(result.status, 1, result.stderr)
    lu.assertStrContains(result.stderr, "the Docker socket /var/run/docker.sock may not be used by this user")
    lu.assertStrContains(result.stderr, "usermod -aG docker")
end

function tests.doctor_says_the_same_of_the_socket_and_offers_no_fix_that_cannot_work()
    local result = as_nobody("doctor.lua")
    lu.assertEquals(result.status, 1, result.stderr)
    lu.assertStrContains(result.stdout, "may not be used by this user")
    lu.assertStrContains(result.stdout, "usermod -aG docker")
    lu.assertNotStrContains(result.stdout, "todo-lua deploy")
end

function tests.wrong_components_and_numbers_are_refused_before_a_cluster_is_looked_for()
    for _, argv in ipairs { { "logs", "bakend" }, { "exec", "bakend" }, { "forward", "bakend" },
        { "events", "bakend" }, { "top", "bakend" } } do
        local result = as_nobody(table.unpack(argv))
        lu.assertEquals(result.status, 2, argv[1])
        lu.assertStrContains(result.stderr, "did you mean backend?")
    end
    local result = as_nobody("logs", "--tail", "many")
    lu.assertEquals(result.status, 2)
    lu.assertStrContains(result.stderr, '--tail takes a number of lines, not "many"')
    result = as_nobody("logs", "--since", "yesterday")
    lu.assertEquals(result.status, 2)
    lu.assertStrContains(result.stderr, '--since takes an age such as 10m or 2h, not "yesterday"')
end

function tests.machine_without_any_provider_is_told_as_json_too()
    fs.mkdir(dir.path .. "/bin")
    fs.mkdir(dir.path .. "/lua")
    fs.write(dir.path .. "/lua/config.lua", fs.read(program.project .. "/lua/config.lua"))
    fs.write(dir.path .. "/todo.local.lua", 'return { cluster = { order = { "k3d" } } }\n')
    local function told(...)
        return proc.run({ program.executable, "-C", dir.path, ... }, { check = false, timeout = 60,
            env = { PATH = dir.path .. "/bin", XDG_CONFIG_HOME = dir.path, XDG_STATE_HOME = dir.path } })
    end
    for _, arguments in ipairs { { "status" }, { "setup", "--check" } } do
        local text = told(table.unpack(arguments))
        lu.assertEquals(text.status, 1, text.stderr)
        lu.assertStrContains(text.stdout .. text.stderr, "k3d")
        local result = told(table.unpack(table.move({ "-o", "json" }, 1, 2, #arguments + 1, arguments)))
        lu.assertEquals(result.status, 1, result.stderr)
        local answer = json.decode(result.stdout)
        lu.assertFalse(answer.ok)
        lu.assertNil(answer.provider)
        lu.assertStrContains(answer.reason or answer.cluster.message, "k3d is not installed")
    end
    lu.assertEquals(told("setup", "--yes").status, 1)
    local named = told("status", "--cluster", "k3d", "-o", "json")
    lu.assertEquals(named.status, 1, named.stderr)
    lu.assertStrContains(json.decode(named.stdout).cluster.message, "k3d")
    lu.assertStrContains(told("status", "--cluster", "k3d").stdout, "cluster   k3d absent: k3d is not installed")
end

function tests.doctor_does_not_offer_a_deploy_where_docker_host_is_dead()
    local result = proc.run({ program.executable, "doctor" }, { check = false, timeout = 60,
        env = { DOCKER_HOST = "unix:///nonexistent" } })
    lu.assertEquals(result.status, 1)
    lu.assertStrContains(result.stdout, "unset DOCKER_HOST")
    lu.assertNotStrContains(result.stdout, "todo-lua deploy")
end

function tests.help_of_deploy_tells_of_secrets_and_every_provider()
    local help = as_nobody("deploy", "--help").stdout
    for _, word in ipairs { "BETTER_AUTH_SECRET", "OPENAI_API_KEY", "secret store", "standalone, context" } do
        lu.assertStrContains(help, word)
    end
end

function tests.wrong_values_and_databases_are_refused_before_docker_is_asked()
    for _, case in ipairs {
        { { "build", "--set", "frontend" }, 'key "frontend" has no value' },
        { { "deploy", "--yes", "--set", "frontend" }, 'key "frontend" has no value' },
        { { "deploy", "--yes", "--database", "mysql://u@h/d" }, "it names mysql" },
        { { "deploy", "--yes", "--database", "lokal" }, "is no PostgreSQL URL" },
        { { "deploy", "--yes", "--hosts" }, "--hosts adds the name of the ingress to /etc/hosts, and none is enabled" },
        { { "deploy", "--yes", "--cluster", "minkube" }, "did you mean minikube?" },
        { { "status", "--cluster", "minkube" }, "did you mean minikube?" },
    } do
        local result = as_nobody(table.unpack(case[1]))
        lu.assertEquals(result.status, 2, result.stderr)
        lu.assertStrContains(result.stderr, case[2])
        lu.assertNotStrContains(result.stderr, "docker.sock")
        lu.assertEquals(result.stdout, "")
    end
end

-- A small disk that is full but for what fn makes before it calls `fill`.
local function on_full_disk(fn)
    local disk = dir.path .. "/disk"
    fs.mkdir(disk)
    proc.run { "mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", disk }
    local _ <close> = setmetatable({}, { __close = function() proc.run { "umount", disk } end })
    fn(disk, function() proc.run({ "dd", "if=/dev/zero", "of=" .. disk .. "/rest", "bs=1k" }, { check = false }) end)
end

function tests.file_on_a_full_disk_keeps_its_old_bytes()
    on_full_disk(function(disk, fill)
        fs.write(disk .. "/file", "old")
        fill()
        local ok, problem = pcall(fs.write, disk .. "/file", ("new"):rep(10000))
        lu.assertFalse(ok)
        lu.assertEquals(problem.kind, "no_space")
        lu.assertStrContains(problem.message, disk .. "/file")
        lu.assertStrContains(problem.hint, "free some space")
        lu.assertEquals(fs.read(disk .. "/file"), "old")
        lu.assertEquals(#fs.list(disk), 2, "no half a file stays")
    end)
end

function tests.store_on_a_full_disk_keeps_its_secrets()
    on_full_disk(function(disk, fill)
        local store = secret.store(disk .. "/secrets")
        store:set("KEPT", "one")
        fill()
        local ok, problem = pcall(store.set, store, "TOO_MUCH", ("two"):rep(10000))
        lu.assertFalse(ok)
        lu.assertEquals(problem.kind, "no_space")
        lu.assertEquals(secret.store(disk .. "/secrets"):get("KEPT"):reveal(), "one")
        lu.assertNil(secret.store(disk .. "/secrets"):get("TOO_MUCH"))
    end)
end

function tests.deploy_to_a_full_disk_stops_before_it_begins()
    on_full_disk(function(disk)
        local result = proc.run({ program.executable, "-C", program.project, "deploy.lua", "--yes" },
            { check = false, timeout = 60, env = { XDG_STATE_HOME = disk } })
        lu.assertEquals(result.status, 1)
        lu.assertStrContains(result.stderr, "GB are free where " .. disk)
        lu.assertStrContains(result.stderr, "free some space")
    end)
end

return tests
