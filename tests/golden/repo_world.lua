-- helm and todo-lua beside each other, each with a home folder and a working folder of its own, on chart repositories
-- that this file serves.
local fs = require "fs"
local http = require "http"
local lu = require "luaunit"
local proc = require "proc"
local program = require "program"
local secret = require "secret"

local repo_world = {}

local programs = { helm = { "helm" }, todo = { program.executable, "helm" } }

-- Serves files of a folder over HTTP; with `user`, only to those who know "user:password".
---@param folder string
---@param user string?
---@return todo.Listener
function repo_world.serve(folder, user)
    local wanted = user and "Basic " .. secret.base64(user)
    local function answer(head)
        local path = head:match("^%S+ ([^ ?]+)") or "/"
        if wanted and head:match("[Aa]uthorization: ([^\r]*)") ~= wanted then return "401 Unauthorized", "no" end
        local name = folder .. path:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end)
        local stat = not path:find("..", 1, true) and fs.stat(name)
        if not stat or stat.type ~= "file" then return "404 Not Found", "no" end
        return "200 OK", fs.read(name)
    end
    return http.listen("127.0.0.1", 0, function(conn)
        local head = ""
        while not head:find("\r\n\r\n", 1, true) do
            local bytes = conn:read()
            if not bytes then return end
            head = head .. bytes
        end
        local status, body = answer(head)
        conn:write(("HTTP/1.1 %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"):format(status, #body) .. body)
    end)
end

local World = {}
World.__index = World

function repo_world.new()
    local temporary = fs.tempdir()
    local self = setmetatable({ temporary = temporary, path = temporary.path }, World)
    for who in pairs(programs) do fs.mkdir(self:folder(who)) end
    return self
end

function World:close() self.temporary:close() end

-- Working folder of one of the programs; paths are as long as the other's, so that tables are as wide.
function World:folder(who) return ("%s/%s/work"):format(self.path, who) end

function World:home(who) return ("%s/%s/home"):format(self.path, who) end

---@param who "helm"|"todo"
---@param arguments string[]
---@param options { stdin: string?, home: "helm"|"todo"? }?
function World:run(who, arguments, options)
    options = options or {}
    local argv = table.move(programs[who], 1, #programs[who], 1, {})
    table.move(arguments, 1, #arguments, #argv + 1, argv)
    local home = self:home(options.home or who)
    return proc.run(argv, { check = false, timeout = 60, cwd = self:folder(who), stdin = options.stdin or "", env = {
        HOME = home, XDG_CACHE_HOME = false, XDG_CONFIG_HOME = false, XDG_DATA_HOME = false,
        XDG_STATE_HOME = home .. "/state", HELM_REPOSITORY_CONFIG = false, HELM_REPOSITORY_CACHE = false,
        HELM_NAMESPACE = false, KUBECONFIG = home .. "/none", TZ = "UTC", NO_PROXY = "127.0.0.1",
    } })
end

-- What differs by nature: whose folder it is, the number of the process, and times.
local function plain(text, who)
    return (text:gsub(("/%s/%%f[hw]"):format(who), "/WHO/"):gsub("tmpcharts%-%d+", "tmpcharts-PID")
        :gsub("%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d%.?%d*[Z+-][%d:]*", "TIME"))
end

local function sorted_lines(text)
    local lines = {}
    for line in text:gmatch("[^\n]+") do lines[#lines + 1] = line end
    table.sort(lines)
    return table.concat(lines, "\n")
end

local function error_of(stderr)
    local lines = {}
    for line in stderr:gmatch("[^\n]+") do
        -- Go's other log, and todo-lua's hints; whoever warns says so in its own way.
        if not line:find("^%d+/%d+/%d+ ") and not line:find("^  ") then
            lines[#lines + 1] = line:gsub("^%l[%w_]*%.go:%d+: ", ""):gsub("^todo%-lua: ", "")
                :gsub("^warning: ", ""):gsub("^WARN ", "")
        end
    end
    return table.concat(lines, "\n")
end

-- Runs a command as both; what they print and how they end must be the same.
---@param arguments string[]
---@param options { status: integer?, stdin: string?, any_order: boolean?, any_error: boolean? }?
---@return string stdout
function World:both(arguments, options)
    options = options or {}
    local label, found = table.concat(arguments, " "), {}
    for who in pairs(programs) do
        local result = self:run(who, arguments, options)
        local stdout = plain(result.stdout, who)
        found[who] = { status = result.status, stdout = options.any_order and sorted_lines(stdout) or stdout,
            stderr = plain(error_of(result.stderr), who) }
    end
    lu.assertEquals(found.todo.status, found.helm.status, label .. "\n" .. found.helm.stderr .. "\n" .. found.todo.stderr)
    lu.assertEquals(found.todo.stdout, found.helm.stdout, label)
    if not options.any_error then lu.assertEquals(found.todo.stderr, found.helm.stderr, label) end
    lu.assertEquals(found.helm.status, options.status or 0, label .. "\n" .. found.helm.stderr)
    return found.todo.stdout
end

local function collect(found, root, path, who)
    for _, name in ipairs(fs.list(root .. path)) do
        local below = path .. "/" .. name
        if fs.stat(root .. below).type == "dir" then
            found[#found + 1] = below .. "/"
            collect(found, root, below, who)
        elseif name:find("%.tgz$") then
            -- Archives carry the time of packing; what they hold is told by tar.
            found[#found + 1] = below .. "\n" .. plain(proc.run({ "tar", "xOzf", root .. below }).stdout, who)
        elseif not name:find("%.lock$") or name == "Chart.lock" or name == "requirements.lock" then
            local text = plain(fs.read(root .. below), who)
            found[#found + 1] = below .. "\n" .. (name:find("%-charts%.txt$") and sorted_lines(text) or text)
        end
    end
end

-- Everything below the programs' folders must be the same.
function World:same_files()
    local found = {}
    for who in pairs(programs) do
        local list = {}
        collect(list, ("%s/%s"):format(self.path, who), "", who)
        found[who] = list
    end
    for place, text in ipairs(found.helm) do
        lu.assertEquals(found.todo[place], text)
    end
    lu.assertEquals(#found.todo, #found.helm)
end

-- Writes the same file into both working folders.
function World:write(name, text)
    for who in pairs(programs) do
        local path = self:folder(who) .. "/" .. name
        fs.mkdir(fs.dirname(path))
        fs.write(path, text)
    end
end

-- A chart with a template, packed by helm into a folder.
---@param folder string
---@param name string
---@param version string
---@param more string? lines of Chart.yaml
function repo_world.pack(folder, name, version, more)
    local temporary <close> = fs.tempdir()
    local root = temporary.path .. "/" .. name
    fs.mkdir(root .. "/templates")
    fs.mkdir(root .. "/crds")
    fs.write(root .. "/Chart.yaml", ("apiVersion: v2\nname: %s\nversion: %s\n"):format(name, version) .. (more or ""))
    fs.write(root .. "/values.yaml", "# kept\nsize: 3\nlist: [a, {b: 1000000}]\n")
    fs.write(root .. "/README.md", "# " .. name .. "\n")
    fs.write(root .. "/crds/one.yaml", "kind: CustomResourceDefinition\n")
    fs.write(root .. "/templates/map.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}}\n"
        .. "data: {version: {{ .Chart.Version | quote }}, size: {{ .Values.size | quote }}}\n")
    fs.mkdir(folder)
    proc.run { "helm", "package", root, "-d", folder }
end

return repo_world
