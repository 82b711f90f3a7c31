-- Clusters whose nodes are containers of the local Docker: what kind and k3d have in common.
local docker_endpoint = require "docker_endpoint"
local fail = require "fail"
local fs = require "fs"
local http = require "http"
local json = require "json"
local proc = require "proc"
local provider = require "provider"
local tables = require "tables"
local task = require "task"

local container_cluster = {}

---For what only asks, in seconds.
container_cluster.ANSWER_SECONDS = 15

local API_SECONDS = 5
local READY_SECONDS = 120

---@class todo.ContainerCluster
---@field tool string "kind"
---@field name string of the cluster
---@field label string of its containers, "io.x-k8s.kind.cluster=NAME"
---@field node string name of the container that its first node is
---@field kubeconfig string file of that node which is there once the cluster was made

---Runs a tool that calls Docker itself; it reaches the same engine. Raises "timeout" where one that only asks hangs.
---@async
---@param argv string[]
---@param options table? of proc.run
---@return todo.ProcResult
function container_cluster.run(argv, options)
    options = tables.merge({ check = false, env = docker_endpoint.environment() }, options or {})
    local result, late = fail.catch({ timeout = true }, function() return proc.run(argv, options) end)
    if result then return result end
    fail.raise("timeout", ("`%s` did not answer within %g s"):format(table.concat(argv, " "), options.timeout),
        "Docker may hang: restart it (sudo systemctl restart docker, or Docker Desktop's Restart), then run again",
        { cause = late })
end

---The cluster's containers, as GET /containers/json.
---@async
---@param ctx todo.ClusterContext
---@param c todo.ContainerCluster
---@return table[]
function container_cluster.containers(ctx, c)
    return provider.engine(ctx):containers { all = true, filters = { label = { c.label } } }
end

---@param containers table[]
---@return boolean
function container_cluster.all_run(containers)
    return #tables.filter(containers, function(one) return one.State == "running" end) == #containers
end

-- What todo-lua made with a tool: the cluster's name and, once it was whole, the id of its first node.
local function record_path(ctx, c) return fs.join(ctx.state_dir, c.tool, "made") end

local function read_record(ctx, c)
    local ok, record = pcall(function() return json.decode(fs.read(record_path(ctx, c)) or "{}") end)
    return ok and type(record) == "table" and record.name == c.name and record or {}
end

local function write_record(ctx, c, record)
    fs.mkdir(fs.dirname(record_path(ctx, c)), 448)
    fs.write(record_path(ctx, c), json.encode(record) .. "\n", 384)
end

---Makes the cluster with fn. What that leaves half made where this program ends meanwhile can be told later.
---@async
---@param ctx todo.ClusterContext
---@param c todo.ContainerCluster
---@param fn async fun()
function container_cluster.make(ctx, c, fn)
    write_record(ctx, c, { name = c.name })
    local ok, problem = pcall(fn)
    if not ok then
        if #container_cluster.containers(ctx, c) == 0 then fs.remove(record_path(ctx, c)) end
        error(problem, 0)
    end
    local node = ctx.docker:container(c.node)
    write_record(ctx, c, { name = c.name, node = node and node.Id })
end

-- Whether a file is there, also in a container that does not run.
local function has_file(ctx, container, path)
    local _, status = provider.engine(ctx):call("HEAD", "/containers/" .. container .. "/archive",
        { absent = true, query = { path = path }, timeout = container_cluster.ANSWER_SECONDS })
    return status == 200
end

local EVERYWHERE = { [""] = true, ["0.0.0.0"] = true, ["::"] = true }

---Whether an API server answers at the port of this machine that leads to one of the containers.
---@async
---@param containers table[]
---@return boolean
function container_cluster.answers(containers)
    for _, container in ipairs(containers) do
        for _, port in ipairs(container.Ports or {}) do
            if port.PrivatePort == 6443 and port.PublicPort then
                local address = EVERYWHERE[port.IP] and "127.0.0.1" or port.IP:gsub("^.*:.*$", "[%0]")
                local ok, answer = pcall(http.get, ("https://%s:%d/readyz"):format(address, port.PublicPort),
                    { insecure = true, timeout = API_SECONDS, proxy = "", fresh = true })
                if ok and answer.status < 500 then return true end
            end
        end
    end
    return false
