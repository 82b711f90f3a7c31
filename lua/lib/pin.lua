-- Before the first write: the client is bound to the cluster that it found.
local fail = require "fail"
local term = require "term"

local pin = {}

local said = false

---Pins the client to the UID of kube-system. Where that may not be read, the authority of the kubeconfig and the
---server's address stand in, which TLS proves on every connection; that is said once.
---@async
---@param client todo.K8s
function pin.set(client)
    local ok, uid = pcall(client.cluster_uid, client)
    if ok then
        client:pin(uid)
        return
    end
    if fail.kind(uid) ~= "denied" or fail.field(uid, "status") ~= 403 then error(uid, 0) end
    if said then return end
    said = true
    local authority = client.ca_sha256 and "the authority " .. client.ca_sha256:sub(1, 12)
        or "this machine's authorities"
    local text = "warning: kube-system may not be read here: %s and %s stand in for the cluster's identity\n"
    term.write_err(text:format(authority, client.server))
end

return pin
