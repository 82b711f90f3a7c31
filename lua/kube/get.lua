-- todo-lua kube get: objects as tables, or as -o says.
local fail = require "fail"
local k8s = require "k8s"
local json = require "json"
local kube_errors = require "kubectl.errors"
local kube_session = require "kubectl.session"
local kube_table = require "kubectl.table"
local manifests = require "kubectl.manifests"
local object_printer = require "kubectl.printer"
local resource_args = require "kubectl.resource_args"
local sort_by = require "kubectl.sort_by"
local tabwriter = require "tabwriter"
local task = require "task"

local flags = {
    { "all-namespaces", short = "A", kind = "bool", help = "objects of all namespaces" },
    { "selector", short = "l", help = "label selector: a=b,c!=d,e in (f,g)" },
    { "field-selector", help = "field selector: metadata.name=a,status.phase!=Running" },
    { "no-headers", kind = "bool", help = "tables without their first line" },
    { "show-labels", kind = "bool", help = "a last column with all labels" },
    { "label-columns", short = "L", kind = "strings", default = {}, help = "a column for each of these labels" },
    { "show-kind", kind = "bool", help = "names with their type" },
    { "ignore-not-found", kind = "bool", help = "an object that does not exist is no error" },
    { "chunk-size", kind = "int", default = 500, help = "objects of one request at most (0: all at once)" },
    { "subresource", help = "that part of the object: status, scale" },
    { "server-print", kind = "bool", default = true, help = "have the server make the tables" },
    { "sort-by", help = "order of the objects: a JSONPath such as .metadata.name" },
    { "watch", short = "w", kind = "bool", help = "then go on with what changes, until Ctrl-C" },
    { "watch-only", kind = "bool", help = "only what changes" },
    { "output-watch-events", kind = "bool", help = "with --watch: what happened to each object, too" },
    { "raw", help = "GET this path and print the answer" },
}
table.move(object_printer.flags, 1, #object_printer.flags, #flags + 1, flags)
table.move(manifests.flags, 1, #manifests.flags, #flags + 1, flags)

-- The server's complaint about a selector, with the selector.
local function list_problem(target, options, problem)
    if type(problem) == "string" or problem.status ~= 400 and problem.status ~= 404 then return problem end
    local resource = target.resource
    local subject = ("%s/%s, Resource=%s"):format(resource.group, resource.version, resource.plural)
    local message = ("Unable to list %q: %s"):format(subject, problem.message)
    if options.selector or options.field_selector then
        message = ("Unable to find %q that match label selector %q, field selector %q: %s"):format(subject,
            options.selector or "", options.field_selector or "", problem.message)
    end
    return fail.new(problem.kind, message, problem.hint, { status = problem.status })
end

-- GET with what selects the objects; pages are followed. each(page) is called for every answer.
local function fetch(session, target, options, headers, query, each)
    local path = kube_session.path(target.resource, target.namespace, target.name,
        options.subresource and options.subresource ~= "" and options.subresource or nil)
    if not target.name then
        query.labelSelector = options.selector
        query.fieldSelector = options.field_selector
        query.limit = options.chunk_size > 0 and not options.sort_by and options.chunk_size or nil
    end
    repeat
        local ok, page = pcall(session.client.request, session.client, "GET", path, { headers = headers,
            query = query })
        if not ok then
            error(target.name and session:absence(page, target.namespace) or list_problem(target, options, page), 0)
        end
        each(page)
        local more = page.metadata and page.metadata.continue
        query.continue = more
    until not more or more == ""
end

-- The next page's token where it stands before the items, as for all kinds but custom resources.
local function early_token(text)
    return text:sub(1, 4096):match('^{"kind":"%w+","apiVersion":"[^"]+","metadata":{[^{}]*"continue":"([^"]+)"')
end

-- Whole objects are a hundred times as large as the rows of a table, and two pages are held at once: with larger ones
-- the time is the same, the memory is not.
local TEXT_PAGE = 250

-- The pages of a list as text. The server makes the next one while each(text) works, which returns the next token.
local function fetch_texts(session, target, options, each)
    local path = kube_session.path(target.resource, target.namespace)
    local function ask(token)
        local ok, text = pcall(session.client.request, session.client, "GET", path, { text = true,
            query = { labelSelector = options.selector, fieldSelector = options.field_selector,
                limit = options.chunk_size > 0 and math.min(options.chunk_size, TEXT_PAGE) or nil,
                continue = token } })
        return ok and text or error(list_problem(target, options, text), 0)
    end
    local text = ask()
    while text do
        local token = early_token(text)
        local coming = token and task.spawn(ask, token)
        if coming then task.sleep(0) end -- the request goes out
        token = each(text)
        text = coming and coming:wait() or token and ask(token) or nil
    end
end

-- A missing object is no error where --ignore-not-found says so; other errors are kept for the end.
local function guarded(problems, options, fn, ...)
    local ok, problem = pcall(fn, ...)
    if ok then return end
    local status = type(problem) ~= "string" and problem.status
    if not (options.ignore_not_found and status == 404) then problems[#problems + 1] = problem end
end

local function type_name(resource)
    return resource.group == "" and resource.kind:lower() or resource.kind:lower() .. "." .. resource.group
end

-- Calls show(resource, several, page) for each table; several: there is more than one kind. What was asked for by name
-- or is sorted is fetched before anything is shown: only what exists counts, and sorting may fail.
local function each_table(session, targets, options, problems, show)
    local headers, kinds, found = { Accept = kube_table.ACCEPT }, {}, {}
    local function several() return next(kinds, next(kinds)) ~= nil end
    for _, target in ipairs(targets) do
        if not target.name then kinds[target.resource] = true end
    end
    for _, target in ipairs(targets) do
        local resource = target.resource
        local decorated = options.all_namespaces or options.show_labels or #options.label_columns > 0
        local query = { includeObject = options.sort_by and "Object" or not decorated and "None" or nil }
        guarded(problems, options, fetch, session, target, options, headers, query, function(page)
            if not target.name and not options.sort_by then return show(resource, several(), page) end
            kinds[resource] = true
            found[#found + 1] = { resource, page }
        end)
    end
    for _, one in ipairs(found) do
        if options.sort_by then sort_by.sort(one[2].rows, options.sort_by, function(row) return row.object end) end
    end
    for _, one in ipairs(found) do show(one[1], several(), one[2]) end
end

-- Tables, one for each kind, with an empty line between them.
local function print_tables(session, targets, options)
    local written, problems, separator = false, {}, ""
    local writer = tabwriter.new(function(text)
        io.write(separator, text)
        written, separator = true, ""
    end)
    local last, print
    local with_namespace = false -- once a kind has the column all later ones have it, as with kubectl
    local function show(resource, several, page)
        if page.kind == "Table" and #page.rows == 0 then return end
        if resource ~= last then
            writer:flush()
            writer:forget()
            if last and written and not options.no_headers then separator = "\n" end
            with_namespace = with_namespace or options.all_namespaces and resource.namespaced
            print = kube_table.printer(writer, { wide = options.output == "wide", headers = not options.no_headers,
                namespace = with_namespace,
                kind = (several or options.show_kind) and type_name(resource) or nil,
                labels = options.label_columns, show_labels = options.show_labels })
            last = resource
        end
        print(page)
    end
    each_table(session, targets, options, problems, show)
    writer:flush()
    kube_errors.raise_all(problems)
    if written or options.ignore_not_found then return end
    local namespaced = not options.all_namespaces
    for _, target in ipairs(targets) do namespaced = namespaced and target.resource.namespaced end
    io.stderr:write(namespaced and ("No resources found in %s namespace.\n"):format(session.namespace)
        or "No resources found\n")
end

-- A list as JSON, page by page: what kubectl prints, without holding all of it.
local function print_json_list(session, target, options)
    local resource, problems, written = target.resource, {}, 0
    local form = { kind = resource.kind, managed_fields = options.show_managed_fields,
        api_version = resource.group == "" and resource.version or resource.group .. "/" .. resource.version }
    guarded(problems, options, fetch_texts, session, target, options, function(page)
        local text, count, more = k8s.items_text(page, form)
        if count > 0 then
            local before = written == 0 and '{\n    "apiVersion": "v1",\n    "items": [\n        ' or ",\n        "
            io.write(before, text)
            written = written + count
        end
        return more
    end)
    if written > 0 then
        io.write('\n    ],\n')
    elseif not options.ignore_not_found then
        io.write('{\n    "apiVersion": "v1",\n    "items": [],\n')
    end
    if written > 0 or not options.ignore_not_found then
        io.write('    "kind": "List",\n    "metadata": {\n        "resourceVersion": ""\n    }\n}\n')
    end
    kube_errors.raise_all(problems)
end

-- Objects as they are. One that was asked for by name stands alone, everything else is a List.
local function print_objects(session, targets, single, options)
    local whole = not options.sort_by and not options.subresource and (options.template or "") == ""
    if options.output == "json" and whole and #targets == 1 and not targets[1].name then
        return print_json_list(session, targets[1], options)
    end
    local print = object_printer.new(options)
    local problems, items = {}, json.list {}
    for _, target in ipairs(targets) do
        local resource = target.resource
        local api_version = resource.group == "" and resource.version or resource.group .. "/" .. resource.version
        guarded(problems, options, fetch, session, target, options, {}, {}, function(page)
            for _, item in ipairs(page.items or { page }) do
                item.apiVersion, item.kind = item.apiVersion or api_version, item.kind or resource.kind
                items[#items + 1] = item
            end
        end)
    end
    if single and #problems > 0 then error(problems[1], 0) end
    if #items == 0 and options.ignore_not_found then return kube_errors.raise_all(problems) end
    if single then
        io.write(print(items[1]))
    else
        if options.sort_by then sort_by.sort(items, options.sort_by) end
        io.write(print { apiVersion = "v1", kind = "List", metadata = { resourceVersion = "" }, items = items })
    end
    kube_errors.raise_all(problems)
end

-- Prints objects as they come, tables by the server or what -o says: fun(page, type, later).
local function watch_printer(resource, options)
    if object_printer.wanted(options) then
        local print = object_printer.new(options)
        return function(page, type)
            for _, item in ipairs(page.items or { page }) do
                item.apiVersion = item.apiVersion or resource.group == "" and resource.version
                    or resource.group .. "/" .. resource.version
                item.kind = item.kind or resource.kind
                io.write(print(options.output_watch_events and { type = type, object = item } or item))
            end
            io.stdout:flush()
        end
    end
    local writer = tabwriter.new(io.write)
    local print = kube_table.printer(writer, { wide = options.output == "wide", headers = not options.no_headers,
        namespace = options.all_namespaces and resource.namespaced, labels = options.label_columns,
        kind = options.show_kind and type_name(resource) or nil, show_labels = options.show_labels })
    return function(page, type)
        print(page, options.output_watch_events and type or nil)
        writer:flush()
        io.stdout:flush()
    end
end

-- What there is, then what changes. A list with the object's name in its field selector tells from where to go on.
local function watch(session, targets, options)
    for _, target in ipairs(targets) do
        if target.resource ~= targets[1].resource then
            kube_errors.raise("you may only specify a single resource type")
        end
    end
    if #targets > 1 then
        kube_errors.raise(("watch is only supported on individual resources and resource collections - %d resources "
            .. "were found"):format(#targets))
    end
    local target, accept = targets[1], not object_printer.wanted(options) and kube_table.ACCEPT or nil
    local resource, print = target.resource, watch_printer(target.resource, options)
    local fields, version = options.field_selector, nil
    if target.name then
        session:fetch(resource, target.namespace, target.name)
        fields = "metadata.name=" .. target.name
    end
    local all = { resource = resource, namespace = target.namespace }
    local how = { selector = options.selector, field_selector = fields, chunk_size = options.chunk_size }
    fetch(session, all, how, { Accept = accept }, {}, function(page)
        version = page.metadata.resourceVersion
        if not options.watch_only then print(page, "ADDED") end
    end)
    local events <close> = session.client:watch(kube_session.kind(resource), { namespace = target.namespace,
        all_namespaces = not target.namespace, labels = options.selector, fields = fields, resource_version = version,
        accept = accept, managed_fields = options.show_managed_fields })
    for event in events do print(event.object, event.type) end
end

local function print_raw(session, options, words)
    if #words > 0 then kube_errors.raise("arguments may not be passed when --raw is specified") end
    io.write((session.client:request("GET", options.raw, { text = true })))
end

local function check(options)
    local output = options.output or ""
    if options.show_labels and output ~= "" and output ~= "wide" then
        kube_errors.raise(("--show-labels option cannot be used with %s printer"):format(output))
    end
end

return {
    summary = "show one or many objects",
    usage = "TYPE[,TYPE…] [NAME…] | TYPE/NAME… | -f FILE [flags]",
    examples = {
        "todo-lua kube get pods -o wide", "todo-lua kube get deploy,svc -l app=web", "todo-lua kube get all -A",
    },
    flags = flags,
    run = function(session, options, words)
        if options.raw then return print_raw(session, options, words) end
        check(options)
        if #words == 0 and #(options.filename or {}) == 0 then
            kube_errors.raise("Required resource not specified.", "todo-lua kube api-resources lists the types")
        end
        local targets, single = resource_args.targets(session, words, { all_namespaces = options.all_namespaces,
            filename = options.filename, recursive = options.recursive,
            selector = options.selector ~= nil or options.field_selector ~= nil, whole = true })
        if options.watch or options.watch_only then
            watch(session, targets, options)
        elseif object_printer.wanted(options) then
            print_objects(session, targets, single, options)
        else
            print_tables(session, targets, options)
        end
    end,
}
