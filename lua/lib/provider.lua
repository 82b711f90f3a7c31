-- What cluster providers have in common: how they call a tool, tell progress, send images one by one.
local docker = require "docker"
local fail = require "fail"
local image_archive = require "image_archive"
local secret = require "secret"
local suggest = require "suggest"
local tables = require "tables"
local task = require "task"

local provider = {}

local ANSWER_SECONDS = 30 -- for what a node knows at once

---A provider by its name; wrong usage where there is none such.
---@param name string
---@param config table
---@return todo.ClusterProvider
function provider.load(name, config)
    local ok, found = pcall(require, "cluster." .. name)
    if ok then return found end
    if fail.kind(found) ~= "not_found" then error(found, 0) end
    local order = config.cluster.order
    fail.raise("usage", ("there is no cluster provider %q%s"):format(name, suggest.phrase(name, order)),
        "choose one of " .. table.concat(order, ", ") .. ", or name a kubeconfig context with --context",
            { status = 2 })
end

---The local Docker; connected once.
---@async
---@param ctx todo.ClusterContext
---@return todo.Docker
function provider.engine(ctx)
    ctx.docker = ctx.docker or docker.connect()
    return ctx.docker
end

---Where a provider says how far it is: nowhere, unless the caller listens.
---@param ctx todo.ClusterContext
---@return fun(name: string, text: string, done: number?, total: number?)
function provider.progress(ctx)
    return ctx.progress or function() end
end

---The result of a tool that must succeed; an error with its last words where it did not.
---@param tool string
---@param result todo.ProcResult of proc.run with check = false
---@param what string completes "TOOL could not …"
---@param hint string?
---@return todo.ProcResult
function provider.check(tool, result, what, hint)
    if result.status == 0 then return result end
    local words = (result.stderr ~= "" and result.stderr or result.stdout):match("^%s*(.-)%s*$")
    fail.raise("exit", ("%s could not %s:\n%s"):format(tool, what, words:sub(-2000)), hint, { status = result.status })
end

