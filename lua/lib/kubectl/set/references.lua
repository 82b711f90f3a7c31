-- kube set serviceaccount, selector and subject: whom objects point to.
local json = require "json"
local kube_errors = require "kubectl.errors"
local label_selector = require "kubectl.label_selector"
local object_change = require "kubectl.object_change"
local tables = require "tables"

local references = {}

local function set_account(session, options, words)
    if #words == 0 then kube_errors.raise("serviceaccount is required", "usage: TYPE/NAME ACCOUNT") end
    local name = table.remove(words)
    object_change.run(session, words, options, { done = "serviceaccount updated", always = true,
        failed = "failed to patch ServiceAccountName", change = function(object)
            local spec = object_change.pod_spec(object)
            spec.serviceAccountName = name
        end })
end

local function set_selector(session, options, words)
    if #words == 0 then kube_errors.raise("one selector is required", "usage: TYPE/NAME a=b,c=d") end
    local selector = label_selector.object(table.remove(words))
    object_change.run(session, words, options, { done = "selector updated", always = true, unnamed = true,
        change = function(object)
            if object.kind ~= "Service" then
                kube_errors.raise("setting a selector is only supported for Services")
            end
            if selector.matchExpressions then
                kube_errors.raise("match expressions are not supported on this object", "a service takes a=b,c=d only")
            end
            object.spec.selector = selector.matchLabels
        end })
end

local RBAC = "rbac.authorization.k8s.io"

local function sorted_set(list)
    local set = {}
    for _, one in ipairs(list) do set[one] = true end
    return tables.keys(set)
end

local function subjects_of(session, options)
    local subjects = {}
    for _, name in ipairs(sorted_set(options.users)) do
        subjects[#subjects + 1] = { apiGroup = RBAC, kind = "User", name = name }
    end
    for _, name in ipairs(sorted_set(options.group)) do
        subjects[#subjects + 1] = { apiGroup = RBAC, kind = "Group", name = name }
    end
    for _, account in ipairs(sorted_set(options.serviceaccount)) do
        local namespace, name = account:match("^([^:]*):([^:]*)$")
        subjects[#subjects + 1] = { kind = "ServiceAccount", name = name,
            namespace = namespace ~= "" and namespace or session.namespace }
    end
    return subjects
end

local function check_subjects(options, found)
    if #options.users + #options.group + #options.serviceaccount == 0 then
        kube_errors.raise("you must specify at least one value of user, group or serviceaccount")
    end
    for _, account in ipairs(options.serviceaccount) do
        local namespace, name = account:match("^([^:]*):([^:]*)$")
        if not name or name == "" then kube_errors.raise("serviceaccount must be <namespace>:<name>") end
        for _, one in ipairs(found) do
            if namespace == "" and one.object.kind == "ClusterRoleBinding" then
                kube_errors.raise("serviceaccount must be <namespace>:<name>, namespace must be specified")
            end
        end
    end
end

local function set_subject(session, options, words)
    object_change.run(session, words, options, { done = "subjects updated",
        failed = "failed to patch subjects to rolebinding:",
        check = function(found) check_subjects(options, found) end,
        change = function(object)
            if object.kind ~= "RoleBinding" and object.kind ~= "ClusterRoleBinding" then
                kube_errors.raise("setting subjects is only supported for RoleBinding/ClusterRoleBinding")
            end
            local all = object.subjects or json.list {}
            for _, subject in ipairs(subjects_of(session, options)) do
                local known = tables.filter(all, function(one) return tables.equal(one, subject) end)
                if #known == 0 then all[#all + 1] = subject end
            end
            object.subjects = #all > 0 and all or nil
        end })
end

local NAMES = "TYPE NAME | TYPE/NAME | TYPE --all | -f FILE  "

references.serviceaccount = { summary = "have workloads run as another account", run = set_account,
    aliases = { "sa" }, flags = object_change.with_flags {}, usage = NAMES .. "ACCOUNT [flags]" }
references.selector = { summary = "have a service choose other pods", run = set_selector,
    flags = object_change.with_flags {}, usage = NAMES .. "a=b,c=d [flags]" }
references.subject = { summary = "give a role binding more users, groups and accounts", run = set_subject,
    flags = object_change.with_flags {
        { "user", key = "users", kind = "strings", default = {}, help = "user; may be repeated" },
        { "group", kind = "strings", default = {}, help = "group; may be repeated" },
        { "serviceaccount", kind = "strings", default = {}, help = "NAMESPACE:NAME; may be repeated" },
    }, usage = NAMES .. "--user=NAME [flags]" }

return references
