-- The main job on the real thing: Docker, the standalone cluster, PostgreSQL, Chromium. The tests build on each other and
-- run in the order of their names; state and settings are the tests' own (tests/needs.lua), the project is a copy.
local database = require "database"
local fs = require "fs"
local http = require "http"
local json = require "json"
local k8s = require "k8s"
local lu = require "luaunit"
local needs = require "tests.needs"
local proc = require "proc"
local program = require "program"
local tables = require "tables"
local task = require "task"
local yaml = require "yaml"

local root = program.project
local copy = root .. "/build/test/project"
local ours = root .. "/build/bin/todo-lua"
local namespace = "todo-app"
local openai_key = "sk-canary-0123456789abcdef"

local tests = {}

needs.judges()
needs.docker()
local helm = needs.judge("helm")

-- Everything that the program printed in all the tests, for the search for secrets at the end.
local said = {}

local function environment(more)
    local env = needs.environment()
    env.OPENAI_API_KEY = openai_key
    env.DATABASE_URL = false
    for name, value in pairs(more or {}) do env[name] = value end
    return env
end

local function run(arguments, options)
    options = options or {}
    local argv = { ours, "-C", copy }
    table.move(arguments, 1, #arguments, #argv + 1, argv)
    local result = proc.run(argv, { check = false, env = environment(options.env), timeout = options.timeout or 1800 })
    said[#said + 1] = result.stdout .. result.stderr
    if options.status ~= false and result.status ~= (options.status or 0) then
        error(("%s ended with status %d, not %d:\n%s\n%s"):format(table.concat(arguments, " "), result.status,
            options.status or 0, result.stdout:sub(-3000), result.stderr:sub(-3000)), 0)
    end
    return result
end

local function run_json(arguments, options)
    local with = { table.unpack(arguments) }
    table.move({ "-o", "json" }, 1, 2, #with + 1, with)
    return json.decode(run(with, options).stdout)
end

-- Where the tests' model server listens: an address of this machine that pods reach.
local function host_address()
    local ctx = needs.context()
    return require("cluster.standalone").host_address(ctx)
end

local MODEL_PORT = 18089
local function model_url() return ("http://%s:%d/v1"):format(host_address(), MODEL_PORT) end

local function deploy_arguments(...)
    return { "deploy.lua", "--yes", "--cluster", "standalone", "--set", "config.openaiBaseUrl=" .. model_url(), ... }
end

local function connection()
    return require("cluster.standalone").kubeconfig(needs.context())
end

local function client()
    local found = connection()
    return k8s.connect { kubeconfig = found.kubeconfig, context = found.context, namespace = namespace }
end

local function step(report, name)
    for _, result in ipairs(report.steps) do
        if result.name == name then return result end
    end
    error("no step " .. name)
end

function tests.setup_all()
    proc.run { "rm", "-rf", copy }
    fs.mkdir(copy)
    for _, name in ipairs { "lua", "chart", "docker" } do proc.run { "cp", "-a", root .. "/" .. name, copy .. "/" } end
    fs.mkdir(copy .. "/examples")
    proc.run { "cp", "-a", root .. "/examples/todo-app", copy .. "/examples/" }
    fs.write(copy .. "/todo.local.lua", [[
return { database = { container = "todo-lua-test-postgres", volume = "todo-lua-test-postgres", port = 55439 } }
]])
    run({ "destroy.lua", "--yes", "--keep-cluster", "--data", "--cluster", "standalone" }, { status = false })
end

function tests.t00_port_that_another_program_has_is_named()
    local taken <close> = http.bind("127.0.0.1", 30080)
    lu.assertEquals(taken.port, 30080)
    local result = run(deploy_arguments(), { status = 1 })
    lu.assertStrContains(result.stderr, "port 30080 is taken by another program on this machine")
    lu.assertStrContains(result.stderr, "frontend.service.nodePort=")
end

function tests.t01_deploy_ends_with_a_url_that_answers()
    local report = run_json(deploy_arguments())
    lu.assertTrue(report.changed)
    local seconds = tonumber(step(report, "wait").text:match("Ready after (%d+) s"))
    lu.assertTrue(seconds and seconds <= 120, step(report, "wait").text)
    local page = http.get(report.url .. "/api/health", { proxy = "" })
    lu.assertEquals(page.status, 200)
    local told = json.decode(page.body)
    lu.assertEquals(told.status, "ok")
    lu.assertEquals({ told.kubernetes.release, told.kubernetes.namespace }, { report.release, report.namespace })
    lu.assertEquals(step(report, "url").text, report.url .. " answers")
    lu.assertFalse(report.forwarded)
    lu.assertEquals(run({ "open.lua", "--url", "--cluster", "standalone" }).stdout, report.url .. "\n")
    for _, result in ipairs(report.steps) do print(("# %s: %.1f s, %s"):format(result.name, result.seconds, result.text)) end
end

function tests.t02_deploy_with_nothing_changed_does_nothing()
    local started = proc.time()
    local result = run(deploy_arguments())
    local seconds = proc.time() - started
    lu.assertStrContains(result.stdout .. result.stderr, "Nothing to do")
    lu.assertTrue(seconds <= 2, ("took %.1f s"):format(seconds))
    print(("# unchanged deploy: %.2f s"):format(seconds))
end

-- As a deploy of that release has it when it comes to the database.
local function context_of(release)
    local base = needs.context()
    return setmetatable({
        config = tables.merge(base.config, { release = release, namespace = release }),
        options = tables.merge(base.options, { database = "local" }), provider = require "cluster.standalone",
    }, { __index = base })
end

function tests.t02b_each_release_has_a_database_server_of_its_own()
    local line = { set = function() end }
    local one, two = context_of "test-one", context_of "test-two"
    for _, ctx in ipairs { one, two } do database.remove(ctx, true) end
    lu.assertTrue((database.ensure(one, line)))
    lu.assertTrue((database.ensure(two, line)))
    lu.assertNotEquals(database.parse(one.database.pg_url:reveal()).port,
        database.parse(two.database.pg_url:reveal()).port)
    lu.assertEquals(database.remove(two, true), { "container test-two-postgres", "volume test-two-postgres" })
    lu.assertFalse((database.ensure(one, line)), "the other release's database is untouched")
    lu.assertEquals(#database.remove(one, true), 2)
end

function tests.t03_helm_sees_the_release()
    local found = connection()
    local list = json.decode(proc.run({ helm, "list", "-n", namespace, "-o", "json" },
        { env = { KUBECONFIG = found.kubeconfig } }).stdout)
    lu.assertEquals(#list, 1)
    lu.assertEquals(list[1].name, "todo-app")
    lu.assertEquals(list[1].status, "deployed")
    lu.assertEquals(list[1].chart, "todo-app-0.1.0")
    local manifest = proc.run({ helm, "get", "manifest", "todo-app", "-n", namespace },
        { env = { KUBECONFIG = found.kubeconfig } }).stdout
    lu.assertEquals(#yaml.decode_all(manifest), 8)
end

function tests.t04_images_stay_under_their_limits()
    local ctx = needs.context()
    for name, limit in pairs { ["todo-frontend"] = 300, ["todo-backend"] = 400, ["todo-mcp"] = 400 } do
        local image = ctx.docker:image(name .. ":latest")
        lu.assertNotNil(image, name)
        lu.assertTrue(image.Size < limit * 1e6, ("%s has %.0f MB"):format(name, image.Size / 1e6))
        lu.assertEquals(image.Config.User, "1001:1001")
        print(("# %s: %.0f MB of %d"):format(name, image.Size / 1e6, limit))
    end
end

function tests.t05_person_in_a_browser_signs_up_and_chats()
    local url = run_json({ "status.lua", "--cluster", "standalone" }).url
    local server <close> = proc.spawn({ "node", root .. "/tests/browser/openai-server.mjs",
        host_address() .. ":" .. MODEL_PORT })
    lu.assertStrContains(server:read_line(), "listening")
    local result = proc.run({ "node", root .. "/tests/browser/todo-app.mjs", url, "--screenshot",
        root .. "/build/test/todo-app.png" }, { check = false, timeout = 120 })
    print((result.stdout:gsub("[^\n]+", "# %0")))
    lu.assertEquals(result.status, 0, result.stdout .. result.stderr)
    lu.assertTrue(fs.stat(root .. "/build/test/todo-app.png").size > 10000)
end

function tests.t06_changed_source_rolls_only_its_own_deployment()
    local c = client()
    local function images()
        local list = {}
        for _, deployment in ipairs((c:list("deployments"))) do
            list[deployment.metadata.name] = deployment.spec.template.spec.containers[1].image
        end
        return list
    end
    local before = images()
    local path = copy .. "/examples/todo-app/backend/mcp_server/__init__.py"
    fs.write(path, (fs.read(path) or "") .. "\n# changed by the tests\n")
    local report = run_json(deploy_arguments())
    lu.assertTrue(step(report, "images").changed)
    local after = images()
    lu.assertEquals(after["todo-app-frontend"], before["todo-app-frontend"])
    lu.assertNotEquals(after["todo-app-mcp"], before["todo-app-mcp"])
end

-- The one pod of a component; those that are being ended do not count.
local function pod_of(component)
    local pods = tables.filter(client():list("pods", { labels = "app.kubernetes.io/component=" .. component }),
        function(pod) return not pod.metadata.deletionTimestamp end)
    lu.assertEquals(#pods, 1)
    return pods[1]
end

-- What the pod of a component runs, and what Docker has under an image's name.
local function running_and_built(component, name)
    return pod_of(component).status.containerStatuses[1].imageID, needs.context().docker:image(name).Id
end

function tests.t06b_same_tag_with_other_content_rolls_the_pods()
    local arguments = deploy_arguments("--set", "mcp.image.tag=dev")
    run(arguments)
    local first = running_and_built("mcp", "todo-mcp:dev")
    local path = copy .. "/examples/todo-app/backend/mcp_server/__init__.py"
    fs.write(path, fs.read(path) .. "\n# changed under the same tag\n")
    local report = run_json(arguments)
    lu.assertFalse(step(report, "release").changed)
    lu.assertTrue(step(report, "wait").changed)
    local running, built = running_and_built("mcp", "todo-mcp:dev")
    lu.assertNotEquals(running, first)
    lu.assertEquals(running, built)
    lu.assertFalse(run_json(arguments).changed)
end

function tests.t07_config_change_rolls_the_pods()
    local before = pod_of("backend").metadata.uid
    local arguments = deploy_arguments("--set", "config.logLevel=debug")
    run(arguments)
    lu.assertNotEquals(pod_of("backend").metadata.uid, before)
    run(deploy_arguments())
end

function tests.t07b_stack_that_no_address_leads_to_is_opened_through_a_forwarder()
    local values = { "--set", "frontend.service.type=ClusterIP" }
    local report = run_json(deploy_arguments(table.unpack(values)))
    lu.assertStrContains(step(report, "url").text, "todo-lua open")
    lu.assertTrue(report.forwarded)
    local refused = pcall(http.get, report.url .. "/api/health", { proxy = "", fresh = true })
    lu.assertFalse(refused)
    lu.assertStrContains(run(deploy_arguments(table.unpack(values))).stdout, "todo-lua open --cluster standalone\n")
    local only = run({ "open.lua", "--url", "--cluster", "standalone", table.unpack(values) }, { status = 1 })
    lu.assertEquals(only.stdout, "")
    lu.assertStrContains(only.stderr, "todo-lua open keeps " .. report.url .. " open")
    local argv = { ours, "-C", copy, "open.lua", "--cluster", "standalone", table.unpack(values) }
    local process <close> = proc.spawn(argv, { env = environment() })
    lu.assertEquals(process:read_line(), report.url)
    lu.assertEquals(http.get(report.url .. "/api/health", { proxy = "", fresh = true }).status, 200)
    process:kill("INT")
    lu.assertEquals(process:wait(), 130)
    run(deploy_arguments())
end

local function findings(status)
    local report = run_json({ "doctor.lua", "--cluster", "standalone" }, { status = status })
    lu.assertEquals(report.broken, {})
    return report.findings
end

-- Waits until the doctor says what is wanted: a kubelet takes its time to notice.
local function wait_for_finding(recipe, seconds)
    local deadline, list = task.now() + seconds
    repeat
        list = run_json({ "doctor.lua", "--cluster", "standalone" }, { status = false }).findings
        for _, finding in ipairs(list) do
            if finding.recipe == recipe then return finding end
        end
        task.sleep(2)
    until task.now() > deadline
    error(("the doctor does not find %s: %s"):format(recipe, json.encode(list)), 0)
end

function tests.t08_doctor_finds_nothing_on_a_healthy_stack()
    lu.assertEquals(findings(0), {})
end

function tests.t08b_events_and_top_are_those_of_the_components_that_are_named()
    local events = run({ "events.lua", "backend", "--cluster", "standalone" }).stdout
    lu.assertStrContains(events, "Pod/todo-app-backend-")
    lu.assertStrContains(events, "Created")
    lu.assertNotStrContains(events, "todo-app-frontend")
    lu.assertStrContains(run({ "events.lua", "--cluster", "standalone" }).stdout, "todo-app-frontend")
    local warnings = run({ "events.lua", "--warnings", "--cluster", "standalone" }).stdout
    lu.assertNotStrContains(warnings, " Normal ")
    local top = run({ "top.lua", "--cluster", "standalone" }, { status = 1 })
    lu.assertStrContains(top.stderr, "metrics-server must run in the cluster")
end

function tests.t09_doctor_names_an_image_that_is_not_there()
    client():patch("deployments", "todo-app-mcp", { spec = { template = { spec = { containers = {
        { name = "mcp", image = "todo-mcp:no-such-tag" } } } } } }, { type = "strategic" })
    local finding = wait_for_finding("image_pull", 60)
    lu.assertStrContains(json.encode(finding), "todo-mcp:no-such-tag")
    run(deploy_arguments())
    lu.assertEquals(findings(0), {})
end

function tests.t10_doctor_names_a_wrong_backend_url()
    run(deploy_arguments("--set", "config.backendUrl=http://todo-app-wrong:8000"))
    local finding = wait_for_finding("backend_url", 60)
    lu.assertStrContains(json.encode(finding), "todo-app-wrong")
    run(deploy_arguments())
    lu.assertEquals(findings(0), {})
end

function tests.t11_doctor_names_a_refused_database()
    local failed = run(deploy_arguments("--timeout", "40"),
        { env = { DATABASE_URL = ("postgresql://nobody:wrong-password-canary@%s:55439/todo"):format(host_address()) },
            status = 1 })
    lu.assertStrContains(failed.stderr, "todo-app-")
    wait_for_finding("database", 60)
    run(deploy_arguments())
    lu.assertEquals(findings(0), {})
end

-- Starts a deploy on a terminal and ends it as soon as a step is there; the terminal must be left as it was found.
local function interrupted_at(name)
    local shell = "stty -g; trap : INT; \"$@\"; echo \"status $?\"; stty -g"
    local argv = { "python3", root .. "/tests/unit/terminal.py", "sh", "-c", shell, "sh", ours, "-C", copy }
    table.move(deploy_arguments(), 1, #deploy_arguments(), #argv + 1, argv)
    local result = proc.run(argv, { check = false, stdin = ("wait %s\nsend \\x03\n"):format(name), timeout = 300,
        env = environment { TERM = "xterm" } })
    said[#said + 1] = result.stdout
    lu.assertStrContains(result.stdout, "status 130", false, name .. ": " .. result.stdout:sub(-2000) .. result.stderr)
    local before, after = result.stdout:match("^(%x[%x:]+)\r\n.*status 130\r\n(%x[%x:]+)")
    lu.assertEquals(after, before, "settings of the terminal after " .. name)
    local hidden, shown = result.stdout:find(".*\27%[%?25l()"), result.stdout:find(".*\27%[%?25h()")
    lu.assertTrue(not hidden or shown and shown > hidden, "the cursor stays hidden after " .. name)
end

local function killed_at(name)
    local argv = { ours, "-C", copy }
    table.move(deploy_arguments(), 1, #deploy_arguments(), #argv + 1, argv)
    local process <close> = proc.spawn(argv, { env = environment(), stderr = "stdout" })
    repeat
        local line = process:read_line()
        said[#said + 1] = line
        lu.assertNotNil(line, "the deploy ended before " .. name)
    until line:find("^%s*" .. name .. "%s")
    process:kill("KILL")
    lu.assertEquals(process:wait(), 128 + 9)
end

function tests.t12_deploy_that_is_ended_in_any_step_completes_on_the_next_run()
    for index, ended_at in ipairs { interrupted_at, killed_at } do
        require("cluster.standalone").stop(needs.context())
        ended_at "cluster"
        local path = copy .. "/examples/todo-app/backend/app/__init__.py"
        fs.write(path, ("%s\n# changed again, %d\n"):format(fs.read(path) or "", index))
        ended_at "images"
        ended_at "wait"
    end
    run(deploy_arguments())
    lu.assertEquals(findings(0), {})
end

function tests.t13_bad_input_gets_one_clear_message()
    local cases = {
        { { "deploy.lua", "--no-such-option" }, 2, "unknown option" },
        { { "deploy.lua", "--yes", "-f", "/nonexistent.yaml" }, 2, "/nonexistent.yaml" },
        { { "deploy.lua", "--yes", "--set", "frontend.service.nodePort" }, false, "nodePort" },
        { { "deploy.lua", "--yes", "--context", "no-such-context" }, 1, "no-such-context",
            env = { KUBECONFIG = connection().kubeconfig } },
        { { "deploy.lua", "--yes", "--cluster", "no-such-provider" }, false, "no-such-provider" },
        { { "status.lua", "-o", "xml" }, 2, "json" },
        { { "deploy.lua", "--yes", "--database", "ask" }, 2, "give DATABASE_URL in the environment instead" },
        { { "deploy.lua", "--yes", "--database", "file:/nonexistent" }, 1, "/nonexistent does not exist" },
        { { "helm", "template", "r", root .. "/chart" }, 1, "give the PostgreSQL URL with --set secrets.databaseUrl" },
    }
    for _, case in ipairs(cases) do
        local result = run(case[1], { status = case[2], env = case.env })
        lu.assertNotEquals(result.status, 0)
        lu.assertStrContains(result.stderr, case[3])
        lu.assertFalse(result.stderr:find("stack traceback", 1, true) ~= nil, result.stderr)
    end
    local no_docker = run(deploy_arguments(), { env = { DOCKER_HOST = "unix:///nonexistent/docker.sock" }, status = 1 })
    lu.assertStrContains(no_docker.stderr, "/nonexistent/docker.sock")
    local dockerfile = copy .. "/docker/Dockerfile.mcp"
    local steps = fs.read(dockerfile)
    fs.write(dockerfile, steps .. "\nRUN echo why-it-fails && exit 7\n")
    local unbuilt = run(deploy_arguments(), { status = 1 })
    fs.write(dockerfile, steps)
    lu.assertStrContains(unbuilt.stdout .. unbuilt.stderr, "why-it-fails")
    lu.assertStrContains(unbuilt.stderr, "image todo-mcp")
    lu.assertStrContains(unbuilt.stderr, "(exit status 7)")
    lu.assertStrContains(unbuilt.stderr, "mend " .. dockerfile)
    local values = copy .. "/chart/values.yaml"
    local text = fs.read(values)
    fs.write(values, text .. "\nbroken: [\n")
    local broken = run(deploy_arguments(), { status = 1 })
    fs.write(values, text)
    lu.assertStrContains(broken.stderr, "values.yaml")
    lu.assertFalse(run_json(deploy_arguments()).changed, "nothing of all that changed what runs")
end

function tests.t14_secrets_stay_out_of_sight()
    local store_path = needs.environment().XDG_STATE_HOME .. "/todo-lua/secrets"
    lu.assertEquals(fs.stat(store_path).mode & 0x3f, 0)
    local canaries = { openai_key, "wrong-password-canary" }
    for _, value in pairs(json.decode(fs.read(store_path))) do canaries[#canaries + 1] = value end
    local everything = table.concat(said, "\n")
    for _, config in ipairs((client():list("configmaps"))) do everything = everything .. json.encode(config) end
    for _, canary in ipairs(canaries) do
        lu.assertFalse(everything:find(canary, 1, true) ~= nil, "a secret was printed")
    end
    lu.assertTrue(#canaries >= 4)
end

function tests.t15_destroy_leaves_nothing_behind()
    run { "destroy.lua", "--yes", "--data", "--cluster", "standalone" }
    local ctx = needs.context()
    lu.assertNil(ctx.docker:container("todo-lua-test-postgres"))
    lu.assertEquals(require("cluster.standalone").status(ctx).state, "absent")
    lu.assertFalse(proc.run({ "ip", "link" }).stdout:find("todo0", 1, true) ~= nil)
    lu.assertFalse(proc.run({ "iptables-save" }).stdout:find("KUBE-", 1, true) ~= nil)
    lu.assertFalse((fs.read("/proc/mounts") or ""):find("todo-lua", 1, true) ~= nil)
    run({ "status.lua", "--cluster", "standalone" }, { status = 1 })
end

return tests
