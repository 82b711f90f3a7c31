-- todo-lua kube apply, create, delete, patch and scale beside kubectl: each works in a namespace of its own, then the
-- namespaces hold the same.
local apiserver = require "tests.cluster.apiserver"
local fs = require "fs"
local judge = require "tests.kube.judge"
local lu = require "luaunit"
local program = require "program"
local yaml = require "yaml"

local tests = {}
local server, both, client

function tests.setup_all()
    server = apiserver.start()
    both, client = judge.apart(server)
    for _, object in ipairs(yaml.decode_all(fs.read(fs.join(program.project, "tests/kube/objects.yaml")))) do
        if object.kind == "CustomResourceDefinition" then client:create(object) end
    end
end

function tests.teardown_all()
    if both then both:close() end
    if server then server:stop() end
end

local function same_content(kinds) both:same_content(kinds) end

local MANIFEST = [[
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {a: "1", b: "<&>"}
---
apiVersion: v1
kind: List
items:
- apiVersion: apps/v1
  kind: Deployment
  metadata: {name: web, labels: {app: web}}
  spec:
    selector: {matchLabels: {app: web}}
    template:
      metadata: {labels: {app: web}}
      spec:
        containers:
        - {name: one, image: "one:1", env: [{name: A, value: "1"}, {name: B, value: "2"}]}
        - {name: two, image: "two:1"}
- apiVersion: example.com/v1
  kind: Widget
  metadata: {name: w}
  spec: {size: 1, tags: [a, b]}
]]

function tests.apply_merges_as_kubectl_does()
    both:pair("apply -f -", { stdin = MANIFEST })
    both:pair("apply -f -", { stdin = MANIFEST })
    -- Somebody else's fields stay, what left the manifest goes.
    both:pair [[patch deploy web -p '{"spec":{"replicas":5,"template":{"spec":{"containers":[{"name":"three","image":"3"}]}}}}']]
    both:pair [[patch widget w --type merge -p '{"spec":{"podIP":"x"}}']]
    both:pair [[patch cm settings -p '{"data":{"c":"3"}}']]
    local changed = MANIFEST:gsub(', b: "<&>"', ""):gsub(', {name: B, value: "2"}', ""):gsub("one:1", "one:2")
        :gsub("size: 1, tags: %[a, b%]", "size: 2")
    both:pair("apply -f - --dry-run=server", { stdin = changed })
    both:pair("apply -f - --dry-run=client", { stdin = changed })
    both:pair("apply -f -", { stdin = changed })
    both:pair("apply -f -", { stdin = changed })
    same_content("cm,deploy,widgets")
    both:pair("delete -f -", { stdin = changed })
    same_content("cm,deploy,widgets")
end

function tests.apply_takes_turns_with_kubectl()
    local text = "{apiVersion: v1, kind: ConfigMap, metadata: {name: turns, namespace: default}, data: {a: x, b: z}}"
    lu.assertEquals(both:ours("apply -f - --context test", { stdin = text }).stdout, "configmap/turns created\n")
    lu.assertEquals(both:kubectl("apply -f -", { stdin = text }).stdout, "configmap/turns unchanged\n")
    lu.assertEquals(both:kubectl("apply -f -", { stdin = (text:gsub(", b: z", "")) }).stdout,
        "configmap/turns configured\n")
    lu.assertEquals(both:ours("apply -f - --context test", { stdin = (text:gsub("a: x, b: z", "c: v")) }).stdout,
        "configmap/turns configured\n")
    lu.assertEquals(client:get("cm", "turns", { namespace = "default" }).data, { c = "v" })
end

function tests.apply_server_side_and_its_conflicts()
    local text = "{apiVersion: v1, kind: ConfigMap, metadata: {name: ssa}, data: {a: first}}"
    both:pair("apply --server-side -f -", { stdin = text })
    both:pair("apply --server-side -f - --dry-run=server", { stdin = text })
    local other = text:gsub("first", "second")
    both:pair("apply --server-side -f - --field-manager=other", { stdin = other })
    both:pair("apply --server-side -f - --field-manager=other --force-conflicts", { stdin = other })
    same_content("cm")
end

