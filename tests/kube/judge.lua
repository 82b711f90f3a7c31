-- Runs todo-lua kube beside the real kubectl and compares what they print and how they end.
local apiserver = require "tests.cluster.apiserver"
local fs = require "fs"
local json = require "json"
local k8s = require "k8s"
local lu = require "luaunit"
local proc = require "proc"
local program = require "program"
local task = require "task"

local judge = {}

-- Where each of them works in Judge:pair.
local OURS, THEIRS = "ours", "theirs"

---@class todo.Judge
---@field server todo.ApiServer
local Judge = {}
Judge.__index = Judge

---@param kubeconfig string
---@param cwd string? where both run
---@return todo.Judge
function judge.new(kubeconfig, cwd)
    return setmetatable({ kubeconfig = kubeconfig, cwd = cwd, kubectl_program = apiserver.program("judges", "kubectl"),
        home = fs.tempdir() }, Judge)
end

---Both in the server's folder, with a namespace of its own for each, as Judge:pair takes them.
---@async
---@param server todo.ApiServer
---@return todo.Judge
---@return todo.K8s client of the server's administrator
function judge.apart(server)
    local client = k8s.connect { kubeconfig = server.kubeconfig }
    for _, name in ipairs { OURS, THEIRS } do
        client:create { apiVersion = "v1", kind = "Namespace", metadata = { name = name } }
    end
    return judge.new(server.kubeconfig, server.dir), client
end

