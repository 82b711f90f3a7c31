-- The prompt beside a cluster: kinds and objects by name, on a terminal and in a pipe.
local apiserver = require "tests.cluster.apiserver"
local fixture = require "tests.kube.fixture"
local fs = require "fs"
local k8s = require "k8s"
local lu = require "luaunit"
local proc = require "proc"
local program = require "program"

local tests = {}
local server, dir

function tests.setup_all()
    server = apiserver.start()
    dir = fs.tempdir()
    fixture.load(k8s.connect { kubeconfig = server.kubeconfig })
end

function tests.teardown_all()
    if server then server:stop() end
    if dir then dir:close() end
end

local function environment()
    return { KUBECONFIG = server.kubeconfig, XDG_STATE_HOME = fs.join(dir.path, "state"), XDG_CONFIG_HOME = dir.path,
        TERM = "xterm", PAGER = "cat; echo paged" }
end

local function piped(...)
    return proc.run({ program.executable, "--color=never" }, { stdin = table.concat({ ":ns shop", ... }, "\n") .. "\n",
        check = false, timeout = 60, cwd = dir.path, env = environment() })
end

-- Steps as tests/unit/terminal.py takes them.
local function on_terminal(...)
    return proc.run({ "python3", fs.join(program.project, "tests/unit/terminal.py"), program.executable, "--color=never" }, {
        stdin = table.concat({ ... }, "\n") .. "\n", check = false, timeout = 90, cwd = dir.path, env = environment() })
end

function tests.pipe_kinds_and_objects_print_as_tables_and_yaml()
    local result = piped("pods", "deploy.backend", "deploy.backend.spec.selector.matchLabels", "widgets", "svc.outside.spec.type")
    lu.assertStrMatches(result.stdout, "test/shop\nNAME +READY +STATUS.*lonely +0/1 +Pending.*NAME +READY +UP%-TO%-DATE.*\n"
        .. "app: backend\nNo widgets in shop%.\nExternalName\n")
    lu.assertEquals(result.stderr, "")
end

function tests.pipe_objects_are_found_by_parts_of_their_names()
    local result = piped("tostring(pods.crash)", "tostring(replicasets.hash1)", "tostring(pods.backend_1)", "replicasets.back", "pods.lonly")
    lu.assertEquals(result.stdout, "test/shop\nPod/crashing\nReplicaSet/backend-hash1\nPod/backend-1\n")
    lu.assertStrContains(result.stderr, "back may be backend-hash1, backend-hash2")
    lu.assertStrContains(result.stderr, "there is no pod lonly in shop (did you mean lonely?)")
end

function tests.pipe_why_names_the_cause()
    local result = piped("pods.crashing:why()", "pods.crashing:events()")
    lu.assertStrContains(result.stdout, "crashing: CrashLoopBackOff\n  CrashLoopBackOff in container one: OOMKilled, exit status 137")
    lu.assertStrContains(result.stdout, "last warning: Unhealthy: probe failed")
    lu.assertStrMatches(result.stdout, ".*Warning +BackOff .*x12 over.*")
end

function tests.pipe_secrets_are_hidden()
    local result = piped("secrets.keys:yaml()", "secrets['keys'].data", "secrets.keys", "secrets.keys.data.password",
        "print(secrets.keys.data.token)")
    lu.assertEquals(result.stderr, "")
    for _, text in ipairs { "czNjcmV0", "s3cret", "YWJj" } do lu.assertNotStrContains(result.stdout, text) end
    lu.assertStrContains(result.stdout, "password: •••")
    lu.assertStrContains(result.stdout, "token: •••")
    local plain = piped("k8s.connect{}:get('secrets', 'keys', { namespace = 'shop' })").stdout
    lu.assertStrContains(plain, 'password = "•••"')
    for _, line in ipairs { "k8s.connect{}:list('secrets', { namespace = 'shop' })",
        "{ deep = { 1, { k8s.connect{}:list('secrets', { namespace = 'shop' }) } } }",
        "1, k8s.connect{}:get('secrets', 'keys', { namespace = 'shop' })" } do
        local listed = piped(line)
        lu.assertEquals(listed.stderr, "")
        for _, text in ipairs { "czNjcmV0", "s3cret", "YWJj" } do lu.assertNotStrContains(listed.stdout, text, false, line) end
        lu.assertStrContains(listed.stdout, 'keys"')
    end
    local items = piped("k8s.connect{}:list('secrets', { namespace = 'shop' })").stdout
    lu.assertStrContains(items, 'password = "•••"')
    lu.assertStrContains(items, 'token = "•••"')
    lu.assertEquals(piped("#secrets.keys.data.password:reveal()").stdout, "test/shop\n16\n")