function tests.apply_prunes_what_is_in_no_manifest()
    local both_of = "{apiVersion: v1, kind: ConfigMap, metadata: {name: p1, labels: {set: p}}}\n---\n"
        .. "{apiVersion: v1, kind: ConfigMap, metadata: {name: p2, labels: {set: p}}}"
    local one = both_of:match("^[^\n]*")
    both:pair("apply -f -", { stdin = both_of })
    both:pair("create cm p3")
    both:pair [[patch cm p3 -p '{"metadata":{"labels":{"set":"p"}}}']] -- not applied: it stays
    for line in ([[
        apply -f - --prune
        apply -f - --prune --all -l a=b
        apply -f - --prune --all --server-side
        apply -f - --prune --all --force
        apply -f - --force --dry-run=server
        apply -f - --subresource=status
        apply -f - -l set=q
        apply -f - -l set=p
        apply -f - --prune -l set=p --prune-allowlist=ConfigMap
        apply -f - --prune -l set=p --prune-allowlist=core/v1/Secret
        apply -f - --prune -l set=p --prune-allowlist=core/v1/ConfigMap --dry-run=client
        apply -f - --prune -l set=p --prune-allowlist=core/v1/ConfigMap --dry-run=server
        apply -f - --prune -l set=p
        apply -f - --prune -l set=p]]):gmatch("%s*([^\n]+)") do
        -- The usual kinds make the server warn, each program in its own words.
        both:pair(line, { stdin = one, errors = not line:find("set=p$") })
    end
    same_content("cm")
end

function tests.apply_force_replaces_what_cannot_be_changed()
    local text = "{apiVersion: v1, kind: Secret, metadata: {name: fixed}, immutable: true, stringData: {a: b}}"
    both:pair("apply -f -", { stdin = text })
    local other = text:gsub("a: b", "a: c")
    both:pair("apply -f -", { stdin = other, errors = false })
    both:pair("apply -f - --force", { stdin = other })
    same_content("secret")
    lu.assertEquals(both:kubectl("get secret fixed -n ours -o jsonpath={.data.a}").stdout, "Yw==")
end

function tests.kustomizations_are_refused_clearly()
    for _, line in ipairs { "apply -k .", "delete -k .", "get -k ." } do
        local result = both:ours(line)
        lu.assertEquals(result.status, 1)
        lu.assertStrContains(result.stderr, "error: -k is not supported: todo-lua does not build kustomizations\n")
    end
end

function tests.apply_refuses_bad_manifests_as_kubectl_does()
    both:pair("apply -f -", { stdin = "{apiVersion: v1, kind: ConfigMap, metadata: {name: x}, daata: {a: b}}" })
    both:pair("apply -f -", { stdin = "{apiVersion: apps/v1, kind: Deployment, metadata: {name: x}, spec: {replicas: -1, "
        .. "selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: c}}, spec: {containers: []}}}}" })
    both:pair("apply -f -", { stdin = "{apiVersion: v1, kind: ConfigMap, metadata: {name: x, namespace: default}}" })
    both:pair("create -f -", { stdin = "{apiVersion: v1, kind: Nope, metadata: {name: x}}" })
    both:pair("apply -f /nowhere/x.yaml")
    both:pair("apply")
    local result = both:ours("apply -f - --context test", { stdin = "a: [1, 2" })
    lu.assertEquals(result.status, 1)
    lu.assertStrContains(result.stderr, "error parsing STDIN")
    lu.assertEquals(both:ours("apply -f - --context test", { stdin = "{kind: ConfigMap}" }).status, 1)
end

