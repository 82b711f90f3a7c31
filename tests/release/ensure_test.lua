-- The release as deploy keeps it: only what differs is written, and helm sees the same release.
local apiserver = require "tests.cluster.apiserver"
local chart = require "chart"
local fail = require "fail"
local k8s = require "k8s"
local fs = require "fs"
local log = require "log"
local lu = require "luaunit"
local proc = require "proc"
local program = require "program"
local records = require "release.records"
local release = require "release"
local secret = require "secret"

local tests = {}
local server, home, ctx, turns
local line = { set = function() end }

function tests.setup_all()
    server = apiserver.start()
    home = fs.tempdir()
    turns = chart.load(program.project .. "/tests/release/charts/turns")
    ctx = { k8s = k8s.connect { kubeconfig = server.kubeconfig }, log = log, state_dir = home.path,
        config = { release = "stack", namespace = "release-ensure", timeout = 20, chart = "turns" } }
end

function tests.teardown_all()
    if server then server:stop() end
    if home then home:close() end
end

local function writes()
    local count = 0
    for _, entry in ipairs(server:audit()) do
        local verb = entry.verb
        if (verb == "create" or verb == "update" or verb == "patch" or verb == "delete")
            and entry.user == "admin" and not entry.uri:find("dryRun=All", 1, true) then count = count + 1 end
    end
    return count
end

local function history() return records.history(ctx.k8s, "release-ensure", "stack") end

function tests.t1_ensure_installs_and_then_writes_nothing()
    local options = { values = { hooks = false, password = secret.new("ensure-canary-pw") } }
    local changed, text = release.ensure(ctx, line, turns, options)
    lu.assertTrue(changed)
    lu.assertEquals(text, "stack revision 1 installed")
    local before = writes()
    changed, text = release.ensure(ctx, line, turns, options)
    lu.assertFalse(changed)
    lu.assertEquals(text, "stack revision 1 is deployed, nothing differs")
    lu.assertEquals(writes(), before)
end

function tests.t2_ensure_upgrades_what_differs_and_mends_what_was_changed()
    local changed, text = release.ensure(ctx, line, turns, { set = { "replicas=3,hooks=false" } })
    lu.assertTrue(changed)
    lu.assertEquals(text, "stack revision 2 deployed")
    ctx.k8s:delete("configmaps", "stack-sub", { namespace = "release-ensure" })
    changed = release.ensure(ctx, line, turns, { set = { "replicas=3,hooks=false" } })
    lu.assertTrue(changed)
    lu.assertNotNil(ctx.k8s:get("configmaps", "stack-sub", { namespace = "release-ensure" }))
end

-- A field with its zero value, which the server leaves out, has to be tried, and controllers write all the time.
function tests.t2_ensure_takes_what_controllers_write_meanwhile_for_no_difference()
    local busy = chart.load { files = {
        ["Chart.yaml"] = "apiVersion: v2\nname: busy\nversion: 0.1.0\n",
        ["templates/a.yaml"] = [[
apiVersion: apps/v1
kind: Deployment
metadata: { name: busy }
spec:
  minReadySeconds: 0
  selector: { matchLabels: { app: busy } }
  template:
    metadata: { labels: { app: busy } }
    spec: { containers: [{ name: a, image: a }] }
]],
    } }
    local tries, before = 0, nil -- before: what happens before a dry run
    local client = setmetatable({}, { __index = function(_, method)
        return function(_, ...)
            local options = select(4, ...)
            if method == "patch" and options.dry_run then
                tries = tries + 1
                before(...)
            end
            return ctx.k8s[method](ctx.k8s, ...)
        end
    end })
    function before(kind, name, _, options)
        if tries == 3 then return end
        ctx.k8s:patch(kind, name, { status = { observedGeneration = tries } },
            { namespace = options.namespace, subresource = "status" })
    end
    local own = setmetatable({ k8s = client,
        config = { release = "busy", namespace = "release-busy", timeout = 5, chart = "c" } }, { __index = ctx })
    release.ensure(own, line, busy, {})
    lu.assertEquals(tries, 0)
    local changed, text = release.ensure(own, line, busy, {})
    lu.assertEquals({ changed, text }, { false, "busy revision 1 is deployed, nothing differs" })
    lu.assertEquals(tries, 3)
    function before() fail.raise("timeout", "the server does not answer in time") end
    local ok, problem = pcall(release.ensure, own, line, busy, {})
    lu.assertEquals({ ok, fail.kind(problem) }, { false, "timeout" })
end

function tests.t3_ensure_takes_up_what_a_killed_program_left()
    local list = history()
    local last = list[#list]
    records.set_status(ctx.k8s, last, "pending-upgrade")
    local ok, problem = pcall(release.ensure, ctx, line, turns, { set = { "replicas=3,hooks=false" } })
    lu.assertFalse(ok) -- helm may be at work: it holds no lease
    lu.assertStrContains(problem.message, "another operation")
    last.body().info.last_deployed = "2020-01-01T00:00:00Z"
    records.save(ctx.k8s, last)
    lu.assertTrue((release.ensure(ctx, line, turns, { set = { "replicas=3,hooks=false" } })))
    list = history()
    lu.assertEquals(list[#list].status, "deployed")
    lu.assertStrContains(list[#list - 1].body().info.description, "interrupted")
end

function tests.t4_ensure_explains_a_port_that_is_taken()
    ctx.k8s:create { apiVersion = "v1", kind = "Service", metadata = { name = "port", namespace = "default" },
        spec = { type = "NodePort", ports = { { port = 80, nodePort = 30999 } } } }
    local port = chart.load { files = {
        ["Chart.yaml"] = "apiVersion: v2\nname: port\nversion: 0.1.0\n",
        ["templates/a.yaml"] = "apiVersion: v1\nkind: Service\nmetadata: {name: p}\n"
            .. "spec: {type: NodePort, ports: [{port: 80, nodePort: 30999}]}\n",
    } }
    local own = setmetatable({ config = { release = "port", namespace = "release-port", timeout = 5, chart = "c" } },
        { __index = ctx })
    local ok, problem = pcall(release.ensure, own, line, port, {})
    lu.assertFalse(ok)
    lu.assertEquals(problem.kind, "port_busy")
    lu.assertTrue(release.uninstall(own, line))
end

function tests.t5_helm_goes_on_with_the_release_and_uninstall_leaves_nothing()
    local helm = apiserver.program("judges", "helm")
    local env = { KUBECONFIG = server.kubeconfig, HOME = home.path }
    proc.run({ helm, "upgrade", "stack", program.project .. "/tests/release/charts/turns", "-n", "release-ensure" },
        { env = env })
    lu.assertTrue(release.uninstall(ctx, line))
    lu.assertFalse(release.uninstall(ctx, line))
    lu.assertEquals(#ctx.k8s:list("deployments.apps", { namespace = "release-ensure" }), 0)
    lu.assertEquals(#ctx.k8s:list("leases.coordination.k8s.io", { namespace = "release-ensure" }), 0)
    lu.assertEquals(#history(), 0)
end

return tests
