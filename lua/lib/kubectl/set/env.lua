-- kube set env: sets, removes and lists environment variables of containers.
local fail = require "fail"
local json = require "json"
local kube_errors = require "kubectl.errors"
local object_change = require "kubectl.object_change"
local pod_resources = require "kubectl.pod_resources"
local resource_args = require "kubectl.resource_args"
local secret = require "secret"
local tables = require "tables"

local WRONG_NAME = "%q is not a valid key name: a valid environment variable name must consist of alphabetic "
    .. "characters, digits, '_', '-', or '.', and must not start with a digit (e.g. 'my.env-name',  or 'MY_ENV.NAME',  "
    .. "or 'MyEnvName1', regex used for validation is '[-._a-zA-Z][-._a-zA-Z0-9]*')"

local function read_standard_input(env)
    for line in io.stdin:lines() do
        local name, value = line:gsub("#.*", ""):match("^([^=]*)=(.*)$")
        if name then env[#env + 1] = { name = name, value = value } end
    end
end

-- The variables to set, in their order, and those to remove.
local function parse(given)
    local env, remove, set = {}, {}, {}
    for _, spec in ipairs(given) do
        local name, value = spec:match("^([^=]*)=(.*)$")
        if spec == "-" then
            read_standard_input(env)
        elseif name then
            if not name:find("^[-._%a][-._%w]*$") then kube_errors.raise(WRONG_NAME:format(name)) end
            env[#env + 1], set[name] = { name = name, value = value }, true
        elseif spec:find("%-$") then
            remove[spec:sub(1, -2)] = true
        else
            kube_errors.raise("unknown environment variable: " .. spec)
        end
    end
    for name in pairs(remove) do
        if set[name] then
            kube_errors.raise("can not both modify and remove the same environment variable in the same command")
        end
    end
    return env, remove
end

-- The variable's name for a key: what no name may hold becomes "_".
local function name_of(key)
    local name = key:gsub("[^%w_]", "_"):upper()
    if name ~= key then io.stderr:write(("Warning: key %s transferred to %s\n"):format(key, name)) end
    return name
end

local refs = { Secret = "secretKeyRef", ConfigMap = "configMapKeyRef" }

-- A variable for each key of a Secret or ConfigMap.
local function add_source(session, env, options)
    local found = resource_args.find_all(session, { options.from }, { all = options.all })
    local wanted = {}
    for _, key in ipairs(options.keys) do wanted[key] = true end
    for _, one in ipairs(found) do
        local ref = refs[one.object.kind] or kube_errors.raise("unsupported resource specified in --from",
            "secret/NAME or configmap/NAME")
        for _, key in ipairs(tables.keys(one.object.data or {})) do
            if #options.keys == 0 or wanted[key] then
                env[#env + 1] = { name = name_of(key),
                    valueFrom = { [ref] = { name = one.object.metadata.name, key = key } } }
            end
        end
    end
end

local function updated(existing, env, remove)
    local covered, by_name, out = tables.copy(remove), {}, json.list {}
    for _, one in ipairs(env) do by_name[one.name] = by_name[one.name] or one end
    local function add(one)
        if covered[one.name] then return end
        covered[one.name] = by_name[one.name] ~= nil or nil
        out[#out + 1] = by_name[one.name] or one
    end
    for _, one in ipairs(existing) do add(one) end
    for _, one in ipairs(env) do add(one) end
    return out
end

local function refuse_overwrites(existing, env)
    for _, one in ipairs(env) do
        for _, old in ipairs(existing) do
            if old.name == one.name and old.value and old.value ~= one.value then
                kube_errors.raise(("'%s' already has a value (%s), and --overwrite is false"):format(one.name,
                    old.value))
            end
        end
    end
end

local function source_text(from)
    local config, hidden = from.configMapKeyRef, from.secretKeyRef
    if config then return ("configmap %s, key %s"):format(config.name, config.key) end
    if hidden then return ("secret %s, key %s"):format(hidden.name, hidden.key) end
    if from.fieldRef then return "field path " .. from.fieldRef.fieldPath end
    local resource = from.resourceFieldRef
    if not resource then return "invalid valueFrom" end
    return ("resource field %s%s"):format(resource.containerName and resource.containerName .. "/" or "",
        resource.resource)
end

local function keyed(session, object, kind, ref, word, decode)
    local source = session:fetch(session:resource(kind), object.metadata.namespace, ref.name)
    local value = (source.data or {})[ref.key]
    return value and decode(value)
        or kube_errors.raise(("key %s not found in %s %s"):format(ref.key, word, ref.name))
end

local fields = { ["metadata.name"] = true, ["metadata.namespace"] = true, ["metadata.uid"] = true }

-- What the variable will be in a container.
local function resolved(session, object, container, from)
    if from.secretKeyRef then
        return keyed(session, object, "secrets", from.secretKeyRef, "secret", secret.unbase64)
    end
    if from.configMapKeyRef then
        return keyed(session, object, "configmaps", from.configMapKeyRef, "config map", function(text) return text end)
    end
    if from.fieldRef then
        local path = from.fieldRef.fieldPath
        local map, key = path:match("^metadata%.(%a+)%['(.*)'%]$")
        if map then return (object.metadata[map] or {})[key] or "" end
        if not fields[path] then kube_errors.raise("unsupported fieldPath: " .. path) end
        return tables.at(object, path) or ""
    end
    return ("%d"):format(pod_resources.field(container, from.resourceFieldRef))
end

local function list(session, object, container, options)
    io.write(("# %s %s, container %s\n"):format(object.kind, object.metadata.name, container.name))
    local problems = {}
    for _, one in ipairs(container.env or {}) do
        local value = not one.valueFrom and (one.value or "")
        if not value and options.resolve then
            local ok, text = pcall(resolved, session, object, container, one.valueFrom)
            if ok then value = text else
                local message = fail.message(text)
                problems[message] = (problems[message] and problems[message] .. ", " or "") .. one.name
            end
        end
        io.write(value and ("%s=%s\n"):format(one.name, value)
            or ("# %s from %s\n"):format(one.name, source_text(one.valueFrom)))
    end
    for _, message in ipairs(tables.keys(problems)) do
        io.stderr:write(("error retrieving reference for %s: %s\n"):format(problems[message], message))
    end
end

local function check(options, resources)
    if options.all and options.selector then
        kube_errors.raise("cannot set --all and --selector at the same time")
    end
    if #(options.filename or {}) == 0 and #resources == 0 then
        kube_errors.raise("one or more resources must be specified as <resource> <name> or <resource>/<name>")
    end
    if options.list and (options.output or "") ~= "" then
        kube_errors.raise("--list and --output may not be specified together")
    end
    if #options.keys > 0 and not options.from then
        kube_errors.raise("when specifying --keys, a configmap or secret must be provided with --from")
    end
end

local function run(session, options, words)
    local resources, given = resource_args.with_changes(words, { "^.+=", "%-$" }, "environment",
        table.concat(words, " "))
    check(options, resources)
    local all = table.move(given, 1, #given, #options.env + 1, tables.copy(options.env))
    local env, remove = parse(all)
    if options.from then add_source(session, env, options) end
    for _, one in ipairs(env) do one.name = (options.prefix or "") .. one.name end
    object_change.run(session, resources, options, { done = "env updated", look = options.list,
        failed = "failed to patch env update to pod template:",
        change = function(object)
            local spec = object_change.pod_spec(object)
            local chosen = object_change.containers(spec, options.containers)
            if #chosen == 0 then
                io.stderr:write(("Warning: %s/%s does not have any containers matching %q\n"):format(object.kind,
                    object.metadata.name, options.containers))
            end
            for _, container in ipairs(chosen) do
                if not options.overwrite then refuse_overwrites(container.env or {}, env) end
                local new = updated(container.env or {}, env, remove)
                container.env = #new > 0 and new or nil
                if options.list then list(session, object, container, options) end
            end
        end })
end

return {
    summary = "set, remove and list environment variables", run = run, flags = object_change.with_flags {
        { "containers", short = "c", default = "*", help = "which containers, * for any text" },
        { "env", short = "e", kind = "stringArray", default = {}, help = "NAME=VALUE; may be repeated" },
        { "from", help = "secret/NAME or configmap/NAME: a variable for each of its keys" },
        { "keys", kind = "strings", default = {}, help = "with --from: only these keys" },
        { "prefix", help = "stands before each name" },
        { "list", kind = "bool", help = "show the variables, change nothing" },
        { "resolve", kind = "bool", help = "with --list: the values behind references, too" },
        { "overwrite", kind = "bool", default = true, help = "change variables that have a value" },
    },
    usage = "TYPE NAME | TYPE/NAME | TYPE --all | -f FILE  NAME=VALUE… NAME-… [flags]",
    examples = { "todo-lua kube set env deploy/web LOG_LEVEL=debug OLD-", "todo-lua kube set env deploy/web --list",
        "todo-lua kube set env deploy/web --from=secret/login --prefix=DB_" },
}