function tests.create_makes_what_kubectl_makes()
    local dir <close> = setmetatable({ temp = fs.tempdir() }, { __close = function(d) d.temp:close() end })
    local path = dir.temp.path
    fs.write(path .. "/file.txt", "text\n")
    fs.write(path .. "/bytes", "\255\0x")
    fs.write(path .. "/env", "# comment\nA=1\n\nB=x=y\n")
    for line in ([[
        create cm one --from-literal=a=b --from-literal=c= --from-file=DIR/file.txt --from-file=k=DIR/bytes
        create cm two --from-env-file=DIR/env
        create secret generic three --from-literal=a=b --from-file=DIR/bytes --type=custom
        create deployment four --image=a/b:1 --image=c --replicas=2 --port=80
        create deploy five --image=x -- sleep 5
        create svc clusterip six --tcp=80:8080 --tcp=443
        create service nodeport seven --tcp=80:http
        create sa eight
        create job nine --image=x -- a b
        create cm
        create deployment ten
        create svc clusterip twelve --tcp=80 --dry-run=client -o yaml
        create secret generic thirteen --from-literal=a=b --dry-run=server -o yaml -o name]]):gmatch("%s*([^\n]+)") do
        both:pair((line:gsub("DIR", path)))
    end
    both:pair("create ns made-NS")
    both:pair("create cm one", { errors = false })
    both:pair("create cm eleven --from-literal=a", { errors = false })
    same_content("cm,secret,deploy,svc,sa,job")
end

function tests.patch_and_scale_are_kubectls()
    both:pair("create deployment p --image=x")
    both:pairs("", [[
        patch deploy p -p '{"spec":{"minReadySeconds":3}}'
        patch deploy/p -p '{"spec":{"minReadySeconds":3}}'
        patch deploy p --type json -p '[{"op":"replace","path":"/spec/replicas","value":4}]' -o name
        patch deploy p --type merge -p 'spec: {paused: true}' --dry-run=server
        patch deploy p --subresource=status --type merge -p '{"status":{"replicas":2}}'
        patch deploy p --type wrong -p '{}'
        patch deploy p
        patch deploy nope -p '{}'
        patch deploy p -p '{"spec":{"replicas":"x"}}'
        scale deploy p --replicas=2
        scale --replicas=3 deployment/p --current-replicas=2
        scale --replicas=3 deployment/p --current-replicas=9
        scale --replicas=1 deploy p --dry-run=server
        scale deploy p
        scale deploy nope --replicas=1]])
    same_content("deploy")
end

function tests.labels_and_annotations_are_kubectls()
    for name in ("a b"):gmatch("%a") do both:pair("create cm meta-" .. name) end
    for verb in ("label annotate"):gmatch("%a+") do
        for line in ([[
            VERB cm meta-a x=1
            VERB cm meta-a x=1
            VERB cm meta-a x=2
            VERB cm meta-a x=2 --overwrite
            VERB cm/meta-a cm/meta-b y=3 x-
            VERB cm meta-a y- nope-
            VERB cm meta-a z=1 --dry-run=server
            VERB cm meta-a z=1 --dry-run=client
            VERB cm meta-a z=1 -o name
            VERB cm meta-b --list
            VERB cm meta-b --list -o yaml
            VERB cm meta-a w=1 -o jsonpath={.metadata.name}
            VERB cm -l y=3 q=1
            VERB cm meta-a x=1 --resource-version=1
            VERB cm meta-a meta-b x=1 --resource-version=1
            VERB cm meta-nope x=1
            VERB cm --all x=1 -l a=b
            VERB cm meta-a
            VERB x=1
            VERB cm meta-a x=1 x-
            VERB cm meta-a x=1 meta-b]]):gmatch("%s*([^\n]+)") do both:pair((line:gsub("VERB", verb))) end
    end
    both:pair("label cm meta-a 'x=a b'")
    both:pair("label cm meta-a x=a=b")
    both:pair("annotate cm meta-a v=a=b")
    both:pair("annotate -f - from=file", { stdin = "{apiVersion: v1, kind: ConfigMap, metadata: {name: meta-b}}" })
    same_content("cm")
end

function tests.nodes_are_closed_and_opened_as_kubectl_does()
    both:pair("create -f -", { stdin = "{apiVersion: v1, kind: Node, metadata: {name: NS-node, labels: {of: NS}}}" })
    both:pairs("", [[
        cordon NS-node --dry-run=server
        cordon NS-node --dry-run=client
        cordon NS-node
        cordon node/NS-node
        get node NS-node -o jsonpath={.spec.unschedulable}
        uncordon -l of=NS
        uncordon NS-node
        get node NS-node -o jsonpath={.spec.unschedulable}
        cordon NS-nope
        cordon NS-nope NS-node
        cordon NS-node -l of=NS]])
end

