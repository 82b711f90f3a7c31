-- todo-lua kube top: what pods and nodes use.
local format = require "format"
local kube_errors = require "kubectl.errors"
local metrics = require "kubectl.metrics"
local proc = require "proc"
local quantity = require "kubectl.quantity"
local sort_by = require "kubectl.sort_by"
local tabwriter = require "tabwriter"

local MIB = 1024 * 1024
local CREATION_DELAY = 120 -- seconds in which a new pod need not have figures yet

local common = {
    { "selector", short = "l", help = "label selector" },
    { "sort-by", default = "", help = "cpu or memory" },
    { "no-headers", kind = "bool", help = "no first line" },
}

local function with(own) return table.move(common, 1, #common, #own + 1, own) end

local function check_order(options)
    local field = options.sort_by
    if field ~= "" and field ~= "cpu" and field ~= "memory" then
        kube_errors.raise("--sort-by accepts only cpu or memory")
    end
    return field ~= "" and field or nil
end

-- Rows by use, the greatest first, or by namespace and name.
local function sort_rows(rows, field)
    sort_by.stable(rows, function(a, b)
        if field and a.usage[field] ~= b.usage[field] then return a.usage[field] > b.usage[field] end
        if a.namespace ~= b.namespace then return a.namespace < b.namespace end
        return a.name < b.name
    end)
end

local function cells_of(usage) return ("%dm\t%dMi\t"):format(usage.cpu, usage.memory // MIB) end

local function total(containers)
    local sum = { cpu = 0, memory = 0 }
    for _, container in ipairs(containers or {}) do sum = metrics.add(sum, metrics.parse(container.usage)) end
    return sum
end

local function pod_path(session, options, name)
    if options.all_namespaces then
        if name then kube_errors.raise("a resource cannot be retrieved by name across all namespaces") end
        return "pods"
    end
    return ("namespaces/%s/pods%s"):format(session.namespace, name and "/" .. name or "")
end

local function write_pods(rows, options)
    local writer = tabwriter.new(io.write)
    local all = options.all_namespaces
    if not options.no_headers then
        writer:line((all and "NAMESPACE\t" or "") .. (options.containers and "POD\t" or "")
            .. "NAME\tCPU(cores)\tMEMORY(bytes)\t")
    end
    local sum = { cpu = 0, memory = 0 }
    for _, row in ipairs(rows) do
        local start = all and row.namespace .. "\t" or ""
        sum = metrics.add(sum, row.usage)
        if options.containers then
            for _, container in ipairs(row.containers) do
                writer:line(("%s%s\t%s\t%s"):format(start, row.name, container.name,
                    cells_of(metrics.parse(container.usage))))
            end
        else
            writer:line(start .. row.name .. "\t" .. cells_of(row.usage))
        end
    end
    if options.sum then
        local before = (all and "\t" or "") .. (options.containers and "\t" or "")
        writer:line(before .. "\t________\t________\t")
        writer:line(before .. "\t" .. cells_of(sum))
    end
    writer:flush()
end

-- Why there are no figures: raises where pods have none yet, or should have some; returns where there is no pod.
local function explain_nothing(session, options)
    local list = session.client:list("pods", { namespace = session.namespace,
        all_namespaces = options.all_namespaces, labels = options.selector, fields = options.field_selector })
    if #list == 0 then return end
    for _, pod in ipairs(list) do
        local age = proc.time() - format.epoch(pod.metadata.creationTimestamp)
        if age > CREATION_DELAY then
            kube_errors.raise(("Metrics not available for pod %s/%s, age: %s"):format(pod.metadata.namespace,
                pod.metadata.name, format.age(age)))
        end
    end
    kube_errors.raise("metrics not available yet")
end

local function pods(session, options, words)
    if #words > 1 then kube_errors.raise(("unexpected arguments: %s"):format(table.concat(words, " ", 2))) end
    if words[1] and options.selector then kube_errors.raise("only one of NAME or --selector can be provided") end
    local field = check_order(options)
    local rows = {}
    for i, pod in ipairs(metrics.fetch(session.client, pod_path(session, options, words[1]),
        { labelSelector = options.selector, fieldSelector = options.field_selector })) do
        rows[i] = { name = pod.metadata.name, namespace = pod.metadata.namespace or "", containers = pod.containers
            or {},
            usage = total(pod.containers) }
    end
    if #rows == 0 then
        explain_nothing(session, options)
        io.stderr:write(options.all_namespaces and "No resources found\n"
            or ("No resources found in %s namespace.\n"):format(session.namespace))
        return
    end
    sort_rows(rows, field)
    write_pods(rows, options)
end

local function percent(used, whole)
    return whole and whole > 0 and ("%d%%"):format(math.floor(used / whole * 100)) or "<unknown>"
end

local function nodes(session, options, words)
    local field, name = check_order(options), words[1]
    local rows, known = {}, {}
    for i, one in ipairs(metrics.fetch(session.client, "nodes" .. (name and "/" .. name or ""),
        { labelSelector = options.selector })) do
        rows[i] = { name = one.metadata.name, namespace = "", usage = metrics.parse(one.usage) }
        known[one.metadata.name] = true
    end
    local whole, unknown = {}, {}
    local list = name and { session:fetch(session:resource("nodes"), nil, name) }
        or session.client:list("v1/Node", { labels = options.selector })
    for _, node in ipairs(list) do
        local given = options.show_capacity and node.status.capacity or node.status.allocatable or {}
        local cpu, memory = quantity.parse(given.cpu), quantity.parse(given.memory)
        whole[node.metadata.name] = { cpu = cpu and cpu.milli, memory = memory and memory.milli // 1000 }
        if not known[node.metadata.name] then unknown[#unknown + 1] = node.metadata.name end
    end
    if #rows == 0 and #unknown == 0 then kube_errors.raise("metrics not available yet") end
    sort_rows(rows, field)
    table.sort(unknown)
    local writer = tabwriter.new(io.write)
    if not options.no_headers then writer:line("NAME\tCPU(cores)\tCPU(%)\tMEMORY(bytes)\tMEMORY(%)\t") end
    for _, row in ipairs(rows) do
        local of = whole[row.name] or {}
        writer:line(("%s\t%dm\t%s\t%dMi\t%s\t"):format(row.name, row.usage.cpu, percent(row.usage.cpu, of.cpu),
            row.usage.memory // MIB, percent(row.usage.memory, of.memory)))
    end
    for _, one in ipairs(unknown) do writer:line(one .. ("\t<unknown>"):rep(4) .. "\t") end
    writer:flush()
end

return {
    summary = "show what pods and nodes use",
    usage = "pod|node [NAME] [flags]",
    commands = {
        pod = { summary = "show what pods use", usage = "[NAME] [flags]", aliases = { "pods", "po" }, run = pods,
            flags = with {
                { "all-namespaces", short = "A", kind = "bool", help = "of all namespaces" },
                { "containers", kind = "bool", help = "each container by itself" },
                { "field-selector", help = "field selector" },
                { "sum", kind = "bool", help = "a last line with the sum" } } },
        node = { summary = "show what nodes use", usage = "[NAME] [flags]", aliases = { "nodes", "no" }, run = nodes,
            arguments = { max = 1 }, flags = with {
                { "show-capacity", kind = "bool", help = "shares of the capacity, not of what can be allocated" } } },
    },
}
