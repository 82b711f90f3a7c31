-- helm env: helm's variables as they take effect here.
local flags = require "release.flags"
local k8s = require "k8s"
local places = require "chart_repo.places"
local program = require "program"
local session = require "release.session"

local function namespace_of(options)
    local connection = session.connection(options)
    if connection.namespace then return connection.namespace end
    local ok, client = pcall(k8s.connect, connection)
    return ok and client.namespace or "default"
end

local function variables(options)
    local where, connection = places.of(options), session.connection(options)
    local found = {
        HELM_BIN = program.executable .. " helm", HELM_CACHE_HOME = places.base "cache",
        HELM_CONFIG_HOME = places.base "config", HELM_DATA_HOME = places.base "data",
        HELM_DEBUG = tostring(options.debug == true), HELM_REGISTRY_CONFIG = where.registry_config,
        HELM_REPOSITORY_CACHE = where.repository_cache, HELM_REPOSITORY_CONFIG = where.repository_config,
        HELM_NAMESPACE = namespace_of(options), HELM_MAX_HISTORY = tostring(session.default_history()),
        HELM_KUBECONTEXT = connection.context or "", HELM_KUBETOKEN = connection.token and "•••" or "",
        HELM_KUBEASUSER = connection.as or "", HELM_KUBEASGROUPS = table.concat(connection.as_groups or {}, ","),
        HELM_KUBEAPISERVER = connection.server or "",
        HELM_KUBECAFILE = options.kube_ca_file or os.getenv("HELM_KUBECAFILE") or "",
        HELM_KUBEINSECURE_SKIP_TLS_VERIFY = tostring(connection.insecure == true),
        HELM_KUBETLS_SERVER_NAME = connection.server_name or "",
    }
    if options.kubeconfig and options.kubeconfig ~= "" then found.KUBECONFIG = options.kubeconfig end
    return found
end

local function run(options, words)
    local found, lines = variables(options), {}
    if words[1] then
        session.write((found[words[1]] or "") .. "\n")
        return 0
    end
    for name, value in pairs(found) do lines[#lines + 1] = ('%s="%s"\n'):format(name, value) end
    table.sort(lines)
    session.write(table.concat(lines))
    return 0
end

return {
    usage = "[flags]",
    summary = "helm client environment information",
    help = "Prints helm's variables as they take effect here. A token is not shown; those that only helm itself has a\n"
        .. "use for (plugins, limits of requests) are left out.",
    arguments = { max = 1 },
    flags = flags.of {},
    run = run,
}
