-- What kube debug gives the containers that it adds, by the name of a profile (k8s.io/kubectl/pkg/cmd/debug).
local json = require "json"

local debug_profiles = {}

local function security(container)
    container.securityContext = container.securityContext or {}
    return container.securityContext
end

local function add_capabilities(container, ...)
    local context = security(container)
    context.capabilities = context.capabilities or {}
    local added = context.capabilities.add or json.list {}
    for _, name in ipairs { ... } do added[#added + 1] = name end
    context.capabilities.add = added
end

local function use_host(pod)
    pod.spec.hostNetwork, pod.spec.hostPID, pod.spec.hostIPC = true, true, true
end

local function mount_root(pod, container)
    local volumes = pod.spec.volumes or json.list {}
    volumes[#volumes + 1] = { name = "host-root", hostPath = { path = "/" } }
    pod.spec.volumes = volumes
    container.volumeMounts = json.list { { mountPath = "/host", name = "host-root" } }
end

local profiles = {}

function profiles.general(pod, container, style)
    if style == "node" then
        mount_root(pod, container)
        use_host(pod)
    else
        add_capabilities(container, "SYS_PTRACE")
    end
end

function profiles.baseline(_, container) container.securityContext = nil end

function profiles.restricted(_, container)
    container.securityContext = { runAsNonRoot = true, capabilities = { drop = { "ALL" } },
        allowPrivilegeEscalation = false, seccompProfile = { type = "RuntimeDefault" } }
end

function profiles.netadmin(pod, container, style)
    add_capabilities(container, "NET_ADMIN", "NET_RAW")
    if style == "node" then use_host(pod) end
end

function profiles.sysadmin(pod, container, style)
    security(container).privileged = true
    if style == "node" then
        use_host(pod)
        mount_root(pod, container)
    end
end

---@param name string
---@return boolean
function debug_profiles.known(name) return profiles[name] ~= nil end

---@param name string
---@param pod table changed
---@param container table of the pod, changed
---@param style "node"|"copy"|"ephemeral"
function debug_profiles.apply(name, pod, container, style)
    profiles[name](pod, container, style)
    if style == "copy" and pod.spec.shareProcessNamespace == nil then pod.spec.shareProcessNamespace = true end
end

return debug_profiles