end

---Whether the cluster never was one: its making was broken off.
---@async
---@param ctx todo.ClusterContext
---@param c todo.ContainerCluster
---@param is_whole async fun(): boolean asked where there is a kubeconfig, and nothing tells that it was finished
---@return boolean
function container_cluster.is_unfinished(ctx, c, is_whole)
    if not has_file(ctx, c.node, c.kubeconfig) then
        return not container_cluster.answers(container_cluster.containers(ctx, c))
    end
    local record = read_record(ctx, c)
    return record.name ~= nil and record.node == nil and not is_whole()
end

---Whether todo-lua made this very cluster, or nobody has made it yet.
---@async
---@param ctx todo.ClusterContext
---@param c todo.ContainerCluster
---@param is_whole async fun(): boolean see is_unfinished
---@return boolean
function container_cluster.made_here(ctx, c, is_whole)
    if container_cluster.is_unfinished(ctx, c, is_whole) then return true end
    local node = provider.engine(ctx):container(c.node)
    return node ~= nil and node.Id == read_record(ctx, c).node
end

---Waits until something holds; raises with the next step where it does not come to that.
---@async
---@param c todo.ContainerCluster
---@param is_ready async fun(): boolean
---@param seconds number? default two minutes
function container_cluster.wait(c, is_ready, seconds)
    local deadline = task.now() + (seconds or READY_SECONDS)
    while not is_ready() do
        if task.now() > deadline then
            fail.raise("not_ready", ("the API server of %s's cluster %s does not answer"):format(c.tool, c.name),
                ("restart it: docker restart %s; or remove it: todo-lua destroy --delete-cluster"):format(c.node))
        end
        task.sleep(0.5)
    end
end

local HOLDS_PORTS = { running = true, paused = true }

---Raises where another program has the port of this machine that the cluster's nodes are to have.
---@param port integer
---@param containers table[] the cluster's own; where there are some, its port is settled
function container_cluster.check_port(port, containers)
    if tables.filter(containers, function(one) return HOLDS_PORTS[one.State] end)[1] then return end
    local listener, taken = fail.catch({ exists = true }, function() return http.bind("127.0.0.1", port) end)
    if listener then return listener:close() end
    local hint = ("stop it (find it with: ss -ltnp 'sport = :%d')"):format(port)
    if #containers == 0 then
        hint = hint .. ", or choose another in todo.local.lua: ports = { node = 30081 }, "
            .. "values = { frontend = { service = { nodePort = 30081 } } }"
    end
    fail.raise("port_busy", ("port %d is taken by another program on this machine"):format(port), hint,
        { cause = taken })
end

---What is found out where the tool is installed. While Docker does not run, a cluster that was made here still is one.
---@async
---@param ctx todo.ClusterContext
---@param c todo.ContainerCluster
---@return todo.ClusterDetection
function container_cluster.detect(ctx, c)
    local containers, problem = fail.catch({ connect = true }, function()
        return container_cluster.containers(ctx, c)
    end)
    if not containers then
        return { available = true, exists = read_record(ctx, c).node ~= nil, running = false,
            reason = fail.message(problem) }
    end
    local runs = #containers > 0 and container_cluster.all_run(containers)
    local state = #containers == 0 and "absent" or runs and "running" or "stopped"
    return { available = true, exists = #containers > 0, running = runs,
        reason = ("its cluster %s is %s"):format(c.name, state) }
end

---@async
---@param ctx todo.ClusterContext
---@param c todo.ContainerCluster
---@param is_whole async fun(): boolean see is_unfinished
---@return todo.ClusterStatus
function container_cluster.status(ctx, c, is_whole)
    local containers = container_cluster.containers(ctx, c)
    if #containers == 0 then
        return { state = "absent", message = not proc.which(c.tool) and c.tool .. " is not installed" or nil }
    end
    if not container_cluster.all_run(containers) then return { state = "stopped" } end
    if container_cluster.is_unfinished(ctx, c, is_whole) then
        return { state = "broken", message = "its making was broken off" }
    end
    if not container_cluster.answers(containers) then
        return { state = "broken", message = "its API server does not answer" }
    end
    return { state = "running" }
end

return container_cluster
