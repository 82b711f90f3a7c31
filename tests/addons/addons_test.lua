-- The standalone cluster's add-ons under the real stack: figures from metrics-server, http://todo.local through Traefik.
-- In a state folder of its own; a cluster of the tests or of the user is stopped meanwhile.
local eventually = require "tests.eventually"
local fs = require "fs"
local json = require "json"
local lu = require "luaunit"
local needs = require "tests.needs"
local proc = require "proc"
local processes = require "cluster.standalone.processes"
local program = require "program"
local standalone = require "cluster.standalone"

local root = program.project
local copy = root .. "/build/test/addons"
local ours = root .. "/build/bin/todo-lua"
local HOME = "/var/tmp/todo-lua-test-addons"
local HOST = "todo.local"

local tests = {}

needs.judges()
needs.docker()
local shared = needs.context()
local ctx = setmetatable({ state_dir = HOME .. "/todo-lua" }, { __index = shared })
local shared_ran = false

local function run(arguments, options)
    options = options or {}
    local argv = { ours, "-C", copy, table.unpack(arguments) }
    local result = proc.run(argv, { check = false, timeout = 1800,
        env = { XDG_STATE_HOME = HOME, XDG_CONFIG_HOME = HOME .. "/config", DATABASE_URL = false } })
    if options.status ~= false then
        lu.assertEquals(result.status, options.status or 0, result.stdout:sub(-3000) .. result.stderr:sub(-3000))
    end
    return result
end

local function deploy(...)
    local started = proc.time()
    local report = json.decode(run({ "deploy.lua", "--yes", "--cluster", "standalone", "-o", "json", ... }).stdout)
    print(("# deploy %s: %.1f s"):format(table.concat({ ... }, " "), proc.time() - started))
    return report
end

local function settings(addons)
    fs.write(copy .. "/todo.local.lua", ([[
return { cluster = { addons = { %s } },
    database = { container = "todo-lua-addons-postgres", volume = "todo-lua-addons-postgres", port = 55440 } }
]]):format(addons))
end

local function kubectl(...)
    return proc.run({ needs.judge("kubectl"), "--kubeconfig", standalone.kubeconfig(ctx).kubeconfig, "-n", "todo-app", ... },
        { check = false, timeout = 60 })
end

-- As a browser would with the line in /etc/hosts; by the address alone nothing is served.
local function assert_todo_local(address)
    local page = proc.run { "curl", "-sS", "--noproxy", "*", "--max-time", "10", "--resolve",
        HOST .. ":80:" .. address, "http://" .. HOST .. "/api/health" }
    lu.assertEquals(json.decode(page.stdout).status, "ok")
    local other = proc.run { "curl", "-sS", "--noproxy", "*", "--max-time", "10", "-o", "/dev/null", "-w", "%{http_code}",
        "http://" .. address .. "/api/health" }
    lu.assertEquals(other.stdout, "404")
end

local function figures()
    local shown = kubectl("top", "pods", "--no-headers")
    local seen = {}
    for name, cpu, memory in shown.stdout:gmatch("(%S+)%s+(%d+)m%s+(%d+)Mi") do
        seen[name:match("^todo%-app%-(%a+)") or "?"] = tonumber(cpu) >= 0 and tonumber(memory) > 5
    end
    return seen.frontend and seen.backend and seen.mcp and shown.stdout
end

function tests.setup_all()
    needs.packages { "curl", "containernetworking-plugins", "iptables", "conntrack", "socat", "iproute2", "runc", "openssl" }
    local other = standalone.other(ctx)
    shared_ran = other and setmetatable({ state_dir = other, config = { cluster = {} } }, { __index = shared })
    if shared_ran then standalone.stop(shared_ran) end
    standalone.delete(ctx)
    proc.run { "rm", "-rf", copy, HOME }
    fs.mkdir(copy .. "/examples")
    for _, name in ipairs { "lua", "chart", "docker" } do proc.run { "cp", "-a", root .. "/" .. name, copy .. "/" } end
    proc.run { "cp", "-a", root .. "/examples/todo-app", copy .. "/examples/" }
    settings ""
