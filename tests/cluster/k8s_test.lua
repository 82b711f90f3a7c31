-- The Kubernetes client against real API servers (without a node; logs are tested where a node is).
package.path = "./?.lua;" .. package.path

local apiserver = require "tests.cluster.apiserver"
local free_port = require "tests.free_port"
local fs = require "fs"
local http = require "http"
local k8s = require "k8s"
local lu = require "luaunit"
local proc = require "proc"
local task = require "task"

local tests = {}
local server, client

function tests.setup_all()
    server = apiserver.start()
    client = k8s.connect { kubeconfig = server.kubeconfig }
end

function tests.teardown_all()
    if server then server:stop() end
end

local function fails(kind, fn, ...)
    local ok, err = pcall(fn, ...)
    lu.assertFalse(ok, "expected an error of kind " .. kind)
    lu.assertEquals(err.kind, kind, tostring(err))
    return err
end

local function configmap(name, data, extra)
    local object = { apiVersion = "v1", kind = "ConfigMap", metadata = { name = name }, data = data }
    for key, value in pairs(extra or {}) do object.metadata[key] = value end
    return object
end

-- What kubectl, given the same kubeconfig, prints.
local function kubectl(...)
    local argv = { apiserver.program("judges", "kubectl"), "--kubeconfig", server.kubeconfig, ... }
    return proc.run(argv, { env = { HOME = server.dir } }).stdout
end

-- A kubeconfig like the server's with the user's settings replaced.
local function kubeconfig_with(name, user, cluster)
    local path = server.dir .. "/" .. name
    fs.write(path, ([[
clusters: [{name: c, cluster: {server: "https://127.0.0.1:%d", certificate-authority: %s/ca.crt%s}}]
users: [{name: u, user: {%s}}]
contexts: [{name: x, context: {cluster: c, user: u}}]
current-context: x
]]):format(server.port, server.pki, cluster or "", user), 0x180)
    return path
end

-- A kubeconfig for a plain HTTP server of the tests on this port.
local function plain_kubeconfig(port)
    local path = server.dir .. "/plain-" .. port
    fs.write(path, ([[
clusters: [{name: c, cluster: {server: "http://127.0.0.1:%d"}}]
users: [{name: u, user: {token: secret-token}}]
contexts: [{name: x, context: {cluster: c, user: u}}]
current-context: x
]]):format(port), 0x180)
    return path
end

-- ---- who and where ----

