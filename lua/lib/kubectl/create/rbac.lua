-- kube create role, rolebinding, clusterrole, clusterrolebinding.
local json = require "json"
local kube_errors = require "kubectl.errors"
local object_maker = require "kubectl.maker"
local tables = require "tables"

local GROUP = "rbac.authorization.k8s.io"

local function words_set(text)
    local set = {}
    for word in text:gmatch("%S+") do set[word] = true end
    return set
end

local standard = words_set("* get delete list create update patch watch proxy deletecollection use bind escalate "
    .. "impersonate")
local url_verbs = words_set("* get post put delete patch head options")

-- Verbs that only some kinds know.
local special = {
    use = { ["podsecuritypolicies.policy"] = true, ["podsecuritypolicies.extensions"] = true },
    bind = { ["roles." .. GROUP] = true, ["clusterroles." .. GROUP] = true },
    escalate = { ["roles." .. GROUP] = true, ["clusterroles." .. GROUP] = true },
    impersonate = { ["users."] = true, ["serviceaccounts."] = true, ["groups."] = true,
        ["userextras.authentication.k8s.io"] = true },
}

local function once(list)
    local out, seen = json.list {}, {}
    for _, item in ipairs(list or {}) do
        if not seen[item] then out[#out + 1] = item end
        seen[item] = true
    end
    return out
end

local function verbs_of(options)
    local verbs = once(options.verb)
    for _, verb in ipairs(verbs) do
        if verb == "*" then return json.list { "*" } end
    end
    return verbs
end

-- "deployments.apps/scale" as { name, group, part }; "*" alone stands for all of them.
local function resources_of(options)
    local resources = {}
    for i, given in ipairs(options.resource or {}) do
        local whole, part = given:match("^([^/]*)/?(.*)$")
        local name, group = whole:match("^([^.]*)%.?(.*)$")
        resources[i] = { name = name, group = group, part = given:find("/", 1, true) and part or nil }
        if given == "*" then return { resources[i] } end
    end
    return resources
end

-- The names that the server has for them; nil and what is wrong where it has none.
local function resolve(session, one)
    local found = session.client:resource(one.group == "" and one.name or one.name .. "." .. one.group)
    if found then return found.plural, found.group end
    return one.name, one.group, ("the server doesn't have a resource type %q"):format(one.name)
end

local function check_resources(session, resources, verbs)
    for _, one in ipairs(resources) do
        if one.name == "" then kube_errors.raise("resource must be specified if apiGroup/subresource specified") end
        if one.name == "*" then return end
        local plural, group, problem = resolve(session, one)
        for _, verb in ipairs(verbs) do
            local kinds = special[verb]
            if kinds and not kinds[plural .. "." .. group] then
                kube_errors.raise(("can not perform '%s' on '%s' in group '%s'"):format(verb, plural, group))
            end
            if kinds then problem = nil end
        end
        if problem then kube_errors.raise(problem, "todo-lua kube api-resources lists the types") end
    end
end

local function warn_of_verbs(verbs)
    for _, verb in ipairs(verbs) do
        if not standard[verb] then
            io.stderr:write(("Warning: '%s' is not a standard resource verb\n"):format(verb))
        end
    end
end

-- One rule for each API group, sorted.
local function rules_of(session, options, verbs, resources, urls)
    local by_group, rules = {}, json.list {}
    for _, one in ipairs(resources) do
        local plural, group = resolve(session, one)
        by_group[group] = by_group[group] or {}
        table.insert(by_group[group], one.part and one.part ~= "" and plural .. "/" .. one.part or plural)
    end
    local names = once(options.resource_name)
    for i, group in ipairs(tables.keys(by_group)) do
        rules[i] = { verbs = verbs, resources = once(by_group[group]), apiGroups = json.list { group },
            resourceNames = #names > 0 and names or nil }
    end
    if #urls > 0 then rules[#rules + 1] = { verbs = verbs, nonResourceURLs = urls } end
    return rules
end

local function role(name, options, _, session)
    local verbs, resources = verbs_of(options), resources_of(options)
    if #verbs == 0 then kube_errors.raise("at least one verb must be specified") end
    warn_of_verbs(verbs)
    if #resources == 0 then kube_errors.raise("at least one resource must be specified") end
    check_resources(session, resources, verbs)
    return { metadata = { name = name }, rules = rules_of(session, options, verbs, resources, {}) }
end

local function check_urls(urls, verbs)
    for _, verb in ipairs(#urls > 0 and verbs or {}) do
        if not url_verbs[verb] then kube_errors.raise(("invalid verb: '%s' for nonResourceURL"):format(verb)) end
    end
    for _, url in ipairs(urls) do
        if url ~= "*" and url:sub(1, 1) ~= "/" then kube_errors.raise("nonResourceURL should start with /") end
        if url:sub(1, -2):find("*", 1, true) then
            kube_errors.raise("nonResourceURL only supports wildcard matches when '*' is at the end")
        end
    end
end

local function cluster_role(name, options, _, session)
    local verbs, resources, urls = verbs_of(options), resources_of(options), once(options.non_resource_url)
    if next(options.aggregation_rule or {}) then
        if #verbs + #resources + #urls + #(options.resource_name or {}) > 0 then
            kube_errors.raise("aggregation rule must be specified without nonResourceURLs, verbs, resources or "
                .. "resourceNames")
        end
        return { metadata = { name = name }, rules = json.null,
            aggregationRule = { clusterRoleSelectors = { { matchLabels = options.aggregation_rule } } } }
    end
    if #verbs == 0 then kube_errors.raise("at least one verb must be specified") end
    if #resources + #urls == 0 then kube_errors.raise("one of resource or nonResourceURL must be specified") end
    if #resources > 0 then warn_of_verbs(verbs) end
    check_resources(session, resources, verbs)
    check_urls(urls, verbs)
    return { metadata = { name = name }, rules = rules_of(session, options, verbs, resources, urls) }
end

local function subjects_of(options)
    local subjects = json.list {}
    for _, user in ipairs(options.users or {}) do
        subjects[#subjects + 1] = { kind = "User", apiGroup = GROUP, name = user }
    end
    for _, group in ipairs(options.group or {}) do
        subjects[#subjects + 1] = { kind = "Group", apiGroup = GROUP, name = group }
    end
    for _, account in ipairs(options.serviceaccount or {}) do
        local namespace, name = account:match("^([^:]+):([^:]+)$")
        if not name then kube_errors.raise("serviceaccount must be <namespace>:<name>") end
        subjects[#subjects + 1] = { kind = "ServiceAccount", namespace = namespace, name = name }
    end
    return #subjects > 0 and subjects or nil
end

local function binding(name, options)
    local cluster, own = options.clusterrole or "", options.role or ""
    if (cluster == "") == (own == "") then
        kube_errors.raise("exactly one of clusterrole or role must be specified")
    end
    return { metadata = { name = name }, subjects = subjects_of(options), roleRef = { apiGroup = GROUP,
        kind = own ~= "" and "Role" or "ClusterRole", name = own ~= "" and own or cluster } }
end

local function cluster_binding(name, options)
    if (options.clusterrole or "") == "" then kube_errors.raise('required flag(s) "clusterrole" not set') end
    return binding(name, { clusterrole = options.clusterrole, users = options.users, group = options.group,
        serviceaccount = options.serviceaccount })
end

local rule_flags = {
    { "verb", kind = "strings", help = "what may be done; may be repeated" },
    { "resource", kind = "strings", help = "TYPE[.GROUP][/SUBRESOURCE] that the rule is about; may be repeated" },
    { "resource-name", kind = "stringArray", help = "only the object of this name; may be repeated" },
}
local subject_flags = {
    { "user", key = "users", kind = "stringArray", help = "user who gets the role; may be repeated" },
    { "group", kind = "stringArray", help = "group that gets the role; may be repeated" },
    { "serviceaccount", kind = "stringArray", help = "NAMESPACE:NAME of an account that gets it; may be repeated" },
    { "clusterrole", help = "the ClusterRole" },
}

return {
    role = object_maker.command { kind = GROUP .. "/v1/Role", flags = rule_flags, build = role,
        usage = "NAME --verb=VERB --resource=TYPE.GROUP/SUBRESOURCE [flags]", summary = "make a role with one rule" },
    clusterrole = object_maker.command { kind = GROUP .. "/v1/ClusterRole", build = cluster_role,
        usage = "NAME --verb=VERB --resource=TYPE.GROUP [flags]", summary = "make a cluster role",
        flags = { { "non-resource-url", kind = "strings", help = "path of the server that may be asked for" },
            { "aggregation-rule", kind = "stringToString", help = "labels of the cluster roles that it combines" },
            table.unpack(rule_flags) } },
    rolebinding = object_maker.command { kind = GROUP .. "/v1/RoleBinding", build = binding, what = "rolebinding",
        usage = "NAME --clusterrole=NAME|--role=NAME [--user=NAME] [--group=NAME] [flags]",
        summary = "give a role to users, groups and accounts",
        flags = { { "role", help = "the Role" }, table.unpack(subject_flags) } },
    clusterrolebinding = object_maker.command { kind = GROUP .. "/v1/ClusterRoleBinding", build = cluster_binding,
        what = "clusterrolebinding", usage = "NAME --clusterrole=NAME [--user=NAME] [--group=NAME] [flags]",
        summary = "give a cluster role to users, groups and accounts", flags = subject_flags },
}
