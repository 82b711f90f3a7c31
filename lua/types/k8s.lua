---@meta k8s

---The Kubernetes API. Objects are plain tables in the API's own shape. Errors carry the Status: kind "not_found",
---"conflict", "exists", "denied" (401, 403), "invalid" (422), "gone" (410), "busy" (429), "connect", "tls", "timeout",
---"http", "wrong_cluster", "read_only", "closed"; `status` is the HTTP status, `cause` the first field's or conflict's
---own reason (its `cause` the next one). A kind that the server does not have is "not_found" without a status.
local k8s = {}

---@class todo.K8sConnect
---@field kubeconfig string? path; default $KUBECONFIG (a list) or ~/.kube/config
---@field context string? default: current-context
---@field cluster string? of the kubeconfig, in place of the context's
---@field user string? of the kubeconfig, in place of the context's
---@field namespace string? default: the context's, else "default"
---@field server string? URL in place of the context's; without a kubeconfig it is enough
---@field server_name string? that its certificate is for
---@field ca string? PEM text of the authorities, in place of the kubeconfig's
---@field insecure boolean? trust any server, whatever the kubeconfig says
---@field cert string? PEM text of a client certificate, in place of the user's; goes with `key`
---@field key string|todo.Secret? PEM text of its private key
---@field token string|todo.Secret?
---@field username string?
---@field password string|todo.Secret?
---@field as string? user to act as
---@field as_uid string? UID to act as
---@field as_groups string[]? groups to act as
---@field user_agent string?
---@field timeout number|string? of a plain request, default 30
---@field trace boolean? log each answer to standard error: method, URL, status, milliseconds

---Reads the kubeconfig; no request yet. Raises "not_found" with a hint where there is none.
---@param options todo.K8sConnect?
---@return todo.K8s
function k8s.connect(options) end

---Contexts of the kubeconfig, with what they point to. Fields that the file leaves open are nil.
---@param options { kubeconfig: string? }?
---@return { name: string, cluster: string?, user: string?, namespace: string, server: string?, current: boolean, ca_sha256: string? }[]
function k8s.contexts(options) end

---The items of a list's JSON text as kubectl prints them inside a List (keys sorted, indented by four, two levels deep),
---joined by commas: for the output of lists that are too large for tables. Raises "parse".
---@param text string one page, as request { text = true } brings it
---@param options { api_version: string, kind: string, managed_fields: boolean? } the first two for items that lack them;
---managed_fields keeps metadata.managedFields
---@return string text
---@return integer count
---@return string? continue the token of the next page
function k8s.items_text(text, options) end

---@class todo.K8s
---@field context string
---@field namespace string
---@field server string
---@field ca_sha256 string? hex, of the CA certificates (DER) of the kubeconfig
local K8s = {}

---A kind: "pods", "Pod", "po", "deployments.apps", "apps/v1/Deployment", or an object with apiVersion and kind.
---@alias todo.Kind string|table

---A selector: "app=web,tier in (a,b)" or { app = "web", tier = { "a", "b" }, debug = true, old = false } (the booleans: the
---label is there, or is not).
---@alias todo.Selector string|table<string, string|string[]|boolean>

---@class todo.K8sOptions
---@field namespace string? default: the client's
---@field all_namespaces boolean? list and watch
---@field labels todo.Selector? label selector of list and watch
---@field fields todo.Selector? field selector of list and watch
---@field limit integer? list: at most so many, in one page; default: all, fetched in pages
---@field timeout number|string?
---@field subresource string?
---@field resource_version string?

---nil where it does not exist.
---@async
---@param kind todo.Kind
---@param name string
---@param options todo.K8sOptions?
---@return table?
function K8s:get(kind, name, options) end

---Large lists are fetched in pages of 500.
---@async
---@param kind todo.Kind
---@param options todo.K8sOptions?
---@return table[] items each with apiVersion and kind filled
---@return table metadata of the list
function K8s:list(kind, options) end

---@async
---@param object table
---@param options { namespace: string?, dry_run: boolean?, field_manager: string? }?
---@return table
function K8s:create(object, options) end

---@async
---@param object table
---@param options { namespace: string?, dry_run: boolean?, field_manager: string?, subresource: string? }?
---@return table
function K8s:update(object, options) end

---Server-side apply. Conflicts raise kind "conflict" naming manager and field.
---@async
---@param object table
---@param options { namespace: string?, field_manager: string?, force: boolean?, dry_run: boolean?, subresource: string? }?
---@return table
function K8s:apply(object, options) end

