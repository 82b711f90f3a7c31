-- The objects that the tests of todo-lua kube look at (objects.yaml), with what controllers and a kubelet would have added:
-- a pod of the deployment, replica sets, statuses and events. Times lie far back, so that ages do not change under a test.
local free_port = require "tests.free_port"
local fs = require "fs"
local proc = require "proc"
local program = require "program"
local tables = require "tables"
local task = require "task"
local yaml = require "yaml"

local fixture = {}

local NAMESPACE = "shop"
local LONG_AGO = "2026-01-02T03:04:05Z"

local function owner(object)
    return { { apiVersion = object.apiVersion, kind = object.kind, name = object.metadata.name, uid = object.metadata.uid,
        controller = true, blockOwnerDeletion = true } }
end

local function set_status(client, object, status)
    object.status = status
    client:update(object, { subresource = "status" })
end

local function add_replica_sets(client, deployment)
    for number = 1, 2 do
        local template = tables.copy(deployment.spec.template)
        template.metadata.labels["pod-template-hash"] = "hash" .. number
        if number == 1 then template.spec.containers[1].image = "backend:0" end
        local set = client:create { apiVersion = "apps/v1", kind = "ReplicaSet",
            metadata = { name = "backend-hash" .. number, namespace = NAMESPACE, labels = template.metadata.labels,
                ownerReferences = owner(deployment),
                annotations = { ["deployment.kubernetes.io/revision"] = tostring(number),
                    ["kubernetes.io/change-cause"] = number == 1 and "first try" or nil } },
            spec = { replicas = number == 2 and 3 or 0, template = template,
                selector = { matchLabels = { app = "backend", ["pod-template-hash"] = "hash" .. number } } } }
        set_status(client, set, { replicas = number == 2 and 3 or 0, observedGeneration = 1,
            conditions = { { type = "ReplicaFailure", status = "False", reason = "Fine" } } })
    end
    set_status(client, deployment, { replicas = 3, updatedReplicas = 3, readyReplicas = 2, availableReplicas = 2,
        unavailableReplicas = 1, observedGeneration = 1,
        conditions = {
            { type = "Available", status = "True", reason = "MinimumReplicasAvailable", message = "fine" },
            { type = "Progressing", status = "True", reason = "ReplicaSetUpdated", message = "on its way" },
        } })
end

local function container(name, state, more)
    local status = { name = name, image = name .. ":1", imageID = "sha256:" .. name, containerID = "containerd://" .. name,
        ready = state.running ~= nil, restartCount = 0, state = state }
    for key, value in pairs(more or {}) do status[key] = value end
    return status
end

local function add_pods(client, deployment)
    local set = client:get("replicasets", "backend-hash2", { namespace = NAMESPACE })
    local spec = tables.copy(deployment.spec.template.spec)
    spec.nodeName = "node-1"
    local pod = client:create { apiVersion = "v1", kind = "Pod", spec = spec, metadata = { name = "backend-1",
        namespace = NAMESPACE, labels = { app = "backend", tier = "api", ["pod-template-hash"] = "hash2" },
        ownerReferences = owner(set) } }
    local running = { running = { startedAt = LONG_AGO } }
    set_status(client, pod, { phase = "Running", podIP = "10.1.0.1", podIPs = { { ip = "10.1.0.1" } }, hostIP = "10.0.0.5",
        startTime = LONG_AGO, qosClass = "Burstable",
        conditions = { { type = "Ready", status = "True" }, { type = "PodScheduled", status = "True" } },
        initContainerStatuses = { container("migrate", { terminated = { exitCode = 0, reason = "Completed",
            startedAt = LONG_AGO, finishedAt = LONG_AGO } }) },
        containerStatuses = { container("web", running), container("side", running) } })
    local crashing = client:get("pods", "crashing", { namespace = NAMESPACE })
    set_status(client, crashing, { phase = "Running", hostIP = "10.0.0.5", startTime = LONG_AGO, reason = "Trouble",
        message = "it does not stay up", containerStatuses = { container("one", { waiting = { reason = "CrashLoopBackOff",
            message = "back-off 5m0s" } }, { restartCount = 7, lastState = { terminated = { exitCode = 137, signal = 9,
                reason = "OOMKilled", startedAt = LONG_AGO, finishedAt = LONG_AGO } } }) } })
end

