-- Credentials of registries as docker keeps them: in its file, and with programs that speak the helpers' protocol.
local fs = require "fs"
local json = require "json"
local lu = require "luaunit"
local proc = require "proc"
local registry = require "registry"
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
