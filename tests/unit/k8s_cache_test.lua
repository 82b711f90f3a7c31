-- The cache of the Kubernetes client and its handlers, against a server of the test's own with scripted answers.
package.path = "./?.lua;" .. package.path

local fs = require "fs"
local http = require "http"
local informer = require "informer"
local json = require "json"
local k8s = require "k8s"
local lu = require "luaunit"
local task = require "task"
local websocket = require "tests.websocket"

local tests = {}
local dir, listener, asked, script

local RESOURCES = json.encode { kind = "APIResourceList", groupVersion = "v1", resources = {
    { name = "pods", singularName = "pod", kind = "Pod", namespaced = true, verbs = { "list", "watch" } } } }

function tests.setup()
    dir, asked = fs.tempdir(), {}
    listener = http.listen("127.0.0.1", 0, function(conn)
        for request in function() return websocket.request(conn) end do
            if request.path == "/api/v1" then
                websocket.answer(conn, 200, RESOURCES, "Content-Type: application/json\r\n")
            else
                asked[#asked + 1] = request.path
                local step = table.remove(script, 1)
                if not step or step(conn) == "close" then break end
            end
        end
        conn:close()
    end)
end

function tests.teardown()
    listener:close()
    dir:close()
end

local function connect()
    local path = dir.path .. "/kubeconfig"
    fs.write(path, ([[
clusters: [{name: c, cluster: {server: "http://127.0.0.1:%d"}}]
contexts: [{name: x, context: {cluster: c, namespace: web}}]
current-context: x
]]):format(listener.port), 0x180)
    return k8s.connect { kubeconfig = path }
end

local function pod(name, version, node, namespace)
    return { metadata = { name = name, namespace = namespace or "web", uid = "u-" .. name,
        resourceVersion = tostring(version), managedFields = { { manager = "m" } } },
        spec = { nodeName = node, containers = { { image = "img-" .. name }, { image = "side" } } } }
end

local function page(version, more, ...)
    local body = json.encode { kind = "PodList", apiVersion = "v1",
        metadata = { resourceVersion = tostring(version), continue = more }, items = json.list { ... } }
    return function(conn) websocket.answer(conn, 200, body, "Content-Type: application/json\r\n") end
end

local function line(type, object)
    object.apiVersion, object.kind = "v1", "Pod"
    return json.encode { type = type, object = object } .. "\n"
end

-- A watch stream of these lines; `stay` keeps it open, otherwise the connection breaks without the stream's own end.
local function stream(lines, stay)
    return function(conn)
        local text = table.concat(lines)
        conn:write(("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n")
            :format(#text, text))
        if stay then conn:read() end
        return "close"
    end
end

local GONE = '{"type":"ERROR","object":{"kind":"Status","status":"Failure","reason":"Expired","code":410,'
    .. '"message":"too old resource version"}}\n'

local function names(objects)
    local list = {}
    for i, object in ipairs(objects) do list[i] = object.metadata.name end
    return table.concat(list, " ")
end

local function told(change)
    local meta = change.object.metadata
    return ("%s %s %s%s"):format(change.type, meta.name, meta.resourceVersion,
        change.old and " from " .. change.old.metadata.resourceVersion or "")
end

local function eventful()
    script = {
        page(10, "token", pod("a", 1, "n1"), pod("b", 2, "n1")),
        page(10, nil, pod("c", 3, "n2")),
        stream { line("MODIFIED", pod("a", 11, "n2")), line("ADDED", pod("d", 12, "n1")),
            line("DELETED", pod("b", 13, "n1")), '{"type":"BOOKMARK","object":{"kind":"Pod","apiVersion":"v1",'
                .. '"metadata":{"resourceVersion":"20"}}}\n', '{"type":"ADDED","obj' },
        stream { GONE },
        page(30, nil, pod("a", 21, "n2"), pod("c", 3, "n2"), pod("e", 22, "n3")),
        stream({ line("MODIFIED", pod("c", 31, "n3")) }, true),
    }
end

local EVENTS = { "ADDED a 1", "ADDED b 2", "ADDED c 3", "MODIFIED a 11 from 1", "ADDED d 12", "DELETED b 2",
    "MODIFIED a 21 from 11", "ADDED e 22", "DELETED d 12", "MODIFIED c 31 from 3" }

function tests.changes_over_pages_breaks_and_a_new_list_have_no_gap_and_no_double()
    eventful()
    local cache <close> = connect():cache("pods")
    local seen = {}
    for i = 1, #EVENTS do seen[i] = told(cache:next(20)) end
    lu.assertEquals(seen, EVENTS)
    local function watch(i, version)
        lu.assertStrContains(asked[i], "/api/v1/namespaces/web/pods?watch=true&allowWatchBookmarks=true&resourceVersion="
            .. version)
    end
    lu.assertEquals(asked[1], "/api/v1/namespaces/web/pods?limit=500")
    lu.assertEquals(asked[2], "/api/v1/namespaces/web/pods?limit=500&continue=token")
    watch(3, 10)
    watch(4, 20) -- the bookmark's
    lu.assertEquals(asked[5], "/api/v1/namespaces/web/pods?limit=500")
    watch(6, 30)
    lu.assertEquals(pcall(cache.next, cache, 0.05), false)
end

function tests.objects_are_found_by_name_namespace_and_index()
    script = { page(5, nil, pod("a", 1, "n1"), pod("z", 2, "n1", "db"), pod("b", 3, "n1"), pod("c", 4, "n2")),
        stream({ line("MODIFIED", pod("b", 6, "n2")), line("DELETED", pod("c", 7, "n2")) }, true) }
    local cache <close> = connect():cache("pods", { all_namespaces = true,
        indexes = { node = { "spec", "nodeName" }, image = { "spec", "containers", "image" } } })
    cache:sync(20)
    task.timeout(20, function()
        while cache:count() > 3 do task.sleep(0.01) end
    end)
    lu.assertEquals(names(cache:list()), "z a b")
    lu.assertEquals(names(cache:list("db")), "z")
    lu.assertEquals(names(cache:list("nowhere")), "")
    lu.assertEquals(names(cache:by("node", "n1")), "z a")
    lu.assertEquals(names(cache:by("node", "n2")), "b")
    lu.assertEquals(names(cache:by("image", "side")), "z a b")
    lu.assertEquals(names(cache:by("image", "img-b")), "b")
    lu.assertEquals(names(cache:by("node", "n9")), "")
    lu.assertErrorMsgContains("no index", cache.by, cache, "zone", "x")
    local object = cache:get("a")
    lu.assertEquals({ object.kind, object.apiVersion, object.metadata.uid }, { "Pod", "v1", "u-a" })
    lu.assertNil(object.metadata.managedFields)
    lu.assertNil(cache:get("z"))
    lu.assertEquals(cache:get("z", "db").metadata.uid, "u-z")
end

function tests.many_objects_come_in_order_and_are_found_again()
    local pods, other = {}, {}
    for i = 1, 400 do pods[i] = pod(("p-%04d"):format(i), i, "n" .. i % 7) end
    for i = 401, 700 do other[#other + 1] = pod(("p-%04d"):format(i), i, "n" .. i % 7) end
    script = { page(700, "more", table.unpack(pods)), page(700, nil, table.unpack(other)), stream({}, true) }
    local cache <close> = connect():cache("pods", { indexes = { node = { "spec", "nodeName" } } })
    cache:sync(20)
    for i = 1, 700 do lu.assertEquals(cache:next(20).object.metadata.name, ("p-%04d"):format(i)) end
    lu.assertEquals(#cache:by("node", "n3"), 100)
    lu.assertEquals(cache:get("p-0699").metadata.resourceVersion, "699")
end

function tests.handlers_are_called_in_order_until_the_cache_closes()
    eventful()
    local seen = {}
    local cache, running
    cache, running = informer.start(connect(), "pods", {
        add = function(object) seen[#seen + 1] = "ADDED " .. object.metadata.name end,
        update = function(object, old)
            task.sleep(0.01)
            seen[#seen + 1] = ("MODIFIED %s from %s"):format(object.metadata.name, old.metadata.resourceVersion)
            if object.metadata.resourceVersion == "31" then cache:close() end
        end,
        delete = function(object) seen[#seen + 1] = "DELETED " .. object.spec.containers[1].image end,
    })
    task.timeout(20, function() running:wait() end)
    lu.assertEquals(seen, { "ADDED a", "ADDED b", "ADDED c", "MODIFIED a from 1", "ADDED d", "DELETED img-b",
        "MODIFIED a from 11", "ADDED e", "DELETED img-d", "MODIFIED c from 3" })
end

function tests.refused_list_fails_sync_and_next_and_a_closed_cache_says_so()
    local denied = '{"kind":"Status","status":"Failure","reason":"Forbidden","code":403,"message":"pods is forbidden"}'
    script = { function(conn) websocket.answer(conn, 403, denied, "Content-Type: application/json\r\n") end }
    local cache = connect():cache("pods")
    local ok, err = pcall(cache.sync, cache, 20)
    lu.assertEquals({ ok, err.kind }, { false, "denied" })
    ok, err = pcall(cache.next, cache, 20)
    lu.assertEquals({ ok, err.kind }, { false, "closed" })
    cache:close()
    lu.assertNil(cache:next())
    ok, err = pcall(cache.list, cache)
    lu.assertEquals({ ok, err.kind }, { false, "closed" })
end

function tests.sync_that_never_comes_ends_in_time_and_by_cancelling()
    script = { function(conn) conn:read() return "close" end }
    local cache <close> = connect():cache("pods")
    local ok, err = pcall(cache.sync, cache, 0.05)
    lu.assertEquals({ ok, err.kind }, { false, "timeout" })
    local waiting = task.spawn(function() cache:sync(60) end)
    task.sleep(0.02)
    waiting:cancel()
    lu.assertEquals(waiting:status(), "cancelled")
end

-- A server that has just started may answer from a cache that is behind.
function tests.list_that_is_older_than_what_was_told_is_asked_for_again()
    script = {
        page(10, nil, pod("a", 1, "n1")),
        stream { line("ADDED", pod("b", 12, "n1")), GONE },
        page(11, nil, pod("a", 1, "n1")),
        page(12, nil, pod("a", 1, "n1"), pod("b", 12, "n1")),
        stream({ line("MODIFIED", pod("b", 13, "n2")) }, true),
    }
    local cache <close> = connect():cache("pods")
    local seen = {}
    for i = 1, 3 do seen[i] = told(cache:next(20)) end
    lu.assertEquals(seen, { "ADDED a 1", "ADDED b 12", "MODIFIED b 13 from 12" })
end

function tests.server_whose_data_were_put_back_is_believed_after_a_while()
    local old = page(5, nil, pod("a", 1, "n1"))
    script = { page(10, nil, pod("a", 1, "n1"), pod("b", 9, "n1")), stream { GONE }, old, old, old, old, old, old,
        stream({ line("ADDED", pod("c", 6, "n2")) }, true) }
    local cache <close> = connect():cache("pods")
    local seen = {}
    for i = 1, 4 do seen[i] = told(cache:next(30)) end
    lu.assertEquals(seen, { "ADDED a 1", "ADDED b 9", "DELETED b 9", "ADDED c 6" })
end

return tests
