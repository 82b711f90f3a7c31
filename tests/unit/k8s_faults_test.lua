-- exec, forward and followed logs behind a proxy that does harm: whatever is cut, everything ends, nothing is taken for whole
-- that is not, and no line is lost or doubled.
package.path = "./?.lua;" .. package.path

local faults = require "tests.faults"
local fs = require "fs"
local http = require "http"
local k8s = require "k8s"
local lu = require "luaunit"
local task = require "task"
local websocket = require "tests.websocket"

local tests = {}
local dir, listener, handler

function tests.setup()
    dir = fs.tempdir()
    listener = http.listen("127.0.0.1", 0, function(conn)
        pcall(function()
            for request in function() return websocket.request(conn) end do handler(conn, request) end
        end)
        conn:close()
    end)
end

function tests.teardown()
    listener:close()
    dir:close()
end

-- A client whose n-th connection meets plan(n).
local function through(plan, timeout)
    local proxy = faults.tcp(listener.port, plan)
    local path = dir.path .. "/kubeconfig"
    fs.write(path, ([[
clusters: [{name: c, cluster: {server: "http://127.0.0.1:%d"}}]
users: [{name: u, user: {}}]
contexts: [{name: x, context: {cluster: c, user: u, namespace: web}}]
current-context: x
]]):format(proxy.port), 0x180)
    return k8s.connect { kubeconfig = path, timeout = timeout or 10 }, proxy
end

local BROKEN = { closed = true, connect = true, timeout = true }
local ENOUGH = 20 -- seconds in which everything here ends, on any machine

-- fn's results, or nothing where it failed as a transfer does.
local function ends(what, fn)
    local result = table.pack(pcall(task.timeout, ENOUGH, fn))
    if result[1] then return table.unpack(result, 2, result.n) end
    lu.assertTrue(BROKEN[result[2].kind], what .. ": " .. tostring(result[2]))
    lu.assertNotStrContains(tostring(result[2]), "not done after", what)
end

-- ---- exec ----

local MESSAGES, SIZE = 100, 1000

local function play_exec(conn, request)
    local socket = websocket.accept(conn, request)
    for i = 1, MESSAGES do socket:send(1, string.char(32 + i % 64):rep(SIZE)) end
    socket:send(3, '{"metadata":{},"status":"Success"}')
    socket:close()
    while socket:message() do end -- luacheck: ignore 542
end

-- How much came, and the exit status if there was one.
local function run(what, client)
    local size = 0
    local status = ends(what, function()
        local session <close> = client:exec("p", { command = { "x" } })
        for _, bytes in function() return session:read() end do size = size + #bytes end
        return session:wait()
    end)
    return size, status
end

