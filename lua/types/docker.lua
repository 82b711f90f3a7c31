---@meta docker

---The Docker Engine API.
local docker = {}

---@class todo.DockerConnect
---@field host string? "unix:///var/run/docker.sock", "tcp://…"; default the first usual socket of this machine
---@field cert_path string? folder with ca.pem, cert.pem, key.pem, which mean TLS; each of them may be missing
---@field tls_verify boolean? default false where there is a cert_path, else true

---Connects and negotiates the API version. Without a host: to the engine that the docker command uses ($DOCKER_HOST,
---$DOCKER_CONTEXT, the current context, a usual socket), and in a shell of `minikube docker-env` to the one of before. Raises
---"connect" where nothing listens, "denied" where the socket may not be used, "timeout" where the engine hangs, with hints.
---@async
---@param options todo.DockerConnect?
---@return todo.Docker
function docker.connect(options) end

---Hash (64 hex digits of SHA-256) of a build context: names, kinds, executable bits, link targets and contents of what the
---ignore rules keep, the Dockerfile's text and the `extra` strings; independent of times, owners, other mode bits and the
---machine. Computed off the loop. `ignore_file` replaces the rules that a build would use (see Docker:build).
---@async
---@param dir string
---@param options { dockerfile: string?, ignore_file: string?, extra: string[]? }?
---@return string hash
function docker.context_hash(dir, options) end

---A client without any talk to the engine; docker.connect is what scripts want.
---@param options todo.DockerConnect?
---@return todo.Docker
function docker.open(options) end

---Splits the output stream of a container without a terminal.
---@return todo.DockerFrames
function docker.frames() end
---@class todo.DockerFrames
local DockerFrames = {}
---@param bytes string any piece of the stream
---@return string[] pieces "stdout" or "stderr", bytes, and so on
function DockerFrames:feed(bytes) end

---@class todo.Docker
---@field host string
---@field api_version string
---@field server_version string
---@field os string
local Docker = {}

---@class todo.BuildOptions
---@field context string folder
---@field dockerfile string path of the Dockerfile, inside or outside the context
---@field ignore_file string? rules instead of DOCKERFILE.dockerignore or .dockerignore
---@field tags string[]?
---@field args table<string,string>?
---@field labels table<string,string>?
---@field target string?
---@field no_cache boolean?
---@field pull boolean?
---@field cache_from string[]?
---@field network string?
---@field platform string?
---@field extra_files table<string,string>? name in the context to bytes, added after the rules (a CA bundle)
---@field secrets table<string, string|todo.Secret>? by their ids, for RUN --mount=type=secret,id=…; given from memory
---@field ssh boolean? forward the user's SSH agent (SSH_AUTH_SOCK) to RUN --mount=type=ssh
---@field on_progress fun(event: todo.BuildEvent)?
---@field timeout number|string? default none

---@class todo.BuildEvent
---@field step integer? number of the running step
---@field steps integer? of how many
---@field text string? the step's instruction, or a line of its output
---@field stream "step"|"output"|"context"|"pull"
---@field bytes integer? sent or received so far
---@field total integer?

---Builds with the .dockerignore rules (Dockerfile.dockerignore beside the Dockerfile wins). Raises kind "build" where a step fails: the message
---names the step, `output` holds its last lines and `status` its exit status. Other kinds: "pull" (a base image cannot be had), "no_space".
---BuildKit builds where the engine has it, and is sent those of the files that it needs and does not have from an earlier build;
---else the classic builder does, which knows neither secrets nor the SSH agent.
---Files get the mode 0644 or 0755 and one fixed time, so that the same sources hit the cache on every machine.
---@async
---@param options todo.BuildOptions
---@return { id: string, tags: string[], seconds: number, cached: boolean }
function Docker:build(options) end

