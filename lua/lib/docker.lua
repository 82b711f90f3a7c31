-- What module docker offers on top of the host's primitives. The host runs this file with the module and the methods of
-- a client; their call, stream, transfer and hijack are the ways to the engine.
local docker, Docker = ...

local http = require "http"
local task = require "task"

local LONGEST_LINE = 1024 * 1024
local ANSWER_SECONDS = 15 -- for what an engine knows without looking

-- What the engine says of itself in the header of any answer. Its /version runs two programs to tell more.
local function greeting(client)
    local stream <close> = client:stream("GET", "/_ping")
    local api, server = stream.headers["api-version"], stream.headers.server or ""
    return stream.status == 200 and api, server:match("^%w+/(%S+)"), stream.headers.ostype
end

function docker.connect(options)
    local client = docker.open(require("docker_endpoint").resolve(options))
    local started = task.now()
    local ok, api, server, os = pcall(task.timeout, ANSWER_SECONDS, greeting, client)
    if not (ok and api and server and os) then
        local left = math.max(1, started + ANSWER_SECONDS - task.now())
        local version = client:call("GET", "/version", { timeout = left })
        api, server, os = version.ApiVersion, version.Version, version.Os
    end
    client:negotiate(api, { server_version = server, os = os })
    return client
end

function Docker:request(method, path, options)
    return self:call(method, path, options)
end

function Docker:info()
    return (self:call("GET", "/info", { timeout = ANSWER_SECONDS }))
end

local function escape(name)
    return (http.escape(name):gsub("%%2F", "/"):gsub("%%3A", ":"):gsub("%%40", "@"))
end

local function split_tag(name)
    local repo, tag = name:match("^(.*):([^:/]+)$")
    return repo or name, tag
end

-- Removes something: false where it was not there.
local function remove(self, path, query)
    local _, status = self:call("DELETE", path, { absent = true, query = query })
    return status ~= 404
end

-- Hands every event of a transfer to on_event and returns its result.
local function follow(transfer, on_event)
    local open <close> = transfer
    for event in open.next, open do
        if on_event then on_event(event) end
    end
    return open:result()
end

-- Images

local function default_tag(name)
    local _, tag = split_tag(name)
    return tag and name or name .. ":latest"
end

-- By the engine's BuildKit, which is given what it may ask for, or without that by its classic builder.
local function build_by_api(self, options, given)
    local transfer = self:transfer("/build", {
        content_type = "application/x-tar",
        context = {
            dir = options.context,
            dockerfile = options.dockerfile or options.context .. "/Dockerfile",
            ignore_file = options.ignore_file,
            extra_files = options.extra_files,
            buildkit = given ~= nil,
            secrets = given and given.secrets,
            agent = given and given.agent,
        },
        query = {
            t = options.tags,
            buildargs = options.args,
            labels = options.labels,
            target = options.target,
            nocache = options.no_cache,
            pull = options.pull,
            cachefrom = options.cache_from and '["' .. table.concat(options.cache_from, '","') .. '"]' or nil,
            networkmode = options.network,
            platform = options.platform,
            rm = true,
            forcerm = true,
        },
    })
    return follow(transfer, options.on_progress)
end

function Docker:build(options)
    local started = task.now()
    local function run() return require("builder").build(self, options, build_by_api) end
    local result = options.timeout and task.timeout(options.timeout, run) or run()
    local image = self:image(options.tags and options.tags[1] or result.id)
    return {
        id = image and image.Id or result.id,
        tags = options.tags or {},
        seconds = task.now() - started,
        cached = result.cached,
    }
end

function Docker:image(name)
    return (self:call("GET", "/images/" .. escape(name) .. "/json", { absent = true }))
end

function Docker:history(name)
    return (self:call("GET", "/images/" .. escape(name) .. "/history"))
end

function Docker:images(options)
    return (self:call("GET", "/images/json", { query = { filters = options and options.filters } }))
end

function Docker:tag(source, target)
    local repo, tag = split_tag(target)
    self:call("POST", "/images/" .. escape(source) .. "/tag", { query = { repo = repo, tag = tag or "latest" } })
