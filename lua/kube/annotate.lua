-- todo-lua kube annotate: sets and removes annotations of objects.
local kube_errors = require "kubectl.errors"
local metadata_change = require "kubectl.metadata_change"
local tables = require "tables"

local function parse(given)
    local new, remove, both = {}, {}, {}
    for _, spec in ipairs(given) do
        local key, value = spec:match("^([^=]+)=(.*)$")
        if key then new[key] = value else remove[#remove + 1] = spec:sub(1, -2) end
    end
    for _, key in ipairs(remove) do
        if new[key] then both[#both + 1] = key end
    end
    if #both > 0 then
        kube_errors.raise("can not both modify and remove the following annotation(s) in the same command: "
            .. table.concat(both, ", "))
    end
    return new, remove
end

local function refuse(old, new)
    local problems = {}
    for _, key in ipairs(tables.keys(new)) do
        if old[key] and old[key] ~= new[key] and key ~= "kubernetes.io/change-cause" then
            problems[#problems + 1] = ("'%s' already has a value (%s)"):format(key, old[key])
        end
    end
    return #problems > 0 and "--overwrite is false but found the following declared annotation(s): "
        .. table.concat(problems, "; ") or nil
end

local kind = { word = "annotation", field = "annotations", parse = parse, refuse = refuse,
    tell = function() return "annotated" end }

local flags = metadata_change.flags(kind)
for _, flag in ipairs(flags) do
    if flag[1] == "field-manager" then flag.default = "kubectl-annotate" end
end

return {
    summary = "set and remove annotations",
    usage = "TYPE NAME… | TYPE/NAME… | TYPE -l SELECTOR | TYPE --all | -f FILE  KEY=VALUE… KEY-… [flags]",
    examples = { "todo-lua kube annotate deploy/web kubernetes.io/change-cause='new image'" },
    flags = flags,
    run = function(session, options, words) metadata_change.run(kind, session, options, words) end,
}
