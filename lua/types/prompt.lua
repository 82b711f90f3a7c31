---@meta prompt

---The kinds and objects of the cluster at the prompt. `pods`, `deploy`, `svc`, … are kinds: `deploy.backend` is the object
---whose name is, ends with or starts with "backend", or whose component label says so; `_` in a name stands for `-`.
---Printed, a kind is kubectl's table and an object its row.
local prompt = {}

---@class todo.PromptKind
local Kind = {}

---@async
---@param options { labels: todo.Selector?, all_namespaces: boolean? }?
---@return todo.PromptObject[]
function Kind:list(options) end

---@async
---@return string[]
function Kind:names() end

---@async
---@param name string
---@return todo.PromptObject
function Kind:get(name) end

---An object of the cluster; its fields are the object's own (`pod.status.phase`).
---@class todo.PromptObject
local Object = {}

---Prints the log of a pod, or of all pods of a workload or service.
---@async
---@param options { container: string?, tail: integer?, previous: boolean?, since: string?, follow: boolean? }? tail: 100
function Object:logs(options) end

---Says in a few lines why a pod or workload is not Ready.
---@async
function Object:why() end

---Prints the events about the object.
---@async
function Object:events() end

---Prints what `todo-lua kube describe` prints.
---@async
function Object:describe() end

---The object as YAML; the values of a Secret are hidden.
---@return string
function Object:yaml() end

---A URL of a service that answers from this machine; what was tried where none does.
---@async
---@return string
function Object:url() end

---Runs a command in a pod (of a workload: in its first pod) and returns what it printed.
---@async
---@param command string[]
---@return string
function Object:exec(command) end

---Replaces the pods of a workload. Needs `:write on`.
---@async
function Object:restart() end

---@async
---@param replicas integer needs `:write on`
function Object:scale(replicas) end

---Merges a table into the object. Needs `:write on`.
---@async
---@param patch table
function Object:patch(patch) end

---Needs `:write on`.
---@async
function Object:delete() end

return prompt
