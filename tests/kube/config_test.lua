-- todo-lua kube config beside kubectl: each changes a kubeconfig of its own, then both files say the same. No server.
local fs = require "fs"
local judge = require "tests.kube.judge"
local lu = require "luaunit"

local tests = {}
local dir, both

local CONFIG = [[
# a comment
apiVersion: v1
kind: Config
current-context: two
clusters:
- name: c.one
  cluster: {server: "https://one:6443", tls-server-name: sni, certificate-authority-data: YWJj}
- name: c2
  cluster: {server: "https://two", insecure-skip-tls-verify: true}
contexts:
- {name: one, context: {cluster: c.one, user: u1, namespace: n1}}
- {name: two, context: {cluster: c2, user: u2}}
users:
- {name: u1, user: {token: s3cret}}
- {name: u2, user: {username: me, password: pw}}
- {name: u3, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: old, args: [x], interactiveMode: Never,
    provideClusterInfo: false, env: [{name: A, value: "1"}, {name: B, value: "2"}]}}}
]]

function tests.setup_all()
    dir = fs.tempdir()
    both = judge.new("/nonexistent", dir.path)
    fs.write(dir.path .. "/cert.pem", "certificate")
    fs.write(dir.path .. "/key.pem", "key")
end

function tests.teardown_all()
    if both then both:close() end
    if dir then dir:close() end
end

-- Runs the line with both, each on a file of its own with this text; the output, the status and the files are the same.
local function same(line, text)
    local results = {}
    for i, method in ipairs { "kubectl", "ours" } do
        local file = dir.path .. "/config"
        if text == "" then fs.remove(file) else fs.write(file, text or CONFIG, 0x180) end
        local result = both[method](both, line, { kubeconfig = file })
        local content = both:kubectl("config view --raw -o json", { kubeconfig = file })
        results[i] = { stdout = result.stdout, status = result.status, error = result.stderr:match("^[^\n]*"),
            content = content.stdout, mode = fs.exists(file) and ("%o"):format(fs.stat(file).mode % 512) }
        if result.status ~= 0 then results[i].stdout = nil end -- kubectl prints its help, too
    end
    lu.assertEquals(results[2], results[1], line)
end

local function each(lines, text)
    for line in lines:gmatch("%s*([^\n]+)") do same("config " .. line, text) end
end

function tests.set_context_adds_and_changes()
    each [[
        set-context one --namespace=other
        set-context one --user=u2 --cluster c2
        set-context two -n shop
        set-context three --cluster=c2
        set-context --current --namespace=x
        set-context one --namespace=
        set-context
        set-context one --current]]
    each([[
        set-context new --cluster=c --user=u
        set-context --current --namespace=x]], "")
end

