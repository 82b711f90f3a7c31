-- todo-lua kube get, describe and explain beside kubectl, on an API server with every kind that has a description of its own.
local apiserver = require "tests.cluster.apiserver"
local eventually = require "tests.eventually"
local fixture = require "tests.kube.fixture"
local fs = require "fs"
local judge = require "tests.kube.judge"
local k8s = require "k8s"
local lu = require "luaunit"
local task = require "task"

local tests = {}
local server, both

function tests.setup_all()
    server = apiserver.start()
    both = judge.new(server.kubeconfig)
    fixture.load(k8s.connect { kubeconfig = server.kubeconfig })
end

function tests.teardown_all()
    if both then both:close() end
    if server then server:stop() end
end

local function client_of() return k8s.connect { kubeconfig = server.kubeconfig } end

local function all_same(lines, options)
    for line in lines:gmatch("[^\n]+") do
        if line:find("%S") then both:same(line, options) end
    end
end

function tests.get_prints_the_servers_tables()
    all_same [[
        get ns
        get pods -n shop
        get pods -n shop -o wide --show-labels
        get po,svc,deploy -n shop -L app,tier
        get all -n shop
        get all -A -o wide
        get ns,svc,pv -A
        get node,events -A
        get widgets,pvc,pv,ing,job,cj,sts,ds,crd -n shop
        get pods -n shop --no-headers
        get pods,svc -n shop --no-headers
        get deploy -n shop -l app=backend
        get pods -n shop -l 'tier in (api,web),app!=lonely' --show-kind
        get pods -A --field-selector status.phase=Running
        get pods -A --chunk-size=1
        get deployments.apps/backend svc/backend -n shop
        get deployments.v1.apps -n shop
        get deploy,svc backend -n shop
        get Pod crashing -n shop
        get cm -n default --ignore-not-found]]
end

function tests.get_prints_objects()
    all_same [[
        get deploy backend -n shop -o json
        get deploy backend -n shop -o yaml --show-managed-fields
        get pods,svc -n shop -o name
        get pods -n shop -o json
        get cm settings -n shop -o yaml
        get cm/settings secret/keys -n shop -o json
        get cm -n shop -o yaml --chunk-size=1
        get pods nope lonely -n shop -o name
        get pods nope -n shop -o json
        get nothing-here -o json
        get cm -n kube-public -o json
        get deploy backend -n shop --subresource=status -o yaml
        get deploy backend -n shop --subresource=scale -o yaml]]
end

function tests.get_prints_columns_and_paths()
    all_same [[
        get pods -n shop -o custom-columns=NAME:.metadata.name,IMAGES:.spec.containers[*].image,NODE:.spec.nodeName
        get pods -n shop -o custom-columns=L:.metadata.labels,P:.spec.containers[0].ports --no-headers
        get pods -n shop -o custom-columns=X:{.status.containerStatuses[0].lastState}
        get pods -n shop -o 'jsonpath={range .items[*]}{.metadata.name}{"\t"}{.status.phase}{"\n"}{end}'
        get deploy backend -n shop -o 'jsonpath={.spec.template.spec.containers[?(@.name=="side")].ports}'
        get deploy backend -n shop -o 'jsonpath-as-json={.spec.selector}'
        get pods -n shop -o jsonpath --template={.items[*].metadata.name}]]
end

function tests.get_sorts()
    all_same [[
        get pods -n shop --sort-by=.metadata.name
        get pods -n shop --sort-by={.spec.nodeName}
        get pods -n shop --sort-by=.status.containerStatuses[0].restartCount
        get cm,secret -n shop --sort-by=.metadata.name -o name]]
    -- Here kubectl says "No resources found" and ends well.
    local result = both:ours "get pods -n shop --sort-by=.nothing"
    lu.assertEquals({ result.status, result.stdout }, { 1, "" })
    lu.assertStrContains(result.stderr, 'couldn\'t find any field with path "{.nothing}"')
end

