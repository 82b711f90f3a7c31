-- todo-lua kube run and debug beside kubectl, on an API server without nodes: what they make. (Joining the processes needs
-- a node: streams_test.lua and join_test.lua.)
local apiserver = require "tests.cluster.apiserver"
local fs = require "fs"
local judge = require "tests.kube.judge"
local lu = require "luaunit"

local tests = {}
local server, both, client

function tests.setup_all()
    server = apiserver.start()
    both, client = judge.apart(server)
    client:create { apiVersion = "v1", kind = "Node", metadata = { name = "node-1" } }
end

function tests.teardown_all()
    if both then both:close() end
    if server then server:stop() end
end

function tests.run_makes_pods_and_services()
    both:pairs("run ", [[
        a --image=i --dry-run=client -o yaml
        a --image=i:1 --port=80 --env=A=1 --env=B=x=y --labels=a=b,c=d --annotations=e=f --dry-run=client -o yaml
        a --image=i --privileged --image-pull-policy=Never --restart=OnFailure --dry-run=client -o yaml -- one two
        a --image=i --command --dry-run=client -o yaml -- one two
        a --image=i -it --attach=false --dry-run=client -o yaml
        a --image=i -i --attach=false --leave-stdin-open --dry-run=client -o yaml
        a --image=i --port=80 --expose --dry-run=client -o name
        a --image=i --port=80 --expose --labels=x=y --dry-run=client
        a --image=i --overrides='{"spec":{"hostNetwork":true}}' --dry-run=client -o yaml
        a --image=i
        a --image=i
        b --image=i --port=80 --expose
        c --image=i -o name
        d --image=i --dry-run=server
        e
        --image=i
        a --image=
        a --image=i --restart=Sometimes
        a --image=i --image-pull-policy=Maybe
        a --image=i --env=A
        a --image=i --expose
        a --image=i --rm
        a --image=i -t
        a --image=i -i --dry-run=client
        a --image=:x]])
    both:same_content("pods -l run")
    both:same_content("svc")
end

function tests.debug_adds_and_copies_containers()
    for _, namespace in ipairs { "ours", "theirs" } do
        client:create { apiVersion = "v1", kind = "Pod", metadata = { name = "web", namespace = namespace,
            labels = { app = "web" }, annotations = { note = "x" } },
            spec = { nodeName = "node-1", initContainers = { { name = "first", image = "f" } }, containers = {
                { name = "web", image = "w:1", command = { "serve" }, livenessProbe = { tcpSocket = { port = 80 } },
                    readinessProbe = { tcpSocket = { port = 80 } } }, { name = "side", image = "s:1" } } } }
    end
    fs.write(server.dir .. "/custom.yaml", "env: [{name: X, value: '1'}]\nsecurityContext: {runAsUser: 0, capabilities: {add: [KILL]}}\n")
    fs.write(server.dir .. "/fixed.json", '{"image": "other"}')
    both:pairs("debug ", [[
        web --image=busybox -c custom --custom=custom.yaml --env=A=2
        web --image=busybox -c custom --custom=fixed.json
        web --image=busybox -c custom --custom=/nope
        web --copy-to=custom --image=busybox -c dbg --custom=custom.yaml --profile=sysadmin
        web --image=busybox -c dbg
        web --image=busybox -c net --profile=netadmin --target=web --env=A=1 --image-pull-policy=Never -- sh -c x
        web --image=busybox -c args --profile=restricted --arguments-only -q -- a b
        web --image=busybox -c sys --profile=sysadmin -it --attach=false
        web --image=busybox -c base --profile=baseline
        web --copy-to=one --image=busybox -c dbg
        web --copy-to=two --container=web -- sh
        web --copy-to=three --set-image=*=new:1
        web --copy-to=four --set-image=web=new:1,side=new:2 --keep-labels --keep-annotations --keep-liveness --same-node
        web --copy-to=five --image=busybox -c web --keep-readiness --keep-init-containers=false --share-processes=false
        web --copy-to=six --image=busybox -c dbg --profile=restricted
        web --copy-to=one --image=busybox -c dbg
        node/node-1
        web
        --image=i
        web --copy-to=x
        web --copy-to=x -- sh
        web --image=i --replace
        web --image=i --same-node
        web --image=i --set-image=a=b
        web --image=i --target=web --copy-to=x
        web --image=i -t
        web --image=i --image-pull-policy=Maybe
        web --attach
        nope --image=i
        svc/nope --image=i]])
    both:pair("debug pod/web --image=busybox -c dbg", { errors = false })
    both:same_content("pods")
    both:pairs("debug ", "web --copy-to=seven --image=busybox -c dbg --replace")
    both:same_content("pods")
end

-- The names of the pods are made up.
function tests.debug_makes_pods_in_nodes_namespaces()
    for _, profile in ipairs { "general", "baseline", "netadmin", "sysadmin" } do
        local specs = {}
        for i, pair in ipairs { { "kubectl", "theirs" }, { "ours", "ours" } } do
            local result = both[pair[1]](both, ("--context test -n %s debug node/node-1 --image=busybox --profile=%s"):format(
                pair[2], profile))
            local name = result.stdout:match("^Creating debugging pod (node%-debugger%-node%-1%-%w%w%w%w%w) with container "
                .. "debugger on node node%-1%.\n$")
            lu.assertNotNil(name, result.stdout .. result.stderr)
            specs[i] = both:kubectl({ "get", "pod", name, "-n", pair[2], "-o", "jsonpath={.spec} {.metadata.labels}" }).stdout
        end
        lu.assertEquals(specs[2], specs[1], profile)
    end
    both:ours("-n ours --context test run alone --image=i --labels=a=b")
    local made = both:ours("-n ours --context test debug alone --image=busybox")
    lu.assertStrMatches(made.stdout, "Defaulting debug container name to debugger%-%w%w%w%w%w%.\n", nil, nil, made.stderr)
end

return tests
