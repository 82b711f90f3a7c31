-- Images for nodes that are containers and whose runtime takes Docker's archives as they are: Docker itself, and CRI-O
-- by podman, which shares its store (minikube's own `image load` gives podman a file that it copied there).
local image_archive = require("image_archive")
local provider = require("provider")

local archive_stream = {}

-- What podman loads under a short name is localhost's; pods ask for Docker Hub's of that name.
local PODMAN = { load = { "podman", "load" }, id = { "podman", "image", "inspect", "--format", "{{.Id}}" },
    tag = { "podman", "tag" } }
local RUNTIMES = {
    docker = { load = { "docker", "load" }, id = { "docker", "image", "inspect", "--format", "{{.Id}}" } },
    crio = PODMAN, ["cri-o"] = PODMAN,
}

---@param runtime string as the profile names it
---@return boolean
function archive_stream.serves(runtime) return RUNTIMES[runtime] ~= nil end

---@async
---@param ctx todo.ClusterContext
---@param runtime string
---@param node string the container's name
---@param name string of the image, or its repository and digest
---@return string? id "sha256:…"; nil where the node lacks the image
function archive_stream.image_id(ctx, runtime, node, name)
    local argv = { table.unpack(RUNTIMES[runtime].id) }
    argv[#argv + 1] = name
    local there = ctx.docker:exec(node, argv)
    local id = there.status == 0 and there.stdout:match("(%x+)%s*$")
    return id and "sha256:" .. id or nil
end

local function must(ctx, node, argv, options)
    local result = ctx.docker:exec(node, argv, options)
    if result.status ~= 0 then provider.refused_images(result.stderr, result.status) end
end

local function load_on_node(ctx, runtime, node, names)
    local progress, size, sent = provider.progress(ctx), 0, 0
    for _, name in ipairs(names) do size = size + provider.image(ctx, name).Size end
    local text = ("sending %s to %s"):format(table.concat(names, ", "), node)
    must(ctx, node, RUNTIMES[runtime].load, { stdin = function(write)
        local stream <close> = ctx.docker:export(names)
        for bytes in stream.read, stream do
            write(bytes)
            sent = sent + #bytes
            progress("images", text, math.min(sent, size), size)
        end
    end })
    local tag = RUNTIMES[runtime].tag
    for _, name in ipairs(tag and names or {}) do
        must(ctx, node, { tag[1], tag[2], name, image_archive.full_name(name) })
    end
    progress("images", "loaded", size, size)
end

---Sends to each node what it lacks.
---@async
---@param ctx todo.ClusterContext
---@param runtime string
---@param nodes string[] containers' names
---@param names string[]
---@return string[] sent those that any of the nodes lacked
function archive_stream.load(ctx, runtime, nodes, names)
    return provider.load_on_nodes(ctx, nodes, names, {
        id = function(_, node, name)
            return archive_stream.image_id(ctx, runtime, node, image_archive.full_name(name))
        end,
        load = function(_, node, lacks) load_on_node(ctx, runtime, node, lacks) end,
    })
end

return archive_stream
