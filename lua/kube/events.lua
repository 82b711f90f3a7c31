-- todo-lua kube events: what happened, the newest last.
local kube_errors = require "kubectl.errors"
local object_printer = require "kubectl.printer"
local sort_by = require "kubectl.sort_by"
local tables = require "tables"
local tabwriter = require "tabwriter"
local text = require "kubectl.describe.text"

local flags = {
    { "all-namespaces", short = "A", kind = "bool", help = "of all namespaces" },
    { "watch", short = "w", kind = "bool", help = "then go on with what happens" },
    { "for", key = "for_", help = "only about this object: TYPE/NAME" },
    { "types", kind = "strings", default = {}, help = "Normal, Warning" },
    { "no-headers", kind = "bool", help = "no first line" },
    { "chunk-size", kind = "int", default = 500, help = "events of one request" },
}
table.move(object_printer.flags, 1, #object_printer.flags, #flags + 1, flags)

local function row(event, all)
    local object = event.involvedObject or {}
    local cells = { text.event_interval(event), event.type or "", event.reason or "",
        ("%s/%s"):format(object.kind or "", object.name or ""), (event.message or ""):match("^%s*(.-)%s*$") }
    if all then table.insert(cells, 1, event.metadata.namespace or "") end
    return table.concat(cells, "\t")
end

local function printer(options)
    if object_printer.wanted(options) then
        local print = object_printer.new(options)
        return function(list) io.write(print(list)) end
    end
    local writer, headed = tabwriter.new(io.write), options.no_headers
    return function(list)
        if not headed then
            writer:line((options.all_namespaces and "NAMESPACE\t" or "") .. "LAST SEEN\tTYPE\tREASON\tOBJECT\tMESSAGE")
        end
        headed = true
        for _, event in ipairs(list.items or { list }) do writer:text(row(event, options.all_namespaces) .. "\n") end
        writer:flush()
        io.stdout:flush()
    end
end

-- The field selector of --for.
local function about(session, word)
    local kind, name = word:match("^([^/]+)/([^/]+)$")
    if not kind then kube_errors.raise("--for must be in resource/name form") end
    local resource = session:resource(kind:lower())
    local version = resource.group == "" and resource.version or resource.group .. "/" .. resource.version
    return ("involvedObject.kind=%s,involvedObject.apiVersion=%s,involvedObject.name=%s"):format(resource.kind, version,
        name)
end

local function watch(session, query, wanted, print)
    local events <close> = session.client:watch("v1/Event", query)
    for event in events do
        if event.type ~= "DELETED" and wanted(event.object) then print(event.object) end
    end
end

return {
    summary = "show what happened in a namespace",
    usage = "[--for TYPE/NAME] [flags]",
    arguments = { max = 0 },
    examples = { "todo-lua kube events --for pod/backend-x", "todo-lua kube events --types=Warning -A -w" },
    flags = flags,
    run = function(session, options)
        local types = {}
        for _, word in ipairs(options.types) do
            types[word:lower()] = true
            if word:lower() ~= "normal" and word:lower() ~= "warning" then
                kube_errors.raise("valid --types are Normal or Warning")
            end
        end
        local function wanted(event)
            local typed = next(types) == nil or types[(event.type or ""):lower()]
            return typed and (not options.only or options.only(event))
        end
        local query = { namespace = session.namespace, all_namespaces = options.all_namespaces,
            fields = options.for_ and about(session, options.for_) }
        local print = printer(options)
        if options.watch then return watch(session, query, wanted, print) end
        local list, metadata = session.client:list("v1/Event", query)
        local items = require "json".list(tables.filter(list, wanted))
        if #items == 0 then
            io.stderr:write(options.all_namespaces and "No events found.\n"
                or ("No events found in %s namespace.\n"):format(session.namespace))
            return
        end
        sort_by.stable(items, function(a, b) return text.event_time(a) < text.event_time(b) end)
        print { apiVersion = "v1", kind = "EventList", items = items,
            metadata = { resourceVersion = metadata.resourceVersion } }
    end,
}
