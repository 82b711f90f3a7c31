-- What kube cordon and uncordon share: marks nodes as closed or open for new pods.
local json = require "json"
local kube_errors = require "kubectl.errors"
local kube_session = require "kubectl.session"
local resource_args = require "kubectl.resource_args"

local cordon = {}

---@type todo.Flag[]
cordon.flags = { { "selector", short = "l", help = "label selector of the nodes" }, kube_session.dry_run_flag }

-- A node by its name, or as "node/NAME".
local function words_of(words, selector)
    if selector then return { "nodes" } end
    local out = {}
    for i, word in ipairs(words) do out[i] = word:find("/", 1, true) and word or "node/" .. word end
    return out
end

---@async
---@param session todo.KubeSession
---@param options table
---@param words string[]
---@param closed boolean
---@param command string? how the command is called, where it does more
---@return string[] names of the nodes
function cordon.run(session, options, words, closed, command)
    local strategy, suffix = kube_session.dry_run(options)
    local verb = closed and "cordon" or "uncordon"
    if #words == 0 and not options.selector then
        kube_errors.raise(("USAGE: %s NODE [flags]"):format(command or verb), "todo-lua kube get nodes lists them")
    end
    if #words > 0 and options.selector then
        kube_errors.raise("cannot specify both a node name and a --selector option")
    end
    local found = resource_args.find_all(session, words_of(words, options.selector), options)
    local names, problems = {}, {}
    for _, one in ipairs(found) do
        local name = one.object.metadata.name
        names[#names + 1] = name
        local now = one.object.spec.unschedulable == true
        if now == closed then
            io.write(("node/%s already %sed%s\n"):format(name, verb, suffix))
        else
            local ok, problem = true, nil
            if strategy ~= "client" then
                ok, problem = pcall(session.write, session, "PATCH", one.resource, nil, name, { options = options,
                    body = { spec = { unschedulable = closed or json.null } },
                    type = "application/strategic-merge-patch+json" })
            end
            if ok then
                io.write(("node/%s %sed%s\n"):format(name, verb, suffix))
            else
                problems[#problems + 1] = problem
            end
        end
    end
    kube_errors.raise_all(problems)
    return names
end

return cordon
