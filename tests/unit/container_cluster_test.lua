-- kind and k3d where Docker is a table and the tools are scripts: clusters that are half made or whose API is silent, ports
-- that are taken, images that some nodes have. What the real ones do is in tests/kind and tests/k3d.
local container_cluster = require "container_cluster"
local fs = require "fs"
local http = require "http"
local k3d = require "cluster.k3d"
local kind = require "cluster.kind"
local lu = require "luaunit"
local proc = require "proc"
local provider = require "provider"
local tables = require "tables"
local task = require "task"

local tests = {}
local PORT = 30189
local SILENT = 1 -- nothing listens there
local dir, path_before, engine, ctx, api, answering

local function file(name) return dir.path .. "/" .. name end

-- A tool that writes down how it is called and makes or deletes its cluster.
local function tool(name, script)
    fs.write(file("bin/" .. name), ("#!/bin/sh\necho %s \"$@\" >> '%s'\n%s\n"):format(name, file "calls", script or ""), 493)
end

local function calls()
    return (fs.read(file "calls") or ""):gsub(" %-%-kubeconfig%S*", "")
end

-- What an API server says to those whom it does not know.
local SERVER = [[
import socket, ssl, sys
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1], sys.argv[2])
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
while True:
    connection, _ = listener.accept()
    try:
        with context.wrap_socket(connection, server_side=True) as tls:
            tls.recv(4096)
            tls.sendall(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    except OSError:
        pass
]]

function tests.setup_all()
    dir = fs.tempdir()
    proc.run { "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj",
        "/CN=api", "-keyout", file "key", "-out", file "cert" }
    api = proc.spawn({ "python3", "-c", SERVER, file "cert", file "key" }, { stdout = "pipe", stderr = "null" })
    answering = tonumber(api:read_line())
end

function tests.teardown_all()
    api:kill()
    api:wait()
    dir:close()
end