function tests.set_cluster_adds_and_changes()
    each [[
        set-cluster c2 --server=https://new:1
        set-cluster c.one --server=https://new:1
        set-cluster c.one --tls-server-name=other
        set-cluster c.one --insecure-skip-tls-verify
        set-cluster c2 --insecure-skip-tls-verify=false
        set-cluster c2 --certificate-authority=cert.pem
        set-cluster c2 --certificate-authority=/etc/hosts
        set-cluster c2 --certificate-authority=cert.pem --embed-certs
        set-cluster c2 --certificate-authority=nope.pem --embed-certs
        set-cluster c2 --embed-certs
        set-cluster c2 --certificate-authority=cert.pem --insecure-skip-tls-verify
        set-cluster c2 --proxy-url=http://p:1
        set-cluster c9
        set-cluster c9 --server https://nine]]
    each("set-cluster c --server=https://s", "")
    lu.assertEquals(both:ours("config set-cluster").status, 1)
end

function tests.set_credentials_adds_and_changes()
    each [[
        set-credentials u1 --token=new
        set-credentials u2 --token=new
        set-credentials u1 --username=a --password=b
        set-credentials u1 --username=a --token=b
        set-credentials u9 --client-certificate=cert.pem --client-key=key.pem
        set-credentials u9 --client-certificate=cert.pem --client-key=key.pem --embed-certs=true
        set-credentials u9 --client-certificate=nope.pem --embed-certs
        set-credentials u9 --embed-certs
        set-credentials u9 --exec-command=/bin/x --exec-api-version=client.authentication.k8s.io/v1 --exec-arg=a --exec-arg=b,c
        set-credentials u3 --exec-command=new
        set-credentials u3 --exec-arg=z
        set-credentials u3 --exec-env=A=9 --exec-env=B- --exec-env=C=3
        set-credentials u3 --exec-interactive-mode=Always --exec-provide-cluster-info
        set-credentials u3 --exec-interactive-mode=Sometimes]]
end

function tests.entries_are_listed_renamed_and_removed()
    each [[
        get-users
        rename-context one uno
        rename-context two dos
        rename-context nope x
        rename-context one two
        delete-context one
        delete-context nope
        delete-cluster c2
        delete-cluster nope
        delete-user u1
        delete-user nope]]
    local listed = both:ours("config get-clusters", { kubeconfig = dir.path .. "/config" })
    lu.assertEquals(listed.stdout, "NAME\nc.one\nc2\n")
    fs.write(dir.path .. "/config", CONFIG, 0x180)
    local left = both:ours("config delete-context two", { kubeconfig = dir.path .. "/config" })
    lu.assertStrContains(left.stderr, "warning: this removed your active context")
    lu.assertStrContains(both:ours("config delete-user u11", { kubeconfig = dir.path .. "/config" }).stderr,
        "the kubeconfig has u1, u2, u3 (did you mean u1?)")
end

function tests.single_fields_are_set_and_unset()
    each [[
        set current-context one
        set contexts.one.namespace other
        set clusters.c.one.server https://x
        set clusters.c.one.insecure-skip-tls-verify true
        set clusters.c2.certificate-authority-data YWJj
        set clusters.c2.certificate-authority-data abc --set-raw-bytes
        set users.new.token t
        set contexts.one.namespace
        unset current-context
        unset contexts.one.namespace
        unset contexts.one
        unset contexts.nope
        unset contexts.nope.namespace
        unset users
        unset users.u2.password]]
    for _, line in ipairs { "set contexts.one.nope x", "set frob x", "set clusters.c2.insecure-skip-tls-verify maybe",
        "set clusters.c2.certificate-authority-data ***", "unset frob" } do
        for _, method in ipairs { "kubectl", "ours" } do
            local result = both[method](both, "config " .. line, { kubeconfig = dir.path .. "/config" })
            lu.assertEquals(result.status, 1, method .. line)
            lu.assertEquals(result.stdout, "")
        end
    end
end

function tests.each_file_of_a_list_keeps_its_entries()
    local first, second = dir.path .. "/first", dir.path .. "/second"
    for _, line in ipairs { "set-context one --namespace=x", "set-context new --cluster=c", "use-context one",
        "rename-context one uno", "delete-user u2", "set-cluster other --server=https://o" } do
        local texts = {}
        for i, method in ipairs { "kubectl", "ours" } do
            fs.write(first, "apiVersion: v1\nkind: Config\ncontexts:\n- {name: two, context: {cluster: c, user: u}}\n", 0x180)
            fs.write(second, CONFIG, 0x180)
            local result = both[method](both, "config " .. line, { kubeconfig = "/nope:" .. first .. ":" .. second })
            lu.assertEquals(result.status, 0, result.stderr)
            for _, file in ipairs { first, second } do
                texts[i] = (texts[i] or "") .. both:kubectl("config view --raw -o json", { kubeconfig = file }).stdout
            end
        end
        lu.assertEquals(texts[2], texts[1], line)
    end
end

function tests.view_shows_what_its_flags_say()
    fs.write(dir.path .. "/config", CONFIG, 0x180)
    local file = { kubeconfig = dir.path .. "/config" }
    for _, line in ipairs { "config view --merge=false", "config view --merge", "config view --merge=false --kubeconfig config",
        "config view --context one", "config view --minify --context one", "config view --minify --context nope",
        "config view --flatten", "config view --raw", "config view -o go-template={{.kind}}", "config current-context" } do
        both:same(line, file)
    end
end

return tests