---nil where there is none.
---@async
---@param name string
---@return table? as GET /images/{name}/json
function Docker:image(name) end
---Steps that made an image, the newest first, as GET /images/{name}/history.
---@async
---@param name string
---@return { Id: string, CreatedBy: string, Created: integer, Size: integer, Tags: string[]? }[]
function Docker:history(name) end
---@async
---@param options { filters: table<string,string[]>? }?
---@return table[]
function Docker:images(options) end
---@async
---@param source string
---@param target string "name:tag"
function Docker:tag(source, target) end
---@async
---@param name string
---@param options { force: boolean?, no_prune: boolean? }?
---@return boolean removed
function Docker:remove_image(name, options) end
---@async
---@param name string
---@param options { platform: string?, on_progress: fun(event: todo.BuildEvent)?, auth: todo.RegistryAuth? }?
function Docker:pull(name, options) end

---@async
---@param name string
---@param options { on_progress: fun(event: todo.BuildEvent)?, auth: todo.RegistryAuth? }?
---@return string? digest "sha256:…" of the manifest, as the registry knows it
function Docker:push(name, options) end
---The digest under which an image's repository knew it when it was pulled from there or pushed to it.
---@async
---@param name string "registry.example.com/app:1"
---@return string? digest nil where neither happened
function Docker:digest(name) end
---What the registry has under a name, as GET /distribution/{name}/json; nil where it has nothing.
---@async
---@param name string
---@param options { auth: todo.RegistryAuth? }?
---@return { Descriptor: { digest: string, size: integer, mediaType: string } }?
function Docker:distribution(name, options) end

---The images as the bytes of a docker archive.
---@async
---@param names string|string[]
---@return todo.HttpStream
function Docker:export(names) end
---Writes the images as a docker archive to a file, a process's stdin or a function.
---@async
---@param names string|string[]
---@param sink string|todo.Process|fun(bytes: string)
---@param options { on_progress: fun(bytes: integer)? }?
---@return integer bytes
function Docker:save(names, sink, options) end
---Loads a docker archive from a file.
---@async
---@param path string
---@param options { on_progress: fun(event: todo.BuildEvent)? }?
---@return string[] names
function Docker:load(path, options) end
---Makes an image of a root file system archive.
---@async
---@param path string tar file
---@param tag string
---@param options { changes: string[]?, on_progress: fun(bytes: integer)? }? changes: Dockerfile instructions (ENV, CMD …)
---@return string id
function Docker:import(path, tag, options) end

---@class todo.RunOptions
---@field image string
---@field name string?
---@field cmd string[]?
---@field entrypoint string[]?
---@field env table<string, string|todo.Secret>?
---@field labels table<string,string>?
---@field ports table<string,string>? "5432/tcp" → "127.0.0.1:5432" or "5432"
---@field mounts { type: "volume"|"bind"|"tmpfs", source: string?, target: string, read_only: boolean? }[]?
---@field network string?
---@field user string?
---@field restart string? "unless-stopped" …
---@field extra_hosts string[]?
---@field auto_remove boolean?
---@field memory integer? bytes

