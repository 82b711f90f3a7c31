-- Credentials of registries as docker keeps them: in its file, and with programs that speak the helpers' protocol.
local context = require "cluster.context"
local docker = require "docker"
local fail = require "fail"
local fs = require "fs"
local http = require "http"
local json = require "json"
local lu = require "luaunit"
local proc = require "proc"
local registry = require "registry"
local remove_images = require "tests.remove_images"
local secret = require "secret"

local tests = {}
local dir, path_before, config_before

function tests.setup()
    dir = fs.tempdir()
    path_before = proc.env("PATH", dir.path .. ":" .. proc.env("PATH"))
    config_before = proc.env("DOCKER_CONFIG", dir.path)
end

function tests.teardown()
    proc.env("PATH", path_before)
    proc.env("DOCKER_CONFIG", config_before or false)
    dir:close()
end

local function configure(config) fs.write(dir.path .. "/config.json", json.encode(config)) end

-- A helper that answers what it is given and keeps what it was asked.
local function helper(name, script)
    fs.write(dir.path .. "/docker-credential-" .. name, "#!/bin/sh\necho \"$1 $(cat)\" >> '" .. dir.path .. "/asked'\n"
        .. script, 493) -- 0755
end

local function asked() return fs.read(dir.path .. "/asked") end

local function found(host)
    local auth = registry.credentials(host)
    return auth and { auth.username, auth.password and auth.password:reveal(),
        auth.identitytoken and auth.identitytoken:reveal() }
end

local function refused(host)
    local ok, problem = pcall(registry.credentials, host)
    lu.assertFalse(ok)
    return problem
end

function tests.host_of_a_name()
    for name, host in pairs {
        ["nginx"] = "docker.io", ["library/nginx:1"] = "docker.io", ["localhost/app"] = "localhost",
        ["registry.test/team/app:1"] = "registry.test", ["127.0.0.1:5000/app@sha256:00"] = "127.0.0.1:5000",
        ["team.x/app"] = "team.x",
    } do
        lu.assertEquals(registry.host(name), host, name)
    end
end

function tests.no_file_or_no_entry_means_no_credentials()
    lu.assertNil(registry.credentials "registry.test")
    configure { auths = { ["other.test"] = { auth = secret.base64 "a:b" } } }
    lu.assertNil(registry.credentials "registry.test")
end

function tests.file_entries_are_found_under_each_spelling_of_the_host()
    for _, key in ipairs { "registry.test", "https://registry.test", "https://registry.test/v1/" } do
        configure { auths = { [key] = { auth = secret.base64 "me:pass:word" } } }
        lu.assertEquals(found "registry.test", { "me", "pass:word" }, key)
    end
    configure { auths = { ["https://index.docker.io/v1/"] = { auth = secret.base64 "hub:pw" } } }
    lu.assertEquals(found "docker.io", { "hub", "pw" })
    lu.assertNil(registry.credentials "registry.test")
    configure { auths = { ["registry.test"] = { identitytoken = "tok", auth = secret.base64 "x:" } } }
    lu.assertEquals(found "registry.test", { nil, nil, "tok" })
    configure { auths = { ["registry.test"] = {} } } -- what docker leaves for what a store has
    lu.assertNil(registry.credentials "registry.test")
end

function tests.broken_file_is_named()
    fs.write(dir.path .. "/config.json", "{")
    lu.assertStrContains(refused("registry.test").message, dir.path .. "/config.json is no JSON")
    configure { auths = { ["registry.test"] = { auth = "!!" } } }
    lu.assertStrContains(refused("registry.test").message, "auths[\"registry.test\"].auth is not user:password")
end

function tests.helper_is_asked_for_the_server_on_its_input()
    helper("keys", [[echo '{"ServerURL":"x","Username":"me","Secret":"from the helper"}']])
    configure { credHelpers = { ["registry.test"] = "keys" }, auths = { ["registry.test"] = { auth = "never" } } }
    lu.assertEquals(found "registry.test", { "me", "from the helper" })
    lu.assertEquals(asked(), "get registry.test\n")
    configure { credsStore = "keys" }
    lu.assertEquals(found "docker.io", { "me", "from the helper" })
    lu.assertEquals(asked(), "get registry.test\nget https://index.docker.io/v1/\n")
