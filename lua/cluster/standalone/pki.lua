-- The cluster's certificate authority, the certificates of its parts and their kubeconfigs. Keys never leave the state
-- folder (0700; each key 0600) but for the administrator's, which the kubeconfig embeds as kubectl and helm expect it.
local fs = require("fs")
local json = require("json")
local proc = require("proc")
local secret = require("secret")
local yaml = require("yaml")

local pki = {}

local DAY = 86400
local AUTHORITY_DAYS, LEAF_DAYS, RENEW_DAYS = 3650, 825, 30
local CURVE = { "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes" }

pki.CONTEXT = "todo-lua"

local function leaves(layout)
    local list = {
        { "apiserver", "/CN=kube-apiserver", ("DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,"
            .. "DNS:kubernetes.default.svc.cluster.local,DNS:localhost,IP:127.0.0.1,IP:%s,IP:%s"):format(
                layout.api_service_ip,
                layout.ip) },
        { "etcd", "/CN=etcd", "DNS:etcd,IP:127.0.0.1,IP:" .. layout.ip },
        { "admin", "/O=system:masters/CN=admin", "DNS:admin" },
        { "controller-manager", "/CN=system:kube-controller-manager", "DNS:controller-manager" },
        { "scheduler", "/CN=system:kube-scheduler", "DNS:scheduler" },
        { "proxy", "/CN=system:kube-proxy", "DNS:proxy" },
        { "coredns", "/CN=system:coredns", "DNS:coredns" },
        { "metrics-server", "/CN=system:metrics-server", ("DNS:metrics-server.kube-system.svc,IP:%s"):format(
            layout.ip) },
        { "traefik", "/CN=todo-lua:ingress", "DNS:traefik" },
        { "front-proxy", "/CN=front-proxy-client", "DNS:front-proxy" },
    }
    for index, node in ipairs(layout.nodes) do
        table.insert(list, 2 + index, { "kubelet" .. node.suffix, "/O=system:nodes/CN=system:node:" .. node.name,
            ("DNS:%s,IP:%s"):format(node.name, node.ip) })
    end
    return list
end

local function openssl(argv, folder)
    return proc.run({ "openssl", table.unpack(argv) }, { cwd = folder, env = { OPENSSL_CONF = false } })
end

local function with_curve(before, after)
    local argv = { table.unpack(before) }
    table.move(CURVE, 1, #CURVE, #argv + 1, argv)
    table.move(after, 1, #after, #argv + 1, argv)
    return argv
end

local AUTHORITY_CONFIG = [[
[req]
distinguished_name = dn
prompt = no
[dn]
[authority]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign,digitalSignature
subjectKeyIdentifier = hash
]]

local function make_authority(folder)
    if fs.exists(folder .. "/ca.crt") then return end
    openssl(with_curve({ "req", "-x509", "-config", "openssl.cnf", "-extensions", "authority" },
        { "-keyout", "ca.key", "-out", "ca.crt.new", "-subj", "/CN=todo-lua standalone", "-days", tostring(
            AUTHORITY_DAYS) }),
        folder)
    openssl({ "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", "sa.key" }, folder)
    openssl({ "pkey", "-in", "sa.key", "-pubout", "-out", "sa.pub" }, folder)
    fs.chmod(folder .. "/sa.key", 0x180)
    fs.chmod(folder .. "/ca.key", 0x180)
    fs.rename(folder .. "/ca.crt.new", folder .. "/ca.crt")
end

local function make_leaf(folder, name, subject)
    openssl(with_curve({ "req", "-new", "-config", "openssl.cnf" },
        { "-keyout", name .. ".key", "-out", name .. ".csr", "-subj", subject }), folder)
    fs.chmod(fs.join(folder, name .. ".key"), 0x180)
    local serial = secret.sha256(secret.random(16)):sub(1, 31)
    openssl({ "x509", "-req", "-in", name .. ".csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-set_serial", "0x1"
        .. serial,
        "-days", tostring(LEAF_DAYS), "-extfile", "openssl.cnf", "-extensions", name, "-out", name .. ".crt" }, folder)
    fs.remove(fs.join(folder, name .. ".csr"))
end

local function leaf_config(list)
    local parts = { AUTHORITY_CONFIG }
    for _, leaf in ipairs(list) do
        parts[#parts + 1] = ("[%s]\nbasicConstraints = CA:FALSE\nkeyUsage = critical,digitalSignature\n"
            .. "extendedKeyUsage = serverAuth,clientAuth\nsubjectAltName = %s\n"):format(leaf[1], leaf[3])
    end
    return table.concat(parts)
end

local function kubeconfig(layout, user)
    local encode = function(name) return secret.base64(fs.read(fs.join(layout.pki, name))) end
    return yaml.encode({
        apiVersion = "v1",
        kind = "Config",
        ["current-context"] = pki.CONTEXT,
        contexts = { { name = pki.CONTEXT, context = { cluster = pki.CONTEXT, user = pki.CONTEXT .. "-" .. user } } },
        clusters = { { name = pki.CONTEXT, cluster = { server = layout.server, ["certificate-authority-data"] = encode(
            "ca.crt") } } },
        users = { { name = pki.CONTEXT .. "-" .. user, user = {
            ["client-certificate-data"] = encode(user .. ".crt"),
            ["client-key-data"] = encode(user .. ".key"),
        } } },
    })
end

local function write_changed(path, text, mode)
    if fs.read(path) ~= text then fs.write(path, text, mode) end
end

---Makes what is missing, renews what ends soon or no longer fits the layout, and writes the kubeconfigs.
---@async
---@param layout todo.StandaloneLayout
---@return string stamp changes whenever a certificate does
function pki.ensure(layout)
    local folder = layout.pki
    fs.mkdir(folder, 0x1c0)
    local list = leaves(layout)
    local config = leaf_config(list)
    local note_path = folder .. "/issued.json"
    local text = fs.read(note_path)
    local note = text and json.decode(text) or {}
    local wanted = secret.sha256(config)
    if note.config ~= wanted or proc.time() > (note.expires or 0) - RENEW_DAYS * DAY then
        write_changed(folder .. "/openssl.cnf", config)
        make_authority(folder)
        for _, leaf in ipairs(list) do make_leaf(folder, leaf[1], leaf[2]) end
        note = { config = wanted, expires = math.floor(proc.time()) + LEAF_DAYS * DAY }
        fs.write(note_path, json.encode(note) .. "\n")
    end
    local users = { "controller-manager", "scheduler", "proxy", "coredns", "metrics-server", "traefik" }
    for _, node in ipairs(layout.nodes) do users[#users + 1] = "kubelet" .. node.suffix end
    for _, user in ipairs(users) do
        write_changed(fs.join(layout.state, user .. ".kubeconfig"), kubeconfig(layout, user), 0x180)
    end
    write_changed(layout.kubeconfig, kubeconfig(layout, "admin"), 0x180)
    return note.config:sub(1, 8) .. "-" .. note.expires
end

return pki