---Creates a container without starting it.
---@async
---@param options todo.RunOptions
---@return string id
function Docker:create(options) end
---A file or folder of a container, started or not, as a tar archive. Raises "not_found" where it has none of that name.
---@async
---@param name string
---@param path string
---@return todo.HttpStream
function Docker:archive(name, path) end
---Creates and starts a container.
---@async
---@param options todo.RunOptions
---@return string id
function Docker:run(options) end
---@async
---@param name string
---@return table? as GET /containers/{name}/json
function Docker:container(name) end
---@async
---@param options { all: boolean?, filters: table<string,string[]>? }?
---@return table[]
function Docker:containers(options) end
---@async
---@param name string
function Docker:start(name) end
---@async
---@param name string
---@param seconds integer? grace, default 10
function Docker:stop(name, seconds) end
---@async
---@param name string
---@param options { force: boolean?, volumes: boolean? }?
---@return boolean removed
function Docker:remove(name, options) end
---@async
---@param name string
---@return integer status
function Docker:wait(name) end
---@async
---@param name string
---@param options { follow: boolean?, tail: integer?, timestamps: boolean?, stdout: boolean?, stderr: boolean? }?
---@return todo.DockerLines lines; next() gives line and "stdout" or "stderr"
function Docker:logs(name, options) end
---@class todo.DockerLines
local DockerLines = {}
---@async
---@return string? line
---@return "stdout"|"stderr"|nil stream
function DockerLines:next() end
function DockerLines:close() end
---@async
---@param name string
---@param argv string[]
---@param options { stdin: string|async fun(write: async fun(bytes: string))?, env: table<string,string>?, user: string?,
---cwd: string?, timeout: number|string? }? stdin: text, or a function that writes it piece by piece
---@return { status: integer, stdout: string, stderr: string }
function Docker:exec(name, argv, options) end

---@async
---@return table[]
function Docker:networks() end
---@async
---@param name string
---@return table?
function Docker:network(name) end
---@async
---@param name string
---@param options { labels: table<string,string>?, driver: string?, subnet: string? }?
---@return string id
function Docker:create_network(name, options) end
---@async
---@param name string
---@return boolean
function Docker:remove_network(name) end
---@async
---@param name string
---@param options { labels: table<string,string>? }?
function Docker:create_volume(name, options) end
---@async
---@param name string
---@return boolean
function Docker:remove_volume(name) end
---@async
---@return table as GET /info
function Docker:info() end

---@class todo.DockerRequest
---@field body any? sent as JSON
---@field query table<string, any>? a list repeats the name, a map is sent as JSON
---@field timeout number|string? default 120 s, 0: none
---@field absent boolean? 404 gives nil instead of an error
---@field text boolean? leave a JSON answer as text
---@field auth todo.RegistryAuth? for requests that the engine passes on to a registry

---A raw request. Raises for every status of 400 and more, with the engine's message.
---@async
---@param method string
---@param path string without the version prefix
---@param options todo.DockerRequest?
---@return any body decoded JSON, or bytes; nil where there is none
---@return integer status
function Docker:request(method, path, options) end
---@async
---@param method string
---@param path string
---@param options todo.DockerRequest?
---@return any body
---@return integer status
function Docker:call(method, path, options) end

---A request whose answer is read piece by piece, whatever its status (Docker:refused raises what the engine meant).
---@async
---@param method string
---@param path string
---@param options { query: table<string, any>? }?
---@return todo.HttpStream
function Docker:stream(method, path, options) end
---@param status integer
---@param body string
function Docker:refused(status, body) end

---A POST whose answer is a stream of progress messages.
---@param path string
---@param options { query: table<string, any>?, file: string?, content_type: string?, context: table?, auth: table? }
---@return todo.DockerTransfer
function Docker:transfer(path, options) end
---@class todo.DockerTransfer
local DockerTransfer = {}
---@async
---@return todo.BuildEvent? event nil at the end
function DockerTransfer:next() end
---@return { id: string?, cached: boolean, loaded: string[] }
function DockerTransfer:result() end
function DockerTransfer:close() end

---A POST whose connection becomes a byte stream (exec start, attach).
---@param path string
---@param options { body: any?, tty: boolean? }?
---@return todo.DockerHijack
function Docker:hijack(path, options) end
---@class todo.DockerHijack
local DockerHijack = {}
---@async
---@return string? bytes nil at the end
---@return "stdout"|"stderr"|nil stream
function DockerHijack:read() end
---@async
---@param bytes string
function DockerHijack:write(bytes) end
function DockerHijack:close_input() end
function DockerHijack:close() end

---Settles the version of the API and the fields of the client; docker.connect does it.
---@param version string of the engine's API
---@param fields table
function Docker:negotiate(version, fields) end

function Docker:close() end

return docker