end

function tests.helper_of_a_registry_goes_before_the_store()
    helper("keys", [[echo '{"Username":"<token>","Secret":"tok"}']])
    helper("store", [[echo '{"Username":"me","Secret":"pw"}']])
    configure { credHelpers = { ["registry.test"] = "keys" }, credsStore = "store" }
    lu.assertEquals(found "registry.test", { nil, nil, "tok" })
    lu.assertEquals(found "other.test", { "me", "pw" })
end

function tests.helper_that_knows_nothing_is_no_error_and_one_that_fails_is()
    configure { credsStore = "keys" }
    helper("keys", "echo credentials not found in native keychain; exit 1")
    lu.assertNil(registry.credentials "registry.test")
    helper("keys", "echo the keychain is locked >&2; exit 1")
    lu.assertStrContains(refused("registry.test").message,
        "docker-credential-keys does not give the credentials of registry.test: the keychain is locked")
    helper("keys", "echo hello")
    lu.assertEquals(refused("registry.test").kind, "parse")
    fs.remove(dir.path .. "/docker-credential-keys")
    lu.assertStrContains(refused("registry.test").message, "names the credential helper docker-credential-keys, which is not")
end

-- Against the real engine, and an address where nobody listens.
function tests.registry_that_is_not_there_is_told_as_such_and_leaves_no_name()
    local client = docker.connect()
    local listener = http.bind("127.0.0.1", 0)
    local host = "127.0.0.1:" .. listener.port
    listener:close()
    local name = "tl-registry-" .. proc.pid()
    fs.write(dir.path .. "/Dockerfile", "FROM scratch\nCOPY Dockerfile /\n")
    client:build { context = dir.path, dockerfile = dir.path .. "/Dockerfile", tags = { name .. ":1" } }
    local ctx = { docker = client, config = { cluster = { registry = host } } }
    local ok, problem = pcall(context.load_image, ctx, { name .. ":1" })
    local left = client:image(host .. "/" .. name .. ":1")
    remove_images(client, name)
    client:close()
    lu.assertEquals({ ok, problem.kind }, { false, "push" })
    lu.assertStrContains(problem.hint, "no registry listens at " .. host)
    lu.assertNil(left)
end

-- What engines say of refusals.
function tests.refused_push_has_the_next_step_of_its_cause()
    local auth = { username = "u" }
    for _, case in ipairs {
        { 'Get "http://h:1/v2/": dial tcp 127.0.0.1:1: connect: connection refused', "no registry listens at h:1" },
        { 'Get "http://h:1/v2/": proxyconnect tcp: dial tcp 10.0.0.1:3128: connect: connection refused', "h:1 may say" },
        { "no basic auth credentials", "docker has no credentials for h:1; where it wants some: docker login h:1" },
        { "unauthorized: authentication required", "check the credentials that docker has for h:1", auth },
        { "denied: requested access to the resource is denied", "docker login h:1" },
        { 'Get "https://h:1/v2/": http: server gave HTTP response to HTTPS client', '"insecure-registries": ["h:1"]' },
        { "received unexpected HTTP status: 500 Internal Server Error", "the log of the registry at h:1" },
    } do
        lu.assertStrContains(registry.push_hint("h:1", fail.new("build", case[1]), case[3]), case[2])
    end
    local full = fail.new("no_space", "no space left on device", "docker system prune frees some")
    lu.assertEquals(registry.push_hint("h:1", full, nil), "docker system prune frees some")
end

function tests.pull_secret_is_what_kubelets_read_and_prints_nothing()
    local object = registry.pull_secret("app-registry", { serveraddress = "registry.test:5000", username = "me",
        password = secret.new "pull-canary" })
    lu.assertEquals({ object.kind, object.type }, { "Secret", "kubernetes.io/dockerconfigjson" })
    local config = json.decode(secret.unbase64(object.data[".dockerconfigjson"]:reveal()))
    lu.assertEquals(secret.unbase64(config.auths["registry.test:5000"].auth), "me:pull-canary")
    lu.assertNotStrContains(tostring(object.data[".dockerconfigjson"]), "pull-canary")
    lu.assertNotStrContains(secret.redact("x " .. secret.base64 "me:pull-canary"), secret.base64 "me:pull-canary")
end

return tests
