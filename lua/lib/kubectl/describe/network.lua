-- Services and ingresses, with the endpoints behind them.
local kube_table = require "kubectl.table"
local tables = require "tables"

local network = {}

local MOST_ENDPOINTS = 3

local function slices_of(session, namespace, service)
    return session.client:list("endpointslices.discovery.k8s.io", { namespace = namespace,
        labels = "kubernetes.io/service-name=" .. service })
end

local function address_text(address, port)
    if not port then return address end
    return (address:find(":", 1, true) and "[" .. address .. "]" or address) .. ":" .. port
end

-- The ready addresses for the port of that name, the first three spelled out. (Counted as kubectl counts them.)
local function endpoints_text(slices, port_name)
    if #slices == 0 then return "<none>" end
    local list, more, count = {}, false, 0
    local function add(endpoint, port)
        if #list == MOST_ENDPOINTS then more = true end
        if endpoint.conditions and endpoint.conditions.ready == false then return end
        if not more then list[#list + 1] = address_text(endpoint.addresses[1], port) end
        count = count + 1
    end
    for _, slice in ipairs(slices) do
        local ports = type(slice.ports) == "table" and slice.ports or {}
        if #ports == 0 then
            for _, endpoint in ipairs(slice.endpoints or {}) do add(endpoint) end
        end
        for _, port in ipairs(ports) do
            if (port.name or "") == port_name then
                for _, endpoint in ipairs(slice.endpoints or {}) do add(endpoint, port.port) end
            end
        end
    end
    local words = table.concat(list, ",")
    return more and ("%s + %d more..."):format(words, count - MOST_ENDPOINTS) or words
end

local function balancer_text(ingress)
    return table.concat(tables.map(ingress, function(one)
        if not one.ip then return one.hostname or "" end
        return one.ipMode and ("%s (%s)"):format(one.ip, one.ipMode) or one.ip
    end), ", ")
end

local function service_port(w, port, slices)
    local name = port.name or "<unset>"
    w:put(0, "Port:\t%s\t%d/%s\n", name, port.port, port.protocol)
    w:put(0, "TargetPort:\t%s/%s\n", port.targetPort or 0, port.protocol)
    if port.appProtocol then w:put(0, "AppProtocol:\t%s\n", port.appProtocol) end
    if port.nodePort then w:put(0, "NodePort:\t%s\t%d/%s\n", name, port.nodePort, port.protocol) end
    w:put(0, "Endpoints:\t%s\n", endpoints_text(slices, port.name or ""))
end

local function joined(list) return list and #list > 0 and table.concat(list, ",") or "<none>" end

function network.service(w, object, session)
    local spec = object.spec
    w:head(object)
    w:put(0, "Selector:\t%s\n", kube_table.labels_text(spec.selector))
    w:put(0, "Type:\t%s\n", spec.type)
    if spec.ipFamilyPolicy then w:put(0, "IP Family Policy:\t%s\n", spec.ipFamilyPolicy) end
    w:put(0, "IP Families:\t%s\n", joined(spec.ipFamilies))
    w:put(0, "IP:\t%s\n", spec.clusterIP)
    w:put(0, "IPs:\t%s\n", joined(spec.clusterIPs))
    if spec.externalIPs then w:put(0, "External IPs:\t%s\n", joined(spec.externalIPs)) end
    if spec.loadBalancerIP then w:put(0, "Desired LoadBalancer IP:\t%s\n", spec.loadBalancerIP) end
    if spec.externalName then w:put(0, "External Name:\t%s\n", spec.externalName) end
    local ingress = tables.at(object, "status.loadBalancer.ingress")
    if ingress then w:put(0, "LoadBalancer Ingress:\t%s\n", balancer_text(ingress)) end
    local slices = slices_of(session, object.metadata.namespace, object.metadata.name)
    for _, port in ipairs(spec.ports or {}) do service_port(w, port, slices) end
    w:put(0, "Session Affinity:\t%s\n", spec.sessionAffinity)
    if spec.externalTrafficPolicy then w:put(0, "External Traffic Policy:\t%s\n", spec.externalTrafficPolicy) end
    if spec.internalTrafficPolicy then w:put(0, "Internal Traffic Policy:\t%s\n", spec.internalTrafficPolicy) end
    if spec.healthCheckNodePort then w:put(0, "HealthCheck NodePort:\t%d\n", spec.healthCheckNodePort) end
    if spec.loadBalancerSourceRanges then
        w:put(0, "LoadBalancer Source Ranges:\t%s\n", joined(spec.loadBalancerSourceRanges))
    end
    if spec.trafficDistribution then w:put(0, "Traffic Distribution:\t%s\n", spec.trafficDistribution) end
end

local function backend_text(session, namespace, backend)
    local resource, service = backend.resource, backend.service
    if resource then
        return ("APIGroup: %s, Kind: %s, Name: %s"):format(resource.apiGroup or "<none>", resource.kind, resource.name)
    elseif not service then
        return ""
    end
    local port = service.port or {}
    local name = ("%s:%s"):format(service.name, port.number or port.name or "")
    local found = session.client:get("services", service.name, { namespace = namespace })
    if not found then return ('%s (<error: services "%s" not found>)'):format(name, service.name) end
    local port_name = ""
    for _, one in ipairs(found.spec.ports or {}) do
        if port.number == one.port or port.name and port.name == one.name then port_name = one.name or "" end
    end
    return ("%s (%s)"):format(name, endpoints_text(slices_of(session, namespace, service.name), port_name))
end

local function addresses(object)
    local seen = {}
    for _, one in ipairs(tables.at(object, "status.loadBalancer.ingress") or {}) do
        if one.ip or one.hostname then seen[one.ip or one.hostname] = true end
    end
    return table.concat(tables.keys(seen), ",")
end

function network.ingress(w, object, session)
    local meta, spec = object.metadata, object.spec
    w:put(0, "Name:\t%s\n", meta.name)
    w:labels("Labels", meta.labels)
    w:put(0, "Namespace:\t%s\n", meta.namespace)
    w:put(0, "Address:\t%s\n", addresses(object))
    w:put(0, "Ingress Class:\t%s\n", spec.ingressClassName or "<none>")
    local default = spec.defaultBackend and backend_text(session, meta.namespace, spec.defaultBackend) or "<default>"
    w:put(0, "Default backend:\t%s\n", default)
    if spec.tls then w:put(0, "TLS:\n") end
    for _, one in ipairs(spec.tls or {}) do
        local hosts = table.concat(one.hosts or {}, ",")
        w:put(1, "%s %s\n", one.secretName and one.secretName .. " terminates" or "SNI routes", hosts)
    end
    w:put(0, "Rules:\n  Host\tPath\tBackends\n")
    w:put(1, "----\t----\t--------\n")
    local count = 0
    for _, rule in ipairs(spec.rules or {}) do
        if rule.http then
            count = count + 1
            w:put(1, "%s\t\n", rule.host or "*")
            for _, path in ipairs(rule.http.paths) do
                w:put(2, "\t%s \t%s\n", path.path, backend_text(session, meta.namespace, path.backend))
            end
        end
    end
    if count == 0 then w:put(1, "*\t*\t%s\n", default) end
    w:annotations("Annotations", meta.annotations)
end

return network
