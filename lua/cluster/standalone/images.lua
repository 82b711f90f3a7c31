-- Images of a node's containerd: the sandbox's own, and those that come from the local Docker.
local fs = require("fs")
local image_archive = require("image_archive")
local json = require("json")
local proc = require("proc")
local provider = require("provider")
local secret = require("secret")

local images = {}

images.PAUSE = "docker.io/todo-lua/pause:1"

local full_name = image_archive.full_name

local KEPT_TAGS = 3 -- of one repository: what runs, and what a rollback may want

local function ctr(layout, argv, options)
    local command = { layout.bin .. "/ctr", "--address", layout.run .. "/containerd.sock", "--namespace", "k8s.io" }
    table.move(argv, 1, #argv, #command + 1, command)
    return proc.run(command, options)
end

---Whether containerd has come up.
---@async
---@param layout todo.StandaloneNode
---@return boolean
function images.answers(layout)
    return ctr(layout, { "version" }, { check = false }).status == 0
end

---Full names of the images that containerd has.
---@async
---@param layout todo.StandaloneNode
---@return table<string, true>
function images.present(layout)
    local names = {}
    for name in ctr(layout, { "images", "list", "-q" }).stdout:gmatch("[^\n]+") do names[name] = true end
    return names
end

---Makes an image of a folder and gives it to containerd: a docker archive written by hand, so no Docker needs to run.
---@async
---@param layout todo.StandaloneNode
---@param root string folder with the image's files
---@param name string full name with tag
---@param settings table the image's config: Entrypoint, Cmd, Env …
function images.import_folder(layout, root, name, settings)
    local temporary <close> = setmetatable({ dir = fs.tempdir() }, { __close = function(t) t.dir:close() end })
    local folder = temporary.dir.path
    proc.run({ "tar", "-C", root, "--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--mtime=@0", "-cf",
        folder .. "/layer.tar", "." })
    local config = json.encode({
        architecture = proc.platform().arch,
        os = "linux",
        config = settings,
        rootfs = { type = "layers", diff_ids = { "sha256:" .. fs.sha256(folder .. "/layer.tar") } },
    }, { sort = true })
    local config_name = secret.sha256(config) .. ".json"
    fs.write(fs.join(folder, config_name), config)
    fs.write(folder .. "/manifest.json",
        json.encode({ { Config = config_name, RepoTags = { name }, Layers = { "layer.tar" } } }))
    proc.run({ "tar", "-C", folder, "-cf", folder .. "/image.tar", "manifest.json", config_name, "layer.tar" })
    ctr(layout, { "images", "import", folder .. "/image.tar" })
end

---Gives containerd the image that holds a pod's namespaces.
---@async
---@param layout todo.StandaloneNode
function images.load_pause(layout)
    local note = layout.state .. "/pause"
    local hash = fs.sha256(layout.bin .. "/pause")
    if fs.read(note) == hash and images.present(layout)[images.PAUSE] then return end
    local temporary <close> = setmetatable({ dir = fs.tempdir() }, { __close = function(t) t.dir:close() end })
    proc.run({ "cp", layout.bin .. "/pause", temporary.dir.path .. "/pause" })
    images.import_folder(layout, temporary.dir.path, images.PAUSE, { Entrypoint = { "/pause" } })
    fs.write(note, hash)
end

local function read_notes(layout)
    local text = fs.read(layout.state .. "/images.json")
    return text and json.decode(text) or {}
end

local function write_notes(layout, notes)
    fs.write(layout.state .. "/images.json", json.encode(notes, { indent = "  ", sort = true }) .. "\n")
end

-- Hands one archive to a containerd; raises what its import said. All that it has not is in it, once.
local function import(layout, ctx, names, there, on_bytes)
    local child = proc.spawn({ layout.bin .. "/ctr", "--address", layout.run .. "/containerd.sock", "--namespace",
        "k8s.io", "images", "import", provider.IMPORT_FLAG, "-" }, { stdin = "pipe", stdout = "null", stderr = "pipe" })
    local guard <close> = setmetatable({}, { __close = function() child:close() end }) -- luacheck: ignore guard
    local function write(bytes) child:write(bytes) end
    local saved, problem = pcall(provider.send_archive, ctx, names, there, write, on_bytes)
    child:close_stdin()
    local words = {}
    for chunk in function() return child:read_err() end do words[#words + 1] = chunk end
    local status = child:wait()
    -- Where the import ended early, its own words say more than the broken pipe.
    if status ~= 0 and #words > 0 then
        provider.refused_images(table.concat(words), status)
    end
    if not saved then error(problem, 0) end
end

local function send(layout, ctx, list, progress)
    local names, size = {}, 0
    for i, entry in ipairs(list) do
        names[i], size = entry.name, size + entry.size
    end
    local text = "sending " .. table.concat(names, ", ")
    if #layout.nodes > 1 then text = ("%s to %s"):format(text, layout.name) end
    provider.send_what_lacks(function() return ctr(layout, { "content", "ls", "-q" }).stdout end, function(there)
        import(layout, ctx, names, there, function(sent) progress("images", text, math.min(sent, size), size) end)
    end)
    progress("images", "loaded", size, size)
end

-- The same content under another name costs no transfer.
local function name_again(layout, notes, there, name, id)
    for other, note in pairs(notes) do
        if other ~= name and note.id == id and there[full_name(other)] then
            return ctr(layout, { "images", "tag", "--force", full_name(other), full_name(name) }, { check = false })
                .status == 0
        end
    end
    return false
end

-- The kubelet is told to collect no image, so older tags of the same repository go here.
local function prune(layout, notes, name)
    local repository = name:match("^(.*):[^:/]*$") or name
    local tags = {}
    for noted, note in pairs(notes) do
        if (noted:match("^(.*):[^:/]*$") or noted) == repository and not noted:find(":latest$") then
            tags[#tags + 1] = { name = noted, time = note.time }
        end
    end
    table.sort(tags, function(a, b) return a.time > b.time end)
    for i = KEPT_TAGS + 1, #tags do
        ctr(layout, { "images", "remove", full_name(tags[i].name) }, { check = false })
        notes[tags[i].name] = nil
    end
end

---Sends images that containerd lacks or has under another id.
---@async
---@param layout todo.StandaloneNode
---@param ctx todo.ClusterContext
---@param names string[]
---@param there table<string, true>? what images.present said, if it was asked before
---@param again boolean? send them whatever the notes say: another image may have got the name since
---@return string[] sent
function images.load(layout, ctx, names, there, again)
    local notes = read_notes(layout)
    there = there or images.present(layout)
    local sent, queue = {}, {}
    for _, name in ipairs(names) do
        local image = provider.image(ctx, name)
        local note = notes[name]
        if again or not (note and note.id == image.Id and there[full_name(name)]) then
            if again or not name_again(layout, notes, there, name, image.Id) then
                queue[#queue + 1] = { name = name, size = image.Size or 0 }
            end
            sent[#sent + 1] = name
            notes[name] = { id = image.Id, time = proc.time() }
        end
    end
    if #queue > 0 then send(layout, ctx, queue, provider.progress(ctx)) end
    for _, name in ipairs(sent) do prune(layout, notes, name) end
    if #sent > 0 then write_notes(layout, notes) end
    return sent
end

return images
