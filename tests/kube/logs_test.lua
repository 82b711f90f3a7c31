-- todo-lua kube logs beside kubectl, on the cluster's real node.
local eventually = require "tests.eventually"
local faults = require "tests.faults"
local fs = require "fs"
local judge = require "tests.kube.judge"
local k8s = require "k8s"
local lu = require "luaunit"
local node = require "tests.kube.node"
local numbered_log = require "tests.kube.numbered_log"
local proc = require "proc"
local program = require "program"
local task = require "task"

local tests = {}
local NAMESPACE = "kube-logs"
local LINES = 3000
local here, both

local function deployment(name, count)
    local spec = node.spec("echo one; echo two; echo three; tail -f /dev/null")
    spec.containers[2] = node.spec("echo side; tail -f /dev/null").containers[1]
    spec.containers[2].name = "side"
    return { apiVersion = "apps/v1", kind = "Deployment", metadata = { name = name }, spec = { replicas = count,
        selector = { matchLabels = { app = name } },
        template = { metadata = { labels = { app = name } }, spec = spec } } }
end

function tests.setup_all()
    here = node.open(NAMESPACE)
    both = judge.new(here.kubeconfig)
    here:pod("plain", node.spec("echo first; printf '\\303\\244\\t\\033[1mbold\\033[0m\\n'; echo last; tail -f /dev/null"))
    -- Ends once and starts anew: the second run says how often it was.
    here.client:create { apiVersion = "v1", kind = "Pod", metadata = { name = "again", labels = { app = "again" } },
        spec = (function()
            local spec = node.spec("if [ -f /d/was ]; then echo second; tail -f /dev/null; fi; touch /d/was; echo before")
            spec.volumes = { { name = "d", emptyDir = {} } }
            spec.containers[1].volumeMounts = { { name = "d", mountPath = "/d" } }
            return spec
        end)() }
    here.client:create(deployment("many", 2))
    eventually(90, "all runs", function()
        local ready = 0
        for _, pod in ipairs(here.client:list("pods", { labels = "app=many" })) do
            for _, status in ipairs(pod.status.containerStatuses or {}) do
                ready = ready + (status.ready and 1 or 0)
            end
        end
        local again = here.client:get("pods", "again").status.containerStatuses[1]
        return ready == 4 and again.restartCount == 1 and again.state.running
    end)
end

function tests.teardown_all()
    if both then both:close() end
    if here then here:close() end
end

local function all_same(lines)
    for line in lines:gmatch("[^\n]+") do
        if line:find("%S") then both:same(line:gsub("^%s+", "") .. " -n " .. NAMESPACE) end
    end
end

function tests.one_container_says_what_kubectl_prints()
    all_same [[
        logs plain
        logs pod/plain --tail=1
        logs plain --tail=0
        logs plain main
        logs plain --timestamps
        logs plain --prefix
        logs plain --since=1h
        logs plain --since-time=2020-01-01T00:00:00Z
        logs plain --since-time=2100-01-01T00:00:00Z
        logs plain --limit-bytes=8
        logs plain --all-containers
        logs again
        logs again --previous
        logs -l app=again
        logs -l app=nothing]]
end

function tests.wrong_words_end_as_kubectls_do()
    all_same [[
        logs plain -c nope
        logs nope
        logs deploy/nope
        logs plain main -c main
        logs plain --all-containers -c main
        logs plain --since=1h --since-time=2020-01-01T00:00:00Z
        logs plain --limit-bytes=-1
        logs plain --tail=-2
        logs plain --since=-5s
        logs plain -p
        logs -l app=many --all-containers -f --max-log-requests=3]]
end

local function said(...)
    local result = proc.run({ program.executable, "kube", "logs", "-n", NAMESPACE, "--kubeconfig", here.kubeconfig, ... },
        { check = false, timeout = 60 })
    lu.assertEquals(result.status, 0, result.stderr)
    return result.stdout, result.stderr
end

function tests.one_of_a_deployments_pods_is_chosen_and_told()
    local stdout, stderr = said("deploy/many")
    lu.assertEquals(stdout, "one\ntwo\nthree\n")
    lu.assertStrMatches(stderr, 'Found 2 pods, using pod/many%-[^\n]+\nDefaulted container "main" out of: main, side\n')
end

function tests.all_pods_and_containers_are_named_in_front_of_each_line()
    local stdout = said("deploy/many", "--all-pods", "--all-containers")
    local seen = {}
    for line in stdout:gmatch("[^\n]+") do
        local container, text = line:match("^%[pod/many%-[%w-]+/(%w+)%] (%w+)$")
        lu.assertNotNil(container, line)
        seen[container .. text] = (seen[container .. text] or 0) + 1
    end
    lu.assertEquals(seen, { mainone = 2, maintwo = 2, mainthree = 2, sideside = 2 })
