-- What the tests of tools share whose nodes are containers of this Docker: images that are made here because no registry
-- gives them, and the docker command that such a tool is given.
local fs = require "fs"
local needs = require "tests.needs"
local proc = require "proc"
local program = require "program"
local secret = require "secret"

local nested = {}

local here = program.project .. "/tests/nested"

---@type todo.GoSet
nested.crictl = { name = "crictl", folder = "tests/nested/crictl",
    programs = { crictl = "sigs.k8s.io/cri-tools/cmd/crictl" } }

---A note among the results.
---@param text string
function nested.say(text) print("# " .. text) end

---@async
---@param name string
---@return boolean
function nested.has_image(name)
    return needs.context().docker:image(name) ~= nil
end

---A tag for a node: the hash over the script that makes it, the files of this folder and the folders of its programs,
---which are named by their own hash.
---@param script string path
---@param ... string
---@return string
function nested.key(script, ...)
    local parts = { fs.sha256(script), ... }
    for _, name in ipairs { "tree.sh", "runc.sh", "unlock.sh" } do
        parts[#parts + 1] = fs.sha256(here .. "/" .. name)
    end
    return secret.sha256(table.concat(parts)):sub(1, 12)
end

---An image of one layer.
---@async
---@param folder string its file system
---@param name string
---@param settings string[] lines of a Dockerfile
function nested.import(folder, name, settings)
    local argv = { "docker", "import" }
    for _, line in ipairs(settings) do table.move({ "--change", line }, 1, 2, #argv + 1, argv) end
    table.move({ "-", name }, 1, 2, #argv + 1, argv)
    local tar = { "tar", "-C", folder, "--numeric-owner", "-cf", "-", "." }
    proc.run({ "sh", "-c", ('%s | "$@"'):format(table.concat(tar, " ")), "sh", table.unpack(argv) }, { timeout = 300 })
end

---An image from a Dockerfile.
---@async
---@param folder string the context
---@param name string
---@param dockerfile string its text
function nested.build(folder, name, dockerfile)
    fs.mkdir(folder)
    fs.write(folder .. "/Dockerfile", dockerfile)
    needs.context().docker:build { context = folder, dockerfile = folder .. "/Dockerfile", tags = { name } }
end

-- An image of one static program, found by its name or at the root.
local function program_image(cache, name, source)
    if nested.has_image(name) then return end
    local folder = cache .. "/image"
    proc.run { "rm", "-rf", folder }
    fs.mkdir(folder .. "/usr/local/bin")
    fs.mkdir(folder .. "/tmp")
    local program_name = fs.basename(source)
    proc.run { "cp", source, folder .. "/" .. program_name }
    fs.symlink("/" .. program_name, folder .. "/usr/local/bin/" .. program_name)
    nested.import(folder, name, { ('ENTRYPOINT ["/%s"]'):format(program_name) })
    proc.run { "rm", "-rf", folder }
end

---Images of static programs, where they are missing.
---@async
---@param cache string folder to work in
---@param sources table<string, string> path of the program by the image's name
function nested.program_images(cache, sources)
    for name, source in pairs(sources) do program_image(cache, name, source) end
end

---kube-proxy's image, which needs the node's programs for the packet filter beside its own.
---@async
---@param cache string folder to work in
---@param name string
---@param source string path of kube-proxy
---@param node string image of the node
function nested.proxy_image(cache, name, source, node)
    if nested.has_image(name) then return end
    local folder = cache .. "/proxy"
    fs.mkdir(folder)
    proc.run { "cp", source, folder .. "/kube-proxy" }
    nested.build(folder, name, ("FROM %s\nCOPY kube-proxy /usr/local/bin/kube-proxy\nENTRYPOINT []\n"):format(node))
end

---A folder whose `docker` gives containers what this machine has, for the front of PATH.
---@param folder string made where it is missing
---@return string folder
function nested.docker(folder)
    fs.mkdir(folder)
    fs.write(folder .. "/docker", fs.read(here .. "/docker.sh"), 493)
    return folder
end

return nested
