-- todo-lua kube api-resources: the types that the server has.
local api_resources = require "kubectl.api_resources"
local kube_errors = require "kubectl.errors"
local sort_by = require "kubectl.sort_by"
local tables = require "tables"
local tabwriter = require "tabwriter"

local function has_all(list, wanted)
    local have = {}
    for _, one in ipairs(list) do have[one] = true end
    for _, one in ipairs(wanted or {}) do
        if not have[one] then return false end
    end
    return true
end

local function version_of(one) return one.group == "" and one.version or one.group .. "/" .. one.version end

-- What the flags let through, in kubectl's order.
local function chosen(session, options, seen)
    local list = tables.filter(api_resources.all(session), function(one)
        return one.preferred and #one.verbs > 0 and (not seen.api_group or one.group == options.api_group)
            and (not seen.namespaced or one.namespaced == options.namespaced)
            and has_all(one.verbs, options.verbs) and has_all(one.categories, options.categories)
    end)
    local field = options.sort_by
    sort_by.stable(list, function(a, b)
        if field == "kind" and a.kind ~= b.kind then return a.kind < b.kind end
        if field ~= "name" and a.group ~= b.group then return a.group < b.group end
        return a.name < b.name
    end)
    return list
end

return {
    summary = "list the types of objects that the server has",
    usage = "[flags]",
    arguments = { max = 0 },
    flags = {
        { "api-group", help = "of this group only" },
        { "namespaced", kind = "bool", default = true, help = "only types with namespaces (=false: without)" },
        { "verbs", kind = "strings", help = "only types with all these verbs" },
        { "categories", kind = "strings", help = "only types in all these categories" },
        { "no-headers", kind = "bool", help = "no first line" },
        { "output", short = "o", default = "", help = "wide or name" },
        { "sort-by", default = "", help = "name or kind" },
        { "cached", kind = "bool", help = "taken for kubectl's sake; discovery is always asked" },
    },
    run = function(session, options, _, seen)
        if options.output ~= "" and options.output ~= "wide" and options.output ~= "name" then
            kube_errors.raise(("--output %s is not available"):format(options.output), "take wide or name")
        end
        if options.sort_by ~= "" and options.sort_by ~= "name" and options.sort_by ~= "kind" then
            kube_errors.raise("--sort-by accepts only name or kind")
        end
        local wide = options.output == "wide"
        local writer = tabwriter.new(io.write)
        if not options.no_headers and options.output ~= "name" then
            writer:line("NAME\tSHORTNAMES\tAPIVERSION\tNAMESPACED\tKIND" .. (wide and "\tVERBS\tCATEGORIES" or ""))
        end
        for _, one in ipairs(chosen(session, options, seen)) do
            if options.output == "name" then
                writer:line(one.name .. (one.group ~= "" and "." .. one.group or ""))
            else
                local more = wide and ("\t%s\t%s"):format(table.concat(one.verbs, ","), table.concat(one.categories,
                    ","))
                writer:line(("%s\t%s\t%s\t%s\t%s%s"):format(one.name, table.concat(one.short, ","), version_of(one),
                    tostring(one.namespaced), one.kind, more or ""))
            end
        end
        writer:flush()
    end,
}