---Hex SHA-256 of the certificates (DER, one after the other) in PEM text, as k8s.contexts gives it for a context: what
---tells one cluster's certificate authority from another's.
---@param pem string
---@return string
function provider.authority(pem)
    local parts = {}
    for body in pem:gmatch("%-%-%-%-%-BEGIN CERTIFICATE%-%-%-%-%-%s(.-)%-%-%-%-%-END CERTIFICATE%-%-%-%-%-") do
        parts[#parts + 1] = secret.unbase64((body:gsub("%s", "")))
    end
    return secret.sha256(table.concat(parts))
end

---An image of the local Docker; an error where it is not there.
---@async
---@param ctx todo.ClusterContext
---@param name string
---@return table image as Docker describes it
function provider.image(ctx, name)
    return ctx.docker:image(name) or fail.raise("not_found",
        ("Docker has no image %s to give to the cluster"):format(name), "build it first: todo-lua build")
end

---For a provider whose pods say in their imageID which configuration they run.
---@param _ todo.ClusterContext
---@param name string
---@return string?
function provider.image_id_as_told(_, name) return name:match("sha256:%x+") end

---The id under which the runtime of a node knows an image. The node is a container of the local Docker.
---@async
---@param ctx todo.ClusterContext
---@param node string the container's name
---@param name string of the image, or its repository and digest
---@return string? id "sha256:…"; nil where the node lacks the image
function provider.image_id_on_node(ctx, node, name)
    local there = provider.engine(ctx):exec(node, { "crictl", "inspecti", "-o", "go-template", "--template",
        "{{.status.id}}", name }, { timeout = ANSWER_SECONDS })
    return there.status == 0 and there.stdout:match("sha256:%x+") or nil
end

---Whether the id by which a cluster's runtime knows an image is that of the local Docker's image of the name.
---@async
---@param ctx todo.ClusterContext
---@param id string? "sha256:…"; nil where the cluster lacks the image
---@param name string
---@param image table as Docker describes it
---@return boolean
function provider.is_image(ctx, id, name, image)
    return id ~= nil and (id == image.Id or id == image_archive.configuration(ctx, ctx.docker, name, image))
end

---Sends the images that the cluster lacks, one after the other.
---@async
---@param ctx todo.ClusterContext
---@param names string[]
---@param id_of async fun(name: string): string? see is_image
---@param send async fun(name: string, image: table)
---@return string[] sent
function provider.send_missing(ctx, names, id_of, send)
    local progress, sent = provider.progress(ctx), {}
    for index, name in ipairs(names) do
        local image = provider.image(ctx, name)
        if not provider.is_image(ctx, id_of(name), name, image) then
            progress("load", name, index - 1, #names)
            send(name, image)
            sent[#sent + 1] = name
        end
    end
    if #sent > 0 then progress("load", ("%d images"):format(#sent), 1, 1) end
    return sent
end

---The images that the cluster does not have.
---@async
---@param ctx todo.ClusterContext
---@param names string[]
---@param id_of async fun(name: string): string? see is_image
---@return string[]
function provider.missing(ctx, names, id_of)
    return tables.filter(names, function(name)
        local image = provider.image(ctx, name)
        return not provider.is_image(ctx, id_of(name), name, image)
    end)
end

---Raises what a node's runtime said when it did not take images.
---@param words string
---@param status integer
function provider.refused_images(words, status)
    fail.raise("exit", ("the cluster could not take the images: %s"):format(words:sub(-500)), fail.space_hint(words),
        { status = status })
end

---Has ctr import itself what it is given. From containerd 2.0 on it otherwise hands the archive to a service of
---containerd in small pieces, which takes twice as long; before 1.7 there is neither the service nor the flag.
provider.IMPORT_FLAG = "--local"

---Gives images of the local Docker to whoever feeds a containerd, without what that has.
---@async
---@param ctx todo.ClusterContext
---@param names string[]
---@param there table<string, true> digests of its content
---@param write async fun(bytes: string)
---@param on_bytes fun(count: integer)? of the engine's archive so far
function provider.send_archive(ctx, names, there, write, on_bytes)
    image_archive.export(ctx, ctx.docker, names, there, write, on_bytes)
end

---Calls send(there) with the digests that list() tells; once more with none where that failed for no cause that is
---known, since what is listed may go before it is used.
---@async
---@param list async fun(): string
---@param send async fun(there: table<string, true>)
function provider.send_what_lacks(list, send)
    local there = image_archive.digests(list())
    local ok, problem = pcall(send, there)
    if ok then return end
    if not next(there) or fail.kind(problem) ~= "exit" or fail.field(problem, "hint") then error(problem, 0) end
    send({})
end

-- Streams images into a node's containerd; layers that the images share are sent once, those that it has not at all.
local function import_on_node(ctx, node, names)
    local progress, size, flag = provider.progress(ctx), 0, nil
    for _, name in ipairs(names) do size = size + provider.image(ctx, name).Size end
    local text = ("sending %s to %s"):format(table.concat(names, ", "), node)
    local function sh(script, options)
        local result = ctx.docker:exec(node, { "sh", "-c", script }, options)
        if result.status ~= 0 then provider.refused_images(result.stderr, result.status) end
        return result.stdout
    end
    provider.send_what_lacks(function()
        local told = sh "ctr --namespace k8s.io content ls -q && ctr images import --help"
        flag = told:find(provider.IMPORT_FLAG, 1, true) and " " .. provider.IMPORT_FLAG or ""
        return told
    end, function(there)
        sh(("exec ctr --namespace k8s.io images import%s -"):format(flag), { stdin = function(write)
            provider.send_archive(ctx, names, there, write, function(sent)
                progress("images", text, math.min(sent, size), size)
            end)
        end })
    end)
    progress("images", "loaded", size, size)
end

---How a runtime is asked for an image, and given some.
---@class todo.NodeRuntime
---@field id async fun(ctx: todo.ClusterContext, node: string, name: string): string? nil where it lacks the image
---@field load async fun(ctx: todo.ClusterContext, node: string, names: string[])

---@type todo.NodeRuntime
local containerd = { id = provider.image_id_on_node, load = import_on_node }

---Streams images of the local Docker into nodes that are its containers: to each node those that it has not, or under
---another id.
---@async
---@param ctx todo.ClusterContext
---@param nodes string[] containers' names
---@param names string[]
---@param runtime todo.NodeRuntime? default: containerd's
---@return string[] sent those that any of the nodes lacked
function provider.load_on_nodes(ctx, nodes, names, runtime)
    runtime = runtime or containerd
    local lacks, lacked = {}, {}
    task.all(tables.map(nodes, function(node)
        return function()
            lacks[node] = provider.missing(ctx, names, function(name) return runtime.id(ctx, node, name) end)
        end
    end))
    for _, node in ipairs(nodes) do
        if #lacks[node] > 0 then runtime.load(ctx, node, lacks[node]) end
        for _, name in ipairs(lacks[node]) do lacked[name] = true end
    end
    return tables.filter(names, function(name) return lacked[name] end)
end

---The URL of a NodePort that the cluster has on this machine's own address.
---@param _ todo.ClusterContext
---@param service { name: string, namespace: string, node_port: integer }
---@return string
function provider.loopback_url(_, service)
    return "http://127.0.0.1:" .. service.node_port
end

---Whether Docker listens at a port of this machine for a node, which is its container.
---@async
---@param ctx todo.ClusterContext
---@param node string the container's name
---@param port integer the same on both sides
---@return boolean
function provider.published(ctx, node, port)
    local ports = tables.at(provider.engine(ctx):container(node), "NetworkSettings.Ports") or {}
    for _, binding in ipairs(tables.at(ports, port .. "/tcp") or {}) do
        if binding.HostPort == tostring(port) then return true end
    end
    return false
end

---For a provider without add-ons.
---@param message string
---@param hint string?
---@return fun(ctx: todo.ClusterContext, enable: string[]?): { name: string, enabled: boolean }[]
function provider.no_addons(message, hint)
    return function(_, enable)
        if enable and #enable > 0 then fail.raise("unsupported", message, hint) end
        return {}
    end
end

---For a provider whose cluster's logs are not files of this machine.
---@return table<string,string>
function provider.no_logs()
    return {}
end

return provider
