-- Tasks: waiting, cancelling, cleaning up.
local lu = require "luaunit"
local task = require "task"

local tests = {}

function tests.all_runs_side_by_side_and_keeps_order()
    local started = task.now()
    local results = task.all {
        function() task.sleep(0.1) return "slow" end,
        function() return "fast" end,
    }
    lu.assertEquals(results, { "slow", "fast" })
    lu.assertTrue(task.now() - started < 0.19)
end

function tests.all_first_error_cancels_the_others()
    local finished = false
    local ok, err = pcall(task.all, {
        function() task.sleep(0.05) finished = true end,
        function() error({ kind = "parse", message = "bad" }) end,
    })
    lu.assertFalse(ok)
    lu.assertEquals(err.kind, "parse")
    task.sleep(0.1)
    lu.assertFalse(finished)
end

function tests.any_returns_the_first_that_ends_well()
    local index, value = task.any {
        function() error("no") end,
        function() task.sleep(0.01) return "yes" end,
        function() task.sleep(5) end,
    }
    lu.assertEquals(index, 2)
    lu.assertEquals(value, "yes")
end

function tests.any_with_only_failures_raises_the_last()
    local ok, err = pcall(task.any, { function() error("one", 0) end, function() task.sleep(0.01) error("two", 0) end })
    lu.assertFalse(ok)
    lu.assertEquals(err.message, "two")
end

function tests.timeout_cancels_and_raises()
    local reached = false
    local ok, err = pcall(task.timeout, 0.02, function() task.sleep(1) reached = true end)
    lu.assertFalse(ok)
    lu.assertEquals(err.kind, "timeout")
    lu.assertFalse(reached)
    lu.assertEquals(task.timeout("1s", function(x) return x * 2 end, 21), 42)
end

function tests.wait_raises_the_tasks_error_with_its_line()
    local child = task.spawn(function() error("boom") end)
    local ok, err = pcall(child.wait, child)
    lu.assertFalse(ok)
    lu.assertStrContains(err.message, "task_test.lua")
    lu.assertStrContains(err.message, "boom")
    lu.assertEquals(child:status(), "failed")
end

function tests.cancel_closes_what_the_task_holds()
    local closed = false
    local child = task.spawn(function()
        local _ <close> = setmetatable({}, { __close = function() closed = true end })
        task.sleep(10)
    end)
    task.sleep(0)
    child:cancel()
    lu.assertTrue(closed)
    lu.assertEquals(child:status(), "cancelled")
    child:cancel()
    local ok, err = pcall(child.wait, child)
    lu.assertFalse(ok)
    lu.assertEquals(err.kind, "cancelled")
end

function tests.cancel_cannot_be_caught()
    local caught = false
    local child = task.spawn(function()
        pcall(task.sleep, 10)
        caught = true
    end)
    task.sleep(0)
    child:cancel()
    task.sleep(0.01)
    lu.assertFalse(caught)
end

function tests.cancel_reaches_children()
    local ended = false
    local parent = task.spawn(function()
        task.spawn(function() task.sleep(0.05) ended = true end)
        task.sleep(10)
    end)
    task.sleep(0.01)
    parent:cancel()
    task.sleep(0.1)
    lu.assertFalse(ended)
end

function tests.child_ends_with_its_parent_unless_detached()
    local ended = {}
    local detached
    task.spawn(function()
        task.spawn(function() task.sleep(0.02) ended.child = true end)
        detached = task.spawn(function() task.sleep(0.02) ended.detached = true end):detach()
    end):wait()
    detached:wait()
    lu.assertEquals(ended, { detached = true })
end

function tests.failure_of_a_child_that_nobody_waits_for_fails_the_parent()
    local parent = task.spawn(function()
        task.spawn(function() error({ kind = "io", message = "lost" }) end)
        task.sleep(0.02)
        return "fine"
    end)
    local ok, err = pcall(parent.wait, parent)
    lu.assertFalse(ok)
    lu.assertEquals(err.kind, "io")
end

