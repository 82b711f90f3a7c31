-- kube create ingress: "host/path=service:port[,tls[=secret]]" for each rule.
local json = require "json"
local kube_errors = require "kubectl.errors"
local object_maker = require "kubectl.maker"

local function backend(text)
    local service, port = text:match("^([^:]*):([^:]*)")
    local number = port:find("^%d+$") and math.tointeger(port)
    return { service = { name = service, port = number and { number = number } or { name = port } } }
end

-- A rule's parts; nil where it is none.
local function parts_of(rule)
    local first, tls = rule:match("^([^,]*),?(.*)$")
    local host, path, service = first:match("^([^/]*)(/[^=]*)=([%w%-]+:[%w%-]+)$")
    if not host or host:find("[^%w%-.*]") or path:find("%*.") then return nil end
    local secret = tls:match("^tls=([%w%-.]+)$")
    if tls ~= "" and tls ~= "tls" and not secret then return nil end
    return { host = host, path = path, service = service, tls = tls ~= "", secret = secret or "" }
end

local function tls_of(rules)
    local entries, by_secret, seen = json.list {}, {}, {}
    for _, rule in ipairs(rules) do
        if rule.tls and not seen[rule.host] then
            seen[rule.host] = true
            local entry = by_secret[rule.secret]
            if entry then
                entry.hosts = entry.hosts or {}
                table.insert(entry.hosts, rule.host)
            elseif rule.host ~= "" or rule.secret ~= "" then
                entry = { hosts = rule.host ~= "" and { rule.host } or nil,
                    secretName = rule.secret ~= "" and rule.secret or nil }
                entries[#entries + 1], by_secret[rule.secret] = entry, entry
            end
        end
    end
    return #entries > 0 and entries or nil
end

local function rules_of(rules)
    local entries, by_host = json.list {}, {}
    for _, rule in ipairs(rules) do
        local entry = by_host[rule.host]
        if not entry then
            entry = { host = rule.host ~= "" and rule.host or nil, http = { paths = {} } }
            entries[#entries + 1], by_host[rule.host] = entry, entry
        end
        local prefix = rule.path:match("^(.*)%*$")
        table.insert(entry.http.paths, { path = prefix or rule.path, pathType = prefix and "Prefix" or "Exact",
            backend = backend(rule.service) })
    end
    return #entries > 0 and entries or nil
end

local function ingress(name, options)
    local rules, annotations = {}, {}
    local default = options.default_backend or ""
    if default == "" and #(options.rule or {}) == 0 then
        kube_errors.raise("not enough information provided: every ingress has to either specify a default-backend "
            .. "(which catches all traffic) or a list of rules (which catch specific paths)")
    end
    for i, rule in ipairs(options.rule or {}) do
        rules[i] = parts_of(rule) or kube_errors.raise(("rule %s is invalid and should be in format "
            .. "host/path=svcname:svcport[,tls[=secret]]"):format(rule))
    end
    for _, given in ipairs(options.annotation or {}) do
        local key, value = given:match("^([^=]*)=(.*)$")
        if not key then
            kube_errors.raise(("annotation %s is invalid and should be in format key=[value]"):format(given))
        end
        annotations[key] = value
    end
    if default ~= "" and not default:find("^[^:]*:[^:]*$") then
        kube_errors.raise("default-backend should be in format servicename:serviceport")
    end
    return { metadata = { name = name, annotations = next(annotations) and annotations },
        status = { loadBalancer = {} }, spec = { ingressClassName = options.class,
            defaultBackend = default ~= "" and backend(default) or nil, tls = tls_of(rules), rules = rules_of(rules) } }
end

return object_maker.command { kind = "networking.k8s.io/v1/Ingress", aliases = { "ing" }, what = "ingress",
    usage = "NAME --rule=HOST/PATH=SERVICE:PORT[,tls[=SECRET]] [flags]", summary = "make an ingress", build = ingress,
    flags = { { "class", help = "class of the ingress" },
        { "rule", kind = "stringArray", help = "HOST/PATH=SERVICE:PORT[,tls[=SECRET]]; a path ending with * is a "
            .. "prefix; may be repeated" },
        { "default-backend", help = "SERVICE:PORT for everything else" },
        { "annotation", kind = "stringArray", help = "KEY=VALUE; may be repeated" } } }
