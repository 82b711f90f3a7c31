-- What people get wrong, beside kubectl: the same exit status and the same first line; what helps stands below it.
local apiserver = require "tests.cluster.apiserver"
local fixture = require "tests.kube.fixture"
local fs = require "fs"
local judge = require "tests.kube.judge"
local k8s = require "k8s"
local lu = require "luaunit"
local yaml = require "yaml"

local tests = {}
local server, both, robot, closed

-- The kubeconfig with another user or another address.
local function variant(name, change)
    local config = yaml.decode(fs.read(server.kubeconfig))
    change(config)
    local path = server.dir .. "/" .. name
    fs.write(path, yaml.encode(config), 0x180)
    return path
end

function tests.setup_all()
    server = apiserver.start()
    both = judge.new(server.kubeconfig)
    fixture.load(k8s.connect { kubeconfig = server.kubeconfig })
    robot = variant("robot", function(config) config.users[1].user = { token = "other-token" } end)
    closed = variant("closed", function(config) config.clusters[1].cluster.server = "https://127.0.0.1:1" end)
end

function tests.teardown_all()
    if both then both:close() end
    if server then server:stop() end
end

local function all_same(lines, options)
    for line in lines:gmatch("[^\n]+") do
        if line:find("%S") then both:same(line, options) end
    end
end

function tests.kinds_that_do_not_exist()
    all_same [[
        get foo
        get deployments.nope
        describe podz x
        delete podz/x
        patch podz x -p {}
        scale podz x --replicas=1
        rollout status podz/x
        wait podz/x --for=delete
        explain podz
        explain pods.spec.containers.nope
        logs podz/x
        exec podz/x -- true
        port-forward podz/x 80
        auth can-i get podz]]
    lu.assertStrContains(both:ours("get podz").stderr, "did you mean pods?")
end

function tests.words_and_flags_that_mean_nothing()
    all_same [[
        get pods --bogus
        get pods -Z
        get pods -o custom-columns=
        get pods --request-timeout=x
        get pods --chunk-size=x
        get pods -n
        get pods -l ===
        get pods --field-selector nope=1 -n shop
        get pod --tail=x
        logs
        exec
        exec lonely
        exec -f /nope -- true
        exec -f /nope
        exec -f /nope lonely
        cp a
        delete
        delete pods
        delete pods x --all
        delete pods/x --all
        patch deploy backend -n shop
        scale deploy/backend --replicas=x -n shop
        create cm x --from-literal=a
        wait pods/lonely -n shop --for=foo
        port-forward pod/lonely -n shop
        port-forward svc/backend 9999 -n shop
        config use-context nope
        diff -f /nope]]
    for _, words in ipairs { "top", "config", "rollout", "create secret" } do
        lu.assertEquals(both:ours(words).status, both:kubectl(words).status, words)
    end
    lu.assertEquals(both:ours("bogus").status, both:kubectl("bogus").status)
    lu.assertStrContains(both:ours("gte pods").stderr, "did you mean get?")
    lu.assertStrContains(both:ours("rollout undo cm/settings -n shop").stderr, "a ConfigMap has no revisions")
end

function tests.places_that_do_not_exist()
    all_same [[
        get pods --context nope
        get pods -n nowhere
        get pod nope -n nowhere
        get pod nope -n shop
        describe pod nope -n shop
        describe pod nope -n nowhere
        logs nope -n shop
        exec nope -n shop -- true
        exec backend-1 -c nope -n shop -- true
        logs deploy/backend -c nope -n shop
        attach backend-1 -c nope -n shop
        rollout status deploy/nope -n shop
        scale deploy/nope --replicas=1 -n shop --context test
        delete pod nope -n shop --context test]]
    lu.assertStrContains(both:ours("logs backend-1 -c we -n shop").stderr, "did you mean web?")
    lu.assertStrContains(both:ours("get pods --context tset").stderr, "the kubeconfig has test")
end

function tests.manifests_that_are_none()
    local deployment = '{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"x"},"spec":{%s"selector":{"matchLabels":'
        .. '{"a":"b"}},"template":{"metadata":{"labels":{"a":"c"}},"spec":{"containers":[{"name":"c","image":"i"%s}]}}}}'
    for _, text in ipairs {
        "a: b", '{"kind":"ConfigMap","metadata":{"name":"x"}}', '{"apiVersion":"v1","metadata":{"name":"x"}}',
        '{"apiVersion":"v9/z","kind":"Pod","metadata":{"name":"x"}}',
        '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"X_X"}}',
        '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x"},"dta":{"a":"b"}}',
        '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x"},"data":{"a":1}}',
        deployment:format('"replicas":"three",', ""), deployment:format("", ',"prts":[]'), deployment:format("", ""),
    } do
        both:same("apply -f - --context test", { stdin = text })
    end
    both:same("apply -f - -n nowhere --context test", { stdin = "{apiVersion: v1, kind: ConfigMap, metadata: {name: x}}" })
    both:same("create -f - --context test",
        { stdin = "{apiVersion: v1, kind: Service, metadata: {name: x}, spec: {ports: [{port: 99999}]}}" })
    both:same("apply -f /nope --context test")
    both:same("patch deploy backend -n shop --context test -p '{\"spec\":{\"replicas\":\"x\"}}'")
end

