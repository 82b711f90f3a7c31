-- Hosts that only a cluster knows, as a real API server tells them.
package.path = "./?.lua;" .. package.path

local apiserver = require "tests.cluster.apiserver"
local inner_hosts = require "inner_hosts"
local k8s = require "k8s"
local lu = require "luaunit"

local tests = {}
local CONFIG = { release = "shop", namespace = "shop", components = { "backend" } }
local server, client

function tests.setup_all()
    server = apiserver.start()
    client = k8s.connect { kubeconfig = server.kubeconfig }
    client:create { apiVersion = "v1", kind = "Service", metadata = { name = "database", namespace = "kube-public" },
        spec = { ports = { { port = 80 } } } }
end

function tests.teardown_all()
    if client then client:close() end
    if server then server:stop() end
end

local function assert_inner(inner, hosts)
    for host, is_inner in pairs(hosts) do
        lu.assertEquals(inner_hosts.why(host, "8000", inner) ~= nil, is_inner, host)
    end
end

function tests.services_of_every_namespace_and_their_network_are_inner()
    assert_inner(inner_hosts.of { config = CONFIG, k8s = client }, {
        ["10.96.0.1"] = true, ["10.96.200.3"] = true, ["10.97.0.1"] = false, ["10.95.255.255"] = false,
        ["kubernetes.default"] = true, ["database.kube-public"] = true, ["database.default"] = false,
        ["shop-backend.shop"] = true, ["database"] = true, ["example.com"] = false,
    })
end

-- Before Kubernetes 1.33 a cluster does not tell its network: what has an address of it is known.
function tests.older_server_tells_the_addresses_that_are_taken()
    local address = client:get("v1/Service", "database", { namespace = "kube-public" }).spec.clusterIP
    local old = { list = function(_, kind, options)
        return client:list(kind == "v1/Service" and kind or "networking.k8s.io/v1/Absent", options)
    end }
    assert_inner(inner_hosts.of { config = CONFIG, k8s = old }, { [address] = true, ["10.96.0.1"] = true,
        ["10.96.200.3"] = false, ["database.kube-public"] = true })
end

function tests.cluster_that_does_not_let_us_look_keeps_what_the_configuration_knows()
    local nobody <close> = setmetatable({ k8s = k8s.connect { server = ("https://127.0.0.1:%d"):format(server.port),
        token = "other-token", insecure = true } }, { __close = function(one) one.k8s:close() end })
    assert_inner(inner_hosts.of { config = CONFIG, k8s = nobody.k8s }, { ["shop-backend.shop"] = true,
        ["10.96.0.1"] = false, ["kubernetes.default"] = false })
end

return tests
