-- The script logs against a server that plays the API server: what it asks for, and streams that go on over a restart.
package.path = "./?.lua;" .. package.path

local fs = require "fs"
local http = require "http"
local json = require "json"
local lu = require "luaunit"
local proc = require "proc"
local program = require "program"
local task = require "task"
local websocket = require "tests.websocket"

local tests = {}
local STAMP = "2026-01-02T03:04:05.%09dZ %s\n"
local dir, listener, asked, restarts, log_of

local function pod(component)
    return { metadata = { name = "todo-app-" .. component .. "-1", namespace = "todo-app", uid = component, labels = {
            ["app.kubernetes.io/component"] = component } },
        spec = { initContainers = { { name = "wait" } }, containers = { { name = component } } },
        status = { phase = "Running", containerStatuses = { { name = component, restartCount = restarts,
            state = { running = {} } } } } }
end

local function json_answer(conn, body)
    websocket.answer(conn, 200, json.encode(body), "Content-Type: application/json\r\n")
end

local function answer(conn, request)
    local path = request.path
    asked[#asked + 1] = path
    if path:find("^/version") then return json_answer(conn, { gitVersion = "v1.36.3" }) end
    if path == "/api/v1" then
        return json_answer(conn, { kind = "APIResourceList", groupVersion = "v1", resources = { { name = "pods", kind = "Pod",
            singularName = "pod", namespaced = true, verbs = { "get", "list" } } } })
    end
    if path == "/api" then return json_answer(conn, { kind = "APIVersions", versions = { "v1" } }) end
    if path:find("/pods/[^/?]+/log%?") then return log_of(conn, path) end
    local component = path:match("/pods/todo%-app%-(%w+)%-1$")
    if component then return json_answer(conn, pod(component)) end
    if path:find("/pods%?") then
        return json_answer(conn, { kind = "PodList", apiVersion = "v1", metadata = {}, items = { pod "backend" } })
    end
    json_answer(conn, { metadata = { uid = "11111111-2222-3333-4444-555555555555" } })
end

function tests.setup()
    dir, asked, restarts = fs.tempdir(), {}, 0
    listener = http.listen("127.0.0.1", 0, function(conn)
        for request in function() return websocket.request(conn) end do answer(conn, request) end
        conn:close()
    end)
    fs.write(dir.path .. "/kubeconfig", ([[
clusters: [{name: c, cluster: {server: "http://127.0.0.1:%d"}}]
contexts: [{name: x, context: {cluster: c, user: u}}]
users: [{name: u, user: {}}]
current-context: x
]]):format(listener.port), 0x180)
end

function tests.teardown()
    listener:close()
    dir:close()
end

local function command(...)
    return { program.executable, "--color=never", "logs", "--context", "x", ... }
end

local function environment() return { KUBECONFIG = dir.path .. "/kubeconfig", NO_PROXY = "*" } end

local function requests_of(pattern)
    local found = {}
    for _, path in ipairs(asked) do
        if path:find(pattern) then found[#found + 1] = path end
    end
    return found
end

function tests.containers_of_every_sort_are_shown_with_their_component()
    log_of = function(conn, path) websocket.answer(conn, 200, path:match("container=(%w+)") .. " \27[1mspeaks\nagain\n") end
    local result = proc.run(command("backend", "mcp", "--tail", "7", "--since", "2m"), { check = false, timeout = 60,
        env = environment() })
    lu.assertEquals(result.status, 0, result.stderr)
    lu.assertStrMatches(result.stdout, "backend  wait [^\27]*speaks\nbackend  again\nbackend  backend [^\27]*speaks\n"
        .. "backend  again\n")
    lu.assertStrContains(requests_of("/pods%?")[1], "component%20in%20%28backend%2Cmcp%29")
    for _, path in ipairs(requests_of("/log%?")) do
        lu.assertStrContains(path, "tailLines=7")
        lu.assertStrContains(path, "sinceSeconds=120")
    end
end

function tests.container_that_cannot_be_read_does_not_hide_the_others()
    log_of = function(conn, path)
        if path:find("container=wait") then
            return websocket.answer(conn, 400, '{"kind":"Status","code":400,"reason":"BadRequest","message":"not begun"}')
        end
        websocket.answer(conn, 200, "here\n")
    end
    local result = proc.run(command(), { check = false, timeout = 60, env = environment() })
    lu.assertEquals(result.status, 0)
    lu.assertStrContains(result.stdout, "backend  here\n")
    lu.assertStrContains(result.stdout .. result.stderr, "not begun")
end

function tests.line_that_comes_in_pieces_stays_one_line()
    log_of = function(conn, path)
        if path:find("container=wait", 1, true) then return websocket.answer(conn, 200, "") end
        conn:write("HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhalf \r\n")
        task.sleep(0.2)
        conn:write("8\r\na line\nb\r\n0\r\n\r\n")
    end
    local result = proc.run(command(), { timeout = 60, env = environment() })
    lu.assertEquals(result.stdout, "backend  half a line\nbackend  b\n")
end

-- The container restarts while its log is followed: the stream takes up the new run, and nothing is read twice.
function tests.follow_over_a_restart_doubles_nothing()
    local opened = 0
    log_of = function(conn, path)
        if path:find("previous=true", 1, true) then return websocket.answer(conn, 200, STAMP:format(2, "two")) end
        opened = opened + 1
        if opened == 1 then
            websocket.answer(conn, 200, STAMP:format(1, "one") .. STAMP:format(2, "two"))
            restarts = 1
            return
        end
        local text = STAMP:format(3, "three")
        conn:write(("HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n"):format(#text, text))
    end
    local process <close> = proc.spawn(command("--follow"), { env = environment() })
    for _, text in ipairs { "one", "two", "three" } do
        lu.assertEquals(process:read_line(), "backend  " .. text)
    end
    local polls = #requests_of("/pods%?")
    while #requests_of("/pods%?") < polls + 2 do task.sleep(0.05) end
    lu.assertEquals(opened, 2)
    process:kill("INT")
    lu.assertEquals(process:wait(), 130)
end

return tests
