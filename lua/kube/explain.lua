-- todo-lua kube explain: what a kind's fields mean, from the server's OpenAPI v3.
local api_fields = require "api_fields"
local api_resources = require "kubectl.api_resources"
local explain = require "kubectl.explain"
local fail = require "fail"
local kube_errors = require "kubectl.errors"

-- The type that the first word names. Words after it may be its group: "deployments.apps.spec".
local function resource_of(session, path, options)
    local word = path:match("^[^.]*")
    local ok, found = pcall(session.resource, session, word)
    if not ok then
        if fail.kind(found) ~= "kube" then error(found, 0) end
        fail.raise("kube", fail.message(found), fail.field(found, "hint"), { verbatim = true })
    end
    if not options.api_version and path:find(".", 1, true) then
        for _, one in ipairs(api_resources.all(session)) do
            local name = one.group == "" and one.name or one.name .. "." .. one.group
            if one.preferred and one.name == found.plural and (path .. "."):sub(1, #name + 1) == name .. "." then
                return { group = one.group, version = one.version, plural = one.name }, path:sub(#name + 1)
            end
        end
    end
    return { group = found.group, version = found.version, plural = found.plural }, path:sub(#word + 1)
end

local function fields_of(path)
    if path:find("[%[%]*@?()]") then
        kube_errors.raise("invalid jsonpath syntax, first node must be field node",
            "name the fields one after the other, lists too: pods.spec.containers.image")
    end
    local fields = {}
    for name in path:gmatch("[^.]+") do fields[#fields + 1] = name end
    return fields
end

local function split_version(text)
    local group, version = text:match("^([^/]*)/([^/]*)$")
    if group then return group, version end
    if text:find("/", 1, true) then kube_errors.raise("unexpected GroupVersion string: " .. text) end
    return "", text
end

local function document_of(session, resource)
    local version = (resource.group ~= "" and resource.group .. "/" or "") .. resource.version
    local document = api_fields.document(session.client, version)
    if document then return document end
    kube_errors.raise(('couldn\'t find resource for "%s/%s, Resource=%s"'):format(resource.group, resource.version,
        resource.plural), "todo-lua kube api-versions lists what the server has")
end

return {
    summary = "say what a type's fields mean",
    usage = "TYPE[.FIELD…] [flags]",
    help = "Prints a type's or a field's type, values and meaning as the server's OpenAPI v3 document has them.",
    examples = {
        "todo-lua kube explain pods", "todo-lua kube explain deploy.spec.strategy",
        "todo-lua kube explain pods.spec --recursive", "todo-lua kube explain cronjob --api-version=batch/v1",
    },
    flags = {
        { "recursive", short = "R", kind = "bool", help = "names and types of all fields below it" },
        { "api-version", help = "of this group and version" },
        { "output", short = "o", default = "plaintext", help = "plaintext" },
    },
    run = function(session, options, words)
        if #words == 0 then
            kube_errors.raise("You must specify the type of resource to explain.",
                "todo-lua kube api-resources lists the types")
        end
        if #words > 1 then kube_errors.raise("We accept only this format: explain RESOURCE") end
        local resource, rest = resource_of(session, words[1], options)
        local fields = fields_of(rest)
        if options.api_version then resource.group, resource.version = split_version(options.api_version) end
        local document = document_of(session, resource)
        if options.output ~= "plaintext" then
            kube_errors.raise("unrecognized format: " .. options.output, "take plaintext")
        end
        local text, problem, hint = explain.text(document, resource, fields, options.recursive)
        io.write(text)
        if problem then kube_errors.raise(problem, hint) end
    end,
}
