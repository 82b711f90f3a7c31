-- The real registry as a process of its own: on a free port of the loopback, where engines and nodes speak plain http to it.
local free_port = require "tests.free_port"
local fs = require "fs"
local http = require "http"
local json = require "json"
local needs = require "tests.needs"
local proc = require "proc"
local secret = require "secret"
local task = require "task"

local server = {}

local Server = {}
Server.__index = Server

-- A line of an htpasswd file; the registry wants bcrypt, which the C library's crypt has.
local function htpasswd(user, password)
    local hash = proc.run({ "perl", "-e", "print crypt(<STDIN>, q($2y$05$abcdefghijklmnopqrstuu))" },
        { stdin = password }).stdout
    assert(hash:find("^%$2y%$"), "this C library has no bcrypt")
    return user .. ":" .. hash .. "\n"
end

---Starts a registry; with `users`, it wants one of them.
---@async
---@param options { users: table<string, string>? }? passwords by name
---@return table server with host ("127.0.0.1:port"), dir; close it
function server.start(options)
    local self = setmetatable({ dir = fs.tempdir(), port = free_port() }, Server)
    self.host = "127.0.0.1:" .. self.port
    local path = self.dir.path
    local config = { version = "0.1", log = { level = "warn" }, http = { addr = self.host },
        storage = { filesystem = { rootdirectory = path .. "/data" }, delete = { enabled = true } } }
    if options and options.users then
        local lines = {}
        for user, password in pairs(options.users) do lines[#lines + 1] = htpasswd(user, password) end
        fs.write(path .. "/htpasswd", table.concat(lines), 384) -- 0600
        config.auth = { htpasswd = { realm = "tests", path = path .. "/htpasswd" } }
    end
    fs.write(path .. "/config.yml", json.encode(config))
    self.process = proc.spawn({ needs.registry(), "serve", path .. "/config.yml" },
        { stdout = path .. "/log", stderr = path .. "/log", env = { OTEL_TRACES_EXPORTER = "none" } })
    local deadline = task.now() + 60
    repeat
        local ok, answer = pcall(http.get, "http://" .. self.host .. "/v2/", { proxy = "", timeout = 5 })
        if ok and (answer.status == 200 or answer.status == 401) then return self end
        task.sleep(0.1)
    until task.now() > deadline or not proc.alive(self.process.pid)
    error("the registry does not start:\n" .. (fs.read(path .. "/log") or ""):sub(-2000), 0)
end

---The answer to a request; `login` is "user:password".
---@async
---@return todo.HttpResponse
function Server:get(path, login, accept)
    local headers = { Accept = accept }
    if login then headers.Authorization = "Basic " .. secret.base64(login) end
    return http.get("http://" .. self.host .. path, { headers = headers, proxy = "" })
end

-- Waits for nothing: it may be called while an error passes.
function Server:close()
    self.process:close()
    self.dir:close()
end
Server.__close = Server.close

return server