end

function tests.pipe_changes_need_write_on()
    local result = piped("deploy.backend:scale(4)", "k8s.connect{}:delete('cm', 'settings', { namespace = 'shop' })", ":write on",
        "deploy.backend:scale(4)", "deploy.backend.spec.replicas", ":write off", "deploy.backend:scale(5)")
    lu.assertEquals(select(2, result.stderr:gsub("was not sent: the prompt only looks; :write on allows changes", "")), 3)
    lu.assertStrContains(result.stdout, "changes go to context test only: https://127.0.0.1:")
    lu.assertStrContains(result.stdout, "deployment/backend changed\n4\n")
end

function tests.pipe_help_prints_the_editors_documentation()
    local result = piped(":help", ":help k8s.connect", ":help Object:why", ":help nothing", ":halp")
    lu.assertStrContains(result.stdout, ":write on|off")
    lu.assertStrContains(result.stdout, 'k8s.connect(options)\nReads the kubeconfig; no request yet.')
    lu.assertStrContains(result.stdout, "Object:why()\nSays in a few lines why a pod or workload is not Ready.")
    lu.assertStrContains(result.stderr, "nothing is called nothing")
    lu.assertStrContains(result.stderr, "there is no command :halp (did you mean help?)")
end

function tests.pipe_names_that_stand_for_nothing_are_told()
    local result = piped("podz", "nonsense", "x = 1", "x", "deploy.backend.spec.paused")
    lu.assertStrContains(result.stderr, "nothing is called podz (did you mean pods?)")
    lu.assertStrContains(result.stderr, "nothing is called nonsense\n")
    lu.assertEquals(result.stdout, "test/shop\n1\nnil\n")
end

function tests.pipe_context_that_does_not_exist_changes_nothing()
    local result = piped(":ctx nope", "pods:names()[1]", ":write on", ":ctx nope", ":write")
    lu.assertStrContains(result.stderr, "context was not found for specified context: nope")
    lu.assertStrContains(result.stdout, "backend-1")
    lu.assertStrMatches(result.stdout, ".*changes go to context test only[^\n]*\nchanges go to context test only[^\n]*\n")
end

function tests.pipe_help_explains_kinds_and_commands()
    local result = piped(":help pods", ":help :write", ":help deploy", ":help write")
    lu.assertEquals(result.stderr, "")
    lu.assertStrContains(result.stdout, "pods are the pods of the cluster")
    lu.assertStrContains(result.stdout, "Object:why()")
    lu.assertEquals(select(2, result.stdout:gsub("\n:write on|off\nallow changes", "")), 2)
    lu.assertStrContains(result.stdout, "deploy are the deployments of the cluster")
end

function tests.terminal_prompt_shows_where_it_is()
    local result = on_terminal("wait test/default> ", [[send :ns shop\r]], "wait test/shop> ", [[send :write on\r]],
        "wait test/shop!> ", [[send \x04]])
    lu.assertEquals(result.status, 0, result.stdout .. result.stderr)
end

function tests.terminal_completes_kinds_names_fields_and_methods()
    local result = on_terminal("wait test/default> ", [[send :ns shop\r]], "wait test/shop> ",
        [[send deploym\t.names and 'kinds'\r]], "wait kinds", "wait > ",
        [[send #pods:names()\r]], "wait 3", "wait > ",
        [[send pods.lon\t.metadata.namesp\t\r]], [[wait shop\r\n]], "wait > ",
        [[send pods.lonely:descr\t()\r]], [[wait Node-Selectors]], "wait > ", [[send \x04]])
    lu.assertEquals(result.status, 0, result.stdout .. result.stderr)
end

function tests.terminal_pages_long_descriptions()
    local result = on_terminal("wait > ", [[send :ns shop\r]], "wait shop> ", [[send pods.backend_1:describe()\r]],
        [[wait paged\r\n]], "wait shop> ", [[send pods.lonely\r]], "wait lonely", "wait Pending", "wait shop> ", [[send \x04]])
    lu.assertEquals(result.status, 0, result.stdout .. result.stderr)
    lu.assertEquals(select(2, result.stdout:gsub("paged\r\n", "")), 1)
end

return tests
