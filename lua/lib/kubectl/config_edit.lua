-- The commands of kube config that change the kubeconfig's entries.
local fs = require "fs"
local json = require "json"
local kube_errors = require "kubectl.errors"
local kubeconfig_files = require "kubectl.config_files"
local secret = require "secret"
local tables = require "tables"

local config_edit = {}

local LISTS = {
    cluster = { list = "clusters", word = "cluster" }, context = { list = "contexts", word = "context" },
    user = { list = "users", word = "user" },
}

local function one_word(words, what)
    if #words ~= 1 then
        kube_errors.raise(("Unexpected args: [%s]"):format(table.concat(words, " ")), "usage: " .. what)
    end
    if words[1] == "" then kube_errors.raise("you must specify a non-empty name") end
    return words[1]
end

-- Relative to the kubeconfig where the file lies below it, as kubectl writes paths.
local function written_path(path, folder)
    if path == "" then return nil end
    local absolute = path:find("^/") and path or fs.join(fs.cwd(), path)
    absolute = fs.realpath(absolute) or absolute
    local below = absolute:sub(1, #folder + 1) == folder .. "/" and absolute:sub(#folder + 2)
    return below or absolute
end

local function check_embedded(options, flags)
    if not options.embed_certs then return end
    local given = false
    for _, flag in ipairs(flags) do
        local path = options[flag:gsub("-", "_")]
        if path and path ~= "" then
            given = true
            if not fs.exists(path) then
                kube_errors.raise(("could not stat %s file %s: stat %s: no such file or directory"):format(flag, path,
                    path))
            end
        end
    end
    if not given then
        kube_errors.raise(("you must specify a --%s to embed"):format(table.concat(flags, " or --")))
    end
end

-- A file's path, or its bytes, in an entry.
local function set_file(entry, field, options, folder)
    local path = options[field:gsub("-", "_")]
    if not path then return end
    entry[field], entry[field .. "-data"] = nil, nil
    if options.embed_certs and path ~= "" then
        entry[field .. "-data"] = secret.base64(fs.read(path))
    else
        entry[field] = written_path(path, folder)
    end
end

-- A text; an empty one takes the field away.
local function set_text(entry, field, text)
    if text then entry[field] = text ~= "" and text or nil end
end

local function set_cluster(_, options, words)
    local name = one_word(words, "NAME [--server=URL] [--certificate-authority=FILE]")
    local insecure = options.insecure_skip_tls_verify
    if insecure and (options.certificate_authority or "") ~= "" then
        kube_errors.raise("you cannot specify a certificate authority and insecure mode at the same time")
    end
    check_embedded(options, { "certificate-authority" })
    kubeconfig_files.change(options.kubeconfig, "clusters", name, function(entry, folder)
        set_text(entry, "server", options.server)
        if options.server then entry["tls-server-name"] = nil end
        set_text(entry, "tls-server-name", options.tls_server_name)
        entry["insecure-skip-tls-verify"] = insecure or nil -- as with kubectl, it has to be said each time
        if insecure then entry["certificate-authority"], entry["certificate-authority-data"] = nil, nil end
        set_file(entry, "certificate-authority", options, folder)
        set_text(entry, "proxy-url", options.proxy_url)
        if not entry.server then entry.server = "" end -- kubectl's files have it always
        return entry
    end)
    io.write(('Cluster "%s" set.\n'):format(name))
end

local function set_context(_, options, words)
    if #words > 1 then kube_errors.raise(("Unexpected args: [%s]"):format(table.concat(words, " "))) end
    local name = words[1] or ""
    if name == "" and not options.current then
        kube_errors.raise("you must specify a non-empty context name or --current")
    end
    if name ~= "" and options.current then
        kube_errors.raise("you cannot specify both a context name and --current")
    end
    local config = kubeconfig_files.load(options.kubeconfig, true)
    if options.current then name = config.current or kube_errors.raise("no current context is set") end
    kubeconfig_files.change(options.kubeconfig, "contexts", name, function(entry)
        set_text(entry, "cluster", options.cluster)
        set_text(entry, "user", options.user)
        set_text(entry, "namespace", options.namespace)
        entry.cluster, entry.user = entry.cluster or "", entry.user or ""
        return entry
    end)
    io.write(('Context "%s" %s.\n'):format(name, config.contexts[name] and "modified" or "created"))
end

local function set_variables(exec, given)
    local env = exec.env or json.list {}
    for _, pair in ipairs(given) do
        local name, value = pair:match("^([^=]+)=(.*)$")
        local removed = not name and pair:match("^(.+)%-$")
        if not name and not removed then
            kube_errors.raise(("invalid exec-env format: %s"):format(pair), "NAME=VALUE sets one, NAME- removes it")
        end
        local index = 1
        while env[index] and env[index].name ~= (name or removed) do index = index + 1 end
        if name then env[index] = { name = name, value = value } elseif env[index] then table.remove(env, index) end
    end
    exec.env = #env > 0 and env or json.null
end

local function set_plugin(entry, options, seen)
    local exec = entry.exec
    if options.exec_command then
        exec = exec or {}
        exec.command, exec.args = options.exec_command, json.null
    end
    entry.exec = exec
    if not exec then return end
    if options.exec_api_version then exec.apiVersion = options.exec_api_version end
    if options.exec_interactive_mode then exec.interactiveMode = options.exec_interactive_mode end
    if seen.exec_provide_cluster_info then exec.provideClusterInfo = options.exec_provide_cluster_info end
    if options.exec_arg then exec.args = json.list(options.exec_arg) end
    if options.exec_env then set_variables(exec, options.exec_env) end
end

local modes = { IfAvailable = true, Always = true, Never = true }

local function set_credentials(_, options, words, seen)
    local name = one_word(words, "NAME [--token=TOKEN] [--client-certificate=FILE --client-key=FILE]")
    local token, basic = (options.token or "") ~= "", (options.username or "") ~= "" or (options.password or "") ~= ""
    if token and basic then
        kube_errors.raise("you cannot specify more than one authentication method at the same time: --token, "
            .. "--username/--password")
    end
    check_embedded(options, { "client-certificate", "client-key" })
    if options.exec_interactive_mode and not modes[options.exec_interactive_mode] then
        kube_errors.raise("invalid interactive mode type, can be only IfAvailable, Never, Always")
    end
    kubeconfig_files.change(options.kubeconfig, "users", name, function(entry, folder)
        set_file(entry, "client-certificate", options, folder)
        set_file(entry, "client-key", options, folder)
        for _, field in ipairs { "token", "username", "password" } do set_text(entry, field, options[field]) end
        set_plugin(entry, options, seen)
        if token then entry.username, entry.password = nil, nil end
        if basic then entry.token = nil end
        return entry
    end)
    io.write(('User "%s" set.\n'):format(name))
end

local function hint_of(known, name) return kubeconfig_files.hint(tables.keys(known), name) end

local function deleter(kind)
    return function(_, options, words)
        local config = kubeconfig_files.load(options.kubeconfig)
        local name = one_word(words, "NAME")
        local file = kubeconfig_files.default_name(options.kubeconfig)
        if not config[kind.list][name] then
            kube_errors.raise(("cannot delete %s %s, not in %s"):format(kind.word, name, file),
                hint_of(config[kind.list], name))
        end
        if kind == LISTS.context and config.current == name then
            io.stderr:write("warning: this removed your active context, use \"todo-lua kube config use-context\" to "
                .. "select a different one\n")
        end
        kubeconfig_files.change(options.kubeconfig, kind.list, name, function() return nil end)
        io.write(("deleted %s %s from %s\n"):format(kind.word, name, file))
    end
end

local function lister(kind)
    return function(_, options)
        io.write("NAME\n")
        for _, name in ipairs(tables.keys(kubeconfig_files.load(options.kubeconfig)[kind.list])) do
            io.write(name, "\n")
        end
    end
end

local function rename_context(_, options, words)
    if #words ~= 2 then
        kube_errors.raise(("Unexpected args: [%s]"):format(table.concat(words, " ")), "usage: CONTEXT NEW_NAME")
    end
    local old, new = words[1], words[2]
    local config, file = kubeconfig_files.load(options.kubeconfig), kubeconfig_files.default_name(options.kubeconfig)
    if not config.contexts[old] then
        kube_errors.raise(("cannot rename the context %q, it's not in %s"):format(old, file),
            hint_of(config.contexts, old))
    end
    if config.contexts[new] then
        kube_errors.raise(("cannot rename the context %q, the context %q already exists in %s"):format(old, new, file))
    end
    kubeconfig_files.rename_context(options.kubeconfig, old, new)
    if config.current == old then kubeconfig_files.use(options.kubeconfig, new) end
    io.write(('Context "%s" renamed to "%s".\n'):format(old, new))
end

local TEXT, BOOL, BYTES = "text", "bool", "bytes"
-- The fields that set and unset reach, by list.
local fields = {
    clusters = { server = TEXT, ["tls-server-name"] = TEXT, ["insecure-skip-tls-verify"] = BOOL,
        ["certificate-authority"] = TEXT, ["certificate-authority-data"] = BYTES, ["proxy-url"] = TEXT,
        ["disable-compression"] = BOOL },
    contexts = { cluster = TEXT, user = TEXT, namespace = TEXT },
    users = { ["client-certificate"] = TEXT, ["client-certificate-data"] = BYTES, ["client-key"] = TEXT,
        ["client-key-data"] = BYTES, token = TEXT, tokenFile = TEXT, ["as"] = TEXT, ["as-uid"] = TEXT,
        username = TEXT, password = TEXT },
}

-- "clusters.10.0.0.1.server" as list, name and field: a name may hold dots, so only the last part is a field.
local function parse_property(text)
    local list, rest = text:match("^(%a+)%.(.+)$")
    if text == "current-context" or fields[text] then return text end
    if not fields[list] then
        kube_errors.raise(("unable to parse %s"):format(text),
            "properties are current-context, clusters.NAME.FIELD, contexts.NAME.FIELD and users.NAME.FIELD")
    end
    local name, field = rest:match("^(.+)%.([^.]+)$")
    if name and fields[list][field] then return list, name, field end
    return list, rest
end

local bools = { ["true"] = true, ["1"] = true, t = true, T = true, TRUE = true, True = true, ["false"] = false,
    ["0"] = false, f = false, F = false, FALSE = false, False = false }

local readers = {
    [TEXT] = function(text) return text end,
    [BOOL] = function(text)
        if bools[text] == nil then
            kube_errors.raise(("strconv.ParseBool: parsing %q: invalid syntax"):format(text))
        end
        return bools[text]
    end,
    [BYTES] = function(text, raw)
        if raw then return secret.base64(text) end
        if not pcall(secret.unbase64, text) then
            kube_errors.raise("error decoding input value: the field holds base64", "or add --set-raw-bytes")
        end
        return text
    end,
}

local function set(_, options, words)
    if #words ~= 2 then
        kube_errors.raise(("Unexpected args: [%s]"):format(table.concat(words, " ")), "usage: PROPERTY VALUE")
    end
    local property, value = words[1], words[2]
    if value == "" then
        kube_errors.raise("you cannot use set to unset a property", "todo-lua kube config unset " .. property)
    end
    local list, name, field = parse_property(property)
    if list == "current-context" then
        kubeconfig_files.use(options.kubeconfig, value)
    elseif not field then
        kube_errors.raise(("unable to parse %s"):format(property),
            "its fields are " .. table.concat(tables.keys(fields[list]), ", "))
    else
        local read = readers[fields[list][field]](value, options.set_raw_bytes)
        kubeconfig_files.change(options.kubeconfig, list, name, function(entry)
            entry[field] = read
            return entry
        end)
    end
    io.write(('Property "%s" set.\n'):format(property))
end

local function unset(_, options, words)
    local property = one_word(words, "PROPERTY")
    local config = kubeconfig_files.load(options.kubeconfig)
    local list, name, field = parse_property(property)
    if list == "current-context" then
        kubeconfig_files.use(options.kubeconfig, "")
    else
        if field and not config[list][name] then
            kube_errors.raise(("current map key `%s` is invalid"):format(name), hint_of(config[list], name))
        end
        local names = name and { name } or tables.keys(config[list])
        for _, each in ipairs(names) do
            kubeconfig_files.change(options.kubeconfig, list, each, function(entry)
                if not field then return nil end
                entry[field] = nil
                return entry
            end)
        end
    end
    io.write(('Property "%s" unset.\n'):format(property))
end

local embed = { "embed-certs", kind = "bool", help = "the files' bytes, not their paths" }

config_edit.commands = {
    ["set-cluster"] = { summary = "add or change a cluster", run = set_cluster, flags = { embed,
        { "proxy-url", help = "proxy on the way to the server" } },
        usage = "NAME [--server=URL] [--certificate-authority=FILE] [--tls-server-name=NAME] [flags]" },
    ["set-context"] = { summary = "add or change a context", run = set_context,
        flags = { { "current", kind = "bool", help = "the current context, in place of a name" } },
        usage = "NAME | --current [--cluster=NAME] [--user=NAME] [--namespace=NAME]",
        examples = { "todo-lua kube config set-context --current --namespace=shop" } },
    ["set-credentials"] = { summary = "add or change a user", run = set_credentials, flags = { embed,
        { "exec-command", help = "program that gives credentials" },
        { "exec-api-version", help = "such as client.authentication.k8s.io/v1" },
        { "exec-arg", kind = "strings", help = "its arguments" },
        { "exec-env", kind = "stringArray", help = "NAME=VALUE of its environment; NAME- removes one" },
        { "exec-interactive-mode", help = "IfAvailable, Never or Always" },
        { "exec-provide-cluster-info", kind = "bool", help = "tell it about the cluster" } },
        usage = "NAME [--token=TOKEN | --client-certificate=FILE --client-key=FILE | --exec-command=PROGRAM] [flags]" },
    ["delete-cluster"] = { summary = "remove a cluster", usage = "NAME", run = deleter(LISTS.cluster) },
    ["delete-context"] = { summary = "remove a context", usage = "NAME", run = deleter(LISTS.context) },
    ["delete-user"] = { summary = "remove a user", usage = "NAME", run = deleter(LISTS.user) },
    ["get-clusters"] = { summary = "list the clusters", usage = "", run = lister(LISTS.cluster) },
    ["get-users"] = { summary = "list the users", usage = "", run = lister(LISTS.user) },
    ["rename-context"] = { summary = "give a context another name", usage = "CONTEXT NEW_NAME", run = rename_context },
    set = { summary = "set one field", usage = "PROPERTY VALUE", run = set, flags = {
        { "set-raw-bytes", kind = "bool", help = "the value of a …-data field is not base64 yet" } },
        examples = { "todo-lua kube config set contexts.test.namespace shop" } },
    unset = { summary = "remove a field or an entry", usage = "PROPERTY", run = unset,
        examples = { "todo-lua kube config unset contexts.test.namespace" } },
}

return config_edit
