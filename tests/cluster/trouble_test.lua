-- The Kubernetes client while the network and the API server misbehave: a server of the test's own behind proxies that
-- do harm. Whatever happens, a call ends in time, with a result or a clear error, and a write is sent once.
package.path = "./?.lua;" .. package.path

local apiserver = require "tests.cluster.apiserver"
local faults = require "tests.faults"
local k8s = require "k8s"
local lu = require "luaunit"
local numbered = require "tests.cluster.numbered"
local task = require "task"

local tests = {}
local server, direct

function tests.setup_all()
    server = apiserver.start()
    direct = k8s.connect { kubeconfig = server.kubeconfig }
    for i = 1, 40 do
        direct:create { apiVersion = "v1", kind = "ConfigMap", data = { text = ("x"):rep(500) },
            metadata = { name = "base-" .. i, labels = { base = "1" } } }
    end
end

function tests.teardown_all()
    if server then server:stop() end
end

local function through(listener, scheme, timeout)
    return k8s.connect { timeout = timeout or 5, kubeconfig = faults.kubeconfig(server.kubeconfig, listener.port,
        ("%s/through-%d"):format(server.dir, listener.port), scheme) }
end

local function creations(name)
    local count = 0
    for _, entry in ipairs(server:audit()) do
        if entry.verb == "create" and entry.uri:find("configmaps", 1, true) and entry.user == "admin" then
            count = count + 1
        end
    end
    return count, direct:get("cm", name)
end

local KINDS = { closed = true, connect = true, tls = true, timeout = true }

-- The error's message and those below it.
local function whole_message(problem)
    return problem.message .. (problem.cause and ": " .. whole_message(problem.cause) or "")
end

-- Runs fn; an error must be a transfer's, clear, and there in time.
local function ends(seconds, what, fn)
    local began = task.now()
    local ok, result = pcall(fn)
    local took = task.now() - began
    lu.assertTrue(took < seconds, ("%s took %.1f s"):format(what, took))
    if ok then return result end
    lu.assertTrue(KINDS[result.kind], what .. ": " .. whole_message(result))
    lu.assertStrContains(whole_message(result), "127.0.0.1", what)
    return nil, result
end

function tests.first_connection_reset_is_nothing_to_a_read()
    local listener = faults.tcp(server.port, function(n) return n == 1 and { reset = true } or nil end)
    local _, problem = ends(20, "get", function() return through(listener):get("cm", "base-1") end)
    listener:close()
    lu.assertNil(problem)
end