end

function Docker:remove_image(name, options)
    options = options or {}
    return remove(self, "/images/" .. escape(name), { force = options.force, noprune = options.no_prune })
end

function Docker:pull(name, options)
    options = options or {}
    local repo, tag = name, nil
    if not name:find("@", 1, true) then repo, tag = split_tag(default_tag(name)) end
    follow(self:transfer("/images/create", {
        query = { fromImage = repo, tag = tag, platform = options.platform },
        auth = options.auth,
    }), options.on_progress)
end

function Docker:push(name, options)
    options = options or {}
    local repo, tag = split_tag(default_tag(name))
    -- The engine wants the header also where the registry wants no password.
    follow(self:transfer("/images/" .. escape(repo) .. "/push", {
        query = { tag = tag },
        auth = options.auth or { username = "", password = "" },
    }), options.on_progress)
    return self:digest(default_tag(name))
end

-- The engine tells Docker Hub's repositories by their short names.
local function familiar(repo)
    local rest = repo:match("^docker%.io/(.+)$") or repo:match("^index%.docker%.io/(.+)$")
    return ((rest or repo):gsub("^library/", ""))
end

-- The digest under which the repository of the name knows the image.
function Docker:digest(name)
    local repo = familiar((split_tag(name)))
    local image = self:image(name)
    local digests = image and image.RepoDigests
    for _, known in ipairs(type(digests) == "table" and digests or {}) do
        local owner, digest = known:match("^(.*)@(sha256:%x+)$")
        if owner and familiar(owner) == repo then return digest end
    end
    return nil
end

function Docker:distribution(name, options)
    return (self:call("GET", "/distribution/" .. escape(name) .. "/json",
        { absent = true, auth = options and options.auth }))
end

-- A function that takes bytes, and what ends the sink: done() on success, undone() on failure.
local function file_sink(path)
    local partial = path .. ".part"
    local file, why = io.open(partial, "wb")
    if not file then error({ kind = "io", message = "cannot write " .. why }, 0) end
    local function write(bytes)
        local ok, problem = file:write(bytes)
        if not ok then error({ kind = "io", message = "cannot write " .. partial .. ": " .. problem }, 0) end
    end
    local function done()
        file:close()
        local ok, problem = os.rename(partial, path)
        if not ok then error({ kind = "io", message = "cannot rename " .. problem }, 0) end
    end
    local function undone()
        file:close()
        os.remove(partial)
    end
    return write, done, undone
end

local function open_sink(sink)
    if type(sink) == "string" then return file_sink(sink) end
    local nothing = function() end
    if type(sink) == "function" then return sink, nothing, nothing end
    return function(bytes) sink:write(bytes) end, function() sink:close_stdin() end, nothing
end