function tests.get_says_what_is_wrong_as_kubectl_does()
    all_same [[
        get nss
        get pods nope -n shop
        get pods nope other -n shop
        get ns/default pods/nope
        get pods -n nowhere
        get pods/a/b
        get pods/
        get pods,svc/x
        get pods x -l a=b
        get pods x -A
        get pods -l 'a in'
        get pods -o custom-columns=A
        get pods -o jsonpath={.a
        get pods --show-labels -o json
        get --raw /nothing]]
    local result = both:ours "get pod"
    lu.assertEquals(result.status, 0)
    lu.assertEquals(both:ours("get podz").stderr, 'error: the server doesn\'t have a resource type "podz"\n'
        .. "  did you mean pods? todo-lua kube api-resources lists the types\n")
    lu.assertStrContains(both:ours("get pods --outptu=json").stderr, "did you mean --output?")
    lu.assertEquals(both:ours("get pods --outptu=json").status, 1)
    lu.assertEquals(both:ours("git pods").status, 1)
    lu.assertStrContains(both:ours("get pods --context nope").stderr, "the kubeconfig has test")
end

-- Lines of a watch, started by both, until one that `last` matches; ages are left out.
local function watched(line, last, change)
    local seen = {}
    for i, method in ipairs { "kubectl", "ours" } do
        local process <close> = both:spawn(method, line)
        local lines = { process:read_line() }
        change(client_of())
        repeat
            local got = process:read_line()
            lines[#lines + 1] = got and got:gsub("%s+%d+[smh]%f[%W]%s*", " ")
        until not got or got:find(last)
        process:kill("INT")
        process:wait()
        seen[i] = lines
    end
    return seen
end

function tests.get_takes_the_names_from_files()
    local manifest = "{apiVersion: v1, kind: ConfigMap, metadata: {name: settings, namespace: shop}}\n"
    local more = manifest .. "---\n{apiVersion: v1, kind: Service, metadata: {name: backend, namespace: shop}}\n"
    both:same("get -f -", { stdin = manifest })
    both:same("get -f - -o json", { stdin = manifest })
    fs.write(server.dir .. "/one.yaml", manifest)
    both:same(("get -f %s/one.yaml -o json"):format(server.dir))
    both:same("get -f - -o name", { stdin = more })
    both:same("get -f -", { stdin = more })
    both:same("get cm -f -", { stdin = more })
    both:same("get -f /nope")
end

function tests.get_goes_on_with_what_changes()
    local function change(client)
        local place = { namespace = "shop" }
        local meta = { name = "watched", namespace = "shop", labels = { w = "1" } }
        task.sleep(0.3) -- kubectl opens its watch after the first line
        client:create { apiVersion = "v1", kind = "ConfigMap", metadata = meta, data = { a = "1" } }
        client:patch("cm", "watched", { data = { b = "2" } }, place)
        client:delete("cm", "watched", place)
        client:create { apiVersion = "v1", kind = "ConfigMap", metadata = { name = "the-last", namespace = "shop" } }
        client:delete("cm", "the-last", place)
    end
    for _, line in ipairs { "get cm -n shop -w --output-watch-events", "get cm -n shop -w -o name", "get cm -A -w -L w",
        "get cm settings -n shop -w --output-watch-events" } do
        local single = line:find(" settings ", 1, true)
        local theirs, ours = table.unpack(watched(line, single and "MODIFIED" or "the%-last", single and function(client)
            task.sleep(0.3)
            client:patch("cm", "settings", { metadata = { labels = { z = tostring(require "proc".time()):gsub("%.", "") } } },
                { namespace = "shop" })
        end or change))
        if single then theirs[1] = ours[1] end -- kubectl tells of the single object once more
        lu.assertEquals(ours, theirs, line)
    end
    all_same [[
        get cm,svc -n shop -w
        get pods nope -n shop -w]]
end

function tests.describe_is_kubectls()
    all_same [[
        describe pods -n shop
        describe pod crashing -n shop
        describe pod/backend-1 -n shop
        describe pods crash -n shop
        describe deploy backend -n shop
        describe rs,sts,ds -n shop
        describe job/migrate -n shop
        describe cronjob nightly -n shop
        describe svc -n shop
        describe ing -n shop --show-events=true
        describe node node-1
        describe pvc -n shop
        describe pv disk-1
        describe cm settings -n shop
        describe secret keys -n shop
        describe sa robot -n shop
        describe ns shop
        describe crd widgets.example.com
        describe widgets -n shop
        describe pods -A -l app=backend
        describe pods nope -n shop
        describe pod/nope -n shop]]
end

function tests.discovery_and_access_are_told_as_kubectl_does()
    all_same [[
        api-resources
        api-resources -o wide
        api-resources -o name --namespaced=false
        api-resources --api-group=apps --verbs=list,get --no-headers
        api-resources --sort-by=kind --categories=all
        api-versions
        auth can-i get pods -n shop
        auth can-i delete /healthz
        auth can-i list nodes
        auth can-i list nonsense
        auth can-i get
        auth can-i --list
        auth whoami
        auth whoami -o jsonpath={.status.userInfo.groups}
        auth whoami -o go-template --template={{.status.userInfo.username}}]]
    lu.assertStrContains(both:ours("version").stdout, "Server Version: v1.36.3")
end

function tests.config_shows_the_kubeconfig_without_its_secrets()
    all_same [[
        config get-contexts
        config get-contexts -o name
        config get-contexts nope
        config current-context
        config view
        config view --minify
        config view -o jsonpath={.contexts[0].name}
        config use-context nope
        config view --raw --flatten]]
    local dir <close> = setmetatable({ temp = fs.tempdir() }, { __close = function(d) d.temp:close() end })
    local first, second = dir.temp.path .. "/first", dir.temp.path .. "/second"
    fs.write(first, "# mine\napiVersion: v1\nkind: Config\nusers:\n- {name: u, user: {token: s3cret, password: hidden}}\n"
        .. "current-context: one # here\ncontexts:\n- {name: one, context: {cluster: c, user: u}}\n", 0x1a4)
    fs.write(second, "contexts:\n- {name: two, context: {cluster: c, user: u, namespace: ns2}}\n"
        .. "clusters:\n- {name: c, cluster: {server: 'https://c', certificate-authority: ca.crt}}\n", 0x180)
    local list = { kubeconfig = first .. ":" .. second }
    for _, line in ipairs { "config get-contexts", "config view", "config view --minify -o yaml", "config current-context" } do
        both:same(line, list)
    end
    lu.assertNotStrContains(both:ours("config view", list).stdout, "s3cret")
    lu.assertEquals(both:ours("config use-context two", list).stdout, 'Switched to context "two".\n')
    lu.assertStrContains(fs.read(first), "# mine\napiVersion: v1\nkind: Config\nusers:\n- {name: u")
    lu.assertStrContains(fs.read(first), "\ncurrent-context: two\n")
    lu.assertEquals(fs.stat(first).mode, 0x180)
    both:same("config get-contexts", list)
end

function tests.events_are_kubectls()
    all_same [[
        events -n shop
        events -A
        events -n shop --for pod/crashing
        events -n shop --types=Warning
        events -n nowhere
        events --types=x]]
end

-- Metrics come of a small server that the API server asks.
function tests.top_is_kubectls()
    all_same [[
        top pods
        top nodes]]
    local client = k8s.connect { kubeconfig = server.kubeconfig }
    local _ <close> = fixture.metrics(server, client)
    client:create { apiVersion = "v1", kind = "Pod", metadata = { name = "fresh", namespace = "kube-public" },
        spec = { containers = { { name = "c", image = "i" } } } }
    all_same [[
        top pods -n shop
        top pod -A
        top pods -n shop --containers
        top pods -n shop --sort-by=cpu --sum
        top pods -n shop --sort-by=memory --no-headers
        top pod lonely -n shop
        top pods
        top pods -n kube-public
        top pods --sort-by=nothing
        top nodes
        top node node-1
        top nodes --show-capacity --sort-by=cpu]]
    client:delete("pods", "fresh", { namespace = "kube-public", grace = 0 })
    client:delete("apiservices", "v1beta1.metrics.k8s.io")
end

function tests.diff_finds_what_apply_would_change()
    local text = [[
{apiVersion: v1, kind: ConfigMap, metadata: {name: settings, namespace: shop}, data: {LOG_LEVEL: info, more: "1"}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: fresh, namespace: shop}, data: {a: b}}
]]
    local function lines(output)
        local kept = {}
        for line in output:gmatch("[^\n]+") do
            if not line:find("^diff ") and not line:find("^%-%-%- ") and not line:find("^%+%+%+ ")
                and not line:find("creationTimestamp") and not line:find("  uid: ") then kept[#kept + 1] = line end
        end
        return table.concat(kept, "\n")
    end
    both:same("diff -f - --context test", { stdin = text, change = lines })
    both:same("diff -f - --context test --server-side --force-conflicts", { stdin = text, change = lines })
    local same = "{apiVersion: v1, kind: Namespace, metadata: {name: shop, annotations: {owner: someone}}}"
    both:same("diff -f - --context test --server-side", { stdin = same })
    lu.assertEquals(both:ours("diff -f /nowhere --context test").status, both:kubectl("diff -f /nowhere").status)
    local secret = "{apiVersion: v1, kind: Secret, metadata: {name: keys, namespace: shop}, stringData: {password: changed}}"
    lu.assertNotStrContains(both:ours("diff -f - --context test", { stdin = secret }).stdout, "Y2hhbmdlZA")
    lu.assertStrContains(both:ours("diff -f - --context test --show-secrets", { stdin = secret }).stdout, "Y2hhbmdlZA")
    both:same("diff -f - --context test --show-secrets", { stdin = secret, change = lines })
end

function tests.diff_shows_what_would_be_pruned_and_chooses_by_labels()
    local function config(name, label, value)
        return ("{apiVersion: v1, kind: ConfigMap, metadata: {name: %s, namespace: default, labels: {l: %s}}, data: {k: %s}}\n"):format(
            name, label, value)
    end
    local function apply(text) lu.assertEquals(both:kubectl("apply -f -", { stdin = text }).status, 0) end
    apply(config("kept", "a", "x"))
    apply(config("dropped", "a", "x"))
    apply(config("other", "b", "x"))
    local now = config("kept", "a", "new") .. "---\n" .. config("other", "b", "new")
    -- Names and changed lines; of what goes kubectl prints fields that it hides elsewhere.
    local function changes(output)
        local kept = {}
        for line in output:gmatch("[^\n]+") do
            local name = line:match("^%-%-%- .*LIVE[^/]*/(%S+)")
            kept[#kept + 1] = name or line:match("^[-+]  k: .*$")
        end
        return table.concat(kept, "\n")
    end
    for _, flags in ipairs { "-l l=a", "-l l=a --prune", "--prune -l l=b", "--prune --prune-allowlist=core/v1/ConfigMap -l l=a",
        "--prune --prune-allowlist=apps/v1/Deployment -l l=a", "-l l=none", "--concurrency=4" } do
        both:same("diff --context test -f - " .. flags, { stdin = now, change = changes, errors = false })
    end
    lu.assertEquals(changes(both:ours("diff --context test -f - --prune -l l=a", { stdin = now }).stdout),
        "v1.ConfigMap.default.dropped\n-  k: x\nv1.ConfigMap.default.kept\n-  k: x\n+  k: new")
    both:kubectl("delete cm kept dropped other")
end

function tests.rollout_tells_status_and_history_as_kubectl_does()
    all_same [[
        rollout history deploy/backend -n shop
        rollout history deploy/backend -n shop --revision=1
        rollout history deploy/backend -n shop --revision=7
        rollout status deploy/backend -n shop --watch=false
        rollout status ds/agent sts/db -n shop --watch=false
        rollout status deploy/nope -n shop
        rollout status deploy/backend -n shop --timeout=1s
        rollout status pod/lonely -n shop
        rollout undo deploy/backend -n shop --dry-run=server --context test
        rollout undo deploy/backend -n shop --to-revision=2 --dry-run=server --context test
        rollout undo deploy/backend -n shop --to-revision=9 --dry-run=server --context test]]
end

function tests.wait_is_kubectls()
    all_same [[
        wait pod/crashing -n shop --for=condition=Ready --timeout=1s
        wait pod/backend-1 -n shop --for=condition=Ready
        wait deploy/backend -n shop --for=jsonpath={.status.readyReplicas}=2
        wait deploy/backend -n shop --for=jsonpath={.status.readyReplicas}=3 --timeout=1s
        wait deploy/backend -n shop --for=jsonpath={.status.replicas}
        wait pod/nope -n shop --for=delete
        wait pod/nope -n shop --for=condition=Ready
        wait pod/nope -n shop --for=create --timeout=1s
        wait pod/backend-1 -n shop --for=create
        wait pod/backend-1 -n shop --for=delete --timeout=1s
        wait pod/backend-1 -n shop --for=nonsense
        wait pods -l app=none -n shop --for=condition=Ready]]
end

-- ---- explain ----

function tests.explain_prints_what_the_servers_schema_says()
    -- A server publishes the schema of a custom kind some time after it serves the kind.
    eventually(60, "the schema of widgets is published", function()
        return both:kubectl("explain widgets").status == 0
    end)
    all_same [[
        explain pods
        explain pods.spec.containers.ports
        explain po.spec --recursive
        explain deploy.spec.strategy.type
        explain deployments.apps.spec.
        explain svc.spec.ports.targetPort
        explain cm.data
        explain crd --recursive
        explain events.reason
        explain events.events.k8s.io
        explain widgets
        explain widgets.spec -R
        explain hpa --api-version=autoscaling/v1
        explain ing.spec.rules.http.paths.backend]]
end

function tests.explain_says_what_is_wrong_as_kubectl_does()
    all_same [[
        explain nope
        explain pods.spec.nope
        explain pods.spec.contaners.image
        explain pods.spec.containers[0]
        explain pods --api-version=v3
        explain pods --api-version=apps/v1
        explain pods --api-version=a/b/c
        explain pods -o json
        explain pods svc]]
    lu.assertStrContains(both:ours("explain pods.spec.contaners.image").stderr,
        'spec has no field "contaners" (did you mean containers?)')
    lu.assertStrContains(both:ours("explain podz.spec").stderr, "did you mean pods?")
    local bare = both:ours "explain"
    lu.assertEquals({ bare.status, bare.stdout }, { 1, "" })
    lu.assertStrContains(bare.stderr, "You must specify the type of resource to explain.")
end

return tests
