-- todo-lua kube set beside kubectl: each works in a namespace of its own, then the namespaces hold the same.
local apiserver = require "tests.cluster.apiserver"
local fs = require "fs"
local judge = require "tests.kube.judge"
local lu = require "luaunit"
local tables = require "tables"
local yaml = require "yaml"

local tests = {}
local server, both

function tests.setup_all()
    server = apiserver.start()
    both = judge.apart(server)
    both:pair("create deployment web --image=a:1 --image=b:1")
    both:pair("create cronjob tick --image=i --schedule=@hourly")
    both:pair("create cm conf --from-literal=log.level=debug --from-literal=MODE=x")
    both:pair("create secret generic keys --from-literal=password=s3cret --from-literal=user-name=me")
end

function tests.teardown_all()
    if both then both:close() end
    if server then server:stop() end
end

-- (kubectl takes all keys of a source in an order that differs from run to run.)
function tests.env_sets_removes_and_lists()
    both:pairs("set ", [[
        env deploy/web A=1 B=two
        env deploy/web A=1
        env deploy/web A=2 -c a
        env deploy/web --list
        env deploy/web A- C=3 --overwrite=false
        env deploy/web C=4 --overwrite=false
        env deploy web -e D=4 -e E=x=y -o name
        env deploy/web --from=secret/keys --prefix=KEY_ --keys=password
        env deploy/web --from=secret/keys --prefix=KEY_ --keys=user-name
        env deploy/web --from=configmap/conf --keys=MODE
        env deploy/web --list
        env deploy/web --list --resolve
        env deploy/web --list --resolve -c b
        env cronjob/tick X=1
        env deploy,cronjob --all Y=1
        env deploy/web Z=1 --dry-run=client
        env deploy/web Z=1 --dry-run=server
        env deploy/web Z=1 --dry-run=client -o jsonpath={.spec.template.spec.containers[*].env[*].name}
        env deploy/web Z=1 Z-
        env deploy/web Z=1 -c nope
        env deploy/web -e =1
        env deploy/web A=1 deploy/web
        env cm/conf A=1
        env A=1
        env deploy/web --keys=a
        env deploy/web --list -o yaml
        env deploy/nope A=1
        env deploy/web --from=deploy/web]])
    both:pair("set env deploy/web -", { stdin = "FROM_FILE=1 # comment\n\n# nothing\nOTHER=a=b\n" })
    both:same_content("deploy,cronjob")
end

function tests.resources_are_set_in_kubernetes_own_form()
    both:pairs("set ", [[
        resources deploy/web --limits=cpu=0.5,memory=1024Mi
        resources deploy/web --limits=cpu=500m
        resources deploy/web -c b --requests=cpu=100m,memory=64Mi
        resources deploy/web --requests=cpu=1 --dry-run=client
        resources deploy/web --limits=cpu=1,memory=1Gi --requests=cpu=1 --dry-run=server -o name
        resources cronjob tick --limits=memory=1Gi
        resources deploy/web --limits=cpu=0,memory=0 --requests=cpu=0,memory=0
        resources deploy/web
        resources deploy/web --limits=cpu
        resources deploy/web --limits=cpu=x
        resources deploy/web -c nope --limits=cpu=1
        resources deploy --all --selector=a=b --limits=cpu=1]])
    both:pair("set resources cm/conf --limits=cpu=1")
    both:same_content("deploy,cronjob")
end

function tests.serviceaccount_selector_and_subject_are_set()
    both:pair("create svc clusterip web --tcp=80")
    both:pair("create rolebinding rb --clusterrole=view --user=a")
    both:pairs("set ", [[
        serviceaccount deploy/web robot
        sa deploy/web robot
        serviceaccount deploy web other --dry-run=client
        serviceaccount cronjob/tick robot -o name
        serviceaccount
        serviceaccount cm/conf robot
        selector svc/web a=b,c=d
        selector svc web tier=front
        selector svc/web a=b --dry-run=client -o name
        selector deploy/web a=b
        selector svc/nope a=b
        subject rolebinding/rb --user=b --user=a --group=g
        subject rolebinding/rb --user=b
        subject rolebinding rb --serviceaccount=NS:robot --serviceaccount=:other
        subject rolebinding rb --user=c --dry-run=client
        subject rolebinding rb
        subject rolebinding rb --serviceaccount=x
        subject svc/web --user=a]])
    both:same_content("deploy,cronjob,svc,rolebinding")
end

-- Without the empty maps that kubectl's typed objects have.
local function without_empty(value)
    if type(value) ~= "table" then return value end
    for key, item in pairs(value) do
        if type(without_empty(item)) == "table" and next(item) == nil then value[key] = nil end
    end
    return value
end

function tests.local_changes_ask_no_server()
    local file = "dep.yaml"
    fs.write(server.dir .. "/" .. file, yaml.encode { apiVersion = "apps/v1", kind = "Deployment",
        metadata = { name = "web", labels = { old = "1" } }, spec = { selector = { matchLabels = { a = "b" } },
            template = { metadata = { labels = { a = "b" } },
                spec = { containers = { { name = "c", image = "i:1" } } } } } })
    local away = { kubeconfig = "/dev/null" }
    for _, line in ipairs { "set image --local -f FILE c=j:2", "set env --local -f FILE A=1 B=2",
        "set resources --local -f FILE --limits=cpu=1", "set sa --local -f FILE robot",
        "label --local -f FILE new=2 old-", "annotate --local -f FILE why=so" } do
        line = line:gsub("FILE", file)
        both:same(line, away)
        local wanted = both:kubectl(line .. " -o yaml", away)
        local got = both:ours(line .. " -o yaml", away)
        lu.assertEquals({ got.status, got.stderr }, { 0, "" }, line)
        lu.assertTrue(tables.equal(without_empty(yaml.decode(got.stdout)), without_empty(yaml.decode(wanted.stdout))),
            got.stdout .. wanted.stdout)
    end
    for _, line in ipairs { "label --local pod/x a=b", "label --local a=b", "set image --local deploy/x c=j",
        "set image --local -f dep.yaml c=j --dry-run=server" } do
        lu.assertEquals(both:ours(line, away).status, both:kubectl(line, away).status, line)
        lu.assertNotEquals(both:ours(line, away).stderr, "")
    end
end

return tests
