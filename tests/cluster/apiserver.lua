-- A throwaway API server with an etcd of its own, for tests that need no node: real processes on free ports, keys and
-- data in a temporary folder.
local free_port = require "tests.free_port"
local fs = require "fs"
local gobuild = require "cluster.standalone.gobuild"
local http = require "http"
local k8s = require "k8s"
local pins = require "cluster.standalone.pins"
local proc = require "proc"
local task = require "task"

local apiserver = {}

-- A program that the tests' needs have built in the user's cache: of the standalone provider, or of the judges.
---@param kind "standalone"|"judges"
---@param name string
---@return string path
function apiserver.program(kind, name)
    local cache = proc.env("XDG_CACHE_HOME") or proc.env("HOME") .. "/.cache"
    local hash = kind == "judges" and gobuild.hash(pins.judges) or gobuild.hash(pins.sets, pins.pause)
    local path = fs.join(cache, "todo-lua", kind, hash, "bin", name)
    if fs.exists(path) then return path end
    error(name .. " is not built; run tests/run.lua, which builds it", 0)
end

local function openssl(dir, ...)
    proc.run({ "openssl", ... }, { cwd = dir })
end

local function certificate(dir, name, subject, names)
    openssl(dir, "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", name .. ".key",
        "-out", name .. ".csr", "-subj", subject)
    fs.write(dir .. "/" .. name .. ".ext", "subjectAltName=" .. names)
    openssl(dir, "x509", "-req", "-in", name .. ".csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial",
        "-days", "30",
        "-out", name .. ".crt", "-extfile", name .. ".ext")
end

local function make_pki(dir)
    fs.mkdir(dir, 0x1c0)
    openssl(dir, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "ca.key",
        "-out", "ca.crt", "-subj", "/CN=test-authority", "-days", "30")
    certificate(dir, "server", "/CN=kube-apiserver", "DNS:localhost,DNS:api.test,IP:127.0.0.1,IP:10.96.0.1")
    certificate(dir, "admin", "/O=system:masters/CN=admin", "DNS:admin")
    openssl(dir, "genrsa", "-out", "sa.key", "2048")
    openssl(dir, "rsa", "-in", "sa.key", "-pubout", "-out", "sa.pub")
end

---@class todo.ApiServer
local Server = {}
Server.__index = Server

-- Waits until `path` answers; a server that ended says so with the end of its log.
local function wait_until_ready(self, url, options, process, log)
    local deadline = task.now() + 180 -- 3 s on a machine that is idle
    while true do
        local ok, answer = pcall(http.get, url, options)
        if ok and answer.status == 200 then return end
        if not proc.alive(process.pid) or task.now() > deadline then
            local text = fs.read(self.dir .. "/" .. log) or ""
            error(("%s did not become ready:\n%s"):format(url, text:sub(-2000)), 0)
        end
        task.sleep(0.1)
    end
end

local function spawn(self, argv, log)
    return proc.spawn(argv, { stdout = self.dir .. "/" .. log, stderr = self.dir .. "/" .. log })
end

function Server:start_api()
    local pki = self.pki
    self.api = spawn(self, {
        self.api_program,
        "--etcd-servers=http://127.0.0.1:" .. self.etcd_port,
        "--bind-address=127.0.0.1", "--secure-port=" .. self.port,
        "--advertise-address=127.0.0.1", "--endpoint-reconciler-type=none",
        "--service-cluster-ip-range=10.96.0.0/16",
        "--tls-cert-file=" .. pki .. "/server.crt", "--tls-private-key-file=" .. pki .. "/server.key",
        "--client-ca-file=" .. pki .. "/ca.crt",
        "--service-account-key-file=" .. pki .. "/sa.pub",
        "--service-account-signing-key-file=" .. pki .. "/sa.key",
        "--service-account-issuer=https://kubernetes.default.svc",
        "--authorization-mode=RBAC", "--disable-admission-plugins=ServiceAccount",
        "--token-auth-file=" .. self.dir .. "/tokens.csv",
        "--audit-policy-file=" .. self.dir .. "/audit.yaml", "--audit-log-path=" .. self.dir .. "/audit.log",
        "--shutdown-delay-duration=0s",
    }, "apiserver.log")
    wait_until_ready(self, ("https://127.0.0.1:%d/readyz"):format(self.port), { ca_file = pki .. "/ca.crt",
        proxy = "" },
        self.api, "apiserver.log")
end

local function stop(process, signal)
    if not process then return end
    process:kill(signal or "TERM")
    process:wait()
    process:close()
end

function Server:stop_api()
    stop(self.api, "KILL")
    self.api = nil
end

function Server:stop()
    self:stop_api()
    stop(self.etcd, "KILL")
    self.etcd = nil
    self.temp:close()
end

-- The server's audit log: one { verb, uri, code } for each finished request.
function Server:audit()
    local json = require "json"
    local entries = {}
    for line in (fs.read(self.dir .. "/audit.log") or ""):gmatch("[^\n]+") do
        local event = json.decode(line)
        entries[#entries + 1] = { verb = event.verb, uri = event.requestURI, user = event.user.username,
            code = event.responseStatus and event.responseStatus.code }
    end
    return entries
end

local KUBECONFIG = [[
apiVersion: v1
kind: Config
current-context: test
clusters:
- name: test
  cluster:
    server: https://127.0.0.1:%d
    certificate-authority: %s/ca.crt
contexts:
- name: test
  context: {cluster: test, user: admin, namespace: default}
users:
- name: admin
  user:
    client-certificate: %s/admin.crt
    client-key: %s/admin.key
]]

-- Starts a server. `pki` shares another server's authority and `port` takes over a port.
---@param options { pki: string?, port: integer? }?
---@return todo.ApiServer
function apiserver.start(options)
    options = options or {}
    local temp = fs.tempdir()
    local self = setmetatable({ temp = temp, dir = temp.path, etcd_program = apiserver.program("standalone", "etcd"),
        api_program = apiserver.program("standalone", "kube-apiserver") }, Server)
    self.pki = options.pki or self.dir .. "/pki"
    if not options.pki then make_pki(self.pki) end
    self.etcd_port, self.port = free_port(), options.port or free_port()
    local peer = "http://127.0.0.1:" .. free_port()
    local client = "http://127.0.0.1:" .. self.etcd_port
    fs.write(self.dir .. "/tokens.csv", "good-token,token-user,1,\"system:masters\"\nother-token,other-user,2\n", 0x180)
    fs.write(self.dir .. "/audit.yaml",
        "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules:\n- level: Metadata\n")
    self.kubeconfig = self.dir .. "/kubeconfig"
    fs.write(self.kubeconfig, KUBECONFIG:format(self.port, self.pki, self.pki, self.pki), 0x180)
    self.etcd = spawn(self, { self.etcd_program, "--data-dir", self.dir .. "/etcd", "--unsafe-no-fsync",
        "--log-level=error",
        "--listen-client-urls", client, "--advertise-client-urls", client, "--listen-peer-urls", peer,
        "--initial-advertise-peer-urls", peer, "--initial-cluster", "default=" .. peer }, "etcd.log")
    local ok, err = pcall(function()
        wait_until_ready(self, client .. "/health", { proxy = "" }, self.etcd, "etcd.log")
        self:start_api()
        local client_of = k8s.connect { kubeconfig = self.kubeconfig }
        task.timeout(30, function() -- the server makes its own namespaces after it has become ready
            while not (client_of:get("ns", "kube-system") and client_of:get("ns", "default")) do task.sleep(0.1) end
        end)
    end)
    if not ok then
        self:stop()
        error(err, 0)
    end
    return self
end

return apiserver
