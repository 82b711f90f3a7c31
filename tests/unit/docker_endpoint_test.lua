-- Which engine is meant: the docker command's own rules, asked of it where it can tell; and a shell of minikube docker-env.
local docker = require "docker"
local docker_endpoint = require "docker_endpoint"
local engine = require "engine"
local fs = require "fs"
local http = require "http"
local json = require "json"
local log = require "log"
local lu = require "luaunit"
local prerequisites = require "prerequisites"
local proc = require "proc"
local secret = require "secret"
local tables = require "tables"
local task = require "task"

local tests = {}
local VARIABLES = { "DOCKER_CONFIG", "DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CERT_PATH", "DOCKER_TLS_VERIFY",
    "MINIKUBE_ACTIVE_DOCKERD", "MINIKUBE_EXISTING_DOCKER_HOST", "MINIKUBE_EXISTING_DOCKER_CERT_PATH" }
local dir, before, real

function tests.setup()
    dir, before = fs.tempdir(), {}
    real = docker.connect()
    for _, name in ipairs(VARIABLES) do before[name] = proc.env(name, false) or false end
    proc.env("DOCKER_CONFIG", dir.path)
end

function tests.teardown()
    for name, value in pairs(before) do proc.env(name, value) end
    real:close()
    dir:close()
end

local function configure(context)
    fs.write(dir.path .. "/config.json", json.encode { currentContext = context })
end

-- As `docker context create` writes it.
local function context(name, host, more)
    local endpoint = { Host = host, SkipTLSVerify = more and more.skip or false }
    local folder = ("%s/contexts/meta/%s"):format(dir.path, secret.sha256(name))
    fs.mkdir(folder)
    fs.write(folder .. "/meta.json", json.encode { Name = name, Metadata = {}, Endpoints = { docker = endpoint } })
    for file, text in pairs(more and more.tls or {}) do
        local tls = ("%s/contexts/tls/%s/docker"):format(dir.path, secret.sha256(name))
        fs.mkdir(tls)
        fs.write(tls .. "/" .. file, text, 384)
    end
end

local function failure(...)
    local ok, problem = pcall(...)
    lu.assertFalse(ok)
    return problem
end

-- Where the real docker command goes.
local function of_command(env)
    local told = proc.run({ "docker", "context", "inspect", "--format", "{{.Endpoints.docker.Host}}" }, { env = env })
    return (told.stdout:gsub("%s+$", ""))
end

function tests.context_in_use_is_followed_as_the_docker_command_does()
    context("one", "unix:///nonexistent/one.sock")
    context("two", "unix:///nonexistent/two.sock")
    configure "one"
    lu.assertEquals(docker_endpoint.resolve().host, "unix:///nonexistent/one.sock")
    lu.assertEquals(of_command(), "unix:///nonexistent/one.sock")
    local problem = failure(docker.connect)
    lu.assertEquals(problem.kind, "connect")
    lu.assertStrContains(problem.message, "/nonexistent/one.sock")
    proc.env("DOCKER_CONTEXT", "two")
    lu.assertEquals({ docker_endpoint.resolve().host, of_command() },
        { "unix:///nonexistent/two.sock", "unix:///nonexistent/two.sock" })
    proc.env("DOCKER_CONTEXT", "default")
    lu.assertEquals({ docker_endpoint.resolve().host }, {})
    proc.env("DOCKER_CONTEXT", "two")
    proc.env("DOCKER_HOST", "unix:///nonexistent/three.sock")
    lu.assertEquals(docker_endpoint.resolve().host, "unix:///nonexistent/three.sock")
    lu.assertEquals(of_command(), "unix:///nonexistent/three.sock")
end

function tests.context_that_is_not_there_is_named_with_what_names_it()
    configure "gone"
    local problem = failure(docker.connect)
    lu.assertEquals(problem.kind, "not_found")
    lu.assertStrContains(problem.message, "no Docker context gone, which " .. dir.path .. "/config.json names")
    proc.env("DOCKER_CONTEXT", "away")
    problem = failure(docker.connect)
    lu.assertStrContains(problem.message, "away, which DOCKER_CONTEXT names")
    lu.assertStrContains(problem.hint, "docker context ls")
end

local function keys()
    local file = function(name) return dir.path .. "/" .. name end
    proc.run { "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj",
        "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", file "key", "-out", file "cert" }
    return fs.read(file "cert"), fs.read(file "key")
end

local GREETING = "HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nOstype: linux\r\nServer: Docker/20.10.1 (linux)\r\n"
    .. "Content-Length: 2\r\nConnection: close\r\n\r\nOK"

-- An engine behind TLS, which wants a certificate of its clients.
local function tls_engine(fn)
    local cert, key = keys()
    local program = [[
import socket, ssl, sys
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1], sys.argv[2])
if sys.argv[3] == "both":
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(sys.argv[1])
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
while True:
    connection, _ = listener.accept()
    try:
        with context.wrap_socket(connection, server_side=True) as tls:
            tls.recv(4096)
            tls.sendall(sys.argv[4].encode())
    except OSError:
        pass
]]
    return function(mode)
        local server = proc.spawn({ "python3", "-c", program, dir.path .. "/cert", dir.path .. "/key", mode, GREETING },
            { stdout = "pipe", stderr = "null" })
        local ok, problem = pcall(fn, "tcp://localhost:" .. server:read_line(), cert, key)
        server:kill()
        server:wait()
        if not ok then error(problem, 0) end
    end