function tests.cut_connections_end_every_call_and_send_no_write_twice()
    local before, written = creations("none"), 0
    for cut = 50, 6050, 400 do
        local listener = faults.tcp(server.port, function() return { cut = cut } end)
        local client = through(listener)
        ends(20, "get cut at " .. cut, function() return client:get("cm", "base-1") end)
        local list = ends(20, "list cut at " .. cut, function() return client:list("cm", { labels = "base" }) end)
        if list then lu.assertEquals(#list, 40) end
        local name = "cut-" .. cut
        local made = ends(20, "create cut at " .. cut, function()
            return client:create { apiVersion = "v1", kind = "ConfigMap", metadata = { name = name } }
        end)
        if made then lu.assertNotNil(direct:get("cm", name)) end
        written = written + (direct:get("cm", name) and 1 or 0)
        client:close()
        listener:close()
    end
    lu.assertTrue(creations("none") - before >= written)
    lu.assertTrue(creations("none") - before <= 16, "a write was sent twice")
end

function tests.silence_ends_at_the_deadline_wherever_it_begins()
    local cases = {}
    for i, stall in ipairs { 1, 200, 1500, 2500, 4000, 9000 } do
        cases[i] = function()
            local listener = faults.tcp(server.port, function() return { stall = stall } end)
            local client = through(listener, nil, 0.5)
            for _, call in ipairs { "list", "version" } do
                ends(20, call .. " silent after " .. stall, function() return client[call](client, "cm") end)
            end
            local _, problem = ends(20, "big list", function() return client:request("GET", "/openapi/v2") end)
            lu.assertEquals(problem.kind, "timeout")
            client:close()
            listener:close()
        end
    end
    task.all(cases) -- nearly all of it is waiting
end

function tests.slow_bytes_are_bytes()
    local listener = faults.tcp(server.port, function() return { slow = 97 } end)
    local client = through(listener, nil, 60)
    lu.assertEquals(#client:list("cm", { labels = "base" }), 40)
    client:create { apiVersion = "v1", kind = "ConfigMap", metadata = { name = "slow" } }
    lu.assertNotNil(direct:get("cm", "slow"))
    listener:close()
end

function tests.truncated_chunk_is_no_answer()
    local cuts = 0
    local listener = faults.http(server, function(request)
        if not request.path:find("configmaps", 1, true) then return nil end
        cuts = cuts + 1
        return cuts <= 2 and { cut = 300 } or nil
    end)
    local client = through(listener, "http")
    local list, problem = ends(20, "list", function() return client:list("cm", { labels = "base" }) end)
    lu.assertNil(list) -- once more by itself, and no third time
    lu.assertEquals(problem.kind, "closed")
    lu.assertEquals(#client:list("cm", { labels = "base" }), 40)
    listener:close()
end

function tests.overload_is_waited_out_by_reads_and_told_of_writes()
    local busy = { status = 429, headers = { ["Retry-After"] = "1", ["Content-Type"] = "application/json" },
        body = faults.status(429, "TooManyRequests", "too many requests") }
    local posts, left = 0, 2
    local listener = faults.http(server, function(request)
        if request.method == "POST" then posts = posts + 1 end
        if request.method == "POST" or left > 0 and request.path:find("base%-1$") then
            left = left - 1
            return busy
        end
    end)
    local client = through(listener, "http", 30)
    local began = task.now()
    lu.assertEquals(client:get("cm", "base-1").metadata.name, "base-1")
    lu.assertTrue(task.now() - began >= 2)
    local ok, problem = pcall(client.create, client, { apiVersion = "v1", kind = "ConfigMap",
        metadata = { name = "overload" } })
    lu.assertEquals({ ok, problem.kind, posts }, { false, "busy", 1 })
    listener:close()
end

function tests.server_error_is_told_with_its_message()
    local listener = faults.http(server, function(request)
        if request.path:find("base%-2$") then
            return { status = 500, body = faults.status(500, "InternalError", "the store is gone") }
        end
    end)
    local client = through(listener, "http")
    local ok, problem = pcall(client.get, client, "cm", "base-2")
    lu.assertEquals({ ok, problem.status }, { false, 500 })
    lu.assertStrContains(problem.message, "the store is gone")
    listener:close()
end

function tests.watch_over_cut_connections_and_expired_versions_loses_and_doubles_nothing()
    local expired, cut = 0, 0
    local listener = faults.http(server, function(request, n)
        if not request.path:find("watch=true", 1, true) then return nil end
        if n % 5 == 0 then
            expired = expired + 1
            return { status = 410, body = faults.status(410, "Expired", "too old resource version") }
        end
        cut = cut + 1
        return { cut = 3000 + n * 700 }
    end)
    local plain = faults.kubeconfig(server.kubeconfig, listener.port, server.dir .. "/watched", "http")
    numbered.check(server.kubeconfig, plain, function()
        local deadline = task.now() + 60
        while (expired < 4 or cut < 12) and task.now() < deadline do task.sleep(0.1) end
    end)
    lu.assertTrue(expired >= 4 and cut >= 12, ("%d expired, %d cut"):format(expired, cut))
    listener:close()
end

function tests.watch_over_five_restarts_of_the_server_loses_and_doubles_nothing()
    local last = numbered.check_restarts(server, 5)
    lu.assertTrue(last > 100, "the writer made " .. last)
end

return tests