function tests.words_that_mean_nothing_to_commands_that_change()
    all_same [[
        edit
        edit foo x
        edit pod nope -n shop
        replace
        replace -f /nope
        run x --image=i -n nowhere --context test
        expose
        expose foo x
        expose pod nope -n shop
        expose pod lonely -n shop
        autoscale
        autoscale deploy nope --max=3 -n shop
        set env
        set env deploy/backend -n shop
        set env deploy/nope A=1 -n shop
        set resources deploy/backend -n shop
        set sa deploy/backend -n shop
        set selector svc/backend -n shop
        set subject
        drain
        drain nope
        taint
        taint node
        taint node nope a=b:NoSchedule
        taint pod x a=b:NoSchedule
        debug
        debug nope --image=i -n shop
        debug lonely -n shop
        debug lonely --image=i --profile=nope -n shop
        autoscale cm/settings --max=3 -n shop
        patch --local -f /nope -p '{}'
        label --local -f /nope a=b
        config delete-context nope
        config delete-user nope
        config get-users extra
        apply view-last-applied
        apply view-last-applied cm nope
        apply edit-last-applied
        create --raw /api -f /nope
        create -f /nope --edit
        get pods --user
        get pods --v=x]]
end

function tests.files_that_are_none()
    fs.write(server.dir .. "/empty.yaml", "")
    fs.write(server.dir .. "/typo.yaml", "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\nspec: {replicas: x}\n")
    fs.mkdir(server.dir .. "/nothing")
    for line in ([[
        apply -f DIR/empty.yaml
        create -f DIR/empty.yaml
        delete -f DIR/empty.yaml
        apply -f DIR/nothing
        apply -f DIR/typo.yaml
        apply -f DIR/typo.yaml --validate=maybe
        create -f DIR/typo.yaml --validate=maybe
        create -f DIR/typo.yaml
        delete -f DIR/typo.yaml
        diff -f DIR/typo.yaml
        diff
        version --output=nope
        rollout pause sts/db -n shop
        rollout restart cm/settings -n shop
        get pods -o go-template={{.x
        get pods -o go-template={{.x}}{{end}}
        scale pod/backend-1 --replicas=1 -n shop]]):gmatch("%s*([^\n]+)") do
        both:same(line:gsub("DIR", server.dir) .. " --context test")
    end
    -- What may not be written is told as it is, not as the server's refusal of a file.
    lu.assertStrMatches(both:ours("apply -f " .. server.dir .. "/typo.yaml").stderr,
        "error: POST /apis/apps/v1/namespaces/default/deployments was not sent: context test is not local.*")
end

function tests.several_where_one_is_meant()
    fs.write(server.dir .. "/two.yaml", "{apiVersion: v1, kind: Pod, metadata: {name: backend-1, namespace: shop}}\n---\n"
        .. "{apiVersion: v1, kind: Pod, metadata: {name: lonely, namespace: shop}}\n")
    local line = "exec -f " .. server.dir .. "/two.yaml -- true"
    both:same(line)
    lu.assertStrContains(both:ours(line).stderr, "pod/backend-1, pod/lonely: name one of them")
    all_same [[
        logs backend-1 web side -n shop
        logs backend-1 web -c side -n shop
        exec pods/backend-1/lonely -n shop -- true
        exec deploy,svc/backend -n shop -- true
        attach backend-1 lonely -n shop
        port-forward backend-1,lonely 80 -n shop]]
end

function tests.rights_that_are_missing()
    for _, line in ipairs { "get pods -n shop", "get nodes", "describe pod lonely -n shop", "logs lonely -n shop",
        "exec lonely -n shop -- true", "events -n shop", "scale deploy/backend --replicas=1 -n shop" } do
        both:same(line, { kubeconfig = robot })
        lu.assertStrContains(both:ours(line, { kubeconfig = robot }).stderr, "lacks the right")
    end
    local refused = both:ours("delete pod lonely -n shop --context test", { kubeconfig = robot })
    lu.assertEquals(refused.status, 1)
    lu.assertStrContains(refused.stderr, 'Error from server (Forbidden): pods "lonely" is forbidden: User "other-user"')
    all_same [[
        get pods --as nobody
        get pods --as nobody --as-group system:masters -n shop]]
end

-- kubectl says first what failed inside of it, line by line.
function tests.server_that_is_not_there()
    for _, line in ipairs { "get pods", "version", "logs x", "exec x -- true", "api-resources", "describe pods",
        "get pods -s https://127.0.0.1:1" } do
        local ours, theirs = both:ours(line, { kubeconfig = closed }), both:kubectl(line, { kubeconfig = closed })
        lu.assertEquals(ours.status, theirs.status, line)
        local wanted = "The connection to the server 127.0.0.1:1 was refused - did you specify the right host or port?\n"
        lu.assertStrContains(theirs.stderr, wanted)
        lu.assertEquals(ours.stderr:sub(1, #wanted), wanted, line)
    end
    lu.assertStrContains(both:ours("version", { kubeconfig = closed }).stdout, "Client Version: ")
end

function tests.templates_of_go()
    all_same [[
        get cm settings -n shop -o go-template={{.data.LOG_LEVEL}}
        get cm -n shop -o 'go-template={{range .items}}{{.metadata.name}}={{len .data}} {{end}}{{printf "%s" .kind}}'
        get secret keys -n shop -o 'go-template={{.data.password | base64decode}}'
        get deploy backend -n shop -o template --template={{.spec.replicas}}]]
end

return tests
