-- How a deploy ends: what its last step and its last words say of the addresses.
local front = require "front"
local http = require "http"
local ingress = require "ingress"
local log = require "log"
local lu = require "luaunit"
local url = require "url"

local tests = {}
local said
local prove, ensure = url.prove, ingress.ensure

function tests.setup()
    said = {}
    log.set_sink(function(text) said[#said + 1] = text:gsub("\27%[[%d;]*m", "") .. "" end)
end

function tests.teardown()
    log.set_sink(nil)
    url.prove, ingress.ensure = prove, ensure
end

local UNCHANGED = { changed = false, seconds = 0.1 }
local LOST = { url = "http://10.0.0.7:30080", ok = false, why = "no route" }

-- The context and the step's text after a proof with that outcome.
local function proven(winner, forwarder, options)
    url.prove = function() return winner.url, { LOST, winner }, forwarder end
    ingress.ensure = function() return nil end
    local ctx = { options = options or {} }
    local changed, text = front.prove(ctx)
    lu.assertFalse(changed)
    front.tell(ctx, UNCHANGED)
    return ctx, text
end

function tests.address_that_answers_is_the_result_with_what_was_tried_before()
    local ctx, text = proven { url = "http://localhost:30080", ok = true, pod = "front-1" }
    lu.assertEquals(text, "http://localhost:30080 answers")
    lu.assertEquals({ ctx.url, ctx.forwarded }, { "http://localhost:30080", false })
    lu.assertEquals(said[#said], "http://localhost:30080")
    lu.assertStrContains(table.concat(said), "not http://10.0.0.7:30080: no route")
end

function tests.page_that_does_not_tell_whose_it_is_is_told_as_that()
    local _, text = proven { url = "http://localhost:30080", ok = true }
    lu.assertEquals(text, "http://localhost:30080 answers; its page does not tell whose it is")
end

-- The forwarder ends with the deploy, and its address with it.
function tests.stack_behind_a_forwarder_has_the_command_for_its_result()
    local listener = http.bind("127.0.0.1", 0)
    local port = listener.port
    local ctx, text = proven({ url = "http://localhost:" .. port, ok = true, pod = "front-1" }, listener,
        { cluster = "minikube", namespace = "web" })
    lu.assertStrContains(text, "answers while `todo-lua open` runs")
    lu.assertTrue(ctx.forwarded)
    lu.assertEquals(said[#said], "todo-lua open --cluster minikube --namespace web")
    lu.assertFalse((pcall(http.connect, "127.0.0.1", port, 1)))
end

return tests