-- The answer as a stream; raises where the engine refused.
local function open_stream(self, method, path, options)
    local stream = self:stream(method, path, options)
    if stream.status < 400 then return stream end
    local open <close> = stream
    local body = {}
    for bytes in open.read, open do body[#body + 1] = bytes end
    return self:refused(open.status, table.concat(body))
end

function Docker:export(names)
    if type(names) == "string" then names = { names } end
    return open_stream(self, "GET", "/images/get", { query = { names = names } })
end

function Docker:save(names, sink, options)
    local on_progress = options and options.on_progress
    local write, done, undone = open_sink(sink)
    local total = 0
    local ok, problem = pcall(function()
        local stream <close> = self:export(names)
        for bytes in stream.read, stream do
            write(bytes)
            total = total + #bytes
            if on_progress then on_progress(total) end
        end
    end)
    if not ok then
        undone()
        error(problem, 0)
    end
    done()
    return total
end

function Docker:load(path, options)
    local result = follow(self:transfer("/images/load", {
        file = path,
        content_type = "application/x-tar",
    }), options and options.on_progress)
    return result.loaded
end

function Docker:import(path, tag, options)
    options = options or {}
    local repo, version = split_tag(tag)
    local result = follow(self:transfer("/images/create", {
        file = path,
        content_type = "application/x-tar",
        query = { fromSrc = "-", repo = repo, tag = version or "latest", changes = options.changes },
    }), options.on_progress and function(event)
        if event.stream == "context" then options.on_progress(event.bytes) end
    end)
    return result.id
end

-- Containers

local function environment(env)
    if not env then return nil end
    local list = {}
    for name, value in pairs(env) do
        if type(value) == "userdata" then value = value:reveal() end
        list[#list + 1] = name .. "=" .. value
    end
    table.sort(list)
    return list
end

local function port_bindings(ports)
    local exposed, bindings = {}, {}
    for inside, outside in pairs(ports or {}) do
        local name = tostring(inside)
        if not name:find("/") then name = name .. "/tcp" end
        local address, port = tostring(outside):match("^(.*):(%d+)$")
        exposed[name] = {}
        bindings[name] = { { HostIp = address or "", HostPort = port or tostring(outside) } }
    end
    return next(exposed) and exposed or nil, next(bindings) and bindings or nil
end

local function mounts(list)
    if not list then return nil end
    local result = {}
    for i, mount in ipairs(list) do
        result[i] = {
            Type = mount.type,
            Source = mount.source,
            Target = mount.target,
            ReadOnly = mount.read_only or false,
        }
    end
    return result
end

function Docker:create(options)
    local exposed, bindings = port_bindings(options.ports)
    local created = self:call("POST", "/containers/create", {
        query = { name = options.name },
        body = {
            Image = options.image,
            Cmd = options.cmd,
            Entrypoint = options.entrypoint,
            Env = environment(options.env),
            Labels = options.labels,
            User = options.user,
            ExposedPorts = exposed,
            HostConfig = {
                PortBindings = bindings,
                Mounts = mounts(options.mounts),
                NetworkMode = options.network,
                RestartPolicy = options.restart and { Name = options.restart } or nil,
                ExtraHosts = options.extra_hosts,
                AutoRemove = options.auto_remove or false,
                Memory = options.memory,
            },
        },
    })
    return created.Id
end

function Docker:run(options)
    local id = self:create(options)
    local ok, problem = pcall(self.start, self, id)
    if not ok then
        pcall(self.remove, self, id, { force = true })
        error(problem, 0)
    end
    return id
end

function Docker:archive(name, path)
    return open_stream(self, "GET", "/containers/" .. escape(name) .. "/archive", { query = { path = path } })
end

function Docker:container(name)
    return (self:call("GET", "/containers/" .. escape(name) .. "/json", { absent = true, timeout = ANSWER_SECONDS }))
end

function Docker:containers(options)
    options = options or {}
    return (self:call("GET", "/containers/json", {
        query = { all = options.all, filters = options.filters },
        timeout = ANSWER_SECONDS,
    }))
end

function Docker:start(name)
    self:call("POST", "/containers/" .. escape(name) .. "/start")
end

function Docker:stop(name, seconds)
    seconds = seconds or 10
    self:call("POST", "/containers/" .. escape(name) .. "/stop", { query = { t = seconds }, timeout = seconds + 60 })
end

function Docker:remove(name, options)
    options = options or {}
    return remove(self, "/containers/" .. escape(name), { force = options.force, v = options.volumes })
end

function Docker:wait(name)
    return self:call("POST", "/containers/" .. escape(name) .. "/wait", { timeout = 0 }).StatusCode
end

-- Lines of output

local Lines = {}
Lines.__index = Lines
Lines.__name = "todo.DockerLines"

local function add_lines(self, stream, bytes)
    local rest = (self.rest[stream] or "") .. bytes
    local from = 1
    while true do
        local stop = rest:find("\n", from, true)
        if not stop then break end
        self.ready[#self.ready + 1] = { (rest:sub(from, stop - 1):gsub("\r$", "")), stream }
        from = stop + 1
    end
    rest = rest:sub(from)
    if #rest > LONGEST_LINE then
        self.ready[#self.ready + 1] = { rest, stream }
        rest = ""
    end
    self.rest[stream] = rest
end

local function fetch(self)
    local bytes = self.source:read()
    if not bytes then
        self.ended = true
        for _, stream in ipairs { "stdout", "stderr" } do
            local rest = self.rest[stream]
            if rest and rest ~= "" then self.ready[#self.ready + 1] = { rest, stream } end
        end
        return
    end
    if not self.frames then return add_lines(self, "stdout", bytes) end
    local pieces = self.frames:feed(bytes)
    for i = 1, #pieces, 2 do add_lines(self, pieces[i], pieces[i + 1]) end
end

function Lines:next()
    while true do
        local line = table.remove(self.ready, 1)
        if line then return line[1], line[2] end
        if self.ended then return nil end
        fetch(self)
    end
end

function Lines:close()
    self.ended = true
    self.ready = {}
    self.source:close()
end
Lines.__close = Lines.close
Lines.__gc = Lines.close

function Docker:logs(name, options)
    options = options or {}
    local container = self:call("GET", "/containers/" .. escape(name) .. "/json")
    local source = open_stream(self, "GET", "/containers/" .. escape(name) .. "/logs", {
        query = {
            follow = options.follow,
            tail = options.tail,
            timestamps = options.timestamps,
            stdout = options.stdout ~= false,
            stderr = options.stderr ~= false,
        },
    })
    local frames = not container.Config.Tty and docker.frames() or nil
    return setmetatable({ source = source, frames = frames, ready = {}, rest = {} }, Lines)
end

-- Commands in containers

local function feed(stream, input)
    if type(input) == "function" then
        input(function(bytes) stream:write(bytes) end)
    else
        stream:write(input)
    end
    stream:close_input()
end

local function collect(stream)
    local out = { stdout = {}, stderr = {} }
    while true do
        local bytes, name = stream:read()
        if not bytes then return table.concat(out.stdout), table.concat(out.stderr) end
        local list = out[name]
        list[#list + 1] = bytes
    end
end

function Docker:exec(name, argv, options)
    options = options or {}
    local created = self:call("POST", "/containers/" .. escape(name) .. "/exec", {
        body = {
            Cmd = argv,
            AttachStdin = options.stdin ~= nil,
            AttachStdout = true,
            AttachStderr = true,
            Env = environment(options.env),
            User = options.user,
            WorkingDir = options.cwd,
        },
    })
    local function run()
        local start = "/exec/" .. created.Id .. "/start"
        local stream <close> = self:hijack(start, { body = { Detach = false, Tty = false } })
        local stdout, stderr
        task.all {
            function() if options.stdin then feed(stream, options.stdin) end end,
            function() stdout, stderr = collect(stream) end,
        }
        return stdout, stderr
    end
    local stdout, stderr
    if options.timeout then
        stdout, stderr = task.timeout(options.timeout, run)
    else
        stdout, stderr = run()
    end
    local ended = self:call("GET", "/exec/" .. created.Id .. "/json")
    return { status = ended.ExitCode, stdout = stdout, stderr = stderr }
end

-- Networks and volumes

function Docker:networks()
    return (self:call("GET", "/networks"))
end

function Docker:network(name)
    return (self:call("GET", "/networks/" .. escape(name), { absent = true, timeout = ANSWER_SECONDS }))
end

function Docker:create_network(name, options)
    options = options or {}
    local created = self:call("POST", "/networks/create", {
        body = {
            Name = name,
            CheckDuplicate = true,
            Driver = options.driver,
            Labels = options.labels,
            IPAM = options.subnet and { Config = { { Subnet = options.subnet } } } or nil,
        },
    })
    return created.Id
end

function Docker:remove_network(name)
    return remove(self, "/networks/" .. escape(name))
end

function Docker:create_volume(name, options)
    self:call("POST", "/volumes/create", { body = { Name = name, Labels = options and options.labels } })
end

function Docker:remove_volume(name)
    return remove(self, "/volumes/" .. escape(name))
end
