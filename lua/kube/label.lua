-- todo-lua kube label: sets and removes labels of objects.
local kube_errors = require "kubectl.errors"
local metadata_change = require "kubectl.metadata_change"
local tables = require "tables"

local WRONG_VALUE = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and "
    .. "must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for "
    .. "validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"

local function check_value(spec, value)
    local problems = {}
    if #value > 63 then problems[1] = "must be no more than 63 bytes" end
    if value ~= "" and not (value:find("^%w[%w_.-]*$") and value:find("%w$")) then
        problems[#problems + 1] = WRONG_VALUE
    end
    if #problems == 0 then return end
    kube_errors.raise(("invalid label value: %q: %s"):format(spec, table.concat(problems, ";")))
end

local function parse(given)
    local new, remove = {}, {}
    for _, spec in ipairs(given) do
        local key, value = spec:match("^([^=]*)=([^=]*)$")
        if key then
            check_value(spec, value)
            new[key] = value
        elseif spec:find("=", 1, true) then
            kube_errors.raise("invalid label spec: " .. spec)
        else
            remove[#remove + 1] = spec:sub(1, -2)
        end
    end
    for _, key in ipairs(remove) do
        if new[key] then kube_errors.raise("can not both modify and remove a label in the same command") end
    end
    return new, remove
end

local function refuse(old, new)
    local problems = {}
    for _, key in ipairs(tables.keys(new)) do
        if old[key] and old[key] ~= new[key] then
            problems[#problems + 1] = ("'%s' already has a value (%s), and --overwrite is false"):format(key, old[key])
        end
    end
    if #problems > 1 then return "[" .. table.concat(problems, ", ") .. "]" end
    return problems[1]
end

local kind = { word = "label", field = "labels", parse = parse, refuse = refuse, missing = true,
    tell = function(added, removed)
        if added > 0 and removed > 0 then return "modified" end
        return added > 0 and "labeled" or removed > 0 and "unlabeled" or "not labeled"
    end }

return {
    summary = "set and remove labels",
    usage = "TYPE NAME… | TYPE/NAME… | TYPE -l SELECTOR | TYPE --all | -f FILE  KEY=VALUE… KEY-… [flags]",
    examples = { "todo-lua kube label pod web tier=front", "todo-lua kube label pods --all tier-" },
    flags = metadata_change.flags(kind),
    run = function(session, options, words) metadata_change.run(kind, session, options, words) end,
}
