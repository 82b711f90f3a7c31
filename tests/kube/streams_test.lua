-- exec, attach and port-forward on a real node, beside kubectl.
package.path = "./?.lua;" .. package.path

local eventually = require "tests.eventually"
local forward = require "forward_ports"
local http = require "http"
local lu = require "luaunit"
local node = require "tests.kube.node"
local proc = require "proc"
local program = require "program"
local remote = require "kubectl.remote"
local task = require "task"

local tests = {}
local here, kubectl

function tests.setup_all()
    here = node.open("kclient-streams")
    kubectl = require "tests.cluster.apiserver".program("judges", "kubectl")
    local idle = node.spec("while :; do sleep 1000 & wait; done")
    table.insert(idle.containers, node.spec("while :; do sleep 1000 & wait; done").containers[1])
    idle.containers[2].name = "side"
    here:pod("idle", idle)
end

function tests.teardown_all()
    if here then here:close() end
end

local function run(argv, words, options)
    options = options or {}
    table.move(words, 1, #words, #argv + 1, argv)
    return proc.run(argv, { check = false, timeout = 60, stdin = options.stdin,
        env = { NO_COLOR = "1" } })
end

local function ours(words, options)
    return run({ program.executable, "kube", "--kubeconfig", here.kubeconfig, "-n", here.namespace }, words, options)
end

local function judge(words, options)
    return run({ kubectl, "--kubeconfig", here.kubeconfig, "-n", here.namespace }, words, options)
end

-- Both print the same and end alike.
local function same(words, options)
    local both = task.all { function() return judge(words, options) end, function() return ours(words, options) end }
    local name = table.concat(words, " ")
    lu.assertTrue(both[1].stdout == both[2].stdout, name .. ": other output:\n" .. both[2].stdout:sub(1, 500))
    local function first_line(result) return result.stderr:match("^[^\n]*"):gsub("%x+", function(word)
        return #word == 64 and "ID" or nil
    end) end
    lu.assertEquals(first_line(both[2]), first_line(both[1]), name)
    lu.assertEquals(both[2].status, both[1].status, name .. both[2].stderr)
    return both[2]
end

function tests.exec_is_kubectls()
    same { "exec", "idle", "-c", "main", "--", "sh", "-c", "echo out; echo err >&2; exit 7" }
    same { "exec", "idle", "--", "true" } -- says which container it took
    same { "exec", "pod/idle", "-q", "--", "sh", "-c", "seq 1 20000" }
    same { "exec", "idle", "-c", "side", "--", "no-such-program" }
    same { "exec", "idle", "-c", "nope", "--", "true" }
    same { "exec", "nobody", "--", "true" }
    same { "exec", "idle", "--" }
    same { "exec", "idle", "sh" }
    same { "exec", "svc/nothing", "--", "true" }
    same { "exec", "ns/default", "--", "true" }
end

function tests.exec_of_a_shell_that_the_image_lacks_says_what_else_there_is()
    for _, shell in ipairs { "bash", "/bin/zsh" } do
        same { "exec", "idle", "-q", "--", shell }
        lu.assertStrContains(ours { "exec", "idle", "-q", "--", shell }.stderr,
            ("the container's image has no %s; sh is in most images"):format(shell))
    end
end

function tests.exec_input_is_binary_and_ends()
    local bytes = {}
    for i = 1, 100000 do bytes[i] = string.char((i * 7919 + i // 251) % 256) end
    local input = table.concat(bytes)
    lu.assertTrue(same({ "exec", "-i", "idle", "-q", "--", "cat" }, { stdin = input }).stdout == input)
    local result = remote.run(here.client, "idle", { container = "main", command = { "wc", "-c" }, stdin = input })
    lu.assertEquals(result, { status = 0, stdout = #input .. "\n", stderr = "" })
end

function tests.exec_of_a_megabytes_output_is_whole()
    local script = "yes 0123456789abcdef | head -c 33554432"
    local session <close> = here.client:exec("idle", { container = "main", command = { "sh", "-c", script } })
    local size = 0
    for _, bytes in function() return session:read() end do size = size + #bytes end
    lu.assertEquals(session:wait(), 0)
    lu.assertEquals(size, 33554432)
end

function tests.exec_terminal_has_its_size_and_takes_keys()
    -- the size reaches the node after the process has started
    local script = "while [ -z \"$(stty size 2>/dev/null)\" ]; do usleep 20000; done; stty size; "
        .. "while read -r line; do echo \"got $line\"; [ \"$line\" = end ] && exit 5; done"
    local command = ("stty cols 97 rows 31; exec %s kube -n %s --kubeconfig %s exec -it idle -q -- sh -c '%s'"):format(
        program.executable, here.namespace, here.kubeconfig, script)
    local child <close> = proc.spawn({ "script", "-qec", command, "/dev/null" }, { stdin = "pipe", stderr = "stdout" })
    local text = ""
    local function until_seen(pattern)
        task.timeout(20, function()
            while not text:find(pattern) do text = text .. assert(child:read(), text) end
        end)
    end
    until_seen "31 97"
    child:write("one\r")
    until_seen "got one"
    child:write("end\r")
    lu.assertEquals(child:wait(), 5, text)
end

function tests.attach_shows_what_the_process_says()
    local spec = node.spec("while read -r line; do echo \"heard $line\"; done; exit 3", { stdin = true, stdinOnce = true })
    spec.restartPolicy = "Never"
    here:pod("listener", spec)
    local session <close> = here.client:attach("listener", { stdin = true })
    session:write("one\ntwo\n")
    local text = ""
    task.timeout(20, function()
        while not text:find("heard two\n") do text = text .. select(2, session:read()) end
    end)
    lu.assertEquals(text, "heard one\nheard two\n")
    session:close_stdin()
    session:wait()
    local done = ours { "attach", "idle", "-c", "nope" }
    lu.assertEquals(done.status, 1)
    lu.assertStrContains(done.stderr, "container nope is not valid for pod idle out of: main, side")
end

-- ---- port-forward ----

local function web(version)
    local script = ("mkdir -p /w; echo %s > /w/index.html; httpd -f -p 8080 -h /w & wait"):format(version)
    local spec = node.spec(script, { ports = { { name = "http", containerPort = 8080 } },
        readinessProbe = { httpGet = { port = 8080, path = "/" }, periodSeconds = 1 } })
    return { apiVersion = "apps/v1", kind = "Deployment", metadata = { name = "web" }, spec = { replicas = 1,
        selector = { matchLabels = { app = "web" } }, strategy = { rollingUpdate = { maxUnavailable = 0 } },
        template = { metadata = { labels = { app = "web" } }, spec = spec } } }
end

local function get(port) return http.get(("http://127.0.0.1:%d/"):format(port), { fresh = true, timeout = 20, proxy = "" }) end

local function web_service()
    here.client:apply(web("one"), { field_manager = "test" })
    here.client:apply({ apiVersion = "v1", kind = "Service", metadata = { name = "web" }, spec = {
        selector = { app = "web" }, ports = { { name = "front", port = 80, targetPort = "http" } } } },
        { field_manager = "test" })
    eventually(60, "a pod is ready", function()
        return (here.client:get("deployments", "web").status.readyReplicas or 0) > 0
    end)
    return here.client:get("services", "web")
end

function tests.forward_of_a_service_survives_its_pods()
    local forwarder = forward.open(here.client, web_service(), { { ["local"] = 0, remote = "front" } })
    local port = forwarder.ports[1]["local"]
    lu.assertEquals(get(port).body, "one\n")
    -- many at once
    local wait = {}
    for i = 1, 30 do wait[i] = function() return get(port).body end end
    for _, body in ipairs(task.all(wait)) do lu.assertEquals(body, "one\n") end
    -- a request loop over a rollout
    local failed, seen, stop = {}, 0, false
    local loop = task.spawn(function()
        while not stop do
            local ok, answer = pcall(get, port)
            if not ok or answer.status ~= 200 then failed[#failed + 1] = tostring(answer) end
            if ok and answer.body == "two\n" then seen = seen + 1 end
            task.sleep(0.02)
        end
    end)
    here.client:apply(web("two"), { field_manager = "test" })
    eventually(60, "the new pods answer for a while", function() return seen > 50 end)
    stop = true
    loop:wait()
    lu.assertTrue(#failed <= 2, table.concat(failed, "\n"))
    -- every pod killed at once: the connection waits for the next one
    for _, pod in ipairs(here.client:list("pods", { labels = "app=web" })) do
        here.client:delete("pods", pod.metadata.name, { grace = 0 })
    end
    lu.assertEquals(get(port).body, "two\n")
    forwarder:close()
    lu.assertFalse(pcall(get, port))
end

function tests.rollout_restart_under_a_request_loop_fails_two_requests_at_most()
    web_service()
    local child <close> = proc.spawn({ program.executable, "kube", "-n", here.namespace, "--kubeconfig", here.kubeconfig,
        "port-forward", "svc/web", ":front", "--address", "127.0.0.1" }, {})
    local port = tonumber(child:read_line():match("^Forwarding from 127%.0%.0%.1:(%d+) %-> 8080$"))
    local drain = task.spawn(function()
        while child:read_line() do end -- luacheck: ignore 542
    end)
    local failed, answered, stop = {}, 0, false
    local loop = task.spawn(function()
        while not stop do
            local ok, answer = pcall(get, port)
            if ok and answer.status == 200 then answered = answered + 1 else failed[#failed + 1] = tostring(answer) end
        end
    end)
    for _ = 1, 3 do
        local before, refused = answered, #failed
        local old = here.client:list("pods", { labels = "app=web" })
        for _, words in ipairs { { "rollout", "restart", "deploy/web" }, { "rollout", "status", "deploy/web" } } do
            local result = ours(words)
            lu.assertEquals(result.status, 0, result.stderr)
        end
        eventually(60, "the old pods are gone and the new ones answer", function()
            for _, pod in ipairs(old) do
                if here.client:get("pods", pod.metadata.name) then return false end
            end
            return answered > before + 50
        end)
        lu.assertTrue(#failed - refused <= 2, table.concat(failed, "\n", refused + 1))
    end
    stop = true
    loop:wait()
    child:kill("INT")
    lu.assertEquals(child:wait(), 130)
    drain:wait()
end

function tests.forward_carries_much_both_ways()
    here:pod("echo", node.spec("nc -ll -p 7 -e cat & wait"))
    local forwarder = forward.open(here.client, here.client:get("pods", "echo"), { { ["local"] = 0, remote = 7 } })
    local conn <close> = http.connect("127.0.0.1", forwarder.ports[1]["local"])
    local block = {}
    for i = 1, 65536 do block[i] = string.char((i * 31 + i // 256) % 256) end
    local text, rounds, got = table.concat(block), 128, {}
    local writer = task.spawn(function()
        for _ = 1, rounds do conn:write(text) end
    end)
    local size = 0
    while size < rounds * #text do
        local bytes = assert(conn:read())
        got[#got + 1], size = bytes, size + #bytes
    end
    writer:wait()
    lu.assertTrue(table.concat(got) == text:rep(rounds))
    forwarder:close()
end

function tests.port_forward_is_kubectls()
    web_service()
    local child <close> = proc.spawn({ program.executable, "kube", "-n", here.namespace, "--kubeconfig", here.kubeconfig,
        "port-forward", "svc/web", ":front", "--address", "127.0.0.1" }, {})
    local port = child:read_line():match("^Forwarding from 127%.0%.0%.1:(%d+) %-> 8080$")
    lu.assertEquals(get(tonumber(port)).status, 200)
    lu.assertEquals(child:read_line(), "Handling connection for " .. port)
    child:kill("INT")
    lu.assertEquals(child:wait(), 130)
    same { "port-forward", "svc/web", "81" }
    same { "port-forward", "svc/web", ":nope" }
    same { "port-forward", "idle", ":nope" }
    same { "port-forward", "idle" }
    same { "port-forward", "nobody", "80" }
end

function tests.scripts_exec_and_forward_find_a_components_pod()
    local labels = { ["app.kubernetes.io/instance"] = "shop", ["app.kubernetes.io/component"] = "backend" }
    local spec = node.spec("mkdir -p /w; echo shop > /w/index.html; httpd -f -p 8080 -h /w & wait",
        { ports = { { containerPort = 8080 } } })
    here.client:create { apiVersion = "v1", kind = "Pod", metadata = { name = "shop", labels = labels }, spec = spec }
    eventually(60, "the pod runs", function() return here.client:get("pods", "shop").status.phase == "Running" end)
    local place = { "--release", "shop", "--namespace", here.namespace }
    local function script(words, options)
        table.move(place, 1, #place, 3, words)
        options = options or {}
        options.env = { NO_COLOR = "1" }
        return words, options
    end
    local words, options = script({ program.executable, "exec" }, { check = false, timeout = 30, stdin = "piped" })
    table.move({ "backend", "--", "sh", "-c", "cat; exit 4" }, 1, 5, #words + 1, words)
    local result = proc.run(words, options)
    lu.assertEquals(result.stdout, "piped", result.stderr)
    lu.assertEquals(result.status, 4)
    words, options = script { program.executable, "forward" }
    table.move({ "backend", ":8080" }, 1, 2, #words + 1, words)
    local child <close> = proc.spawn(words, options)
    local port = child:read_line():match("^127%.0%.0%.1:(%d+) %-> backend 8080$")
    lu.assertEquals(get(tonumber(port)).body, "shop\n")
    child:kill("INT")
    lu.assertEquals(child:wait(), 130)
    words, options = script({ program.executable, "exec" }, { check = false })
    words[#words + 1] = "backand"
    result = proc.run(words, options)
    lu.assertEquals(result.status, 2)
    lu.assertStrContains(result.stderr, "did you mean backend?")
end

function tests.forward_to_a_closed_port_says_so_and_goes_on()
    local problems = {}
    local forwarder = forward.open(here.client, here.client:get("pods", "idle"), { { ["local"] = 0, remote = 9 } },
        { failed = function(_, problem) problems[#problems + 1] = problem end })
    local conn <close> = http.connect("127.0.0.1", forwarder.ports[1]["local"])
    conn:write("hello")
    lu.assertNil(conn:read())
    eventually(20, "the failure is told", function() return problems[1] end)
    lu.assertStrContains(problems[1].message, "refused")
    forwarder:close()
end

function tests.local_port_that_is_taken_says_so()
    local taken = http.bind("127.0.0.1", 0)
    local ok, err = pcall(forward.open, here.client, here.client:get("pods", "idle"),
        { { ["local"] = taken.port, remote = 80 } })
    lu.assertFalse(ok)
    lu.assertEquals(err.kind, "exists")
    taken:close()
end

return tests
