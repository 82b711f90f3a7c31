-- todo-lua kube auth: what this user may do, and who it is.
local json = require "json"
local kube_errors = require "kubectl.errors"
local object_printer = require "kubectl.printer"
local sort_by = require "kubectl.sort_by"
local tables = require "tables"
local tabwriter = require "tabwriter"

local REVIEWS = "/apis/authorization.k8s.io/v1/"

local function review(session, kind, spec)
    local body = { apiVersion = "authorization.k8s.io/v1", kind = kind, spec = spec }
    return session.client:request("POST", REVIEWS .. kind:lower() .. "s", { body = body }).status
end

-- A type that the server does not have is asked about all the same, with a warning, as kubectl does.
local function resource_of(session, word)
    if word == "*" then return "", "*" end
    local found = session.client:resource(word)
    if found then
        if not found.namespaced and not session.cluster_wide then
            io.stderr:write(("Warning: resource '%s' is not namespace scoped%s\n"):format(found.plural,
                found.group ~= "" and (" in group '%s'"):format(found.group) or ""))
        end
        return found.group, found.plural
    end
    local name, group = word:match("^([^.]*)%.?(.*)$")
    io.stderr:write(("Warning: the server doesn't have a resource type '%s'%s\n\n"):format(name,
        group ~= "" and (" in group '%s'"):format(group) or ""))
    return group, name
end

local function check(session, options, words)
    if #words ~= 2 then
        kube_errors.raise("you must specify two arguments: verb resource or verb resource/resourceName.",
            "todo-lua kube auth can-i list pods")
    end
    local spec = {}
    if words[2]:find("^/") then
        spec.nonResourceAttributes = { verb = words[1], path = words[2] }
    else
        local word, name = words[2]:match("^([^/]*)/?(.*)$")
        session.cluster_wide = options.all_namespaces
        local group, plural = resource_of(session, word)
        spec.resourceAttributes = { verb = words[1], group = group, resource = plural, name = name,
            namespace = not options.all_namespaces and session.namespace or "", subresource = options.subresource }
    end
    local status = review(session, "SelfSubjectAccessReview", spec)
    local why = ""
    for _, field in ipairs { "reason", "evaluationError" } do
        if (status[field] or "") ~= "" then why = why .. " - " .. status[field] end
    end
    if not options.quiet then io.write(status.allowed and "yes" or "no" .. why, "\n") end
    return status.allowed and 0 or 1
end

-- One row for each type, its verbs together.
local function rules_of(status)
    local rows, by_id = {}, {}
    local function add(group, resource, name, verb)
        local id = group .. "\n" .. resource .. "\n" .. (name or "")
        if not by_id[id] then
            by_id[id] = { groups = { group }, resources = { resource }, names = { name }, urls = {}, verbs = {} }
            rows[#rows + 1] = by_id[id]
        end
        table.insert(by_id[id].verbs, verb)
    end
    for _, rule in ipairs(status.resourceRules or {}) do
        for _, group in ipairs(rule.apiGroups or {}) do
            for _, resource in ipairs(rule.resources or {}) do
                for _, verb in ipairs(rule.verbs) do
                    for _, name in ipairs(rule.resourceNames or {}) do add(group, resource, name, verb) end
                    if #(rule.resourceNames or {}) == 0 then add(group, resource, nil, verb) end
                end
            end
        end
    end
    for _, rule in ipairs(status.nonResourceRules or {}) do
        for _, url in ipairs(rule.nonResourceURLs or {}) do
            for _, verb in ipairs(rule.verbs) do
                rows[#rows + 1] = { groups = {}, resources = {}, names = {}, urls = { url }, verbs = { verb } }
            end
        end
    end
    return rows
end

local function list_text(list) return "[" .. table.concat(list, " ") .. "]" end

local function order_of(row)
    return table.concat(tables.map({ row.verbs, row.groups, row.resources, row.names, row.urls }, list_text), ",")
end

local function resource_text(row)
    if #row.resources == 0 then return "" end
    local name, below = row.resources[1]:match("^([^/]*)(.*)$")
    return name .. (row.groups[1] ~= "" and "." .. row.groups[1] or "") .. below
end

local function list(session, options, words)
    if #words > 0 then kube_errors.raise("list option must be specified with no arguments") end
    local status = review(session, "SelfSubjectRulesReview", { namespace = session.namespace })
    if status.incomplete then
        io.stderr:write(("Warning: the list may be incomplete: %s\n"):format(status.evaluationError or ""))
    end
    local rows = rules_of(status)
    sort_by.stable(rows, function(a, b) return order_of(a) < order_of(b) end)
    local writer = tabwriter.new(io.write)
    if not options.no_headers then writer:line("Resources\tNon-Resource URLs\tResource Names\tVerbs") end
    for _, row in ipairs(rows) do
        writer:line(table.concat({ resource_text(row), list_text(row.urls), list_text(row.names),
            list_text(row.verbs) }, "\t"))
    end
    writer:flush()
end

local function whoami(session, options)
    local body = { apiVersion = "authentication.k8s.io/v1", kind = "SelfSubjectReview" }
    local answer = session.client:request("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", { body = body })
    if object_printer.wanted(options) then return io.write(object_printer.new(options)(answer)) end
    local user = answer.status.userInfo
    local writer = tabwriter.new(io.write)
    writer:line("ATTRIBUTE\tVALUE")
    writer:line("Username\t" .. user.username)
    if user.uid then writer:line("UID\t" .. user.uid) end
    if user.groups then writer:line("Groups\t" .. list_text(user.groups)) end
    for _, key in ipairs(tables.keys(user.extra or {})) do
        if user.extra[key] ~= json.null then writer:line(("Extra: %s\t%s"):format(key, list_text(user.extra[key]))) end
    end
    writer:flush()
end

return {
    summary = "ask what this user may do, and who it is",
    usage = "can-i|whoami [flags]",
    commands = {
        ["can-i"] = { summary = "ask whether an action is allowed",
            usage = "VERB TYPE | TYPE/NAME | URL | --list [flags]",
            examples = { "todo-lua kube auth can-i delete pods -n shop", "todo-lua kube auth can-i --list" },
            flags = {
                { "list", kind = "bool", help = "everything that is allowed" },
                { "all-namespaces", short = "A", kind = "bool", help = "in all namespaces" },
                { "subresource", help = "such as log or exec" },
                { "quiet", short = "q", kind = "bool", help = "only the exit status" },
                { "no-headers", kind = "bool", help = "with --list: no first line" },
            },
            run = function(session, options, words)
                return options.list and list(session, options, words) or not options.list and check(session, options,
                    words)
                    or 0
            end },
        whoami = { summary = "show who this user is to the server", usage = "[flags]", arguments = { max = 0 },
            flags = object_printer.flags, run = whoami },
    },
}
