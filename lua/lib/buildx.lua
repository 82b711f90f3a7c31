-- Builds by the user's docker buildx. It brings what BuildKit asks the client of a build for (secrets, an SSH agent, a
-- registry's credentials) over a session, for which the Engine API alone has no way.
local docker = require "docker"
local fail = require "fail"
local fs = require "fs"
local json = require "json"
local prerequisites = require "prerequisites"
local proc = require "proc"
local secret = require "secret"
local tables = require "tables"

local buildx = {}

local RAWJSON_SINCE = "0.13"
local SAID_LINES = 50
local LONGEST_LINE = 1 << 20
local PRIVATE = 384 -- 0600

---@class todo.Buildx
---@field version string
---@field rawjson boolean its progress comes as JSON

---The user's docker buildx; nil where there is none.
---@async
---@return todo.Buildx?
function buildx.find()
    if not proc.which("docker") then return nil end
    local result = proc.run({ "docker", "buildx", "version" }, { check = false, timeout = 30 })
    local version = result.status == 0 and result.stdout:match("buildx v?(%d+%.%d+[%d.]*)")
    return version and { version = version, rawjson = prerequisites.at_least(version, RAWJSON_SINCE) } or nil
end

---Raises what is to be said where a build needs buildx and it is missing.
---@param what string "image.Dockerfile: RUN --mount=…"
function buildx.missing(what)
    fail.raise("unsupported", ("%s needs docker buildx, which is not installed"):format(what),
        "install it (package docker-buildx-plugin or docker-buildx, https://docs.docker.com/go/buildx)")
end

-- ---- what it says ----

-- buildx before 0.13 has its progress for people only: "#5 [2/3] RUN make", "#5 0.123 text", "#5 CACHED". The same as
-- the messages of later ones.
local function plain_reader()
    local names = {}
    local function vertex(id, more)
        return { vertexes = { tables.merge({ digest = id, name = names[id], started = "yes" }, more) } }
    end
    -- true: a line of the progress that says nothing more
    return function(line)
        local id, rest = line:match("^(#%d+) (.*)$")
        if not id then return nil end
        if not names[id] then
            names[id] = rest
            return vertex(id, {})
        end
        if rest == "CACHED" then return vertex(id, { cached = true, completed = "yes" }) end
        if rest:find("^DONE ") then return vertex(id, { completed = "yes" }) end
        local why = rest:match("^ERROR: (.*)$")
        if why then return vertex(id, { error = why, completed = "yes" }) end
        local text = rest:match("^%d+%.%d+ ?(.*)$")
        return text and { logs = { { vertex = id, data = secret.base64(text .. "\n") } } } or true
    end
end