-- "get pods -o 'jsonpath={.a b}'" as words; quotes group.
local function split(line)
    local words, at = {}, 1
    while true do
        at = line:find("%S", at)
        if not at then return words end
        local word = {}
        while at <= #line and not line:find("^%s", at) do
            local quote = line:match("^['\"]", at)
            local stop = quote and line:find(quote, at + 1, true)
            local part = stop and line:sub(at + 1, stop - 1) or line:match("^[^%s'\"]+", at)
            word[#word + 1] = part
            at = stop and stop + 1 or at + #part
        end
        words[#words + 1] = table.concat(word)
    end
end

local function run(self, argv, line, options)
    local words = type(line) == "table" and line or split(line)
    table.move(words, 1, #words, #argv + 1, argv)
    local env = { KUBECONFIG = options and options.kubeconfig or self.kubeconfig, HOME = self.home.path,
        XDG_STATE_HOME = self.home.path, XDG_CONFIG_HOME = self.home.path, TZ = "Europe/Berlin",
        KUBECTL_EXTERNAL_DIFF = false, NO_COLOR = "1" }
    for name, value in pairs(options and options.env or {}) do env[name] = value end
    return proc.run(argv, { check = false, timeout = options and options.timeout or 60, cwd = self.cwd,
        stdin = options and options.stdin, env = env })
end

---@async
---@param line string|string[]
---@param options { stdin: string?, kubeconfig: string?, timeout: number?, env: table<string, string>? }?
---@return todo.ProcResult
function Judge:kubectl(line, options)
    local result = run(self, { self.kubectl_program }, line, options)
    -- What client-go notes of its own accord ("very short watch") depends on the load of the machine, not on the command.
    result.stderr = ("\n" .. result.stderr):gsub("\n[IW]%d%d%d%d %d%d:[^\n]*", ""):gsub("^\n", "")
    return result
end

---@async
---@param line string|string[]
---@param options { stdin: string?, kubeconfig: string?, timeout: number?, env: table<string, string>? }?
---@return todo.ProcResult
function Judge:ours(line, options) return run(self, { program.executable, "--color=never", "kube" }, line, options) end

---Starts one of them, "kubectl" or "ours".
---@param method string
---@param line string
---@return todo.Process
function Judge:spawn(method, line)
    local argv = method == "kubectl" and { self.kubectl_program } or { program.executable, "--color=never", "kube" }
    local words = split(line)
    table.move(words, 1, #words, #argv + 1, argv)
    return proc.spawn(argv, { cwd = self.cwd, env = { KUBECONFIG = self.kubeconfig, HOME = self.home.path } })
end

---Both print the same and end with the same status; of an error, the first line is the same, too.
---@async
---@param line string|string[]
---@param options { stdin: string?, errors: boolean?, change: (fun(text: string): string)? }? errors false: what stands on
---stderr is not compared; change: applied to both outputs first
function Judge:same(line, options)
    options = options or {}
    local change = options.change or function(text) return text end
    local wanted, got
    for _ = 1, 3 do -- an age may change between the two
        wanted, got = table.unpack(task.all { function() return self:kubectl(line, options) end,
            function() return self:ours(line, options) end })
        if change(wanted.stdout) == change(got.stdout) then break end
    end
    local name = type(line) == "table" and table.concat(line, " ") or line
    lu.assertEquals(change(got.stdout), change(wanted.stdout), name .. "\n" .. got.stderr .. wanted.stderr)
    lu.assertEquals(got.status, wanted.status, name .. "\n" .. got.stderr .. wanted.stderr)
    if options.errors ~= false then
        lu.assertEquals(got.stderr:match("^[^\n]*"), wanted.stderr:match("^[^\n]*"), name)
    end
end

---Both do the same, each in a namespace of its own ("NS" in the line and in standard input): kubectl in "theirs", todo-lua
---in "ours". They print the same, with the same status.
---@async
---@param line string
---@param options { stdin: string?, errors: boolean?, timeout: number?, env: table<string, string>? }? in a variable of
---env, NS is the namespace, too
---@return string stdout
function Judge:pair(line, options)
    options = options or {}
    local function place(text, namespace) return text and (text:gsub("NS", namespace)) end
    local function run_one(method, namespace)
        local env = {}
        for name, value in pairs(options.env or {}) do env[name] = place(value, namespace) end
        local result = self[method](self, "--context test -n " .. namespace .. " " .. place(line, namespace),
            { stdin = place(options.stdin, namespace), timeout = options.timeout, env = env })
        for _, stream in ipairs { "stdout", "stderr" } do result[stream] = result[stream]:gsub(namespace, "NS") end
        return result
    end
    local wanted, got = table.unpack(task.all { function() return run_one("kubectl", THEIRS) end,
        function() return run_one("ours", OURS) end })
    lu.assertEquals(got.stdout, wanted.stdout, line .. "\n" .. got.stderr .. wanted.stderr)
    lu.assertEquals(got.status, wanted.status, line .. "\n" .. got.stderr .. wanted.stderr)
    if options.errors ~= false then
        lu.assertEquals(got.stderr:match("^[^\n]*"), wanted.stderr:match("^[^\n]*"), line)
    end
    return got.stdout
end

---Judge:pair of one line after the other.
---@async
---@param start string what stands before each: "run "
---@param lines string
---@param options table? as of Judge:pair
function Judge:pairs(start, lines, options)
    for line in lines:gmatch("%s*([^\n]+)") do self:pair(start .. line, options) end
end

local UID = "%x+%-%x+%-%x+%-%x+%-%x+"

-- What makes two objects of the same manifest differ.
local function plain(namespace, text)
    text = text:gsub(namespace, "NS"):gsub(UID, "UID"):gsub('"nodePort": %d+', '"nodePort": 1')
    local list = json.decode(text)
    for _, item in ipairs(list.items) do
        local meta = item.metadata
        for _, field in ipairs { "uid", "resourceVersion", "creationTimestamp", "selfLink" } do meta[field] = nil end
        if meta.deletionTimestamp then meta.deletionTimestamp = "then" end
        for _, entry in ipairs(meta.managedFields or {}) do entry.time = nil end
        -- The server has them in the order of their seconds.
        table.sort(meta.managedFields or {}, function(a, b)
            return json.encode(a, { sort = true }) < json.encode(b, { sort = true })
        end)
        if item.spec then item.spec.clusterIP, item.spec.clusterIPs = nil, nil end
    end
    return json.encode(list.items, { sort = true, indent = " " })
end

---The two namespaces hold the same, who manages which field included.
---@async
---@param kinds string "deploy,svc"
function Judge:same_content(kinds)
    local texts = {}
    for i, namespace in ipairs { THEIRS, OURS } do
        local result = self:kubectl(("get %s -n %s -o json --show-managed-fields"):format(kinds, namespace))
        texts[i] = plain(namespace, result.stdout)
    end
    lu.assertEquals(texts[2], texts[1])
end

function Judge:close() self.home:close() end

return judge
