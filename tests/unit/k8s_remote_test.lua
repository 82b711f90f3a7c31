-- exec, attach and forward over WebSocket, against a server of the test's own that plays the API server.
package.path = "./?.lua;" .. package.path

local forward = require "forward_ports"
local fs = require "fs"
local http = require "http"
local k8s = require "k8s"
local lu = require "luaunit"
local task = require "task"
local websocket = require "tests.websocket"

local tests = {}
local UID = "11111111-2222-3333-4444-555555555555"
local SUCCESS = '{"metadata":{},"status":"Success"}'
local dir, listener, requests, handler

function tests.setup()
    dir, requests = fs.tempdir(), {}
    listener = http.listen("127.0.0.1", 0, function(conn)
        for request in function() return websocket.request(conn) end do
            requests[#requests + 1] = request
            if request.path:find("/kube%-system$") then
                websocket.answer(conn, 200, ('{"metadata":{"uid":"%s"}}'):format(UID))
            else
                handler(conn, request)
                break
            end
        end
        conn:close()
    end)
end

function tests.teardown()
    listener:close()
    dir:close()
end

local function connect(prefix)
    local path = dir.path .. "/kubeconfig"
    fs.write(path, ([[
clusters: [{name: c, cluster: {server: "http://127.0.0.1:%d%s"}}]
users: [{name: u, user: {token: secret-token}}]
contexts: [{name: x, context: {cluster: c, user: u, namespace: web}}]
current-context: x
]]):format(listener.port, prefix or ""), 0x180)
    return k8s.connect { kubeconfig = path }
end

local function fails(kind, fn, ...)
    local ok, err = pcall(fn, ...)
    lu.assertFalse(ok, "expected an error of kind " .. kind)
    lu.assertEquals(err.kind, kind, tostring(err))
    return err
end

local function exit_status(code)
    return ('{"status":"Failure","reason":"NonZeroExitCode","message":"command terminated with exit code %d",'
        .. '"details":{"causes":[{"reason":"ExitCode","message":"%d"}]}}'):format(code, code)
end

local function read_all(session)
    local all = { stdout = "", stderr = "" }
    for stream, bytes in function() return session:read() end do all[stream] = all[stream] .. bytes end
    return all
end

function tests.exec_brings_both_outputs_and_the_exit_status()
    handler = function(conn, request)
        local socket = websocket.accept(conn, request)
        socket:send(1, "out\0\255")
        socket:send(2, "err")
        socket:send(3, exit_status(7))
        socket:close()
        socket:message()
    end
    local session = connect():exec("pod-1", { command = { "sh", "-c", "a b&c" }, container = "main" })
    local all = read_all(session)
    lu.assertEquals(all.stdout, "out\0\255")
    lu.assertEquals(all.stderr, "err")
    lu.assertEquals(session:wait(), 7)
    session:close()
    session:close()
    fails("closed", session.read, session)
    lu.assertEquals(requests[1].path, "/api/v1/namespaces/web/pods/pod-1/exec?command=sh&command=-c&"
        .. "command=a%20b%26c&container=main&stdout=true&stderr=true")
    lu.assertEquals(requests[1].headers["sec-websocket-protocol"], "v5.channel.k8s.io, v4.channel.k8s.io")
    lu.assertNil(requests[1].headers.authorization, "a token must not travel in clear")
end

function tests.exec_sends_input_its_end_and_the_size()
    local got = {}
    handler = function(conn, request)
        local socket = websocket.accept(conn, request)
        for channel, bytes in function() return socket:message() end do
            got[#got + 1] = channel .. ":" .. bytes
            if channel == 255 then
                socket:send(3, SUCCESS)
                socket:close()
            end
        end
    end
    local session <close> = connect():exec("p", { command = { "cat" }, stdin = true, tty = true, size = { 80, 24 } })
    session:write("one\0two")
    session:resize(100, 30)
    session:close_stdin()
    lu.assertEquals(session:wait(), 0)
    lu.assertEquals(got, { '4:{"Width":80,"Height":24}', "0:one\0two", '4:{"Width":100,"Height":30}', "255:\0" })
    lu.assertStrContains(requests[1].path, "stdin=true&stdout=true&tty=true")
    lu.assertNotStrContains(requests[1].path, "stderr")
end

function tests.exec_gives_a_whole_input_given_as_text()
    local input = ("0123456789abcdef"):rep(8192) .. "end" -- over one message
    local got = {}
    handler = function(conn, request)
        local socket = websocket.accept(conn, request)
        for channel, bytes in function() return socket:message() end do
            if channel == 255 then break end
            got[#got + 1] = bytes
        end
        socket:send(3, SUCCESS)
        socket:close()
        socket:message()
    end
    local session <close> = connect():exec("p", { command = { "cat" }, stdin = input })
    lu.assertEquals(session:wait(), 0)
    lu.assertTrue(table.concat(got) == input)
end

function tests.exec_output_in_fragments_and_large_messages_is_whole()
    local big = ("x"):rep(3 << 20) .. "!"
    handler = function(conn, request)
        local socket = websocket.accept(conn, request)
        socket:send_frame(2, "\1ab", true)
        socket:send_frame(9, "are you there")
        socket:send_frame(0, "cd", true)
        socket:send_frame(0, "")
        socket:send_frame(2, "\1" .. big)
        socket:send_frame(2, "")
        socket:send(3, SUCCESS)
        socket:close()
        while socket:message() do end
    end
    local session <close> = connect():exec("p", { command = { "x" } })
    task.sleep(0.2) -- the reader is late: the rest waits in the network
    lu.assertTrue(read_all(session).stdout == "abcd" .. big)
    lu.assertEquals(session:wait(), 0)
end

function tests.exec_wait_alone_drops_the_output()
    handler = function(conn, request)
        local socket = websocket.accept(conn, request)
        for _ = 1, 64 do socket:send(1, ("y"):rep(65536)) end
        socket:send(3, exit_status(3))
        socket:close()
        socket:message()
    end
    local session <close> = connect():exec("p", { command = { "yes" } })
    lu.assertEquals(session:wait(), 3)
end

function tests.exec_that_breaks_off_has_no_exit_status()
    handler = function(conn, request)
        websocket.accept(conn, request):send(1, "part")
        task.sleep(0.05)
    end
    local session <close> = connect():exec("p", { command = { "x" } })
    lu.assertEquals(read_all(session).stdout, "part")
    fails("closed", session.wait, session)
end

function tests.exec_refused_before_and_after_the_handshake_says_why()
    local status = '{"kind":"Status","status":"Failure","message":"pods \\"p\\" not found","reason":"NotFound","code":404}'
    handler = function(conn) websocket.answer(conn, 404, status) end
    local client = connect()
    local err = fails("not_found", client.exec, client, "p", { command = { "x" } })
    lu.assertEquals(err.status, 404)
    lu.assertStrContains(err.message, 'pods "p" not found')
    handler = function(conn, request)
        local socket = websocket.accept(conn, request)
        socket:send(3, '{"status":"Failure","reason":"InternalError","message":"container main is not running","code":500}')
        socket:close()
        socket:message()
    end
    local session <close> = client:exec("p", { command = { "x" } })
    lu.assertStrContains(fails("http", session.wait, session).message, "container main is not running")
end

function tests.handshake_that_is_none_is_refused()
    local answers = {
        "HTTP/1.1 101 X\r\nSec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n"
            .. "Sec-WebSocket-Protocol: v5.channel.k8s.io\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        "SSH-2.0-OpenSSH\r\n\r\n",
        "HTTP/1.1 500 X\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "HTTP/1.1 101 Sw",
    }
    for i, text in ipairs(answers) do
        handler = function(conn) conn:write(text) end
        local client = connect()
        local ok, err = pcall(client.exec, client, "p", { command = { "x" } })
        lu.assertFalse(ok, "answer " .. i)
        lu.assertNotNil(err.kind, tostring(err))
    end
    handler = function(conn, request) websocket.accept(conn, request, "v9.channel.k8s.io") end
    local client = connect()
    lu.assertStrContains(fails("parse", client.exec, client, "p", { command = { "x" } }).message, "v9.channel.k8s.io")
end

function tests.older_servers_v4_cannot_end_the_input()
    handler = function(conn, request)
        local socket = websocket.accept(conn, request, "v4.channel.k8s.io")
        while socket:message() do end
    end
    local client = connect()
    local session <close> = client:exec("p", { command = { "cat" }, stdin = true })
    lu.assertNotNil(fails("unsupported", session.close_stdin, session).hint)
    local whole <close> = client:exec("p", { command = { "cat" }, stdin = "text" })
    fails("unsupported", whole.wait, whole)
end

function tests.pin_is_proven_on_the_very_connection()
    handler = function(conn, request)
        local socket = websocket.accept(conn, request)
        socket:send(3, SUCCESS)
        socket:close()
        socket:message()
    end
    local client = connect()
    client:pin(UID)
    local session <close> = client:exec("p", { command = { "x" } })
    lu.assertEquals(session:wait(), 0)
    lu.assertEquals(requests[1].path, "/api/v1/namespaces/kube-system")
    lu.assertEquals(#requests, 2)
    local other = connect()
    other:pin("99999999-0000-0000-0000-000000000000")
    fails("wrong_cluster", other.forward, other, "p", 80)
    fails("wrong_cluster", other.attach, other, "p")
    lu.assertEquals(#requests, 4, "no stream request may go out")
    local reader = connect()
    reader:read_only("the context is not local")
    fails("read_only", reader.exec, reader, "p", { command = { "x" } })
    lu.assertEquals(#requests, 4)
end

function tests.server_under_a_path_keeps_it()
    handler = function(conn) websocket.answer(conn, 403, "no") end
    local client = connect("/clusters/a/")
    fails("denied", client.attach, client, "p", { stdin = true })
    lu.assertStrContains(requests[1].path, "/clusters/a/api/v1/namespaces/web/pods/p/attach?stdin=true")
    lu.assertEquals(requests[1].headers.host, "127.0.0.1:" .. listener.port)
end

function tests.forward_carries_bytes_both_ways_until_the_end()
    local got = ""
    handler = function(conn, request)
        local socket = websocket.accept(conn, request, "v4.channel.k8s.io")
        socket:send(0, "\64\31") -- the port, 8000
        socket:send(1, "\64\31")
        for channel, bytes in function() return socket:message() end do
            lu.assertEquals(channel, 0)
            got = got .. bytes
            if #got >= 5 then break end
        end
        socket:send(0, "pong\0")
        socket:close()
        socket:message()
    end
    local stream <close> = connect():forward("p", 8000)
    stream:write("ping\0")
    lu.assertEquals(stream:read(), "pong\0")
    lu.assertNil(stream:read())
    lu.assertEquals(got, "ping\0")
    lu.assertStrContains(requests[1].path, "/pods/p/portforward?ports=8000")
end

function tests.forward_to_a_closed_port_raises_what_the_node_says()
    handler = function(conn, request)
        local socket = websocket.accept(conn, request, "v4.channel.k8s.io")
        socket:send(0, "\64\31")
        socket:send(1, "\64\31")
        socket:send(1, "connection refused")
        socket:close()
        socket:message()
    end
    local stream <close> = connect():forward("p", 8000)
    lu.assertStrContains(fails("connect", stream.read, stream).message, "connection refused")
end

local POD = '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"pod-1","namespace":"web","uid":"1",'
    .. '"resourceVersion":"7"},"spec":{"containers":[{"name":"main"}]},"status":{"phase":"Running"}}'

-- A server with that pod alone; serve gets each connection that is to be a forward.
local function serve_pod(serve)
    handler = function(conn, request)
        if request.path:find("watch=true", 1, true) then
            conn:write("HTTP/1.1 200 OK\r\n\r\n")
            conn:read()
        elseif request.path:find("/pods?", 1, true) then
            websocket.answer(conn, 200, '{"kind":"PodList","metadata":{"resourceVersion":"7"},"items":[' .. POD .. "]}")
        elseif request.path == "/api/v1" then
            websocket.answer(conn, 200, '{"resources":[{"name":"pods","kind":"Pod","namespaced":true,"verbs":["list"]}]}')
        else
            serve(conn, request)
        end
    end
end

-- A node that closes while bytes of ours are under way resets the connection, and its words are lost.
function tests.forwarder_hears_why_a_port_is_closed_even_where_the_first_answer_was_lost()
    local asked = 0
    serve_pod(function(conn, request)
        asked = asked + 1
        local socket = websocket.accept(conn, request, "v4.channel.k8s.io")
        socket:send(0, "\9\0")
        socket:send(1, "\9\0")
        if asked % 2 == 1 then
            socket:message()
            return -- the connection ends without a word
        end
        socket:send(1, "dial tcp4 127.0.0.1:9: connect: connection refused")
        socket:close()
        socket:message()
    end)
    local problems = {}
    local forwarder = forward.open(connect(), { kind = "Pod", metadata = { name = "pod-1", namespace = "web" } },
        { { ["local"] = 0, remote = 9 } }, { failed = function(_, problem) problems[#problems + 1] = problem end })
    local conn <close> = http.connect("127.0.0.1", forwarder.ports[1]["local"])
    conn:write("hello")
    lu.assertNil(conn:read())
    local deadline = task.now() + 5
    while not problems[1] and task.now() < deadline do task.sleep(0.01) end
    lu.assertStrContains(tostring(problems[1]), "connection refused")
    lu.assertTrue(asked >= 4, "a port that may open yet is tried again")
    forwarder:close()
end

-- What is left of a connection whose other end has gone without a word: nothing comes, pings are not answered.
function tests.forward_to_a_silent_peer_ends_when_it_was_silent_for_long_enough()
    local silent = true
    handler = function(conn, request)
        local socket = websocket.accept(conn, request, "v4.channel.k8s.io")
        if silent then task.event():wait() end
        while socket:message() do end
    end
    local client = connect()
    local started = task.now()
    local stream <close> = client:forward("p", 8000, { silence = 0.4 })
    stream:write("hello")
    lu.assertStrContains(fails("timeout", stream.read, stream).message, "silent")
    local seconds = task.now() - started
    lu.assertTrue(seconds >= 0.4 and seconds < 1.5, seconds)
    silent = false
    local other <close> = client:forward("p", 8000, { silence = 0.4 })
    fails("timeout", task.timeout, 1.5, other.read, other) -- quiet, but there: it answers pings
    other:write("still open")
end

function tests.forwarder_drops_a_half_open_peer_after_ten_seconds_and_no_other()
    local accepted = 0
    serve_pod(function(conn, request)
        accepted = accepted + 1
        local is_silent = accepted == 1
        local socket = websocket.accept(conn, request, "v4.channel.k8s.io")
        if is_silent then task.event():wait() end
        socket:send(0, "\9\0")
        while socket:message() do socket:send(0, "heard") end
    end)
    local problems = {}
    local forwarder = forward.open(connect(), { kind = "Pod", metadata = { name = "pod-1", namespace = "web" } },
        { { ["local"] = 0, remote = 9 } }, { failed = function(_, problem) problems[#problems + 1] = problem.kind end })
    local first <close> = http.connect("127.0.0.1", forwarder.ports[1]["local"])
    first:write("hello")
    while accepted == 0 do task.sleep(0.01) end
    local started = task.now()
    local second <close> = http.connect("127.0.0.1", forwarder.ports[1]["local"])
    second:write("hello")
    lu.assertNil(task.timeout(30, first.read, first))
    local seconds = task.now() - started
    lu.assertTrue(seconds > 9 and seconds < 13, seconds)
    lu.assertEquals(problems, { "timeout" })
    second:write("again")
    local heard = ""
    while heard ~= "heardheard" do heard = heard .. second:read() end
    forwarder:close()
end

function tests.a_slow_peer_makes_the_writer_wait()
    local release = task.event()
    handler = function(conn, request)
        local socket = websocket.accept(conn, request)
        release:wait()
        local size = 0
        for channel, bytes in function() return socket:message() end do
            if channel == 255 then break end
            size = size + #bytes
        end
        socket:send(1, tostring(size))
        socket:send(3, SUCCESS)
        socket:close()
        socket:message()
    end
    local session <close> = connect():exec("p", { command = { "wc" }, stdin = true })
    local written = 0
    local writer = task.spawn(function()
        for _ = 1, 12 do
            session:write(("z"):rep(1 << 20))
            written = written + 1
        end
        session:close_stdin()
    end)
    task.sleep(0.3)
    lu.assertTrue(written < 11, "the writer did not wait: " .. written)
    release:set()
    lu.assertEquals(select(2, session:read()), tostring(12 << 20))
    writer:wait()
    lu.assertEquals(session:wait(), 0)
end

function tests.a_silent_server_ends_at_the_deadline_and_a_cancelled_task_at_once()
    local closed = 0
    handler = function(conn)
        while conn:read() do end
        closed = closed + 1
    end
    local client = connect()
    local started = task.now()
    fails("timeout", client.exec, client, "p", { command = { "x" }, timeout = 0.3 })
    lu.assertTrue(task.now() - started < 5)
    fails("timeout", task.timeout, 0.1, function() client:exec("p", { command = { "x" } }) end)
    collectgarbage()
    for _ = 1, 50 do
        if closed == 2 then break end
        task.sleep(0.02)
    end
    lu.assertEquals(closed, 2)
end

function tests.closing_the_client_ends_its_streams()
    handler = function(conn, request)
        local socket = websocket.accept(conn, request)
        while socket:message() do end
    end
    local client = connect()
    local session <close> = client:exec("p", { command = { "x" } })
    local reader = task.spawn(function() return session:read() end)
    task.sleep(0.05)
    client:close()
    lu.assertNil(reader:wait())
    fails("closed", session.wait, session)
end

return tests
