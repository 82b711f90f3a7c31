-- todo-lua kube run and debug join the processes that they start, beside kubectl, on the standalone cluster's real node.
local judge = require "tests.kube.judge"
local lu = require "luaunit"
local node = require "tests.kube.node"
local proc = require "proc"
local program = require "program"
local task = require "task"

local tests = {}
local cluster, both

function tests.setup_all()
    cluster = node.open("joined")
    both = judge.new(cluster.kubeconfig)
end

function tests.teardown_all()
    if both then both:close() end
    if cluster then cluster:close() end
end

local count = 0

-- The same with both, each with a pod of its own ("POD"); what the commands print, and their status.
local function pair(line, stdin)
    local results = {}
    for i, method in ipairs { "kubectl", "ours" } do
        count = count + 1
        local name = "p" .. count
        local result = both[method](both, "--context " .. cluster.client.context .. " -n joined " .. line:gsub("POD", name),
            { stdin = stdin, timeout = 90 })
        results[i] = { status = result.status, stdout = result.stdout:gsub(name, "POD"), error = result.stderr }
        local left = cluster.client:get("pods", name)
        lu.assertTrue(not left or left.metadata.deletionTimestamp ~= nil, method .. " left " .. name)
    end
    lu.assertEquals({ results[2].status, results[2].stdout }, { results[1].status, results[1].stdout },
        line .. "\n" .. results[2].error .. results[1].error)
    return results[2]
end

local RUN = "run POD --image=" .. node.IMAGE .. " --image-pull-policy=Never --rm -i -q --restart=Never "

function tests.run_gives_input_output_and_status()
    lu.assertEquals(pair(RUN .. "-- cat", "line\nother").stdout, "line\nother")
    lu.assertEquals(pair(RUN .. "-- sh -c 'cat >/dev/null; echo late; exit 7'", "").status, 7)
    -- Where the process has ended before it could be joined kubectl prints its log twice.
    local told = both:ours("--context " .. cluster.client.context .. " -n joined run brief --image=" .. node.IMAGE
        .. " --image-pull-policy=Never --rm --attach --restart=Never -- sh -c 'echo over'", { timeout = 90 })
    lu.assertEquals({ told.status, told.stdout }, { 0, 'over\npod "brief" deleted from joined namespace\n' }, told.stderr)
end

function tests.debug_joins_a_container_beside_the_others()
    cluster:pod("target", node.spec("exec sleep 4711"))
    -- As a person would: input that ends at once may end the runtime's session before the answer, kubectl's as well.
    local child <close> = proc.spawn({ program.executable, "kube", "--kubeconfig", cluster.kubeconfig, "-n", "joined",
        "debug", "target", "-i", "-q", "--image=" .. node.IMAGE, "--image-pull-policy=Never", "-c", "dbg", "--target=main",
        "--", "sh", "-c", "head -n 1; sleep 2" }, { stdin = "pipe", stderr = "inherit" })
    child:write("typed\n")
    lu.assertEquals(task.timeout(60, function() return child:read_line() end), "typed")
    lu.assertEquals(task.timeout(60, function() return child:wait() end), 0)
    local pod = cluster.client:get("pods", "target")
    lu.assertEquals(pod.spec.ephemeralContainers[1].targetContainerName, "main")
end

return tests