function tests.setup()
    fs.mkdir(file "bin")
    fs.remove(file "calls")
    fs.remove(file "state")
    path_before = proc.env("PATH", file "bin" .. ":" .. proc.env "PATH")
    tool "kind"
    tool "k3d"
    tool "docker"
    engine = { list = {}, files = {}, ready = "True", asked = {} }
    function engine:containers() return self.list end
    function engine:container(name)
        local found = tables.filter(self.list, function(one) return one.Names[1] == "/" .. name end)[1]
        return found and { Id = found.Id, State = { StartedAt = "2026-01-01T00:00:00Z" } }
    end
    function engine:call(method, path, options)
        lu.assertEquals(method, "HEAD")
        local known = self:container(path:match "^/containers/(.*)/archive$") and self.files[options.query.path]
        return nil, known and 200 or 404
    end
    function engine.info() return { CgroupVersion = "2" } end
    function engine:start(id) self.asked[#self.asked + 1] = "start " .. id end
    function engine:exec(_, argv)
        local text = table.concat(argv, " ")
        if text:find("get nodes", 1, true) then return { status = 0, stdout = self.ready } end
        if text:find("get pods", 1, true) then return { status = 0, stdout = '{"items":[]}' } end
        return { status = 0, stdout = "ok" }
    end
    ctx = { docker = engine, state_dir = file "state", config = { ports = { node = PORT } } }
end

function tests.teardown() proc.env("PATH", path_before) end

local function run_node(name, port, id)
    engine.list = { { Id = id or "0123", Names = { "/" .. name }, State = "running", Labels = { ["k3d.role"] = "server" },
        Ports = { { PrivatePort = 6443, PublicPort = port, IP = "127.0.0.1" } } } }
end

-- `kind create` and `k3d cluster create` that work.
local function makes(name, id)
    local call = engine.containers
    function engine:containers()
        if calls():find("create", 1, true) and #self.list == 0 then run_node(name, answering, id) end
        return call(self)
    end
    local one = engine.container
    function engine:container(wanted)
        self:containers()
        return one(self, wanted)
    end
end

function tests.cluster_that_runs_and_answers_is_left_alone()
    for _, case in ipairs { { kind, "todo-lua-control-plane", "/etc/kubernetes/admin.conf" },
        { k3d, "k3d-todo-lua-server-0", "/output/kubeconfig.yaml" } } do
        run_node(case[2], answering)
        engine.files = { [case[3]] = true }
        lu.assertEquals(case[1].status(ctx), { state = "running" })
        lu.assertFalse(case[1].start(ctx))
        lu.assertEquals(calls(), "")
    end
end

function tests.cluster_whose_api_answers_is_never_taken_for_half_made()
    run_node("todo-lua-control-plane", answering)
    lu.assertEquals(kind.status(ctx).state, "running")
    lu.assertFalse(kind.start(ctx))
    lu.assertFalse(kind.made_here(ctx))
    lu.assertEquals(calls(), "")
end

function tests.api_is_asked_at_the_address_where_docker_has_its_port()
    run_node("todo-lua-control-plane", answering)
    engine.files = { ["/etc/kubernetes/admin.conf"] = true }
    for address, state in pairs { ["0.0.0.0"] = "running", ["::"] = "running", ["127.0.0.9"] = "broken" } do
        engine.list[1].Ports[1].IP = address
        lu.assertEquals(kind.status(ctx).state, state, address)
    end
end

function tests.cluster_without_a_kubeconfig_is_broken_and_made_anew()
    run_node("todo-lua-control-plane", SILENT)
    lu.assertEquals(kind.status(ctx), { state = "broken", message = "its making was broken off" })
    lu.assertTrue(kind.made_here(ctx))
    lu.assertTrue(kind.detect(ctx).exists)
    local said = {}
    ctx.progress = function(_, text) said[#said + 1] = text end
    lu.assertTrue(kind.start(ctx))
    lu.assertEquals(said[1], "removing what was left half made")
    lu.assertStrMatches(calls(), "kind delete cluster %-%-name todo%-lua.*\nkind create cluster %-%-name todo%-lua .*\n")
    fs.remove(file "calls")
    run_node("k3d-todo-lua-server-0", SILENT)
    lu.assertEquals(k3d.status(ctx).state, "broken")
    lu.assertTrue(k3d.start(ctx))
    lu.assertStrMatches(calls(), "k3d cluster delete todo%-lua\nk3d cluster create todo%-lua .*\n")
end

function tests.making_that_was_broken_off_after_the_kubeconfig_is_known_by_its_record()
    tool("kind", "exec sleep 60")
    local making = task.spawn(kind.start, ctx)
    while calls() == "" do task.sleep(0.02) end
    making:cancel()
    pcall(making.join, making)
    run_node("todo-lua-control-plane", answering)
    engine.files = { ["/etc/kubernetes/admin.conf"] = true }
    engine.ready = "False"
    lu.assertEquals(kind.status(ctx).state, "broken")
    engine.ready = "True" -- it got that far, or somebody made it by hand
    lu.assertEquals(kind.status(ctx).state, "running")
    lu.assertFalse(kind.made_here(ctx))
end

function tests.cluster_that_was_made_here_is_told_from_one_of_the_same_name()
    makes("todo-lua-control-plane", "aa11")
    lu.assertTrue(kind.start(ctx))
    engine.files = { ["/etc/kubernetes/admin.conf"] = true }
    lu.assertTrue(kind.made_here(ctx))
    run_node("todo-lua-control-plane", answering, "bb22")
    lu.assertFalse(kind.made_here(ctx))
    run_node("other-control-plane", answering, "aa11")
    ctx.config.cluster = { name = "other" }
    lu.assertFalse(kind.made_here(ctx))
end

function tests.silent_api_is_broken_and_waited_for()
    run_node("todo-lua-control-plane", SILENT)
    engine.files = { ["/etc/kubernetes/admin.conf"] = true }
    lu.assertEquals(kind.status(ctx), { state = "broken", message = "its API server does not answer" })
    lu.assertTrue(kind.start(ctx))
    lu.assertEquals(calls(), "")
    local ok, problem = pcall(container_cluster.wait, { tool = "kind", name = "todo-lua", node = "todo-lua-control-plane" },
        function() return false end, 0.1)
    lu.assertFalse(ok)
    lu.assertStrContains(problem.message, "the API server of kind's cluster todo-lua does not answer")
    lu.assertStrContains(problem.hint, "docker restart todo-lua-control-plane")
    lu.assertStrContains(problem.hint, "todo-lua destroy --delete-cluster")
end

function tests.delete_asks_for_no_kubeconfig()
    run_node("todo-lua-control-plane", SILENT)
    kind.delete(ctx)
    lu.assertEquals(calls(), "kind delete cluster --name todo-lua " .. file "state/kind/kubeconfig" .. "\n")
end

function tests.port_that_is_taken_is_named_before_anything_is_made()
    local taken <close> = http.bind("127.0.0.1", PORT)
    lu.assertEquals(taken.port, PORT)
    for _, one in ipairs { kind, k3d } do
        local ok, problem = pcall(one.start, ctx)
        lu.assertFalse(ok)
        lu.assertEquals(problem.kind, "port_busy")
        lu.assertStrContains(problem.message, ("port %d is taken by another program"):format(PORT))
        lu.assertStrContains(problem.hint, "ports = { node = 30081 }")
        lu.assertStrContains(problem.hint, "nodePort = 30081")
    end
    lu.assertEquals(calls(), "")
    run_node("todo-lua-control-plane", SILENT)
    engine.list[1].State = "exited"
    local _, problem = pcall(kind.start, ctx)
    lu.assertEquals(problem.kind, "port_busy")
    lu.assertNotStrContains(problem.hint, "ports =")
    lu.assertEquals(engine.asked, {})
    engine.list[1].State = "paused" -- it is the node's own
    engine.files = { ["/etc/kubernetes/admin.conf"] = true }
    function engine:call(method, path) self.asked[#self.asked + 1] = method .. " " .. path; return nil, 200 end
    lu.assertTrue(kind.start(ctx))
    lu.assertEquals(engine.asked[1], "POST /containers/0123/unpause")
end

function tests.docker_that_does_not_run_leaves_the_cluster_there()
    makes("todo-lua-control-plane", "aa11")
    kind.start(ctx)
    function engine.containers() error({ kind = "connect", message = "no Docker engine answers" }, 0) end
    lu.assertEquals(kind.detect(ctx), { available = true, exists = true, running = false,
        reason = "no Docker engine answers" })
    local ok, problem = pcall(kind.status, ctx)
    lu.assertEquals({ ok, problem.kind }, { false, "connect" })
end

function tests.tool_that_hangs_is_told_with_the_next_step()
    tool("k3d", "exec sleep 60")
    local ok, problem = pcall(container_cluster.run, { "k3d", "kubeconfig", "get", "todo-lua" }, { timeout = 0.3 })
    lu.assertEquals({ ok, problem.kind }, { false, "timeout" })
    lu.assertStrContains(problem.message, "`k3d kubeconfig get todo-lua` did not answer within")
    lu.assertStrContains(problem.hint, "restart it")
end

function tests.images_that_one_node_lacks_are_sent_to_that_one()
    local sent = {}
    local there = { one = { ["a:1"] = "sha256:aa", ["b:1"] = "sha256:bb" }, two = { ["a:1"] = "sha256:aa" },
        three = { ["b:1"] = "sha256:01d" } }
    ctx.docker = {
        image = function(_, name) return { Id = name == "a:1" and "sha256:aa" or "sha256:bb", Size = 1 } end,
        exec = function(_, node, argv, options)
            local id = argv[1] == "crictl" and there[node][argv[#argv]]
            if argv[1] == "crictl" then return { status = id and 0 or 1, stdout = id or "" } end
            if options and options.stdin then sent[#sent + 1] = node end
            return { status = 0, stdout = "", stderr = "" }
        end,
    }
    lu.assertEquals(provider.load_on_nodes(ctx, { "one" }, { "a:1", "b:1" }), {})
    lu.assertEquals(provider.load_on_nodes(ctx, { "one", "two" }, { "a:1", "b:1" }), { "b:1" })
    lu.assertEquals(sent, { "two" })
    lu.assertEquals(provider.load_on_nodes(ctx, { "one", "three", "two" }, { "a:1", "b:1" }), { "a:1", "b:1" })
    lu.assertEquals(sent, { "two", "three", "two" })
end

return tests
