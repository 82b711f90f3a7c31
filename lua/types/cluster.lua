---@meta cluster

---What a cluster provider (`lua/cluster/NAME.lua`) returns, and what every one of its functions is given. A provider
---never writes outside its own state folder, and never touches the user's ~/.kube/config.

---@class todo.ClusterContext
---@field config table the merged configuration (`lua/config.lua` and the overrides); a provider reads `config.cluster`
---@field log { info: fun(text: string), warn: fun(text: string), debug: fun(text: string) } full sentences for the user
---@field progress fun(name: string, text: string, done: number?, total: number?)? one live line called `name`
---@field docker todo.Docker? connected
---@field state_dir string "~/.local/state/todo-lua" ($XDG_STATE_HOME): a provider uses the folder of its own name below it
---@field cache_dir string "~/.cache/todo-lua" ($XDG_CACHE_HOME)
---@field context string? the kubeconfig context that the user named with --context
local ClusterContext = {}

---@class todo.ClusterDetection
---@field available boolean whether the provider can be used on this machine (installed, allowed)
---@field running boolean? a cluster of its own is up
---@field exists boolean? a cluster of its own was made before
---@field hangs boolean? it gave no answer in time; cluster.detect fills this
---@field reason string why it is not available, or what was found: a short clause for the user
---@field packages string[]? Debian packages whose installation would make it available

---@class todo.ClusterStatus
---@field state "absent"|"stopped"|"running"|"broken"
---@field version string? of the API server
---@field message string? why it is broken
---@field components table<string, "running"|"stopped">? by name, where the provider knows its parts
---@field nodes string[]? names, where the provider knows them

---@class todo.ClusterProvider
---@field name string
local ClusterProvider = {}

---Looks without changing anything; fast (no network, at most one child process).
---@async
---@param ctx todo.ClusterContext
---@return todo.ClusterDetection
function ClusterProvider.detect(ctx) end

---Makes the cluster run and returns when its node is Ready. Does nothing (and says nothing) where it runs already.
---@async
---@param ctx todo.ClusterContext
---@return boolean changed false where it ran already
function ClusterProvider.start(ctx) end

---Raises "denied" where this run may only look. Optional; start asks it by itself.
---@param ctx todo.ClusterContext
function ClusterProvider.check_named(ctx) end

---Ends everything that runs; data, images and workloads' definitions stay for the next start.
---@async
---@param ctx todo.ClusterContext
function ClusterProvider.stop(ctx) end

---Stops and removes everything the provider ever made but what it downloaded or built into the cache.
---@async
---@param ctx todo.ClusterContext
function ClusterProvider.delete(ctx) end

---Whether todo-lua made the cluster, for this stack alone: such a one is deleted with the stack. A provider whose clusters
---all are lacks this.
---@async
---@param ctx todo.ClusterContext
---@return boolean
function ClusterProvider.made_here(ctx) end

---@async
---@param ctx todo.ClusterContext
---@return todo.ClusterStatus
function ClusterProvider.status(ctx) end

---Where to connect, for k8s.connect.
---@async
---@param ctx todo.ClusterContext
---@return { kubeconfig: string?, context: string, ca_sha256: string?, owned: boolean } connection owned: the cluster is this
---provider's own on this machine (its CA proves it), so todo-lua may write to it without being told
function ClusterProvider.kubeconfig(ctx) end

---Address at which pods reach services that run on this machine. Exists once the cluster was started.
---@async
---@param ctx todo.ClusterContext
---@return string address an IP or a host name
function ClusterProvider.host_address(ctx) end

---Whether the cluster itself listens at a port of this machine, before any Service has it. Optional.
---@async
---@param ctx todo.ClusterContext
---@param port integer
---@return boolean
function ClusterProvider.holds_port(ctx, port) end

---Finds out what load_image will ask, while images are still compared with their sources. Optional.
---@async
---@param ctx todo.ClusterContext
function ClusterProvider.prepare_load(ctx) end

---Makes images of the local Docker known to the cluster's nodes; those that are there already with the same id cost nothing.
---@async
---@param ctx todo.ClusterContext
---@param images string[] "name:tag"
---@param again boolean? go by what the nodes have, not by what was noted when earlier ones were sent
---@return string[] loaded those that had to be sent
---@return table<string, string>? digests of the manifests in the registry that the nodes pull from, by name
function ClusterProvider.load_image(ctx, images, again) end

---The id of an image's configuration on the cluster's nodes.
---@async
---@param ctx todo.ClusterContext
---@param name string "name:tag", or what a pod's imageID says: "name@sha256:…"
---@return string? id "sha256:…"; nil where the nodes lack the image
function ClusterProvider.image_id(ctx, name) end

---Environment for a docker client whose builds are in the cluster at once; nil where the cluster has no such Docker. A
---provider whose clusters never have one lacks this.
---@async
---@param ctx todo.ClusterContext
---@return table<string,string>?
function ClusterProvider.docker_host(ctx) end

---The command that frees space in the Docker of docker_host; what has the one has the other.
---@param ctx todo.ClusterContext
---@return string
function ClusterProvider.prune_command(ctx) end

---URL at which this machine's browser reaches a NodePort of a Service.
---@async
---@param ctx todo.ClusterContext
---@param service { name: string, namespace: string, node_port: integer }
---@return string url
function ClusterProvider.url(ctx, service) end

---Add-ons of the provider.
---@async
---@param ctx todo.ClusterContext
---@param enable string[]? names to enable; nil only lists
---@return { name: string, enabled: boolean }[]
function ClusterProvider.addons(ctx, enable) end

---Log files of the cluster's own processes.
---@async
---@param ctx todo.ClusterContext
---@return table<string,string> path by the component's name
function ClusterProvider.logs(ctx) end

return ClusterProvider
