-- What tells why a release failed, saved before a rollback undoes it: objects, events, logs, manifest, values. Files of
-- mode 0600 in a folder of their own; what Secrets hold is masked in all of them.
local fail = require "fail"
local fs = require "fs"
local json = require "json"
local mask = require "mask"
local objects = require "release.objects"
local secret = require "secret"
local tables = require "tables"
local task = require "task"
local yaml = require "yaml"

local bundle = {}

local FILE, FOLDER = 384, 448 -- 0600, 0700
local LOG_LINES = 2000
-- A Secret shows the names of what it holds only.
local function without_data(object)
    if object.kind ~= "Secret" then return object end
    local copy = tables.copy(object)
    for _, field in ipairs { "data", "stringData" } do
        for key in pairs(tables.at(copy, field) or {}) do copy[field][key] = mask.TEXT end
    end
    return copy
end

local function writer(folder)
    return function(name, text)
        fs.write(fs.join(folder, name), secret.redact(text), FILE)
    end
end

local function live_objects(env, list)
    return task.all(tables.map(list, function(object)
        return function()
            local ok, live = pcall(objects.get, env.client, object)
            local shown = ok and live or { kind = object.kind, metadata = { name = object.metadata.name },
                missing = not ok and fail.message(live) or "not found" }
            if shown.metadata then shown.metadata.managedFields = nil end
            return shown
        end
    end))
end

local function namespaces_of(env, list)
    local found = { [env.namespace] = true }
    for _, object in ipairs(list) do
        if object.metadata.namespace then found[object.metadata.namespace] = true end
    end
    return tables.keys(found)
end

local function event_line(event)
    local stamp = tables.at(event, "lastTimestamp") or tables.at(event, "eventTime") or ""
    return ("%s %s %s %s/%s: %s"):format(stamp, event.type or "", event.reason or "",
        tables.at(event, "involvedObject.kind") or "", tables.at(event, "involvedObject.name") or "",
        (event.message or ""):gsub("\n", " "))
end

local function events_of(env, namespace)
    local lines = tables.map(env.client:list("events", { namespace = namespace }), event_line)
    table.sort(lines)
    return table.concat(lines, "\n") .. "\n"
end

local function log_of(env, pod, container, previous)
    local ok, text = pcall(function()
        local reader = env.client:logs(pod.metadata.name, { namespace = pod.metadata.namespace, container = container,
            tail = LOG_LINES, previous = previous })
        local all = reader:text()
        reader:close()
        return all
    end)
    return ok and text ~= "" and text or nil
end

-- Current and previous logs of the namespace's pods that belong to the release.
local function write_logs(env, namespace, write)
    local pods = env.client:list("pods", { namespace = namespace })
    for _, pod in ipairs(pods) do
        for _, field in ipairs { "initContainerStatuses", "containerStatuses" } do
            for _, status in ipairs(tables.at(pod, "status." .. field) or {}) do
                for _, which in ipairs { "log", "previous.log" } do
                    local previous = which == "previous.log"
                    local text = (not previous or (status.restartCount or 0) > 0)
                        and log_of(env, pod, status.name, previous or nil)
                    if text then write(("%s.%s.%s"):format(pod.metadata.name, status.name, which), text) end
                end
            end
        end
    end
    return pods
end

local function manifest_text(list)
    return yaml.encode_all(tables.map(list, without_data), { secrets = "mask" })
end

---Saves the bundle.
---@async
---@param env todo.ReleaseEnv
---@param record todo.Record that failed
---@param list table[] its objects
---@param problem any why
---@return string path of the folder
function bundle.save(env, record, list, problem)
    local folder = fs.join(env.state_dir, "failures", ("%s.%s.v%d.%s"):format(env.namespace, env.name,
        record.revision, os.date("!%Y%m%dT%H%M%SZ")))
    fs.mkdir(folder, FOLDER)
    fs.chmod(folder, FOLDER)
    local write = writer(folder)
    mask.learn(list)
    local live = live_objects(env, list)
    mask.learn(live)
    write("error.txt", fail.message(problem) .. "\n")
    write("manifest.yaml", manifest_text(list))
    local config = record.body().config
    local values = config and config ~= json.null and config or {}
    write("values.yaml", yaml.encode(mask.value(values), { secrets = "mask" }))
    for _, namespace in ipairs(namespaces_of(env, list)) do
        write(("events.%s.txt"):format(namespace), events_of(env, namespace))
        for _, pod in ipairs(write_logs(env, namespace, write)) do
            pod.metadata.managedFields = nil
            live[#live + 1] = pod
        end
    end
    write("objects.yaml", manifest_text(live))
    return folder
end

return bundle