function tests.connect_shows_where_it_points()
    lu.assertEquals(client.context, "test")
    lu.assertEquals(client.namespace, "default")
    lu.assertEquals(client.server, "https://127.0.0.1:" .. server.port)
    local der = proc.run({ "sh", "-c", "openssl x509 -in ca.crt -outform DER | sha256sum" },
        { cwd = server.pki }).stdout
    lu.assertEquals(client.ca_sha256, der:match("^%x+"))
    local contexts = k8s.contexts { kubeconfig = server.kubeconfig }
    lu.assertEquals(#contexts, 1)
    lu.assertEquals(contexts[1].name, "test")
    lu.assertTrue(contexts[1].current)
    lu.assertEquals(contexts[1].ca_sha256, client.ca_sha256)
end

function tests.connect_without_a_kubeconfig_is_not_found_with_a_hint()
    local err = fails("not_found", k8s.connect, { kubeconfig = server.dir .. "/none" })
    lu.assertStrContains(err.message, server.dir .. "/none")
    lu.assertNotNil(err.hint)
end

function tests.connect_unknown_context_offers_the_known()
    local err = fails("not_found", k8s.connect, { kubeconfig = server.kubeconfig, context = "other" })
    lu.assertStrContains(err.hint, "test")
end

function tests.version_is_the_servers()
    lu.assertEquals("Server Version: " .. client:version().gitVersion, kubectl("version"):match("Server Version: %S+"))
end

function tests.pin_without_a_view_of_kube_system_stands_on_the_authority()
    local subject = { { kind = "User", name = "other-user", apiGroup = "rbac.authorization.k8s.io" } }
    client:create { apiVersion = "rbac.authorization.k8s.io/v1", kind = "Role", metadata = { name = "other" },
        rules = { { apiGroups = { "" }, resources = { "configmaps" }, verbs = { "create" } } } }
    client:create { apiVersion = "rbac.authorization.k8s.io/v1", kind = "RoleBinding", metadata = { name = "other" },
        subjects = subject, roleRef = { kind = "Role", name = "other", apiGroup = "rbac.authorization.k8s.io" } }
    local script = server.dir .. "/pin.lua"
    fs.write(script, [[
        local client = require "k8s".connect { kubeconfig = ... }
        require "pin".set(client)
        require "pin".set(client)
        client:create { apiVersion = "v1", kind = "ConfigMap", metadata = { name = "by-other" } }
    ]])
    local kubeconfig = kubeconfig_with("by-other", "token: other-token")
    local result = proc.run({ require "program".executable, script, kubeconfig })
    lu.assertEquals(select(2, result.stderr:gsub("the authority " .. client.ca_sha256:sub(1, 12), "")), 1)
    lu.assertEquals(select(2, result.stderr:gsub("\n", "")), 1, result.stderr)
    lu.assertNotNil(client:get("cm", "by-other"))
end

function tests.insecure_context_is_warned_of()
    local kubeconfig = server.dir .. "/insecure"
    fs.write(kubeconfig, ([[
clusters: [{name: c, cluster: {server: "https://127.0.0.1:%d", insecure-skip-tls-verify: true}}]
users: [{name: u, user: {token: good-token}}]
contexts: [{name: x, context: {cluster: c, user: u}}]
current-context: x
]]):format(server.port), 0x180)
    local result = proc.run({ require "program".executable, "kube", "--kubeconfig", kubeconfig, "get", "ns", "default",
        "-o", "name" })
    lu.assertEquals(result.stdout, "namespace/default\n")
    lu.assertStrContains(result.stderr, "context x trusts any server")
end

function tests.impersonation_is_sent()
    local review = { apiVersion = "authentication.k8s.io/v1", kind = "SelfSubjectReview", metadata = {} }
    local other = k8s.connect { kubeconfig = kubeconfig_with("as",
        "token: good-token, as: jane, as-groups: [a, b], as-user-extra: {why: [x]}") }
    local info = other:create(review).status.userInfo
    lu.assertEquals(info.username, "jane")
    lu.assertEquals({ info.groups[1], info.groups[2] }, { "a", "b" })
    lu.assertEquals(info.extra.why[1], "x")
end

function tests.forbidden_names_user_and_resource()
    local other = k8s.connect { kubeconfig = kubeconfig_with("other", "token: other-token") }
    local err = fails("denied", other.list, other, "secrets")
    lu.assertEquals(err.status, 403)
    lu.assertStrContains(err.message, 'User "other-user" cannot list resource "secrets"')
end

function tests.tls_is_verified_unless_told_otherwise()
    local wrong = k8s.connect { kubeconfig = kubeconfig_with("wrong-name", "token: good-token",
        ", tls-server-name: wrong.test") }
    lu.assertStrContains(fails("tls", wrong.version, wrong).hint, "for another host")
    local right = k8s.connect { kubeconfig = kubeconfig_with("right-name", "token: good-token",
        ", tls-server-name: api.test") }
    lu.assertNotNil(right:version())
    local path = kubeconfig_with("insecure", "token: good-token", ", insecure-skip-tls-verify: true")
    fs.write(path, (fs.read(path):gsub("certificate%-authority: [^,]+, ", "")), 0x180)
    lu.assertNotNil(k8s.connect({ kubeconfig = path }):version())
    fs.write(path, (fs.read(path):gsub(", insecure%-skip%-tls%-verify: true", "")), 0x180)
    local unknown = k8s.connect { kubeconfig = path }
    lu.assertStrContains(fails("tls", unknown.version, unknown).hint, "authority")
end

-- A TLS server with a certificate that ended yesterday; it says nothing else.
local function expired_server()
    local function openssl(...) proc.run({ "openssl", ... }, { cwd = server.dir }) end
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "old.key", "-out",
        "old.csr", "-subj", "/CN=127.0.0.1")
    openssl("x509", "-req", "-in", "old.csr", "-signkey", "old.key", "-days", "-1", "-out", "old.crt")
    local port = free_port()
    local process = proc.spawn({ "openssl", "s_server", "-quiet", "-accept", "127.0.0.1:" .. port, "-cert", "old.crt",
        "-key", "old.key" }, { cwd = server.dir, stdin = "pipe", stdout = "null", stderr = "null" })
    task.timeout(20, function()
        while not pcall(function() http.connect("127.0.0.1", port):close() end) do task.sleep(0.05) end
    end)
    return process, port
