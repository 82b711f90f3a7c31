-- todo-lua kube cluster-info: where the control plane and the services of the cluster are.
local kube_session = require "kubectl.session"

-- The address of a service by way of the API server, or its load balancer's.
local function link_of(session, service)
    local ingress = ((service.status.loadBalancer or {}).ingress or {})[1]
    local ports = service.spec.ports or {}
    if ingress then
        local links = {}
        for i, port in ipairs(ports) do
            links[i] = ("http://%s:%d "):format(ingress.ip or ingress.hostname, port.port)
        end
        return table.concat(links)
    end
    local name, port = service.metadata.name, ports[1]
    if port then
        local secure = port.name == "https" or port.port == 443
        local named = port.name or ""
        if secure then name = ("https:%s:%s"):format(name, named)
        elseif named ~= "" then name = name .. ":" .. named end
    end
    return ("%s/api/v1/namespaces/%s/services/%s/proxy"):format(session.client.server, service.metadata.namespace, name)
end

return {
    summary = "show where the cluster's control plane and services are",
    usage = "[flags]",
    help = "Shows where the control plane and the services labelled kubernetes.io/cluster-service=true are.\n"
        .. "(kubectl's dump is not here: todo-lua doctor --save FILE keeps what explains a failure.)",
    arguments = { max = 0 },
    run = function(session, options)
        local path = kube_session.path(session:resource("services"), options.namespace or "kube-system")
        local services = session.client:request("GET", path,
            { query = { labelSelector = "kubernetes.io/cluster-service=true" } })
        io.write("Kubernetes control plane is running at ", session.client.server, "\n")
        for _, service in ipairs(services.items) do
            local labels = service.metadata.labels or {}
            io.write(labels["kubernetes.io/name"] or service.metadata.name, " is running at ",
                link_of(session, service), "\n")
        end
    end,
}