end

function tests.teardown_all()
    run({ "destroy.lua", "--yes", "--data", "--cluster", "standalone" }, { status = false })
    standalone.delete(ctx)
    proc.run { "rm", "-rf", HOME }
    if shared_ran then standalone.start(shared_ran) end
end

function tests.t01_addon_that_is_not_wanted_is_not_there()
    local report = deploy()
    lu.assertTrue(report.changed)
    lu.assertNil(report.ingress)
    lu.assertNotEquals(kubectl("top", "pods").status, 0)
    lu.assertNil(processes.noted({ run = "/run/todo-lua/standalone" }, "traefik"))
end

function tests.t02_addons_come_to_a_running_cluster_which_goes_on()
    local kubelet = processes.noted({ run = "/run/todo-lua/standalone" }, "kubelet")
    settings [["metrics-server"]]
    local report = deploy("--ingress")
    lu.assertTrue(report.changed)
    lu.assertEquals(report.ingress.url, "http://" .. HOST)
    lu.assertEquals(report.ingress.address, standalone.host_address(ctx))
    lu.assertEquals(processes.noted({ run = "/run/todo-lua/standalone" }, "kubelet"), kubelet)
    assert_todo_local(report.ingress.address)
    local listed = json.decode(kubectl("get", "ingressclass", "nginx", "-o", "json").stdout)
    lu.assertEquals(listed.spec.controller, "k8s.io/ingress-nginx")
end

function tests.t03_deploy_again_does_nothing()
    local report = deploy("--ingress")
    lu.assertFalse(report.changed, json.encode(report))
    lu.assertTrue(report.seconds <= 2, ("took %.1f s"):format(report.seconds))
    lu.assertEquals(standalone.addons(ctx), { { name = "ingress", enabled = true },
        { name = "metrics-server", enabled = true } })
end

function tests.t04_top_tells_what_the_pods_use()
    local shown = eventually(90, "kubectl top pods", figures)
    print("# " .. shown:gsub("\n(.)", "\n# %1"):gsub("\n$", ""))
    for _, arguments in ipairs { { "top", "--cluster", "standalone" },
        { "kube", "top", "pods", "-n", "todo-app",
        "--kubeconfig", standalone.kubeconfig(ctx).kubeconfig } } do
        local text = run(arguments).stdout
        lu.assertStrMatches(text, "NAME +CPU%(cores%) +MEMORY%(bytes%).*todo%-app%-backend%-%S+ +%d+m +%d+Mi.*")
    end
    lu.assertStrMatches(kubectl("top", "nodes").stdout, "NAME.*todo%-lua +%d+m +%d+%% +%d+Mi +%d+%%.*")
    lu.assertStrContains(kubectl("get", "apiservice", "v1beta1.metrics.k8s.io").stdout, "True")
end

function tests.t05_killed_addons_come_back_and_so_does_the_whole_cluster()
    local layout = standalone.layout(ctx)
    local before = processes.noted(layout, "traefik")
    proc.signal(before.pid, "KILL", before.start)
    eventually(30, "traefik is back", function()
        assert_todo_local(layout.ip)
        return true
    end)
    local all = processes.find(layout)
    table.move(processes.in_pods(layout), 1, #processes.in_pods(layout), #all + 1, all)
    processes.finish(all, 0)
    eventually(10, "what they had just started has ended", function() return #processes.find(layout) == 0 end)
    lu.assertNil(processes.noted(layout, "traefik"))
    lu.assertNil(processes.noted(layout, "metrics-server"))
    deploy("--ingress")
    assert_todo_local(layout.ip)
    eventually(120, "kubectl top pods", figures)
end

function tests.t06_destroy_leaves_nothing()
    local before = processes.noted(standalone.layout(ctx), "traefik")
    run { "destroy.lua", "--yes", "--data", "--cluster", "standalone" }
    lu.assertNotEquals(processes.start_time(before.pid), before.start)
    lu.assertEquals(standalone.remains(ctx), {})
    lu.assertEquals(standalone.status(ctx).state, "absent")
end

return tests
