-- The flags and variables that say how helm reaches a cluster, on a real one: with a token and without any kubeconfig, as
-- somebody else, and with other trust.
local apiserver = require "tests.cluster.apiserver"
local eventually = require "tests.eventually"
local fs = require "fs"
local k8s = require "k8s"
local lu = require "luaunit"
local needs = require "tests.needs"
local proc = require "proc"
local program = require "program"
local tables = require "tables"
local world = require "tests.release.world"
local secret = require "secret"
local standalone = require "cluster.standalone"
local yaml = require "yaml"

local tests = {}
local NAMESPACE = "connection"
local programs = {
    helm = { apiserver.program("judges", "helm") },
    todo = { program.project .. "/build/bin/todo-lua", "helm" },
}
local client, home, kubeconfig, server, ca_file, token

local function create(object)
    object.metadata.namespace = NAMESPACE
    client:create(object)
end

function tests.setup_all()
    needs.context()
    home = fs.tempdir()
    kubeconfig = standalone.kubeconfig(needs.context()).kubeconfig
    client = k8s.connect { kubeconfig = kubeconfig, namespace = NAMESPACE }
    client:delete("ns", NAMESPACE)
    eventually(60, "the namespace of an earlier run is gone", function() return not client:get("ns", NAMESPACE) end)
    client:create { apiVersion = "v1", kind = "Namespace", metadata = { name = NAMESPACE } }
    create { apiVersion = "v1", kind = "ServiceAccount", metadata = { name = "reader" } }
    create { apiVersion = "rbac.authorization.k8s.io/v1", kind = "Role", metadata = { name = "reader" },
        rules = { { apiGroups = { "" }, resources = { "secrets" }, verbs = { "get", "list" } } } }
    create { apiVersion = "rbac.authorization.k8s.io/v1", kind = "RoleBinding", metadata = { name = "reader" },
        roleRef = { apiGroup = "rbac.authorization.k8s.io", kind = "Role", name = "reader" },
        subjects = { { kind = "ServiceAccount", name = "reader", namespace = NAMESPACE },
            { kind = "Group", apiGroup = "rbac.authorization.k8s.io", name = "readers" } } }
    token = client:request("POST", ("/api/v1/namespaces/%s/serviceaccounts/reader/token"):format(NAMESPACE),
        { body = { apiVersion = "authentication.k8s.io/v1", kind = "TokenRequest", spec = {} } }).status.token
    local cluster = yaml.decode(fs.read(kubeconfig)).clusters[1].cluster
    server, ca_file = cluster.server, home.path .. "/ca.crt"
    fs.write(ca_file, cluster["certificate-authority-data"] and secret.unbase64(cluster["certificate-authority-data"])
        or fs.read(cluster["certificate-authority"]))
end

function tests.teardown_all()
    if client then client:delete("ns", NAMESPACE) end
    if home then home:close() end
end

-- Both end in the same way and print the same; `status`: helm's.
local function both(status, flags, environment)
    local found = {}
    for who, argv in pairs(programs) do
        local words = table.move(argv, 1, #argv, 1, {})
        table.move({ "list", "-n", NAMESPACE, table.unpack(flags) }, 1, #flags + 3, #words + 1, words)
        found[who] = proc.run(words, { check = false, timeout = 60, env = tables.merge({ HOME = home.path,
            KUBECONFIG = home.path .. "/none", XDG_STATE_HOME = home.path .. "/state", HELM_NAMESPACE = false,
            HELM_KUBECONTEXT = false }, environment or {}) })
    end
    local label = table.concat(flags, " ")
    lu.assertEquals(found.helm.status, status, label .. "\n" .. found.helm.stderr)
    lu.assertEquals(found.todo.status, status, label .. "\n" .. found.todo.stderr)
    lu.assertEquals(found.todo.stdout, found.helm.stdout, label)
    lu.assertNotStrContains(found.todo.stderr, token)
    return found.helm.stderr, found.todo.stderr
end

function tests.a_server_and_a_token_need_no_kubeconfig()
    both(0, { "--kube-apiserver", server, "--kube-ca-file", ca_file, "--kube-token", token })
    both(0, { "--kube-apiserver", server .. "/", "--kube-insecure-skip-tls-verify", "--kube-token", token })
    both(0, {}, { HELM_KUBEAPISERVER = server, HELM_KUBECAFILE = ca_file, HELM_KUBETOKEN = token })
    both(0, {}, { HELM_KUBEAPISERVER = server, HELM_KUBEINSECURE_SKIP_TLS_VERIFY = "true", HELM_KUBETOKEN = token })
    both(1, { "--kube-apiserver", server, "--kube-ca-file", ca_file, "--kube-token", "wrong" })
    both(1, { "--kube-apiserver", server, "--kube-token", token }) -- whom this machine trusts did not sign it
    both(1, { "--kube-apiserver", server, "--kube-ca-file", home.path .. "/absent", "--kube-token", token })
    both(1, { "--kube-apiserver", server, "--kube-ca-file", ca_file, "--kube-token", token, "--kube-context", "none" })
end

function tests.a_certificate_is_checked_for_the_name_that_is_given()
    local base = { "--kubeconfig", kubeconfig }
    both(0, base)
    both(0, { "--kube-tls-server-name", "kubernetes.default", table.unpack(base) })
    both(1, { "--kube-tls-server-name", "elsewhere.example.com", table.unpack(base) })
    both(1, base, { HELM_KUBETLS_SERVER_NAME = "elsewhere.example.com" })
end

function tests.others_are_acted_for_with_their_rights()
    local base = { "--kubeconfig", kubeconfig }
    local theirs, ours = both(1, { "--kube-as-user", "nobody", table.unpack(base) })
    lu.assertEquals(world.without_hints(ours), theirs)
    both(0, { "--kube-as-user", "nobody", "--kube-as-group", "others", "--kube-as-group", "readers", table.unpack(base) })
    both(0, base, { HELM_KUBEASUSER = "nobody", HELM_KUBEASGROUPS = "others,readers" })
    both(1, base, { HELM_KUBEASUSER = "nobody", HELM_KUBEASGROUPS = "others" })
end

return tests