local function add_event(client, object, name, more)
    local event = { apiVersion = "v1", kind = "Event", metadata = { name = name, namespace = object.metadata.namespace
        or "default" }, type = "Normal", firstTimestamp = LONG_AGO, lastTimestamp = LONG_AGO, count = 1,
        source = { component = "kubelet" }, involvedObject = { apiVersion = object.apiVersion, kind = object.kind,
            name = object.metadata.name, namespace = object.metadata.namespace, uid = object.metadata.uid } }
    for key, value in pairs(more) do event[key] = value end
    client:create(event)
end

local function add_events(client)
    local pod = client:get("pods", "crashing", { namespace = NAMESPACE })
    add_event(client, pod, "b", { reason = "BackOff", type = "Warning", message = "Back-off restarting\nfailed container ",
        count = 12, firstTimestamp = "2026-01-01T00:00:00Z" })
    add_event(client, pod, "a", { reason = "Pulled", message = "Container image is present",
        firstTimestamp = "2026-01-01T00:00:00Z", lastTimestamp = "2026-01-01T00:00:00Z" })
    add_event(client, pod, "c", { reason = "Unhealthy", message = "probe failed", type = "Warning",
        lastTimestamp = "2026-01-03T00:00:00Z" })
    local deployment = client:get("deployments", "backend", { namespace = NAMESPACE })
    add_event(client, deployment, "d", { reason = "ScalingReplicaSet", message = "Scaled up", source = {},
        reportingComponent = "deployment-controller", reportingInstance = "" })
end

---Fills the server.
---@param client todo.K8s
function fixture.load(client)
    local text = fs.read(fs.join(program.project, "tests/kube/objects.yaml"))
    local made = {}
    for _, object in ipairs(yaml.decode_all(text)) do
        local status = object.status
        local created = client:create(object)
        if status then set_status(client, created, status) end
        made[created.kind .. "/" .. created.metadata.name] = created
    end
    local deployment = made["Deployment/backend"]
    set_status(client, made["PersistentVolumeClaim/data"], { phase = "Pending", conditions = { { type = "Resizing",
        status = "True", reason = "R", message = "m", lastProbeTime = LONG_AGO, lastTransitionTime = LONG_AGO } } })
    set_status(client, made["PersistentVolumeClaim/bound"], { phase = "Bound", accessModes = { "ReadWriteOnce" },
        capacity = { storage = "1Gi" } })
    set_status(client, made["Job/migrate"], { active = 1, ready = 1, succeeded = 1, startTime = LONG_AGO,
        completedIndexes = "0" })
    set_status(client, made["Ingress/shop"], { loadBalancer = { ingress = { { ip = "10.9.9.9" } } } })
    set_status(client, made["DaemonSet/agent"], { desiredNumberScheduled = 2, currentNumberScheduled = 1,
        updatedNumberScheduled = 1, numberAvailable = 1, numberMisscheduled = 0, numberReady = 1 })
    add_replica_sets(client, deployment)
    add_pods(client, deployment)
    add_events(client)
end

---Lets a small server of its own answer the API server's metrics API.
---@async
---@param server todo.ApiServer
---@param client todo.K8s
---@return todo.Process to close
function fixture.metrics(server, client)
    local port = free_port()
    local metrics = proc.spawn({ "python3", fs.join(program.project, "tests/kube/metrics_server.py"),
        tostring(port), server.pki .. "/server.crt", server.pki .. "/server.key" })
    assert(metrics:read_line() == "ready", "the metrics server did not start")
    client:create { apiVersion = "v1", kind = "Service", metadata = { name = "metrics", namespace = "kube-system" },
        spec = { type = "ExternalName", externalName = "localhost", ports = { { port = port } } } }
    client:create { apiVersion = "apiregistration.k8s.io/v1", kind = "APIService",
        metadata = { name = "v1beta1.metrics.k8s.io" }, spec = { group = "metrics.k8s.io", version = "v1beta1",
            groupPriorityMinimum = 100, versionPriority = 100, insecureSkipTLSVerify = true,
            service = { name = "metrics", namespace = "kube-system", port = port } } }
    task.timeout(60, function()
        while not pcall(client.request, client, "GET", "/apis/metrics.k8s.io/v1beta1/nodes") do task.sleep(0.3) end
    end)
    return metrics
end

return fixture