end

function tests.certificate_that_has_expired_is_said_so()
    local process <close>, port = expired_server()
    local path = server.dir .. "/old-config"
    fs.write(path, (fs.read(server.kubeconfig):gsub("127.0.0.1:%d+", "127.0.0.1:" .. port):gsub(
        "certificate%-authority: [^\n]+", "certificate-authority: " .. server.dir .. "/old.crt")), 0x180)
    local client_of_old = k8s.connect { kubeconfig = path }
    lu.assertStrContains(fails("tls", client_of_old.version, client_of_old).hint, "has expired")
    process:kill()
    process:wait()
end

function tests.server_that_is_not_there_is_connect()
    local path = server.dir .. "/nobody"
    fs.write(path, (fs.read(server.kubeconfig):gsub("127.0.0.1:%d+", "127.0.0.1:1")))
    local nobody = k8s.connect { kubeconfig = path }
    local err = fails("connect", nobody.version, nobody)
    lu.assertStrContains(err.hint, '"test"')
end

-- ---- resources ----

function tests.resource_by_every_name()
    for _, name in ipairs { "deploy", "deployment", "deployments", "Deployment", "deployments.apps",
        "deployments.v1.apps",
        "apps/v1/Deployment" } do
        local found = client:resource(name)
        lu.assertEquals({ found.group, found.version, found.kind, found.plural, found.namespaced },
            { "apps", "v1", "Deployment", "deployments", true }, name)
    end
    lu.assertEquals(client:resource("FlowSchema").group, "flowcontrol.apiserver.k8s.io")
    lu.assertFalse(client:resource("ns").namespaced)
    lu.assertNil(client:resource("nonsense"))
    lu.assertNil(client:resource("apps/v1/Nonsense"))
    lu.assertNil(client:resource("nonsense.example.com"))
    fails("not_found", client.list, client, "nonsense")
    fails("usage", client.list, client, "a b")
end

