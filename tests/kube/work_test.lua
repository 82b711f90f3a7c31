-- todo-lua kube expose, autoscale, taint, drain and cluster-info beside kubectl, on an API server without nodes of its own.
local apiserver = require "tests.cluster.apiserver"
local judge = require "tests.kube.judge"
local lu = require "luaunit"

local tests = {}
local server, both, client

function tests.setup_all()
    server = apiserver.start()
    both, client = judge.apart(server)
    for _, name in ipairs { "ours", "theirs" } do
        client:create { apiVersion = "v1", kind = "Node", metadata = { name = "node-" .. name, labels = { own = name } } }
    end
    both:pair("create deployment web --image=a:1 --port=80")
end

function tests.teardown_all()
    if both then both:close() end
    if server then server:stop() end
end

local function pod(name, more)
    local object = { apiVersion = "v1", kind = "Pod", metadata = { name = name, namespace = "NS", labels = { app = name } },
        spec = { terminationGracePeriodSeconds = 0, containers = { { name = "c", image = "i" } } } }
    for key, value in pairs(more or {}) do object.spec[key] = value end
    return object
end

local function in_both(object)
    for _, namespace in ipairs { "ours", "theirs" } do
        object.metadata.namespace = namespace
        if object.spec and object.spec.nodeName then object.spec.nodeName = "node-" .. namespace end
        client:create(object)
    end
end

function tests.expose_makes_services()
    in_both(pod("two", { containers = { { name = "c", image = "i", ports = { { containerPort = 80 },
        { containerPort = 53, protocol = "UDP" }, { containerPort = 53, protocol = "TCP" } } } } }))
    in_both(pod("bare"))
    both:pairs("expose ", [[
        deploy/web --dry-run=client -o yaml
        deploy web --name=other --port=8080 --target-port=http --dry-run=client -o yaml
        deploy/web
        deploy/web
        deploy/web --name=a --type=NodePort --labels=a=b,c=d --session-affinity=ClientIP --dry-run=client -o yaml
        deploy/web --name=b --selector=x=y --external-ip=1.2.3.4 --protocol=UDP --dry-run=client -o yaml
        deploy/web --name=c --cluster-ip=None --dry-run=client -o yaml
        deploy/web --name=d --type=LoadBalancer --load-balancer-ip=1.2.3.4 --dry-run=server
        deploy/web --name=e -o name
        svc/web --name=again
        pod/bare
        pod/bare --cluster-ip=None --name=headless
        pod/bare --port=80,443 --dry-run=client -o yaml
        pod/bare --port=x
        deploy/web --labels=a
        deploy/web --session-affinity=x
        cm/kube-root-ca.crt
        deploy/nope
        deploy/web --overrides='{"spec":{"publishNotReadyAddresses":true,"type":null}}' --name=f --dry-run=client -o yaml
        deploy]])
    both:pair("expose deploy/web --name=f --dry-run=client -o yaml --override-type=json --overrides="
        .. [['[{"op":"replace","path":"/spec/ports/0/port","value":99},{"op":"remove","path":"/spec/selector"}]']])
    -- kubectl has a port's protocols in an order that differs from run to run.
    local ports = both:ours("-n ours expose pod/two --dry-run=client -o jsonpath={.spec.ports[*].name}").stdout
    lu.assertEquals(ports, "port-1 port-2-udp port-2-tcp")
    both:same_content("svc")
end

function tests.autoscale_makes_autoscalers()
    both:pairs("autoscale ", [[
        deploy/web --max=5 --dry-run=client -o yaml
        deploy/web --max=5 --min=2 --cpu=70%
        deploy web --max=5 --name=a --cpu=500 --memory=1024Mi -o name
        deploy web --max=5 --name=c --cpu=0.5 --memory=60% --dry-run=server
        deploy web --max=5 --name=d
        deploy/web --max=1 --min=2
        deploy/web
        deploy/web --max=5 --cpu=x
        deploy/web --max=5 --cpu=x%
        svc/kubernetes --max=5
        deploy/nope --max=5]])
    both:pair("autoscale deploy web --max=5 --name=b --cpu-percent=80", { errors = false }) -- it is an older form
    both:pair("autoscale deploy/web --max=5", { errors = false }) -- kubectl says how its other attempt failed
    both:same_content("hpa")
end

function tests.taint_keeps_pods_away()
    both:pairs("taint ", [[
        node node-NS a=b:NoSchedule
        node node-NS a=b:NoSchedule
        node node-NS a=c:NoSchedule --overwrite
        node node-NS b:NoExecute c=d:PreferNoSchedule
        node node-NS c:PreferNoSchedule-
        node node-NS a-
        node node-NS a-
        node node-NS b- e=f:NoSchedule
        nodes node-NS g=h:NoSchedule --dry-run=server
        nodes node-NS g=h:NoSchedule --dry-run=client -o name
        node -l own=NS h=i:NoSchedule
        node node-NS e- h-
        node node-NS x=y:Never
        node node-NS x=y:NoSchedule:z
        node node-NS x=y:NoSchedule x-
        node x=y:NoSchedule
        node node-NS
        x=y:NoSchedule
        pod two x=y:NoSchedule
        node node-NS x=y:NoSchedule other
        node nope x=y:NoSchedule
        node --all -l a=b x=y:NoSchedule]])
    both:pair("taint node node-NS x=y", { errors = false }) -- kubectl tells the rules of a key
    both:pair("taint node node-NS x=y:NoSchedule x=z:NoSchedule", { errors = false })
