-- todo-lua kube expose: a service for the pods of a workload.
local json = require "json"
local kube_errors = require "kubectl.errors"
local label_selector = require "kubectl.label_selector"
local manifests = require "kubectl.manifests"
local object_maker = require "kubectl.maker"
local overrides = require "kubectl.overrides"
local resource_args = require "kubectl.resource_args"
local tables = require "tables"

local NAME_LENGTH = 63

local own = {
    { "port", help = "port of the service (default: those of the object)" },
    { "target-port", help = "number or name of the pods' port (default: the same)" },
    { "protocol", help = "TCP, UDP or SCTP (default: the object's)" },
    { "type", help = "ClusterIP, NodePort, LoadBalancer or ExternalName" },
    { "name", help = "name of the service (default: the object's)" },
    { "labels", short = "l", help = "labels of the service (default: the object's)" },
    { "selector", help = "which pods: a=b,c=d (default: the object's)" },
    { "cluster-ip", help = "address in the cluster, or None" },
    { "external-ip", help = "an address more, which leads to a node" },
    { "load-balancer-ip", help = "address of the load balancer" },
    { "session-affinity", help = "None or ClientIP" },
}
table.move(overrides.flags, 1, #overrides.flags, #own + 1, own)
table.move(manifests.flags, 1, #manifests.flags, #own + 1, own)

local exposable = { Pod = true, Service = true, ReplicationController = true, Deployment = true, ReplicaSet = true }

local NO_SELECTOR = "couldn't retrieve selectors via --selector flag or introspection: "

-- The labels by which an object chooses its pods.
local function selector_of(object)
    local selector = object.spec.selector
    if object.kind == "Pod" then
        selector = object.metadata.labels
        if not selector then kube_errors.raise(NO_SELECTOR .. "the pod has no labels and cannot be exposed") end
    elseif object.kind == "Service" then
        if not selector then kube_errors.raise(NO_SELECTOR .. "the service has no pod selector set") end
    elseif object.kind ~= "ReplicationController" then
        if #((selector or {}).matchExpressions or {}) > 0 then
            kube_errors.raise(NO_SELECTOR .. "match expressions cannot become the selector of a service",
                "name the pods with --selector")
        end
        selector = (selector or {}).matchLabels
    end
    return selector or {}
end

-- The ports of the object's containers, or of the service: numbers in their order, and the protocols of each.
local function ports_of(object)
    local numbers, protocols = {}, {}
    local function add(number, protocol)
        if not protocols[number] then numbers[#numbers + 1], protocols[number] = number, {} end
        table.insert(protocols[number], protocol or "TCP")
    end
    if object.kind == "Service" then
        for _, port in ipairs(object.spec.ports or {}) do add(port.port, port.protocol) end
    else
        local spec = object.kind == "Pod" and object.spec or object.spec.template.spec
        for _, container in ipairs(spec.containers) do
            for _, port in ipairs(container.ports or {}) do add(port.containerPort, port.protocol) end
        end
    end
    return numbers, protocols
end

local function target_of(options, number)
    local given = options.target_port or ""
    if given == "" then return number end
    return given:find("^%-?%d+$") and math.tointeger(given) or given
end

local function service_ports(object, options)
    local numbers, protocols = ports_of(object)
    if (options.port or "") ~= "" then
        numbers = {}
        for text in (options.port .. ","):gmatch("([^,]*),") do
            numbers[#numbers + 1] = math.tointeger(tonumber(text))
                or kube_errors.raise(("strconv.Atoi: parsing %q: invalid syntax"):format(text))
        end
    elseif #numbers == 0 and options.cluster_ip ~= "None" then
        kube_errors.raise("couldn't find port via --port flag or introspection", "name it with --port")
    end
    local ports = json.list {}
    local function add(name, number, protocol)
        ports[#ports + 1] = { name = name, port = number, protocol = protocol, targetPort = target_of(options, number) }
    end
    for i, number in ipairs(numbers) do
        local name = #numbers > 1 and "port-" .. i or nil
        local known = protocols[number] or { "TCP" }
        if (options.protocol or "") ~= "" then
            add(name, number, options.protocol)
        elseif #known == 1 then
            add(name, number, known[1])
        else
            for _, protocol in ipairs(known) do add(("port-%d-%s"):format(i, protocol:lower()), number, protocol) end
        end
    end
    return ports
end

local affinities = { None = true, ClientIP = true }

-- Empty words are no words.
local function word(text) return (text or "") ~= "" and text or nil end

local function service_of(object, options)
    local selector = word(options.selector) and label_selector.labels(options.selector) or selector_of(object)
    local ports = service_ports(object, options)
    local labels = word(options.labels) and label_selector.labels(options.labels) or object.metadata.labels
    if not next(selector) then kube_errors.raise("selector must be specified") end
    local affinity = word(options.session_affinity)
    if affinity and not affinities[affinity] then kube_errors.raise("unknown session affinity: " .. affinity) end
    return { apiVersion = "v1", kind = "Service", status = { loadBalancer = {} },
        metadata = { name = word(options.name) or object.metadata.name:sub(1, NAME_LENGTH), labels = labels },
        spec = { selector = selector, ports = #ports > 0 and ports or nil, type = word(options.type),
            sessionAffinity = affinity, clusterIP = word(options.cluster_ip),
            externalIPs = word(options.external_ip) and json.list { options.external_ip },
            loadBalancerIP = options.type == "LoadBalancer" and word(options.load_balancer_ip) or nil } }
end

return {
    summary = "make a service for the pods of a workload",
    usage = "TYPE NAME | TYPE/NAME | -f FILE [--port=PORT] [--target-port=PORT] [flags]",
    examples = { "todo-lua kube expose deploy/web --port=80 --target-port=8080" },
    flags = object_maker.with_flags(own, "kubectl-expose"),
    run = function(session, options, words)
        local found = resource_args.find_all(session, words, { filename = options.filename,
            recursive = options.recursive }) -- its selector is the service's
        options.done = "exposed"
        for _, one in ipairs(found) do
            if not exposable[one.object.kind] then
                local group = one.resource.group ~= "" and "." .. one.resource.group or ""
                kube_errors.raise(("cannot expose a %s%s"):format(one.object.kind, group))
            end
            local service = overrides.apply(service_of(tables.copy(one.object), options), options)
            object_maker.show(object_maker.make(session, "services", service, options), options)
        end
    end,
}