end

function tests.files_of_a_context_are_its_tls()
    tls_engine(function(host, cert, key)
        context("all", host, { tls = { ["ca.pem"] = cert, ["cert.pem"] = cert, ["key.pem"] = key } })
        proc.env("DOCKER_CONTEXT", "all")
        local client <close> = docker.connect()
        lu.assertEquals(client.server_version, "20.10.1")
    end) "both"
    tls_engine(function(host, cert)
        context("authority", host, { tls = { ["ca.pem"] = cert } })
        proc.env("DOCKER_CONTEXT", "authority")
        local client <close> = docker.connect()
        lu.assertEquals(client.server_version, "20.10.1")
        context("unknown", host, { tls = { ["ca.pem"] = select(1, keys()) } })
        proc.env("DOCKER_CONTEXT", "unknown")
        lu.assertStrContains(failure(docker.connect).message, "certificate")
        context("skip", host, { skip = true })
        proc.env("DOCKER_CONTEXT", "skip")
        local other <close> = docker.connect()
        lu.assertEquals(other.server_version, "20.10.1")
    end) "one"
end

function tests.shell_of_minikubes_docker_is_taken_for_what_it_was_before()
    for name, value in pairs { DOCKER_HOST = "tcp://127.0.0.1:1", DOCKER_CERT_PATH = dir.path .. "/certs",
        DOCKER_TLS_VERIFY = "1", MINIKUBE_ACTIVE_DOCKERD = "minikube" } do proc.env(name, value) end
    local client <close> = docker.connect()
    lu.assertEquals({ client.host, client.server_version }, { real.host, real.server_version })
    local env = docker_endpoint.environment()
    lu.assertEquals(env, { DOCKER_HOST = real.host, DOCKER_CERT_PATH = false, DOCKER_TLS_VERIFY = false,
        MINIKUBE_ACTIVE_DOCKERD = false })
    lu.assertEquals(proc.run({ "docker", "version", "--format", "{{.Server.Version}}" }, { env = env }).stdout,
        real.server_version .. "\n")
    proc.env("MINIKUBE_EXISTING_DOCKER_HOST", "unix:///nonexistent/kept.sock")
    lu.assertEquals(docker_endpoint.resolve().host, "unix:///nonexistent/kept.sock")
    lu.assertEquals(docker_endpoint.environment().DOCKER_HOST, "unix:///nonexistent/kept.sock")
end

function tests.shell_of_minikubes_docker_is_told_once()
    local said = {}
    log.set_sink(function(text) said[#said + 1] = text end)
    proc.env("DOCKER_HOST", "tcp://127.0.0.1:1")
    proc.env("MINIKUBE_ACTIVE_DOCKERD", "minikube")
    local ctx = { log = log }
    local changed, text = engine.up(ctx, { set = function() end })
    log.set_sink(nil)
    ctx.docker:close()
    lu.assertFalse(changed)
    lu.assertEquals(text, "Docker Engine " .. real.server_version)
    lu.assertEquals(#said, 1)
    lu.assertStrContains(said[1], "minikube docker-env")
end

function tests.engine_of_a_context_that_does_not_run_is_not_replaced_by_another()
    context("desk", "unix:///nonexistent/desk.sock")
    configure "desk"
    local problem = failure(engine.up, {}, { set = function() end })
    lu.assertEquals(problem.message, "nothing answers at unix:///nonexistent/desk.sock, the Docker context desk")
    lu.assertStrContains(problem.hint, "docker context use default")
end

function tests.engine_that_somebody_named_needs_no_docker_of_this_machine()
    local function names() -- of the programs that are looked for here
        local here = tables.filter(prerequisites.list {}, function(item) return prerequisites.check(item).path ~= nil end)
        return table.concat(tables.map(here, function(item) return item.name end), ", ")
    end
    lu.assertEquals(names(), "Docker Engine")
    context("desk", "unix:///nonexistent/desk.sock")
    configure "desk"
    lu.assertEquals(names(), "")
    proc.env("DOCKER_CONTEXT", "default")
    proc.env("DOCKER_HOST", "tcp://127.0.0.1:1")
    lu.assertEquals(names(), "")
    proc.env("MINIKUBE_ACTIVE_DOCKERD", "minikube")
    lu.assertEquals(names(), "Docker Engine")
end

function tests.engine_that_hangs_is_told_as_such()
    local silent <close> = http.listen("127.0.0.1", 0, function(conn)
        task.sleep(5)
        conn:close()
    end)
    local client <close> = docker.open { host = "tcp://127.0.0.1:" .. silent.port }
    local problem = failure(client.call, client, "GET", "/info", { timeout = 0.3 })
    lu.assertEquals(problem.kind, "timeout")
    lu.assertStrContains(problem.message, ("the Docker engine at tcp://127.0.0.1:%d hangs"):format(silent.port))
    lu.assertStrContains(problem.hint, "restart it")
end

return tests