end

local function owned(object, kind, owner)
    for _, namespace in ipairs { "ours", "theirs" } do
        object.metadata.namespace = namespace
        object.metadata.ownerReferences = { { apiVersion = "apps/v1", kind = kind, name = owner, uid = "uid",
            controller = true } }
        object.spec.nodeName = "node-" .. namespace
        client:create(object)
    end
end

function tests.drain_empties_nodes()
    both:pairs("drain ", [[
        node-NS --dry-run=client
        node-NS
        node-NS]])
    in_both(pod("alone", { nodeName = "x" }))
    both:pairs("drain ", [[
        node-NS
        node-NS --force --dry-run=client
        node-NS --force --dry-run=server
        node-NS --force --pod-selector=app=none
        -l own=NS --force
        node-NS
        nope
        node-NS -l a=b]])
    both:pair("drain")
    in_both(pod("kept", { nodeName = "x", volumes = { { name = "v", emptyDir = {} } } }))
    both:pairs("drain ", [[
        node-NS --force
        node-NS --force --delete-emptydir-data --disable-eviction]])
    in_both { apiVersion = "apps/v1", kind = "DaemonSet", metadata = { name = "set" }, spec = {
        selector = { matchLabels = { app = "set" } }, template = { metadata = { labels = { app = "set" } },
            spec = { containers = { { name = "c", image = "i" } } } } } }
    owned(pod("of-set"), "DaemonSet", "set")
    owned(pod("of-deploy"), "ReplicaSet", "rs")
    owned(pod("of-nobody"), "DaemonSet", "gone")
    both:pairs("drain ", [[
        node-NS --pod-selector=app=of-set
        node-NS --pod-selector=app=of-nobody
        node-NS --ignore-daemonsets --pod-selector=app=of-set
        node-NS --ignore-daemonsets --pod-selector=app=of-deploy
        node-NS --force --pod-selector=app=of-nobody]])
    both:same_content("pods")
end

-- A budget that allows nothing is asked again until the time is over.
function tests.drain_heeds_disruption_budgets()
    in_both { apiVersion = "policy/v1", kind = "PodDisruptionBudget", metadata = { name = "none" },
        spec = { minAvailable = 1, selector = { matchLabels = { app = "budgeted" } } } }
    owned(pod("budgeted"), "ReplicaSet", "rs")
    for _, namespace in ipairs { "ours", "theirs" } do
        client:patch("pods", "budgeted", { status = { phase = "Running", conditions = { { type = "Ready", status = "True" } } } },
            { namespace = namespace, subresource = "status" })
        client:patch("pdb", "none", { status = { observedGeneration = 1, disruptionsAllowed = 0, currentHealthy = 1,
            desiredHealthy = 1, expectedPods = 1 } }, { namespace = namespace, subresource = "status" })
    end
    for _, pair in ipairs { { "kubectl", "theirs" }, { "ours", "ours" } } do
        local result = both[pair[1]](both, ("--context test drain node-%s --timeout=1s --pod-selector=app=budgeted"):format(pair[2]))
        lu.assertEquals(result.status, 1, pair[1])
        lu.assertStrContains(result.stderr, ('error when evicting pods/"budgeted" -n "%s" (will retry after 5s): '
            .. "Cannot evict pod as it would violate the pod's disruption budget."):format(pair[2]))
        lu.assertStrContains(result.stderr, "global timeout reached: 1s")
        lu.assertStrContains(result.stderr, ('There are pending pods in node "node-%s" when an error occurred: '):format(pair[2]))
    end
end

function tests.cluster_info_names_addresses()
    for name, spec in pairs { plain = { ports = { { port = 80 } } }, secure = { ports = { { port = 443, name = "web" } } },
        named = { ports = { { port = 53, name = "dns" } } }, none = { clusterIP = "None" } } do
        client:create { apiVersion = "v1", kind = "Service", spec = spec, metadata = { name = name, namespace = "kube-system",
            labels = { ["kubernetes.io/cluster-service"] = "true", ["kubernetes.io/name"] = name == "named" and "DNS" or nil } } }
    end
    local wanted, got = both:kubectl("cluster-info"), both:ours("cluster-info")
    lu.assertEquals(got.stdout, (wanted.stdout:gsub("\nTo further debug.*$", "")))
    lu.assertEquals({ got.status, got.stderr }, { 0, "" })
end

return tests
