-- Where the stack is open: pages of servers of the test's own, whatever their cluster says of its addresses.
local fs = require "fs"
local http = require "http"
local json = require "json"
local lu = require "luaunit"
local tables = require "tables"
local url = require "url"

local tests = {}
local NODE = "192.0.2.77" -- an address that is nowhere (RFC 5737)
local dir, listener, page

function tests.setup()
    dir = fs.tempdir()
    page = { status = "ok" }
    listener = http.listen("127.0.0.1", 0, function(conn)
        if not conn:read() then return end
        local body = json.encode(page)
        conn:write(("HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s"):format(#body, body))
    end)
end

function tests.teardown()
    listener:close()
    dir:close()
end

local function told(release, namespace, pod)
    return { status = "ok", kubernetes = { release = release, namespace = namespace, pod = pod } }
end

-- A context whose cluster has one node at an address that leads nowhere, one pod, and the page's port as NodePort.
local function context(changes)
    fs.mkdir(dir.path .. "/chart")
    fs.write(dir.path .. "/chart/Chart.yaml", "apiVersion: v2\nname: page\nversion: 1.0.0\n")
    fs.write(dir.path .. "/chart/values.yaml", ("page: {service: {nodePort: %d}}\n"):format(listener.port))
    local objects = {
        services = { ["shop-page"] = { kind = "Service", metadata = { name = "shop-page" }, spec = { ports = {
            { port = 80, nodePort = listener.port } } } } },
        pods = { ["shop-page-1"] = { metadata = { name = "shop-page-1" } } },
    }
    return tables.merge({
        options = { set = {}, values = {} }, root = dir.path, value_layers = {}, node_addresses = { NODE },
        provider = { name = "minikube", url = function(_, service)
            return ("http://%s:%d"):format(NODE, service.node_port)
        end },
        k8s = { server = "https://" .. NODE .. ":8443", get = function(_, kind, name) return objects[kind][name] end },
        config = { release = "shop", namespace = "shop", chart = "chart", components = { "page" },
            url = { component = "page", path = "/health", expect = '"status"' }, ports = { node = 30080 } },
    }, changes or {})
end

local function here() return "http://localhost:" .. listener.port end

local function why_not(proofs, address)
    for _, proof in ipairs(proofs) do
        if proof.url == address then return proof.why, proof.foreign end
    end
end

function tests.port_that_the_provider_publishes_needs_no_word_of_the_page()
    local ctx = context()
    ctx.provider.holds_port = function(_, port) return port == listener.port end
    local found, proofs = url.find(ctx)
    lu.assertEquals(found, here())
    lu.assertNil(select(2, url.losers(proofs)).pod)
end

function tests.provider_that_cannot_tell_of_its_ports_keeps_nobody_from_the_page()
    page = told("shop", "shop", "shop-page-1")
    local ctx = context()
    ctx.provider.holds_port = function() error { kind = "connect", message = "Docker is down" } end
    lu.assertEquals(url.find(ctx), here())
end

function tests.page_that_names_a_pod_of_ours_is_found_though_the_provider_does_not_know()
    page = told("shop", "shop", "shop-page-1")
    local found, proofs = url.find(context())
    lu.assertEquals(found, here())
    local losers, winner = url.losers(proofs)
    lu.assertEquals(winner.pod, "shop-page-1")
    lu.assertEquals(#losers, 1)
    lu.assertStrContains(losers[1].url, NODE)
    lu.assertStrContains(losers[1].why, "onnect")
end

function tests.look_alike_at_an_address_of_this_machine_is_not_taken_for_ours()
    for why, answer in pairs {
        ["another program answers there"] = { status = "ok" },
        ["the release of another cluster answers there"] = told("shop", "shop", "shop-page-2"),
        ["release shop of namespace other answers there"] = told("shop", "other", "shop-page-1"),
    } do
        page = answer
        local found, proofs = url.find(context())
        lu.assertNil(found, why)
        local said, foreign = why_not(proofs, here())
        lu.assertEquals({ said, foreign }, { why, true })
    end
end

function tests.another_release_is_refused_where_the_provider_brings_the_port_too()
    local ctx = context { provider = { url = function() return here() end } }
    page = told("store", "shop", "shop-page-1")
    local found, proofs = url.find(ctx)
    lu.assertNil(found)
    lu.assertEquals(why_not(proofs, here()), "release store of namespace shop answers there")
    page = { status = "ok", kubernetes = "1.36", release = "v7" } -- words of its own
    lu.assertEquals(url.find(ctx), here())
end

-- Docker Desktop, Rancher Desktop, OrbStack: the node's address leads nowhere, the API server's is this machine's.
function tests.cluster_behind_this_machine_is_expected_at_its_addresses()
    local ctx = context { k8s = { server = "https://127.0.0.1:6443" } }
    local found, proofs = url.find(ctx)
    lu.assertEquals(found, here())
    lu.assertEquals(#url.losers(proofs), 0)
    page = told("shop", "shop", "shop-page-2")
    lu.assertNil(url.find(ctx))
end

return tests