-- A function that takes any piece of buildx's standard error, the progress that it fed, and the other lines.
local function listen(found, on_progress)
    local progress, said, rest = docker.progress(), {}, ""
    local plain = not found.rawjson and plain_reader()
    local function tell(message)
        for _, event in ipairs(progress:feed(message .. "\n")) do
            if on_progress then on_progress(event) end
        end
    end
    local function take(line)
        local message = plain and plain(line)
        if message then return message ~= true and tell(json.encode(message)) end
        if not plain and line:sub(1, 1) == "{" then return tell(line) end
        said[#said + 1] = line
        if #said > SAID_LINES then table.remove(said, 1) end
    end
    return function(chunk)
        rest = rest .. chunk
        local from = 1
        for line, after in rest:gmatch("([^\n]*)\n()") do
            take((line:gsub("\r$", "")))
            from = after
        end
        rest = rest:sub(from)
        if #rest > LONGEST_LINE then rest = "" end
    end, progress, said
end

-- The last line that is marked as a complaint, else the last one.
local function complaint(said)
    local last
    for index = #said, 1, -1 do
        local why = said[index]:match("^[Ee][Rr][Rr][Oo][Rr]: (.*)$")
        if why then return why end
        last = last or said[index]:match("^.*%S.*$")
    end
    return last
end

-- ---- what it is given ----

-- BuildKit takes a file for the one it knows from an earlier build if name, size and time are the same, and times are
-- fixed here: it must not know the folder, which it knows by its last name.
local function unknown_name() return secret.sha256(secret.random()) end

-- Lays the context out as a folder: buildx sends a folder, and honours the rules in it which keep a Dockerfile from
-- elsewhere out of the image.
local function lay_out(options, folder)
    local context <close> = docker.context { dir = options.context, dockerfile = options.dockerfile,
        ignore_file = options.ignore_file, files = options.extra_files }
    fs.mkdir(folder, 448)
    local child <close> = proc.spawn({ "tar", "-x", "-p", "-f", "-", "-C", folder },
        { stdin = "pipe", stdout = "null" })
    local sent = 0
    local written, problem = pcall(function()
        for bytes in context.read, context do
            child:write(bytes)
            sent = sent + #bytes
            if options.on_progress then options.on_progress { stream = "context", bytes = sent } end
        end
    end)
    child:close_stdin()
    local words = {}
    for chunk in child.read_err, child do words[#words + 1] = chunk end
    if child:wait() ~= 0 then
        local text = table.concat(words)
        fail.raise("io", ("the build context cannot be laid out in %s: %s"):format(folder, text:match("[^\n]*")),
            fail.space_hint(text), { cause = not written and problem or nil })
    end
    if not written then error(problem, 0) end
    return fs.join(folder, (context:dockerfile()))
end

-- Names of build arguments that docker, buildx or their runtime would take for settings of their own.
local OWN_NAMES = { "^PATH$", "^HOME$", "^TMPDIR$", "^GO", "^SSL_CERT_", "^DOCKER_", "^BUILDX_", "^BUILDKIT_", "^XDG_",
    "^OTEL_", "^SSH_", "^SOURCE_DATE_EPOCH$", "^COMPOSE_", "^LD_" }

local function is_own(name)
    for _, pattern in ipairs(OWN_NAMES) do
        if name:find(pattern) then return true end
    end
    return false
end

-- Everybody may see a command line: values of build arguments go through the environment, as far as they can.
local function add_args(argv, env, args)
    for _, name in ipairs(tables.keys(args or {})) do
        local value = tostring(args[name])
        argv[#argv + 1] = "--build-arg"
        if is_own(name) then
            argv[#argv + 1] = name .. "=" .. value
        else
            argv[#argv + 1], env[name] = name, value
        end
    end
end

-- Files with mode 0600 in a folder of this build alone.
local function add_secrets(argv, folder, needs, given)
    fs.mkdir(folder, 448)
    for index, id in ipairs(needs.secrets) do
        local value = given and given[id]
        if value then
            local path = fs.join(folder, tostring(index))
            fs.write(path, secret.is(value) and value:reveal() or value, PRIVATE)
            argv[#argv + 1] = "--secret"
            argv[#argv + 1] = ("id=%s,src=%s"):format(id, path)
        end
    end
end

local function add_all(argv, flag, list)
    for _, value in ipairs(list or {}) do
        argv[#argv + 1] = flag
        argv[#argv + 1] = value
    end
end

-- The builder of a docker context is the engine itself: what another one makes would stay with it.
local function environment(client)
    local env = {
        DOCKER_HOST = client.host, DOCKER_CONTEXT = false, BUILDX_BUILDER = false, SOURCE_DATE_EPOCH = false,
        DOCKER_CERT_PATH = client.cert_path, BUILDX_NO_DEFAULT_ATTESTATIONS = "1",
    }
    if client.tls_verify ~= nil then env.DOCKER_TLS_VERIFY = client.tls_verify and "1" end
    return env
end

local function command(found, options, needs, folder)
    local argv = { "docker", "buildx", "build", "--builder", "default", "--load", "--progress",
        found.rawjson and "rawjson" or "plain", "--metadata-file", folder .. "/built.json" }
    local labels = options.labels or {}
    add_all(argv, "--tag", options.tags)
    add_all(argv, "--label", tables.map(tables.keys(labels), function(name) return name .. "=" .. labels[name] end))
    add_all(argv, "--cache-from", options.cache_from)
    add_all(argv, "--target", { options.target })
    add_all(argv, "--network", { options.network })
    add_all(argv, "--platform", { options.platform })
    if options.no_cache then argv[#argv + 1] = "--no-cache" end
    if options.pull then argv[#argv + 1] = "--pull" end
    add_secrets(argv, folder .. "/secrets", needs, options.secrets)
    if options.ssh then add_all(argv, "--ssh", needs.ssh) end
    return argv
end

-- ---- building ----

-- What the engine has of what was built. Its image store decides whether an image goes by its manifest (containerd's)
-- or by its configuration.
local function find_built(client, path)
    local ok, built = pcall(json.decode, fs.read(path) or "")
    if not ok then return nil, "nothing" end
    local manifest, config = built["containerimage.digest"], built["containerimage.config.digest"]
    return manifest and client:image(manifest) or config and client:image(config), manifest or config or "nothing"
end

-- The engine's own word for what was built.
local function prove(client, options, path)
    local image, id = find_built(client, path)
    if not image then
        fail.raise("build", ("docker buildx built %s, which the engine does not have"):format(id),
            "look at docker buildx ls: the builder \"default\" has to be of the driver docker")
    end
    local labels = image.Config and image.Config.Labels or {}
    for name, value in pairs(options.labels or {}) do
        if labels[name] ~= value then
            fail.raise("build", ("the image that docker buildx built lacks the label %s=%s"):format(name, value))
        end
    end
    return image.Id
end

---Builds; the failures are those of Docker:build.
---@async
---@param client todo.Docker
---@param options todo.BuildOptions
---@param needs { secrets: string[], ssh: string[] } ids that its Dockerfile asks for
---@param found todo.Buildx
---@return { id: string, cached: boolean }
function buildx.build(client, options, needs, found)
    local private <close> = fs.tempdir()
    local folder = private.path
    local sources = fs.join(folder, unknown_name())
    local file = lay_out(options, sources)
    local argv, env = command(found, options, needs, folder), environment(client)
    add_args(argv, env, options.args)
    add_all(argv, "--file", { file })
    argv[#argv + 1] = sources
    local take, progress, said = listen(found, options.on_progress)
    local result = proc.run(argv, { env = env, stdout = "null", on_stderr = take, max_output = 1, check = false })
    local cached = progress:finish(result.status ~= 0
        and (complaint(said) or ("docker buildx ended with status %d"):format(result.status)) or nil)
    return { id = prove(client, options, folder .. "/built.json"), cached = cached }
end

return buildx