---@async
---@param kind todo.Kind
---@param name string
---@param patch table|table[]
---@param options { namespace: string?, type: "merge"|"json"|"strategic"?, subresource: string?, dry_run: boolean?, field_manager: string? }? type default "merge"
---@return table
function K8s:patch(kind, name, patch, options) end

---@async
---@param kind todo.Kind
---@param name string
---@param options { namespace: string?, propagation: "Background"|"Foreground"|"Orphan"?, grace: integer?, uid: string?, dry_run: boolean? }?
---@return boolean deleted false where it did not exist
function K8s:delete(kind, name, options) end

---@class todo.WatchOptions
---@field namespace string?
---@field all_namespaces boolean?
---@field labels todo.Selector?
---@field fields todo.Selector?
---@field resource_version string? starts after this version instead of with the present objects
---@field accept string? media type in which the server gives each object, such as a Table's; goes with a resource_version
---@field managed_fields boolean? keep the objects' metadata.managedFields, half of a small object
---@field bookmarks boolean? deliver BOOKMARK events too; the first stands at the end of the present objects (its object is a list)

---Iterates events { type = "ADDED"|"MODIFIED"|"DELETED"|"BOOKMARK", object = … } until closed: `for event in watch do`.
---Starts with the present objects as ADDED. Reconnects after disconnects and lists again after an expired version, so that
---no object's end or newest state is missed and nothing comes twice; an object that went unseen meanwhile is DELETED with
---its identity only (apiVersion, kind, and of metadata name, namespace, uid, resourceVersion). Raises what refuses the
---first list, a refusal that lasts over a minute, and "gone" where a given resource_version is too old.
---@param kind todo.Kind
---@param options todo.WatchOptions?
---@return todo.Watch
function K8s:watch(kind, options) end

---@class todo.Watch
---@overload fun(): { type: string, object: table }?
local Watch = {}
---@async
---@param timeout number|string? raises "timeout"
---@return { type: string, object: table }? event nil after close
function Watch:next(timeout) end
function Watch:close() end

---@class todo.CacheOptions
---@field namespace string?
---@field all_namespaces boolean?
---@field labels todo.Selector?
---@field fields todo.Selector?
---@field indexes table<string, string[]>? by name the path of keys to a string in the objects; a list on the way or at the
---end stands for each of its items: { node = { "spec", "nodeName" } }

---A local copy of a kind's objects that a watch keeps up to date (an informer). It can be asked at any time without a
---request, and tells its changes: `for change in cache do`. Objects lack metadata.managedFields. lib/informer.lua runs
---handlers on it. Errors of the watch (see watch) come from sync and next.
---@param kind todo.Kind
---@param options todo.CacheOptions?
---@return todo.K8sCache
function K8s:cache(kind, options) end

---@class todo.K8sCache
---@overload fun(): { type: string, object: table, old: table? }?
local K8sCache = {}
---Waits until the first list is whole.
---@async
---@param timeout number|string? raises "timeout"
function K8sCache:sync(timeout) end
---The next change. The first call begins with every present object as ADDED; after it, a script that does not take the
---changes holds the copy back once 2000 wait. DELETED brings the last state that is known, MODIFIED the former one as old.
---@async
---@param timeout number|string? raises "timeout"
---@return { type: "ADDED"|"MODIFIED"|"DELETED", object: table, old: table? }? change nil after close
function K8sCache:next(timeout) end
---@param name string
---@param namespace string? default: the one that is watched, else the client's
---@return table? object
function K8sCache:get(name, namespace) end
---@param namespace string? default: all that are watched
---@return table[] objects sorted by namespace and name
function K8sCache:list(namespace) end
---@param index string
---@param value string
---@return table[] objects sorted by namespace and name
function K8sCache:by(index, value) end
---@return integer objects
function K8sCache:count() end
function K8sCache:close() end

---@class todo.LogOptions
---@field namespace string?
---@field container string?
---@field follow boolean? until the container ends; a broken connection is resumed without a gap and without doubles, also
---where the container has started anew meanwhile
---@field previous boolean?
---@field tail integer?
---@field since number|string? seconds
---@field since_time string? RFC 3339
---@field limit_bytes integer? of each request
---@field timestamps boolean?
---@field prefix string? in front of each line

---Lines of a container's log: `for line in k:logs("pod") do`.
---@param pod string
---@param options todo.LogOptions?
---@return todo.Lines
function K8s:logs(pod, options) end

