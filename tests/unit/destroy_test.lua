-- What destroy takes down, and what it keeps: clusters that todo-lua did not make, everything with --stop. The cluster's
-- provider is one that writes down what is asked of it; no Docker runs.
local fs = require "fs"
local http = require "http"
local json = require "json"
local lu = require "luaunit"
local proc = require "proc"
local program = require "program"

local tests = {}
local dir

local PROVIDER = [[
local fs = require "fs"
local provider = require "provider"
local function note(text) fs.write(os.getenv "NOTES", (fs.read(os.getenv "NOTES") or "") .. text .. "\n") end
local fake = { name = "fake", addons = provider.no_addons "none", logs = provider.no_logs }
function fake.detect() return { available = true, exists = true, running = true, reason = "" } end
function fake.status() return { state = os.getenv "STATE" } end
function fake.made_here() return os.getenv "MADE" ~= nil end
function fake.kubeconfig()
    if os.getenv "API" then return { kubeconfig = os.getenv "API", context = "fake", owned = false } end
    note "kubeconfig"
    error({ kind = "connect", message = "its API server does not answer" }, 0)
end
function fake.docker_host() return { DOCKER_HOST = os.getenv "INSIDE" } end
function fake.stop() note "stop" end
function fake.delete() note "delete" end
return fake
]]

function tests.setup_all()
    dir = fs.tempdir()
    for _, name in ipairs { "lua", "chart" } do
        proc.run { "cp", "-r", program.project .. "/" .. name, dir.path .. "/" }
    end
    fs.write(dir.path .. "/lua/cluster/fake.lua", PROVIDER)
end

function tests.teardown_all() dir:close() end

-- A Docker with one image of the backend, which writes down what it is told to remove.
local function docker_engine(removed)
    return http.listen("127.0.0.1", 0, function(conn)
        local method, path = (conn:read() or ""):match "^(%u+) ([^ ]*)"
        local status, body = "200 OK", "{}"
        if path:find("/images/json", 1, true) then
            body = path:find("todo%-backend") and '[{"Id":"sha256:aa","RepoTags":["todo-backend:1"]}]' or "[]"
        elseif path:find("/containers/", 1, true) then
            status = "404 Not Found"
        elseif method == "DELETE" then
            removed[#removed + 1] = path:match "/images/([^?]*)"
        end
        conn:write(("HTTP/1.1 %s\r\nApi-Version: 1.41\r\nOstype: linux\r\nServer: Docker/25.0.0 (linux)\r\nContent-Type: "
            .. "application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s"):format(status, #body, body))
        conn:close()
    end)
end

local ANSWERS = {
    ["/api/v1"] = '{"kind":"APIResourceList","groupVersion":"v1","resources":'
        .. '[{"name":"secrets","kind":"Secret","namespaced":true,"verbs":["list","get"]}]}',
    ["/apis"] = '{"kind":"APIGroupList","apiVersion":"v1","groups":[]}',
    ["/api"] = '{"kind":"APIVersions","versions":["v1"]}',
}

-- An API that has nothing but room for Secrets.
local function empty_api()
    return http.listen("127.0.0.1", 0, function(conn)
        local path = (conn:read() or ""):match "^%u+ ([^ ?]*)"
        local body = ANSWERS[path] or path:find "/secrets$" and '{"kind":"SecretList","apiVersion":"v1","items":[]}'
        conn:write(("HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s")
            :format(body and "200 OK" or "404 Not Found", #(body or "{}"), body or "{}"))
        conn:close()
    end)
end

-- Path of a kubeconfig that leads there.
local function kubeconfig(server)
    local path = dir.path .. "/kubeconfig"
    fs.write(path, json.encode { apiVersion = "v1", kind = "Config",
        contexts = { { name = "fake", context = { cluster = "fake", user = "fake" } } },
        clusters = { { name = "fake", cluster = { server = "http://127.0.0.1:" .. server.port } } },
        users = { { name = "fake", user = {} } } })
    return path
end

-- Status, what the provider was asked for, and what the user was told.
local function destroy(arguments, env, status)
    local notes = dir.path .. "/notes"
    fs.remove(notes)
    local all = { NOTES = notes, STATE = "running", MADE = false, DOCKER_HOST = "unix:///nonexistent",
        XDG_STATE_HOME = dir.path .. "/state", XDG_CONFIG_HOME = dir.path .. "/config" }
    for name, value in pairs(env or {}) do all[name] = value end
    local result = proc.run({ program.executable, "-C", dir.path, "destroy", "--cluster", "fake", table.unpack(arguments) },
        { check = false, timeout = 60, env = all })
    lu.assertEquals(result.status, status or 0, result.stdout .. result.stderr)
    return fs.read(notes) or "", result.stdout .. result.stderr
end

function tests.cluster_that_todo_lua_made_goes_though_its_release_cannot_be_removed()
    local notes, said = destroy({ "--yes" }, { MADE = "1" })
    lu.assertEquals(notes, "kubeconfig\ndelete\n")
    lu.assertStrContains(said, "left to the cluster's end: its API server does not answer")
end

function tests.cluster_that_the_user_made_stays_unless_it_is_named()
    local notes, said = destroy({ "--yes" }, { STATE = "stopped" })
    lu.assertEquals(notes, "")
    lu.assertStrContains(said, "fake cluster kept")
    lu.assertEquals(destroy({ "--yes", "--delete-cluster" }, { STATE = "broken" }), "delete\n")
end

function tests.release_that_cannot_be_removed_is_an_error_where_the_cluster_stays()
    local notes, said = destroy({ "--yes" }, {}, 1)
    lu.assertEquals(notes, "kubeconfig\n")
    lu.assertStrContains(said, "its API server does not answer")
    notes, said = destroy({ "--yes" }, { STATE = "broken" }, 1)
    lu.assertEquals(notes, "")
    lu.assertStrContains(said, "the release cannot be removed: the fake cluster is broken")
    lu.assertStrContains(said, "destroy --delete-cluster")
end

function tests.images_in_the_docker_of_a_cluster_that_stays_are_removed_too()
    local here, inside = {}, {}
    local outer <close> = docker_engine(here)
    local inner <close> = docker_engine(inside)
    local api <close> = empty_api()
    local env = { API = kubeconfig(api), DOCKER_HOST = "tcp://127.0.0.1:" .. outer.port,
        INSIDE = "tcp://127.0.0.1:" .. inner.port }
    local _, said = destroy({ "--yes", "--images" }, env)
    lu.assertEquals({ here, inside }, { { "todo-backend:1" }, { "todo-backend:1" } })
    lu.assertStrContains(said, "those in fake's Docker removed")
    destroy({ "--yes", "--images", "--delete-cluster" }, env)
    lu.assertEquals({ #here, #inside }, { 2, 1 })
end

function tests.stop_removes_nothing_and_asks_nothing()
    local notes, said = destroy({ "--stop" })
    lu.assertEquals(notes, "stop\n")
    lu.assertStrContains(said, "Stopped, with everything kept")
    lu.assertEquals(destroy({ "--stop" }, { STATE = "stopped" }), "")
    lu.assertEquals(destroy({ "--stop" }, { STATE = "absent" }), "")
end

function tests.stop_with_what_removes_is_wrong_usage()
    for _, name in ipairs { "data", "images", "delete-cluster", "keep-cluster" } do
        local notes, said = destroy({ "--stop", "--" .. name }, {}, 2)
        lu.assertEquals(notes, "")
        lu.assertStrContains(said, "--stop removes nothing, and --" .. name)
    end
end

return tests