function tests.resource_fetches_only_the_group_it_needs()
    local before = #server:audit()
    local fresh = k8s.connect { kubeconfig = server.kubeconfig, user_agent = "todo-lua-discovery" }
    fresh:list("deploy")
    fresh:get("deploy", "none")
    local uris = {}
    local audit = server:audit()
    for i = before + 1, #audit do
        if audit[i].user == "admin"
            and not audit[i].uri:find("namespaces/default/deployments") then uris[#uris + 1] = audit[i].uri end
    end
    lu.assertEquals(uris, { "/apis/apps/v1" })
end

function tests.custom_resource_is_found_as_soon_as_it_exists()
    lu.assertNil(client:resource("widgets.example.com"))
    client:create { apiVersion = "apiextensions.k8s.io/v1", kind = "CustomResourceDefinition",
        metadata = { name = "widgets.example.com" },
        spec = { group = "example.com", scope = "Namespaced", names = { plural = "widgets", singular = "widget",
            kind = "Widget", shortNames = { "wd" } },
            versions = { { name = "v1", served = true, storage = true,
                schema = { openAPIV3Schema = { type = "object",
                    ["x-kubernetes-preserve-unknown-fields"] = true } } } } } }
    task.timeout(20, function()
        while not client:resource("wd") do task.sleep(0.1) end
    end)
    local made = task.timeout(20, function()
        while true do
            local ok, object = pcall(client.create, client, { apiVersion = "example.com/v1", kind = "Widget",
                metadata = { name = "w" },
                spec = { big = 9007199254740993, none = {}, text = "a\0b" } })
            if ok then return object end
            lu.assertEquals(object.status, 404)
            task.sleep(0.1)
        end
    end)
    lu.assertEquals(made.spec.big, 9007199254740993)
    lu.assertEquals(made.spec.text, "a\0b")
    lu.assertEquals(client:get("Widget", "w").spec.big, 9007199254740993)
    client:delete("crd", "widgets.example.com")
end

function tests.create_get_update_delete()
    lu.assertNil(client:get("cm", "life"))
    local made = client:create(configmap("life", { a = "1" }))
    lu.assertEquals(kubectl("get", "cm", "life", "-o", "jsonpath={.data.a} {.metadata.uid}"), "1 " .. made.metadata.uid)
    fails("exists", client.create, client, configmap("life"))
    made.data.a = "2"
    local updated = client:update(made)
    lu.assertEquals(updated.data.a, "2")
    local err = fails("conflict", client.update, client, made) -- an old resourceVersion
    lu.assertEquals(err.status, 409)
    fails("conflict", client.delete, client, "cm", "life", { uid = "another" })
    lu.assertTrue(client:delete("cm", "life"))
    lu.assertFalse(client:delete("cm", "life"))
    lu.assertNil(client:get("cm", "life"))
end

function tests.create_invalid_names_the_field()
    local err = fails("invalid", client.create, client, { apiVersion = "v1", kind = "Service",
        metadata = { name = "s" },
        spec = { ports = { { port = 99999 } } } })
    lu.assertEquals(err.status, 422)
    lu.assertStrContains(err.message, "spec.ports[0].port")
    lu.assertStrContains(err.cause.message, "spec.ports[0].port")
end

function tests.object_in_another_namespace_than_the_option_is_usage()
    fails("usage", client.create, client, configmap("x", nil, { namespace = "a" }), { namespace = "b" })
    fails("usage", client.create, client, { apiVersion = "v1", kind = "ConfigMap" })
    fails("usage", client.get, client, "cm", "../secrets/x")
end

function tests.dry_run_changes_nothing()
    lu.assertEquals(client:create(configmap("dry", { a = "1" }), { dry_run = true }).data.a, "1")
    lu.assertNil(client:get("cm", "dry"))
    client:create(configmap("dry", { a = "1" }))
    lu.assertTrue(client:delete("cm", "dry", { dry_run = true }))
    lu.assertNotNil(client:get("cm", "dry"))
    lu.assertTrue(client:delete("cm", "dry"))
end

function tests.apply_conflicts_name_manager_and_field()
    lu.assertEquals(client:apply(configmap("applied", { a = "1", b = "2" })).data.a, "1")
    lu.assertNil(client:apply(configmap("applied", { a = "1" })).data.b) -- no longer ours
    local err = fails("conflict", client.apply, client, configmap("applied", { a = "3" }),
        { field_manager = "somebody" })
    lu.assertStrContains(err.message, '"todo-lua"')
    lu.assertStrContains(err.cause.message, ".data.a")
    lu.assertEquals(client:apply(configmap("applied", { a = "3" }), { field_manager = "somebody",
        force = true }).data.a, "3")
    client:delete("cm", "applied")
end

function tests.patch_types()
    client:create { apiVersion = "v1", kind = "Service", metadata = { name = "patched" },
        spec = { ports = { { name = "a", port = 1 } } } }
    lu.assertEquals(client:patch("svc", "patched", { metadata = { labels = { x = "y" } } }).metadata.labels.x, "y")
    local ports = client:patch("svc", "patched", { spec = { ports = { { name = "b", port = 2 } } } },
        { type = "strategic" }).spec.ports
    lu.assertEquals(#ports, 2) -- merged by port
    lu.assertNil(client:patch("svc", "patched", { { op = "remove", path = "/metadata/labels/x" } },
        { type = "json" }).metadata.labels)
    fails("usage", client.patch, client, "svc", "patched", {}, { type = "other" })
    fails("not_found", client.patch, client, "svc", "absent", {})
    client:delete("svc", "patched")
end

function tests.subresource_scale()
    client:create { apiVersion = "apps/v1", kind = "Deployment", metadata = { name = "scaled" },
        spec = { replicas = 1, selector = { matchLabels = { a = "b" } },
            template = { metadata = { labels = { a = "b" } }, spec = { containers = { { name = "c",
                image = "i" } } } } } }
    lu.assertEquals(client:get("deploy", "scaled", { subresource = "scale" }).spec.replicas, 1)
    client:patch("deploy", "scaled", { spec = { replicas = 3 } }, { subresource = "scale" })
    lu.assertEquals(client:get("deploy", "scaled").spec.replicas, 3)
    client:delete("deploy", "scaled", { propagation = "Foreground" })
end

function tests.list_selects_and_fills_kinds()
    for i = 1, 3 do client:create(configmap("sel-" .. i, nil, { labels = { group = "sel", n = tostring(i) } })) end
    local function names(options)
        local list = {}
        for _, item in ipairs((client:list("cm", options))) do list[#list + 1] = item.metadata.name end
        return table.concat(list, " ")
    end
    lu.assertEquals(names { labels = "group=sel,n!=2" }, "sel-1 sel-3")
    lu.assertEquals(names { labels = { group = "sel", n = { "1", "2" } } }, "sel-1 sel-2")
    lu.assertEquals(names { labels = { group = "sel", absent = true } }, "")
    lu.assertEquals(names { labels = { group = "sel" }, fields = { ["metadata.name"] = "sel-2" } }, "sel-2")
    local items, metadata = client:list("cm", { labels = { group = "sel" }, limit = 2 })
    lu.assertEquals(#items, 2)
    lu.assertNotNil(metadata.continue)
    lu.assertEquals({ items[1].apiVersion, items[1].kind }, { "v1", "ConfigMap" })
    for i = 1, 3 do client:delete("cm", "sel-" .. i) end
end

function tests.list_of_many_comes_whole_in_pages()
    client:create { apiVersion = "v1", kind = "Namespace", metadata = { name = "many" } }
    local jobs = {}
    for w = 1, 10 do
        jobs[w] = function()
            for i = w, 1203, 10 do client:create(configmap("m-" .. i), { namespace = "many" }) end
        end
    end
    task.all(jobs)
    local items = client:list("cm", { namespace = "many", labels = "!absent" })
    local seen, count = {}, 0
    for _, item in ipairs(items) do
        if not seen[item.metadata.name] then seen[item.metadata.name], count = true, count + 1 end
    end
    lu.assertEquals({ #items, count }, { 1203, 1203 })
    -- the watch's first list is paged as well
    local watch <close> = client:watch("cm", { namespace = "many", bookmarks = true })
    count = 0
    while watch:next(30).type == "ADDED" do count = count + 1 end
    lu.assertEquals(count, 1203)
end

function tests.request_raw()
    local body, status = client:request("GET", "/api/v1/namespaces/default")
    lu.assertEquals({ body.kind, status }, { "Namespace", 200 })
    lu.assertEquals((client:request("GET", "/readyz")), "ok")
    local made, code = client:request("POST", "/api/v1/namespaces/default/configmaps",
        { body = configmap("raw", { a = "1" }), query = { fieldManager = "a b" } })
    lu.assertEquals({ code, made.metadata.managedFields[1].manager }, { 201, "a b" })
    local err = fails("not_found", client.request, client, "GET", "/nothing/here")
    lu.assertEquals(err.status, 404)
    lu.assertEquals(client:request("DELETE", "/api/v1/namespaces/default/configmaps/raw").status, "Success")
    fails("usage", client.request, client, "GET", "no/slash")
    fails("usage", client.request, client, "GET", "/api/../x")
end

function tests.secrets_in_bodies_are_revealed()
    local secret = require "secret"
    client:create { apiVersion = "v1", kind = "Secret", metadata = { name = "s" },
        stringData = { key = secret.new("hidden-value") } }
    lu.assertEquals(kubectl("get", "secret", "s", "-o", "go-template={{.data.key|base64decode}}"), "hidden-value")
    client:delete("secret", "s")
end

function tests.requests_end_in_time_and_by_cancelling()
    local listener = http.listen("127.0.0.1", 0,
        function(conn) task.sleep(30) conn:close() end) -- accepts, says nothing
    local path = plain_kubeconfig(listener.port)
    local mute = k8s.connect { kubeconfig = path, timeout = 0.3 }
    local started = task.now()
    local err = fails("timeout", mute.version, mute)
    lu.assertStrContains(err.message, "127.0.0.1")
    fails("timeout", mute.list, mute, "pods", { timeout = 0.1 })
    lu.assertTrue(task.now() - started < 2)
    local waiting = task.spawn(function() k8s.connect({ kubeconfig = path, timeout = 30 }):version() end)
    task.sleep(0.05)
    waiting:cancel()
    lu.assertEquals(waiting:status(), "cancelled")
    listener:close()
end

-- A server that answers each request with the next of `answers`.
local function scripted(answers)
    local asked = {}
    local listener = http.listen("127.0.0.1", 0, function(conn)
        local text = ""
        while not text:find("\r\n\r\n", 1, true) do
            local bytes = conn:read()
            if not bytes then return end
            text = text .. bytes
        end
        asked[#asked + 1] = text:match("^%S+ %S+")
        conn:write(answers[#asked] or answers[#answers])
        conn:close()
    end)
    local path = plain_kubeconfig(listener.port)
    return k8s.connect { kubeconfig = path }, asked, listener
end

local BUSY = "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 0\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
local GOOD = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"

function tests.reads_are_repeated_when_the_server_says_when()
    local busy, asked, listener = scripted { BUSY, BUSY, GOOD }
    lu.assertEquals(#asked, 0)
    busy:request("GET", "/x")
    lu.assertEquals(#asked, 3)
    listener:close()
end

function tests.writes_are_sent_once()
    local busy, asked, listener = scripted { BUSY, GOOD }
    fails("busy", busy.request, busy, "POST", "/x", { body = {} })
    lu.assertEquals(asked, { "POST /x" })
    listener:close()
end

function tests.credentials_never_travel_in_clear()
    local seen
    local listener = http.listen("127.0.0.1", 0, function(conn)
        seen = conn:read()
        conn:write(GOOD)
        conn:close()
    end)
    local path = plain_kubeconfig(listener.port)
    k8s.connect({ kubeconfig = path }):request("GET", "/x")
    lu.assertStrContains(seen, "GET /x")
    lu.assertNotStrContains(seen, "secret-token")
    listener:close()
end

-- ---- logs, against a server that speaks recorded answers (real ones are tested where a node is) ----

local LOG = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
local RUNNING = '{"kind":"Pod","status":{"containerStatuses":[{"name":"c","state":{"running":{}}}]}}'
local ENDED = '{"kind":"Pod","status":{"containerStatuses":[{"name":"c","state":{"terminated":{}}}]}}'

local function chunked(...)
    local text = LOG .. "Transfer-Encoding: chunked\r\n\r\n"
    for _, chunk in ipairs { ... } do text = text .. ("%x\r\n%s\r\n"):format(#chunk, chunk) end
    return text
end

local function answer(text)
    return ("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s")
        :format(#text, text)
end

local STAMP = "2026-11-24T03:28:%02d.%09dZ %s\n"

function tests.logs_followed_over_a_break_have_no_gap_and_no_double()
    local k, asked, listener = scripted {
        chunked(STAMP:format(1, 5, "one"), STAMP:format(1, 7, "two"), STAMP:format(1, 7, "three"),
            "2026-11-24T03:28:02.0"),
        "", -- the server is away
        -- from the second of the last line on; "two" and "three" share a time, "four" is new with the same time
        chunked(STAMP:format(1, 5, "one"), STAMP:format(1, 7, "two"), STAMP:format(1, 7, "three"), STAMP:format(1, 7,
            "four"),
            STAMP:format(2, 1, "fi"), "", "") .. "0\r\n\r\n",
        answer(RUNNING), -- the end was no end
        chunked(STAMP:format(2, 1, "fi"), "2026-11-24T03:28:03Z last") .. "0\r\n\r\n",
        answer(ENDED),
    }
    local lines = {}
    task.timeout(20, function()
        for line in k:logs("pod", { follow = true, container = "c" }) do lines[#lines + 1] = line end
    end)
    listener:close()
    lu.assertEquals(lines, { "one", "two", "three", "four", "fi", "last" })
    lu.assertStrContains(asked[1], "/api/v1/namespaces/default/pods/pod/log?container=c&follow=true&timestamps=true")
    lu.assertStrContains(asked[3], "sinceTime=2026-11-24T03%3A28%3A01Z")
    lu.assertEquals(asked[4], "GET /api/v1/namespaces/default/pods/pod")
end

function tests.logs_keep_the_bytes_and_the_timestamps_when_asked()
    local k, asked, listener = scripted { chunked("a\0b\r\n", "\n\xff", "end") .. "0\r\n\r\n" }
    lu.assertEquals(k:logs("pod", { tail = 3, since = "1m", previous = true }):text(), "a\0b\r\n\n\xffend")
    lu.assertStrContains(asked[1], "previous=true&tailLines=3&sinceSeconds=60")
    local lines = {}
    for line in k:logs("pod") do lines[#lines + 1] = line end
    lu.assertEquals(lines, { "a\0b\r", "", "\xffend" })
    listener:close()
    k, asked, listener = scripted { chunked(STAMP:format(1, 5, "one")) .. "0\r\n\r\n", answer(ENDED) }
    lu.assertEquals(k:logs("pod", { follow = true, timestamps = true }):next(), "2026-11-24T03:28:01.000000005Z one")
    lu.assertStrContains(asked[1], "timestamps=true")
    listener:close()
end

function tests.logs_of_an_absent_pod_are_not_found()
    local lines = client:logs("absent")
    fails("not_found", lines.next, lines)
    lines:close()
    lu.assertNil(lines:next())
end

function tests.logs_broken_without_follow_raise_after_what_came()
    local k, _, listener = scripted { chunked("one\n", "tw") }
    local lines = k:logs("pod")
    lu.assertEquals(lines:next(), "one")
    lu.assertEquals(lines:next(), "tw")
    lu.assertFalse(pcall(lines.next, lines))
    listener:close()
end

-- ---- the pin ----

function tests.pin_lets_its_own_cluster_through()
    local pinned = k8s.connect { kubeconfig = server.kubeconfig }
    pinned:pin(pinned:cluster_uid())
    lu.assertNotNil(pinned:create(configmap("pinned")))
    lu.assertTrue(pinned:delete("cm", "pinned"))
    fails("usage", pinned.pin, pinned, "another")
end

local function writes_of(other, after)
    local count = 0
    local audit = other:audit()
    for i = (after or 0) + 1, #audit do
        local entry = audit[i]
        if entry.user == "admin" and not ({ get = 1, list = 1, watch = 1 })[entry.verb] then count = count + 1 end
    end
    return count
end

function tests.pin_context_swapped_mid_run_writes_nothing()
    local second = apiserver.start { pki = server.pki }
    local uid = client:cluster_uid()
    local path = server.dir .. "/swapped"
    fs.write(path, fs.read(server.kubeconfig), 0x180)
    local function run()
        local k = k8s.connect { kubeconfig = path, context = "test" }
        k:pin(uid)
        return k
    end
    lu.assertNotNil(run():apply(configmap("swap", { a = "1" })))
    fs.write(path, fs.read(second.kubeconfig), 0x180) -- the same names, another cluster
    local k = run()
    lu.assertNotNil(k:list("cm")) -- reading is allowed
    for _, write in ipairs {
        function() k:apply(configmap("swap", { a = "2" })) end,
        function() k:create(configmap("swap2")) end,
        function() k:update(configmap("swap")) end,
        function() k:patch("cm", "swap", { data = { a = "3" } }) end,
        function() k:delete("cm", "swap") end,
        function() k:request("PUT", "/api/v1/namespaces/default/configmaps/swap", { body = configmap("swap") }) end,
        function() k:request("GET", "/api/v1/namespaces/default/pods/x/%65xec?command=rm") end,
    } do
        local err = fails("wrong_cluster", write)
        lu.assertStrContains(err.message, uid)
    end
    lu.assertEquals(writes_of(second), 0)
    lu.assertNil(k:get("cm", "swap"))
    second:stop()
    client:delete("cm", "swap")
end

function tests.pin_server_replaced_at_the_same_address_writes_nothing()
    local first = apiserver.start()
    local k = k8s.connect { kubeconfig = first.kubeconfig }
    k:pin(k:cluster_uid())
    lu.assertNotNil(k:create(configmap("before")))
    first:stop_api()
    local second = apiserver.start { pki = first.pki, port = first.port }
    local err = fails("wrong_cluster", function()
        for _ = 1, 50 do -- the broken connection itself may be the first answer
            local ok, why = pcall(k.create, k, configmap("after"))
            if ok or why.kind == "wrong_cluster" then error(ok and "it was written" or why, 0) end
            task.sleep(0.1)
        end
    end)
    lu.assertNotNil(err.hint)
    lu.assertEquals(writes_of(second), 0)
    second:stop()
    first:stop()
end

function tests.read_only_sends_no_write()
    local before = #server:audit()
    local k = k8s.connect { kubeconfig = server.kubeconfig }
    k:read_only("the context is not local")
    local err = fails("read_only", k.create, k, configmap("never"))
    lu.assertStrContains(err.message, "the context is not local")
    fails("read_only", k.delete, k, "cm", "never")
    fails("read_only", k.request, k, "GET", "/api/v1/namespaces/default/pods/x/exec")
    lu.assertNotNil(k:list("cm"))
    lu.assertNotNil(k:create { apiVersion = "authorization.k8s.io/v1", kind = "SelfSubjectAccessReview",
        metadata = {}, spec = { resourceAttributes = { verb = "get", resource = "pods" } } }.status.allowed)
    local audit = server:audit()
    for i = before + 1, #audit do lu.assertNotStrContains(audit[i].uri, "never") end
end

-- ---- watches ----

function tests.watch_starts_with_what_is_there_and_goes_on()
    client:create(configmap("w-0", nil, { labels = { w = "1" } }))
    local watch <close> = client:watch("cm", { labels = { w = "1" } })
    local event = watch:next(10)
    lu.assertEquals({ event.type, event.object.metadata.name, event.object.kind }, { "ADDED", "w-0", "ConfigMap" })
    fails("timeout", watch.next, watch, 0.1)
    client:patch("cm", "w-0", { data = { a = "1" } })
    event = watch:next(10)
    lu.assertEquals({ event.type, event.object.data.a }, { "MODIFIED", "1" })
    client:delete("cm", "w-0")
    lu.assertEquals(watch:next(10).type, "DELETED")
    watch:close()
    lu.assertNil(watch:next())
end

function tests.watch_from_a_version_brings_what_came_after()
    local _, metadata = client:list("cm")
    client:create(configmap("v-1"))
    local watch <close> = client:watch("cm", { resource_version = metadata.resourceVersion })
    local event = watch:next(10)
    lu.assertEquals({ event.type, event.object.metadata.name }, { "ADDED", "v-1" })
    client:delete("cm", "v-1")
end

function tests.watch_gives_managed_fields_when_asked()
    client:create(configmap("m-0", { a = "1" }))
    local only = { fields = "metadata.name=m-0" }
    for _, asked in ipairs { false, true } do
        only.managed_fields = asked
        local watch <close> = client:watch("cm", only)
        local object = watch:next(10).object
        lu.assertEquals({ object.data.a, object.metadata.managedFields ~= nil }, { "1", asked })
    end
    client:delete("cm", "m-0")
end

function tests.watch_of_a_forbidden_or_unknown_kind_fails_at_once()
    local watch = client:watch("nonsense")
    fails("not_found", watch.next, watch, 10)
    local other = k8s.connect { kubeconfig = kubeconfig_with("other", "token: other-token") }
    watch = other:watch("secrets")
    fails("denied", watch.next, watch, 10)
end

function tests.watch_in_a_loop_ends_when_closed_elsewhere()
    local watch = client:watch("ns")
    local names = {}
    local reader = task.spawn(function()
        for event in watch do names[#names + 1] = event.object.metadata.name end
        return #names
    end)
    task.sleep(0.5)
    watch:close()
    lu.assertTrue(task.timeout(5, function() return reader:wait() end) >= 3)
end

function tests.watch_ends_with_its_client()
    local k = k8s.connect { kubeconfig = server.kubeconfig }
    local watch = k:watch("pods")
    task.spawn(function() task.sleep(0.2) k:close() end)
    fails("closed", watch.next, watch, 10)
    fails("closed", k.list, k, "pods")
    lu.assertStrContains(tostring(k), "closed")
end

function tests.watch_keeps_up_with_a_slow_reader()
    local watch <close> = client:watch("cm", { labels = "slow" })
    local count = 0
    local jobs = {}
    for w = 1, 8 do
        jobs[w] = function()
            for i = 1, 60 do client:create(configmap(("slow-%d-%d"):format(w, i), { x = ("y"):rep(50000) },
                { labels = { slow = "1" } })) end
        end
    end
    task.all(jobs) -- 24 MB wait for the reader, more than is queued
    local seen = {}
    task.timeout(60, function()
        while count < 480 do
            local name = watch:next().object.metadata.name
            lu.assertNil(seen[name])
            seen[name] = true
            count = count + 1
        end
    end)
    client:request("DELETE", "/api/v1/namespaces/default/configmaps", { query = { labelSelector = "slow" } })
end

function tests.many_requests_leave_no_descriptor_behind()
    local function descriptors() return #fs.list("/proc/self/fd") end
    client:get("ns", "default")
    local before = descriptors()
    for _ = 1, 300 do
        client:get("ns", "default")
        local watch <close> = client:watch("ns")
        watch:next(5)
    end
    collectgarbage()
    collectgarbage()
    lu.assertTrue(descriptors() <= before + 8, descriptors() .. " descriptors, " .. before .. " before")
end

return tests