function tests.exec_that_is_cut_anywhere_is_whole_or_an_error()
    handler = play_exec
    local whole = MESSAGES * SIZE
    local cuts, statuses = { 1, 60, 150, 300, 1500, 40000 }, 0
    for cut = whole + 600, whole + 800, 20 do cuts[#cuts + 1] = cut end -- about the end, with the exit status
    for _, cut in ipairs(cuts) do
        local client, proxy = through(function() return { cut = cut } end)
        local size, status = run("cut at " .. cut, client)
        if status then
            lu.assertEquals({ size, status }, { whole, 0 })
            statuses = statuses + 1
        end
        client:close()
        proxy:close()
    end
    lu.assertTrue(statuses > 0 and statuses < #cuts, "the cuts must lie on both sides of the end: " .. statuses)
end

function tests.exec_is_never_started_twice()
    local started = 0
    handler = function(conn, request)
        started = started + 1
        play_exec(conn, request)
    end
    for _, fault in ipairs { { reset = true }, { cut = 20 }, { cut = 200 } } do
        local before = started
        local client, proxy = through(function() return fault end)
        local _, status = run("exec", client)
        lu.assertNil(status)
        lu.assertTrue(started - before <= 1, "a command was run twice")
        client:close()
        proxy:close()
    end
end

function tests.silent_exec_ends_at_the_handshakes_deadline_or_when_it_is_closed()
    handler = play_exec
    for _, stall in ipairs { 1, 100 } do
        local client, proxy = through(function() return { stall = stall } end, 0.5)
        local ok, err = pcall(client.exec, client, "p", { command = { "x" } })
        lu.assertEquals({ ok, err.kind }, { false, "timeout" })
        proxy:close()
    end
    local client, proxy = through(function() return { stall = 20000 } end, 0.5)
    local session <close> = client:exec("p", { command = { "x" } })
    local reader = task.spawn(function()
        local size = 0
        for _, bytes in function() return session:read() end do size = size + #bytes end
        return size
    end)
    task.sleep(0.6) -- a process may be silent for longer than its handshake may take
    client:close()
    local size = task.timeout(ENOUGH, function() return reader:wait() end)
    lu.assertTrue(size > 10000 and size < 20000)
    proxy:close()
end

-- ---- forward ----

function tests.forward_that_is_cut_gives_a_prefix_and_the_next_one_is_whole()
    local text = {}
    for i = 1, MESSAGES do text[i] = ("%04d"):format(i):rep(SIZE // 4) end
    local whole = table.concat(text)
    handler = function(conn, request)
        local socket = websocket.accept(conn, request, "v4.channel.k8s.io")
        socket:send(0, "\64\31")
        socket:send(1, "\64\31")
        for _, part in ipairs(text) do socket:send(0, part) end
        socket:close()
        while socket:message() do end -- luacheck: ignore 542
    end
    local function read(client)
        local got = {}
        local ended = ends("forward", function()
            local stream <close> = client:forward("p", 8000)
            for bytes in function() return stream:read() end do got[#got + 1] = bytes end
            return true
        end)
        return table.concat(got), ended
    end
    for _, fault in ipairs { { reset = true }, { cut = 100 }, { cut = 200 }, { cut = 1700 }, { cut = 50000 },
        { cut = #whole + 300 } } do
        local client, proxy = through(function(n) return n == 1 and fault or nil end)
        local got, ended = read(client)
        lu.assertEquals(got, whole:sub(1, #got))
        lu.assertTrue(not ended or got == whole, "an end that was none")
        lu.assertTrue(read(client) == whole)
        client:close()
        proxy:close()
    end
end

-- ---- logs ----

local LINES = 3000
local BEGAN = 1798000000

-- Three lines share a time, thirty a second.
local lines, first_of_second = {}, {}
for i = 1, LINES do
    local tick = (i - 1) // 3
    local second = os.date("!%Y-%m-%dT%H:%M:%S", BEGAN + tick // 10)
    lines[i] = ("%s.%09dZ n%d\n"):format(second, tick % 10 * 100000000 + 7, i)
    first_of_second[second .. "Z"] = first_of_second[second .. "Z"] or i
end

-- A node that writes its log in odd pieces. rotate(n) says after how many lines the n-th stream ends although the container
-- runs, as it does when the file is rotated or the container starts anew.
local function play_logs(rotate)
    local streams, reached = 0, 0
    return function(conn, request)
        if not request.path:find("/log?", 1, true) then
            local state = reached < LINES and "running" or "terminated"
            return websocket.answer(conn, 200, ('{"kind":"Pod","status":{"containerStatuses":[{"name":"c",'
                .. '"state":{"%s":{}}}]}}'):format(state))
        end
        streams = streams + 1
        local since = request.path:match("sinceTime=([^&]+)")
        local first = since and first_of_second[since:gsub("%%3A", ":")] or 1
        local last = math.min(LINES, first + (rotate(streams) or LINES))
        conn:write("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n")
        local bytes, at, step = table.concat(lines, "", first, last), 1, 611
        while at <= #bytes do
            local part = bytes:sub(at, at + step - 1)
            conn:write(("%x\r\n%s\r\n"):format(#part, part))
            at, step = at + step, step % 997 + 389
        end
        conn:write("0\r\n\r\n")
        reached = math.max(reached, last)
    end
end

local function all_lines(client)
    local seen = 0
    for text in client:logs("p", { follow = true, container = "c" }) do
        seen = seen + 1
        if text ~= "n" .. seen then return seen, text end -- so that a failure names the first wrong line only
    end
    return seen
end

local function follow(plan, rotate)
    handler = play_logs(rotate)
    local client, proxy = through(plan)
    local seen, wrong = task.timeout(120, function() return all_lines(client) end)
    client:close()
    proxy:close()
    lu.assertNil(wrong, ("line %d"):format(seen))
    lu.assertEquals(seen, LINES)
end

function tests.followed_log_over_cut_connections_has_no_gap_and_no_double()
    local cut = 0
    follow(function(n)
        if n > 12 then return nil end
        if n > 1 and n % 4 == 0 then return { reset = true } end
        cut = cut + 1
        return { cut = 2500 + n * 613 }
    end, function() return nil end)
    lu.assertTrue(cut >= 9)
end

function tests.followed_log_over_rotations_has_no_gap_and_no_double()
    local rotated = 0
    follow(function(n) return n % 5 == 0 and n < 15 and { slow = 997 } or nil end, function(n)
        rotated = n
        return n <= 8 and 200 + n * 37 or nil
    end)
    lu.assertTrue(rotated > 8)
end

local RUN = 600 -- lines of each of the container's runs

-- A container that starts anew again and again while connections to it break: each stream is of the run that goes on when
-- it is opened and breaks off, and the container says more before the next one. Some runs are silent for a while.
local function play_runs(counts)
    local written, streams = 0, 0
    local function first_wanted(request)
        local since = request.path:match("sinceTime=([^&]+)")
        return since and first_of_second[since:gsub("%%3A", ":")] or 1
    end
    local function hide()
        local more, boundary = streams * 53 % 160, (written // RUN + 1) * RUN
        if boundary - written <= 160 and streams % 2 == 1 then more = boundary - written end
        if written + more >= boundary and boundary < LINES then counts.restarts = counts.restarts + 1 end
        written = math.min(LINES, written + more)
    end
    return function(conn, request)
        local start = math.min(written // RUN, LINES // RUN - 1) * RUN
        if not request.path:find("/log?", 1, true) then
            return websocket.answer(conn, 200, ('{"kind":"Pod","status":{"containerStatuses":[{"name":"c",'
                .. '"state":{"%s":{}}}]}}'):format(written < LINES and "running" or "terminated"))
        elseif request.path:find("previous=true", 1, true) then
            if start == 0 then return websocket.answer(conn, 400, "there was no run before") end
            return websocket.answer(conn, 200, table.concat(lines, "", math.max(first_wanted(request), start - RUN + 1),
                start))
        end
        streams = streams + 1
        local whole = written == LINES
        written = math.min(start + RUN, written + 90 + streams * 37 % 200)
        if written == start + RUN and written < LINES then written = written - 3 end
        if not whole and streams % 4 == 0 and written - start < 300 then
            counts.silent = counts.silent + 1
            written = math.max(start, written - 290)
            task.sleep(1.4)
        else
            local bytes = table.concat(lines, "", math.max(first_wanted(request), start + 1), written)
            conn:write("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n")
            conn:write(("%x\r\n%s\r\n%s"):format(#bytes, bytes, whole and "0\r\n\r\n" or ""))
        end
        if whole then return end
        hide()
        conn:close()
    end
end

function tests.followed_log_over_restarts_while_the_connection_is_broken_has_no_gap_and_no_double()
    local counts = { restarts = 0, silent = 0 }
    handler = play_runs(counts)
    local client, proxy = through(function() return nil end)
    local seen, wrong = task.timeout(120, function() return all_lines(client) end)
    client:close()
    proxy:close()
    lu.assertNil(wrong, ("line %d"):format(seen))
    lu.assertEquals(seen, LINES)
    lu.assertEquals(counts.restarts, LINES // RUN - 1)
end

-- The silent run: all that the run before it still said comes although the new one has not said anything.
function tests.last_words_of_a_run_come_before_the_next_run_says_anything()
    local streams = 0
    handler = function(conn, request)
        if request.path:find("previous=true", 1, true) then
            return websocket.answer(conn, 200, table.concat(lines, "", 1, 150))
        elseif request.path:find("/log?", 1, true) then
            streams = streams + 1
            if streams > 1 then return task.sleep(ENOUGH) end
            local bytes = table.concat(lines, "", 1, 100)
            conn:write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            conn:write(("%x\r\n%s\r\n"):format(#bytes, bytes))
            conn:close()
        end
    end
    local client, proxy = through(function() return nil end)
    local log <close> = client:logs("p", { follow = true, container = "c" })
    for i = 1, 150 do lu.assertEquals(task.timeout(ENOUGH, function() return log:next() end), "n" .. i) end
    lu.assertEquals(log:gaps(), 0)
    client:close()
    proxy:close()
end

function tests.log_whose_file_was_put_away_meanwhile_says_that_lines_may_be_missing()
    local streams = 0
    handler = function(conn, request)
        if request.path:find("previous=true", 1, true) then return websocket.answer(conn, 400, "none") end
        if not request.path:find("/log?", 1, true) then
            return websocket.answer(conn, 200, '{"kind":"Pod","status":{}}')
        end
        streams = streams + 1
        local bytes = table.concat(lines, "", streams == 1 and 1 or 601, streams == 1 and 300 or LINES)
        conn:write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        conn:write(("%x\r\n%s\r\n"):format(#bytes, bytes))
        if streams > 1 then conn:write("0\r\n\r\n") end
        conn:close()
    end
    local client, proxy = through(function() return nil end)
    local log <close> = client:logs("p", { follow = true, container = "c" })
    for i = 1, LINES do
        if i <= 300 or i > 600 then lu.assertEquals(log:next(), "n" .. i) end
        if i == 300 then lu.assertEquals(log:gaps(), 0) end
    end
    lu.assertEquals(log:gaps(), 1)
    lu.assertNil(log:next())
    client:close()
    proxy:close()
end

function tests.many_lines_come_at_once_each_behind_its_prefix()
    handler = play_logs(function() return nil end)
    local client, proxy = through(function() return nil end)
    local log <close> = client:logs("p", { follow = true, container = "c", prefix = "[p] " })
    local parts, expected = {}, {}
    for i = 1, LINES do expected[i] = "[p] n" .. i .. "\n" end
    for text in function() return log:read() end do
        lu.assertTrue(#text <= 65536 and text:sub(-1) == "\n")
        parts[#parts + 1] = text
    end
    lu.assertEquals(table.concat(parts), table.concat(expected))
    client:close()
    proxy:close()
end

function tests.silent_log_waits_and_ends_when_it_is_closed()
    handler = play_logs(function() return nil end)
    local client, proxy = through(function() return { stall = 5000 } end, 0.5)
    local log, seen = client:logs("p", { follow = true, container = "c" }), 0
    local reader = task.spawn(function()
        for _ in log do seen = seen + 1 end
    end)
    local deadline = task.now() + ENOUGH
    while seen < 50 and task.now() < deadline do task.sleep(0.02) end
    lu.assertTrue(seen >= 50)
    client:close()
    task.timeout(ENOUGH, function() pcall(reader.wait, reader) end)
    proxy:close()
end

return tests