end

function tests.follow_of_many_loses_and_doubles_nothing()
    local script = ("i=0; while [ $i -lt %d ]; do echo n$i; i=$((i+1)); done; echo end; tail -f /dev/null"):format(LINES)
    for _, name in ipairs { "count-a", "count-b" } do
        local spec = node.spec(script)
        here.client:create { apiVersion = "v1", kind = "Pod", metadata = { name = name, labels = { app = "count" } },
            spec = spec }
    end
    for _, name in ipairs { "count-a", "count-b" } do
        eventually(60, name .. " runs", function() return here.client:get("pods", name).status.phase == "Running" end)
    end
    local process <close> = proc.spawn({ program.executable, "kube", "logs", "-n", NAMESPACE, "--kubeconfig",
        here.kubeconfig, "-l", "app=count", "--prefix", "--tail=-1", "-f" })
    local counts, ended = { a = 0, b = 0 }, 0
    while ended < 2 do
        local name, text = process:read_line():match("^%[pod/count%-(%w)/main%] (%w+)$")
        if text == "end" then
            ended = ended + 1
        else
            lu.assertEquals(text, "n" .. counts[name])
            counts[name] = counts[name] + 1
        end
    end
    lu.assertEquals(counts, { a = LINES, b = LINES })
    process:kill("INT")
    lu.assertEquals(process:wait(), 130)
end

function tests.follow_over_cut_connections_loses_and_doubles_nothing()
    local script = ("i=0; while [ $i -lt %d ]; do i=$((i+1)); echo n$i; [ $((i %% 10)) = 0 ] && usleep 10000; done; "
        .. "echo end; tail -f /dev/null & wait"):format(LINES)
    here:pod("cut", node.spec(script))
    local temp <close> = fs.tempdir()
    local host, port = fs.read(here.kubeconfig):match("server: *\"?https://([^:]+):(%d+)")
    local cut = 0
    local proxy = faults.tcp(tonumber(port), function(n)
        if n > 12 then return nil end
        cut = n
        return n % 4 == 2 and { reset = true } or { cut = 5000 + n * 1700 }
    end, host)
    local path = faults.kubeconfig(here.kubeconfig, proxy.port, temp.path .. "/kubeconfig")
    fs.write(path, (fs.read(path):gsub("https://[^:]+:", "https://127.0.0.1:")), 0x180)
    local client = k8s.connect { kubeconfig = path, namespace = NAMESPACE }
    local seen = 0
    for line in client:logs("cut", { follow = true, container = "main" }) do
        if line == "end" then break end
        seen = seen + 1
        lu.assertEquals(line, "n" .. seen)
    end
    lu.assertEquals(seen, LINES)
    lu.assertTrue(cut > 4, "the proxy cut " .. cut .. " connections only")
    client:close()
    proxy:close()
end

function tests.follow_over_restarts_of_the_api_server_loses_and_doubles_nothing()
    local log = numbered_log.pod(here, "numbered")
    local lines = log:check(function(seen)
        for _ = 1, 5 do log:kill_api_server(seen) end
    end)
    lu.assertTrue(lines > 500, lines .. " lines only")
end

function tests.follow_over_killed_containers_loses_and_doubles_nothing()
    local log = numbered_log.pod(here, "killed")
    local lines, runs = log:check(function(seen)
        task.sleep(1.5)
        log:kill_container(seen)
        task.sleep(1.5)
    end)
    lu.assertTrue(lines > 200, lines .. " lines only")
    lu.assertEquals(runs, 2)
end

-- The last words of a pod are those that it says when it is told to end.
function tests.follow_of_a_deleted_pod_ends_with_its_last_line()
    local spec = node.spec("i=0; trap 'echo last $i; exit 0' TERM; while :; do i=$((i+1)); echo $i; usleep 2000; done")
    spec.terminationGracePeriodSeconds = 30
    here:pod("leaving", spec)
    local process <close> = proc.spawn({ program.executable, "kube", "logs", "-n", NAMESPACE, "--kubeconfig",
        here.kubeconfig, "-f", "leaving" }, { stderr = "stdout" })
    local seen, last = 0, nil
    for line in process.read_line, process do
        lu.assertNil(last, line)
        last = line:match("^last (%d+)$")
        if not last then
            seen = seen + 1
            lu.assertEquals(line, tostring(seen))
        end
        if seen == 200 then here.client:delete("pods", "leaving") end
    end
    lu.assertEquals(tonumber(last), seen)
    lu.assertEquals(process:wait(), 0)
end

return tests
