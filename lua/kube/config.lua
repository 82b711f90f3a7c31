-- todo-lua kube config: looks at the kubeconfig; lua/lib/kubectl/config_edit.lua changes it.
local config_edit = require "kubectl.config_edit"
local fs = require "fs"
local json = require "json"
local kube_errors = require "kubectl.errors"
local kubeconfig_files = require "kubectl.config_files"
local object_printer = require "kubectl.printer"
local secret = require "secret"
local tables = require "tables"
local tabwriter = require "tabwriter"

local function get_contexts(_, options, words)
    if options.output ~= "" and options.output ~= "name" then
        kube_errors.raise(("output must be one of '' or 'name': %s"):format(options.output))
    end
    local config = kubeconfig_files.load(options.kubeconfig)
    local problems, names = {}, #words == 0 and tables.keys(config.contexts) or {}
    for _, name in ipairs(words) do
        if config.contexts[name] then names[#names + 1] = name else
            problems[#problems + 1] = { kind = "kube", message = ("context %s not found"):format(name) }
        end
    end
    table.sort(names)
    local writer = tabwriter.new(io.write)
    if not options.no_headers and options.output == "" then
        writer:line("CURRENT\tNAME\tCLUSTER\tAUTHINFO\tNAMESPACE")
    end
    for _, name in ipairs(names) do
        local context = config.contexts[name]
        local current = config.current == name and "*" or " "
        writer:line(options.output == "name" and name or table.concat({ current, name, context.cluster or "",
            context.user or "", context.namespace or "" }, "\t"))
    end
    writer:flush()
    kube_errors.raise_all(problems)
end

local function current_context(_, options)
    local current = options.context or kubeconfig_files.load(options.kubeconfig).current
    if not current then kube_errors.raise("current-context is not set",
        "todo-lua kube config use-context NAME sets it") end
    io.write(current, "\n")
end

local function use_context(_, options, words)
    local config = kubeconfig_files.load(options.kubeconfig)
    if not config.contexts[words[1]] then
        kube_errors.raise(("no context exists with the name: %q"):format(words[1]),
            kubeconfig_files.hint(tables.keys(config.contexts), words[1]))
    end
    kubeconfig_files.use(options.kubeconfig, words[1])
    io.write(('Switched to context "%s".\n'):format(words[1]))
end

-- What nobody should see on a screen.
local hidden = {
    ["certificate-authority-data"] = "DATA+OMITTED", ["client-certificate-data"] = "DATA+OMITTED",
    ["client-key-data"] = "DATA+OMITTED", token = "REDACTED", password = "REDACTED",
}

local function masked(entry)
    local copy = tables.copy(entry)
    for field, text in pairs(hidden) do
        if copy[field] and copy[field] ~= "" then copy[field] = text end
    end
    return copy
end

-- With files in the place of their paths.
local function flattened(entry, folder)
    local copy = tables.copy(entry)
    for _, field in ipairs { "certificate-authority", "client-certificate", "client-key" } do
        local path = copy[field]
        if path and path ~= "" then
            local bytes = fs.read(fs.join(folder, path)) or kube_errors.raise(("unable to read %s %s"):format(field,
                path))
            copy[field], copy[field .. "-data"] = nil, secret.base64(bytes)
        end
    end
    return copy
end

-- Only what the context needs.
local function minified(config, name)
    local context = config.contexts[name or ""]
    if not context then kube_errors.raise("cannot locate context " .. (name or ""),
        "todo-lua kube config get-contexts") end
    return { folders = config.folders, current = name, contexts = { [name] = context },
        clusters = { [context.cluster or ""] = config.clusters[context.cluster or ""] },
        users = { [context.user or ""] = config.users[context.user or ""] } }
end

local function view(_, options)
    if not options.merge and not options.kubeconfig then
        kube_errors.raise("if merge==false a precise file must be specified", "name it with --kubeconfig")
    end
    local config = kubeconfig_files.load(options.kubeconfig)
    if options.minify then config = minified(config, options.context or config.current) end
    local function entries(list, field)
        local out = json.list {}
        for i, name in ipairs(tables.keys(config[list])) do
            local entry = config[list][name]
            if options.flatten then entry = flattened(entry, config.folders[entry]) end
            out[i] = { name = name, [field] = (options.raw or options.flatten) and entry or masked(entry) }
        end
        return #out > 0 and out or json.null
    end
    local shown = { apiVersion = "v1", kind = "Config", ["current-context"] = config.current or "",
        clusters = entries("clusters", "cluster"), contexts = entries("contexts", "context"),
        users = entries("users", "user") }
    if (options.output or "") == "" and (options.template or "") == "" then options.output = "yaml" end
    options.show_managed_fields = true
    io.write(object_printer.new(options)(shown))
end

local commands = {
    ["get-contexts"] = { summary = "list the contexts", usage = "[NAME…] [flags]", run = get_contexts, flags = {
        { "output", short = "o", default = "", help = '"name" prints the names only' },
        { "no-headers", kind = "bool", help = "no first line" } } },
    ["current-context"] = { summary = "show the current context", usage = "[flags]", arguments = { max = 0 },
        run = current_context },
    ["use-context"] = { summary = "make another context the current one", usage = "NAME", run = use_context,
        aliases = { "use" }, arguments = { min = 1, max = 1 } },
    view = { summary = "show the merged kubeconfig, secrets hidden", usage = "[flags]", arguments = { max = 0 },
        run = view, flags = table.move(object_printer.flags, 1, #object_printer.flags, 5, {
            { "merge", kind = "bool", default = true, help = "all files of $KUBECONFIG; false needs --kubeconfig" },
            { "minify", kind = "bool", help = "only what the current context needs" },
            { "raw", kind = "bool", help = "secrets in clear" },
            { "flatten", kind = "bool", help = "files' contents in place of their paths" } }) },
}
for name, command in pairs(config_edit.commands) do commands[name] = command end

return {
    summary = "look at and change the kubeconfig",
    usage = "get-contexts|use-context|set-context|… [flags]",
    commands = commands,
}