---@class todo.Lines
---@overload fun(): string?
local Lines = {}
---@async
---@return string? line without its newline, nil at the end; a line over 1 MiB comes in pieces
function Lines:next() end
---Many lines at once, for logs that say much: all that has come, at most 64 KiB, which ends with a line's end except within
---a very long line.
---@async
---@return string? lines with their newlines, nil at the end
function Lines:read() end
---How often lines may be missing from a followed log: the node put away a full file, or the container ran more than once,
---while the connection was broken.
---@return integer
function Lines:gaps() end
---@async
---@return string all the rest in one string (at most 64 MiB)
function Lines:text() end
function Lines:close() end

---@class todo.ExecOptions
---@field command string[]? exec: the program and its arguments
---@field namespace string?
---@field container string? default: the pod's own default
---@field stdin boolean|string? true: write() and close_stdin() follow; a string is the whole input
---@field tty boolean? a terminal: one output stream, no stderr
---@field size { [1]: integer, [2]: integer }? columns and rows of the terminal
---@field timeout number|string? until the stream is open; default the client's

---Runs a command in a container; returns when the stream is open. A write for the pin and the read-only guard, as attach
---and forward are.
---@async
---@param pod string
---@param options todo.ExecOptions
---@return todo.K8sSession
function K8s:exec(pod, options) end

---Joins the container's own process.
---@async
---@param pod string
---@param options todo.ExecOptions?
---@return todo.K8sSession
function K8s:attach(pod, options) end

---A process in a pod. At most 1 MiB waits for the script (then the process waits), and as much for the network.
---@class todo.K8sSession
local K8sSession = {}
---What the process has written; nil at the end.
---@async
---@return "stdout"|"stderr"|nil stream
---@return string? bytes
function K8sSession:read() end
---Writes to its standard input; waits while the network is slower.
---@async
---@param bytes string
function K8sSession:write(bytes) end
---Ends its standard input. Raises "unsupported" where the server only speaks v4.channel.k8s.io.
function K8sSession:close_stdin() end
---Tells the terminal's new size.
---@param columns integer
---@param rows integer
function K8sSession:resize(columns, rows) end
---Waits for the end of the stream: the process's exit status. Raises "closed" or "timeout" where the stream broke before the
---process's end, and what the node said where it could not be started. Output that no read() asked for is dropped.
---@async
---@return integer status
function K8sSession:wait() end
---Closes the stream; a process that still runs may go on in the pod.
function K8sSession:close() end

---One connection to a port of a pod; returns when the stream is open (not when something listens there). Ends with kind
---"timeout" when the server has said nothing, not even answered a ping, for `silence` (default 60 s).
---@async
---@param pod string
---@param port integer
---@param options { namespace: string?, timeout: number|string?, silence: number|string? }?
---@return todo.K8sForward
function K8s:forward(pod, port, options) end

---@class todo.K8sForward
local K8sForward = {}
---@async
---@return string? bytes nil at the end; raises "connect" where nothing listens on the port
function K8sForward:read() end
---@async
---@param bytes string
function K8sForward:write(bytes) end
function K8sForward:close() end

---A raw request under the server's root. Like every other method it raises the server's refusal; the status is that of
---a success.
---@async
---@param method string
---@param path string "/version", "/api/v1/…"
---@param options { body: any?, headers: table<string,string>?, query: table<string,string>?, text: boolean?,
---timeout: number|string? }? text: the body is not decoded
---@return any body decoded where JSON, else text
---@return integer status
function K8s:request(method, path, options) end

---@async
---@return { gitVersion: string, major: string, minor: string, platform: string }
function K8s:version() end

---What the server calls a kind; nil where it has none such.
---@async
---@param kind todo.Kind
---@return { group: string, version: string, kind: string, plural: string, singular: string, namespaced: boolean }?
function K8s:resource(kind) end

---UID of the kube-system namespace.
---@async
---@return string
function K8s:cluster_uid() end

---From now on refuses every request but reads with kind "wrong_cluster" unless the cluster's UID is this one. Enforced in C,
---on the very connection that would carry the write. Reads are get, list, watch, logs and the review APIs.
---@param uid string
function K8s:pin(uid) end

---Refuses every request but reads, with kind "read_only". Enforced in C, cannot be undone on this client.
---@param why string
function K8s:read_only(why) end

function K8s:close() end

return k8s
