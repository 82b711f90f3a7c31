-- What minikube told of a cluster, for as long as that cannot have changed: each question costs a process.
local fs = require("fs")
local json = require("json")
local secret = require("secret")

local remembered = {}

-- One file for each profile; its name tells nothing of where the profile is, which the key does.
local function path(ctx, profile) return fs.join(ctx.state_dir, "minikube", profile .. ".json") end

---A key of everything that an answer depends on.
---@param ... string
---@return string
function remembered.key(...) return secret.sha256(table.concat({ ... }, "\0")) end

---@param ctx todo.ClusterContext
---@param profile string
---@param key string of remembered.key
---@return any? value nil where nothing was kept under this key
function remembered.get(ctx, profile, key)
    local ok, kept = pcall(json.decode, fs.read(path(ctx, profile)) or "")
    return ok and type(kept) == "table" and kept.key == key and kept.value or nil
end

---Keeps the value in place of what was kept for the profile.
---@param ctx todo.ClusterContext
---@param profile string
---@param key string
---@param value any
function remembered.put(ctx, profile, key, value)
    fs.mkdir(fs.dirname(path(ctx, profile)), 448) -- 0700
    fs.write(path(ctx, profile), json.encode({ key = key, value = value }), 384) -- 0600
end

---@param ctx todo.ClusterContext
---@param profile string
function remembered.forget(ctx, profile) fs.remove(path(ctx, profile)) end

return remembered