function tests.images_are_set_as_kubectl_does()
    both:pair("create deployment img --image=a/one:1 --image=two:1")
    both:pair("create cronjob img --image=i --schedule=@hourly")
    both:pairs("", [[
        set image deploy/img one=a/one:2
        set image deploy/img one=a/one:2
        set image deploy img one=a/one:3 two=two:3 --dry-run=server
        set image deploy img one=a/one:3 two=two:3 --dry-run=client
        set image deploy,cronjob --all *=all:1
        set image cj/img img=j -o name
        set image deploy/img nope=x
        set image deploy/img nope=x one=y:1
        set image deploy/img *=x one=y:1
        set image deploy/img
        set image one=x
        set image deploy/img one=x deploy/img
        set image deploy/nope one=x]])
    same_content("deploy,cronjob")
end

function tests.cascade_takes_the_older_words_with_a_warning()
    local text = "{apiVersion: v1, kind: ConfigMap, metadata: {name: cascading}}"
    both:pairs("", [[
        apply -f - --cascade=true
        apply -f - --cascade=false
        replace -f - --force --cascade=true
        delete -f - --cascade=false --wait=false
        apply -f - --cascade=maybe]], { stdin = text })
end

function tests.delete_is_kubectls()
    for name in ("a b c d e"):gmatch("%a") do both:pair("create cm del-" .. name) end
    both:pair [[patch cm del-c -p '{"metadata":{"labels":{"l":"1"}}}']]
    both:pair [[patch cm del-e -p '{"metadata":{"finalizers":["test/x"]}}']]
    both:pairs("", [[
        delete cm del-a
        delete cm del-a
        delete cm/del-a --ignore-not-found
        delete cm del-b --dry-run=server
        delete cm del-b --dry-run=client -o name
        delete cm -l l=1
        delete cm -l l=1
        delete cm del-b --now --grace-period=3
        delete cm del-b --force
        delete cm
        delete cm del-d -o wide
        delete cm del-d --cascade=orphan --wait=false
        delete cm del-e --timeout=1s]])
    both:pair [[patch cm del-e -p '{"metadata":{"finalizers":null}}']]
    both:pair("create cm del-f")
    both:pair("delete cm del-f -i", { stdin = "n\n" })
    both:pair("delete cm del-f -i", { stdin = "Y\n" })
    both:pair("delete cm del-f --interactive", { stdin = "y\n" })
end

function tests.rollouts_are_changed_as_kubectl_does()
    both:pair("create deployment r --image=x")
    both:pairs("", [[
        rollout pause deploy/r
        rollout pause deploy/r
        rollout restart deploy/r
        rollout resume deploy r
        rollout resume deploy r
        rollout undo deploy r
        rollout restart deploy/r deploy/nope
        rollout restart cm/kube-root-ca.crt
        rollout restart
        rollout nope]], { errors = false })
    local object = client:get("deployments", "r", { namespace = "ours" })
    lu.assertNil(object.spec.paused)
    lu.assertStrMatches(object.spec.template.metadata.annotations["kubectl.kubernetes.io/restartedAt"],
        "%d+%-%d+%-%d+T%d+:%d+:%d+[+Z].*")
end

function tests.wait_ends_when_it_happens()
    client:create { apiVersion = "v1", kind = "ConfigMap", metadata = { name = "later", namespace = "ours" } }
    local task = require "task"
    local waiting = task.spawn(function()
        return both:ours("wait cm/later -n ours --for=jsonpath={.data.ready}=yes --timeout=20s")
    end)
    task.sleep(0.5)
    client:patch("cm", "later", { data = { ready = "yes" } }, { namespace = "ours" })
    lu.assertEquals(waiting:wait().stdout, "configmap/later condition met\n")
    waiting = task.spawn(function() return both:ours("wait cm/later -n ours --for=delete --timeout=20s") end)
    task.sleep(0.5)
    client:delete("cm", "later", { namespace = "ours" })
    lu.assertEquals(waiting:wait().stdout, "configmap/later condition met\n")
end

function tests.writes_need_a_named_context()
    local result = both:ours("create cm unnamed -n ours")
    lu.assertEquals(result.status, 1)
    lu.assertStrContains(result.stderr, "context test is not local; name it with --context to write to it")
    lu.assertNil(client:get("cm", "unnamed", { namespace = "ours" }))
end

return tests