function tests.defer_runs_newest_first_and_may_wait()
    local order = {}
    task.spawn(function()
        task.defer(function() order[#order + 1] = "first" end)
        task.defer(function() task.sleep(0.01) order[#order + 1] = "second" end)
        order[#order + 1] = "body"
    end):wait()
    lu.assertEquals(order, { "body", "second", "first" })
end

function tests.defer_runs_after_cancel_and_after_errors()
    local ran = 0
    local function body() task.defer(function() task.sleep(0) ran = ran + 1 end) end
    local cancelled = task.spawn(function() body() task.sleep(10) end)
    local failed = task.spawn(function() body() error("x") end)
    task.sleep(0.01)
    cancelled:cancel()
    cancelled:join()
    failed:join()
    pcall(failed.wait, failed)
    lu.assertEquals(ran, 2)
end

function tests.own_coroutines_let_the_hosts_waits_through()
    local produce = coroutine.wrap(function()
        for i = 1, 3 do
            task.sleep(0.001)
            coroutine.yield(i)
        end
    end)
    lu.assertEquals({ produce(), produce(), produce() }, { 1, 2, 3 })
    local co = coroutine.create(function(a)
        task.sleep(0.001)
        local b = coroutine.yield(a + 1)
        error("end " .. b)
    end)
    lu.assertEquals({ coroutine.resume(co, 1) }, { true, 2 })
    local ok, err = coroutine.resume(co, "now")
    lu.assertFalse(ok)
    lu.assertStrContains(tostring(err), "end now")
    lu.assertEquals(coroutine.resume(co), false)
end

function tests.coroutine_that_waits_cannot_be_resumed_by_another_task()
    local co = coroutine.create(function() task.sleep(10) end)
    local owner = task.spawn(function() coroutine.resume(co) end)
    task.sleep(0)
    local ok, err = coroutine.resume(co)
    lu.assertFalse(ok)
    lu.assertEquals(err.kind, "usage")
    owner:cancel()
end

function tests.wait_where_lua_cannot_yield_is_a_clear_error()
    local ok, err = pcall(table.sort, { 3, 2, 1 }, function(a, b) task.sleep(0) return a < b end)
    lu.assertFalse(ok)
    lu.assertStrContains(err.message, "cannot wait here")
end

function tests.pcall_gives_objects_and_passes_results()
    lu.assertEquals(table.pack(pcall(function(...) return ... end, 1, nil, 3)), table.pack(true, 1, nil, 3))
    local ok, err = pcall(error, "plain", 0)
    lu.assertFalse(ok)
    lu.assertEquals(err.message, "plain")
    lu.assertEquals(tostring(err), "plain")
    local _, handled = xpcall(function() task.sleep(0) error("inside") end, function(e) return e.kind .. "!" end)
    lu.assertEquals(handled, "script!")
end

function tests.channel_hands_over_in_order_and_ends()
    local channel, got = task.channel(), {}
    local consumer = task.spawn(function()
        for value in channel.get, channel do got[#got + 1] = value end
    end)
    for i = 1, 5 do
        channel:put(i)
        if i % 2 == 0 then task.sleep(0) end
    end
    channel:close()
    consumer:wait()
    lu.assertEquals(got, { 1, 2, 3, 4, 5 })
    local ok, err = pcall(channel.put, channel, 1)
    lu.assertFalse(ok)
    lu.assertEquals(err.kind, "closed")
end

function tests.channel_get_with_deadline_raises_timeout()
    local channel = task.channel()
    local ok, err = pcall(channel.get, channel, 0.01)
    lu.assertFalse(ok)
    lu.assertEquals(err.kind, "timeout")
end

function tests.many_tasks_stay_cheap()
    local started, count = task.now(), 0
    local fns = {}
    for i = 1, 2000 do fns[i] = function() task.sleep(0.01) count = count + 1 end end
    task.all(fns)
    lu.assertEquals(count, 2000)
    lu.assertTrue(task.now() - started < 5)
end

function tests.join_tells_whether_it_ended()
    local child = task.spawn(function() task.sleep(0.05) return 1 end)
    lu.assertFalse(child:join(0.001))
    lu.assertTrue(child:join(1))
    lu.assertEquals(child:wait(), 1)
end

function tests.cancel_of_an_ancestor_ends_the_task_itself()
    local reached = {}
    local parent = task.spawn(function()
        local own = task.current()
        task.spawn(function()
            task.spawn(function()
                own:cancel()
                reached.after = true
            end)
            task.sleep(10)
        end)
        task.sleep(10)
    end)
    parent:join()
    task.sleep(0.01)
    lu.assertEquals(parent:status(), "cancelled")
    lu.assertEquals(reached, {})
end

function tests.cancel_closes_coroutines_that_wait_inside_the_task()
    local closed = {}
    local function holder(name, inside)
        return function()
            local _ <close> = setmetatable({}, { __close = function() closed[#closed + 1] = name end })
            inside()
        end
    end
    local child = task.spawn(holder("task", coroutine.wrap(holder("outer", function()
        coroutine.resume(coroutine.create(holder("inner", function() task.sleep(10) end)))
    end))))
    task.sleep(0)
    child:cancel()
    lu.assertEquals(closed, { "inner", "outer", "task" })
end

function tests.close_of_a_cancelled_task_cannot_wait_but_may_defer()
    local seen = {}
    local child = task.spawn(function()
        local _ <close> = setmetatable({}, { __close = function()
            local ok, err = pcall(task.sleep, 0.01)
            seen.ok, seen.message = ok, err.message
            task.defer(function() task.sleep(0.01) seen.deferred = true end)
        end })
        task.sleep(10)
    end)
    task.sleep(0)
    child:cancel()
    child:join()
    lu.assertFalse(seen.ok)
    lu.assertStrContains(seen.message, "task.defer")
    lu.assertTrue(seen.deferred)
    task.sleep(0.02) -- the canceller waits as before
end

function tests.close_learns_the_error_and_may_replace_it()
    local seen
    local failing = task.spawn(function()
        local _ <close> = setmetatable({}, { __close = function(_, err) seen = err error("second", 0) end })
        error("first", 0)
    end)
    local ok, err = pcall(failing.wait, failing)
    lu.assertFalse(ok)
    lu.assertEquals(seen, "first")
    lu.assertEquals(err.message, "second")
end

function tests.close_may_cancel_siblings()
    local children, closed = {}, 0
    local parent = task.spawn(function()
        for i = 1, 5 do
            children[i] = task.spawn(function()
                local _ <close> = setmetatable({}, { __close = function()
                    closed = closed + 1
                    for _, other in ipairs(children) do other:cancel() end
                    collectgarbage()
                end })
                task.sleep(10)
            end)
        end
        task.sleep(0.01)
    end)
    parent:wait()
    lu.assertEquals(closed, 5)
end

function tests.coroutine_in_which_a_task_waits_cannot_be_closed_or_resumed()
    local inner, outer, own
    local owner = task.spawn(function()
        own = coroutine.running()
        outer = coroutine.create(function()
            inner = coroutine.create(function() task.sleep(0.02) return "slept" end)
            return select(2, coroutine.resume(inner))
        end)
        return select(2, coroutine.resume(outer))
    end)
    task.sleep(0)
    for _, co in ipairs { inner, outer, own } do
        local ok, err = coroutine.resume(co)
        lu.assertFalse(ok)
        lu.assertEquals(err.kind, "usage")
        ok, err = pcall(coroutine.close, co)
        lu.assertFalse(ok)
        lu.assertEquals(err.kind, "usage")
    end
    lu.assertEquals(owner:wait(), "slept")
    lu.assertTrue(coroutine.close(inner))
end

function tests.coroutine_that_waits_where_lua_cannot_yield_is_a_clear_error()
    local child = task.spawn(function()
        local ok, err = pcall(table.sort, { 3, 2, 1 }, coroutine.wrap(function() task.sleep(0.001) end))
        task.sleep(0.02) -- the abandoned wait must not end this one
        return ok, err.message
    end)
    local started = task.now()
    local ok, message = child:wait()
    lu.assertFalse(ok)
    lu.assertStrContains(message, "cannot wait here")
    lu.assertTrue(task.now() - started >= 0.015)
end

function tests.wrapped_coroutine_that_fails_closes_with_its_error()
    local seen
    local wrapped = coroutine.wrap(function()
        local _ <close> = setmetatable({}, { __close = function(_, err) seen = err end })
        error("broken", 0)
    end)
    local ok, err = pcall(wrapped)
    lu.assertEquals({ ok, err.message, seen }, { false, "broken", "broken" })
end

function tests.errors_in_error_handlers_are_objects()
    local ok, err = xpcall(error, function() error("in the handler") end, "first")
    lu.assertFalse(ok)
    lu.assertEquals(type(err), "table")
    ok, err = pcall(error, setmetatable({}, { __tostring = function() error("unprintable") end }))
    lu.assertFalse(ok)
    lu.assertEquals(type(err), "table")
end

function tests.recursion_without_end_is_an_error_of_its_task_only()
    local function forever() return 1 + forever() end
    local child = task.spawn(forever)
    local ok, err = pcall(child.wait, child)
    lu.assertFalse(ok)
    lu.assertStrContains(err.message, "stack overflow")
end

function tests.spawn_passes_many_arguments()
    local arguments = {}
    for i = 1, 500 do arguments[i] = i end
    lu.assertEquals(task.spawn(function(...) return select("#", ...), (select(500, ...)) end,
        table.unpack(arguments)):wait(), 500)
end

function tests.task_waiting_under_constant_collection_keeps_what_it_needs()
    local before = collectgarbage("setpause", 0)
    local fns = {}
    for i = 1, 50 do
        fns[i] = function()
            local event, text = task.event(), ("x"):rep(i)
            task.spawn(function() collectgarbage() task.sleep(0.001) event:set() end)
            event:wait()
            collectgarbage("step")
            return #text + #coroutine.wrap(function() task.sleep(0.001) collectgarbage() return text end)()
        end
    end
    local results = task.all(fns)
    collectgarbage("setpause", before)
    for i = 1, 50 do lu.assertEquals(results[i], 2 * i) end
end

return tests
