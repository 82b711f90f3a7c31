-- A writer that numbers its objects through whatever happens to the API server, and a watch and a cache that must see all
-- of it once.
local k8s = require "k8s"
local lu = require "luaunit"
local task = require "task"

local numbered = {}

-- Creates objects and changes each once; returns how many there are.
local function write(client, stopped)
    local number = 0
    local function certainly(done, attempt)
        while not pcall(attempt) do -- not known whether it was done: look before writing again
            task.sleep(0.05)
            local ok, object = pcall(client.get, client, "cm", "c-" .. number)
            if ok and done(object) then return end
        end
    end
    while not stopped() do
        number = number + 1
        certainly(function(object) return object end, function()
            client:create { apiVersion = "v1", kind = "ConfigMap", data = { n = "0" },
                metadata = { name = "c-" .. number, labels = { counted = "1" } } }
        end)
        certainly(function(object) return object and object.data.n == "1" end, function()
            client:patch("cm", "c-" .. number, { data = { n = "1" } })
        end)
        task.sleep(0.002)
    end
    return number
end

-- Collects the life of each object: A0 added in state 0, M1 changed to state 1, D deleted.
local function reader(source)
    local lives = {}
    return lives, task.spawn(function()
        for event in source do
            local name, data = event.object.metadata.name, event.object.data
            local state = event.type ~= "DELETED" and data.n or ""
            lives[name] = (lives[name] or "") .. event.type:sub(1, 1) .. state
        end
    end)
end

local function wait_until(what, seconds, condition)
    local deadline = task.now() + seconds
    while not condition() do
        lu.assertTrue(task.now() < deadline, what)
        task.sleep(0.1)
    end
end

local function all_end_in(lives, last, pattern)
    for i = 1, last do
        if not (lives["c-" .. i] or ""):find(pattern) then return false end
    end
    return true
end

-- A list that had to be made anew may show the second state only; nothing else may be missing or come twice.
local function check_lives(lives, last)
    local seen = 0
    for name, life in pairs(lives) do
        lu.assertTrue(life == "A0M1" or life == "A1", name .. ": " .. life)
        seen = seen + 1
    end
    lu.assertEquals(seen, last)
end

-- Runs `trouble` beside the writer and checks that both readers saw every object once.
---@param direct string the writer's kubeconfig
---@param through string the readers' kubeconfig
---@param trouble async fun()
---@return integer objects that were written
function numbered.check(direct, through, trouble)
    local writer = k8s.connect { kubeconfig = direct }
    local watching = k8s.connect { kubeconfig = through }
    local watch <close> = watching:watch("cm", { labels = "counted" })
    local cache <close> = watching:cache("cm", { labels = "counted" })
    local watched, task_a = reader(watch)
    local cached, task_b = reader(cache)
    local stop = false
    local writing = task.spawn(write, writer, function() return stop end)
    wait_until("the first object did not come", 60, function() return watched["c-1"] and cached["c-1"] end)
    trouble()
    stop = true
    local last = writing:wait()
    for _, lives in ipairs { watched, cached } do
        wait_until("not all objects came", 60, function() return all_end_in(lives, last, "1$") end)
        check_lives(lives, last)
    end
    lu.assertEquals(cache:count(), last)
    writer:request("DELETE", "/api/v1/namespaces/default/configmaps", { query = { labelSelector = "counted" } })
    for _, lives in ipairs { watched, cached } do
        wait_until("not all ends came", 60, function() return all_end_in(lives, last, "D$") end)
        for name, life in pairs(lives) do lu.assertTrue(life:find("^A[^AD]*D$") ~= nil, name .. ": " .. life) end
    end
    lu.assertEquals(cache:count(), 0)
    watch:close()
    cache:close()
    task_a:wait()
    task_b:wait()
    return last
end

-- The server goes away at once and comes back, again and again.
---@param server todo.ApiServer
---@param times integer
---@return integer objects
function numbered.check_restarts(server, times)
    return numbered.check(server.kubeconfig, server.kubeconfig, function()
        for _ = 1, times do
            task.sleep(0.2)
            server:stop_api()
            server:start_api()
        end
    end)
end

return numbered
