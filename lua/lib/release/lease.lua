-- Shows that a release is being worked on, and by whom: a Lease (coordination.k8s.io) that the running program renews.
-- A record that is pending while its lease is not renewed was left by a program that was killed.
local fail = require "fail"
local fs = require "fs"
local proc = require "proc"
local secret = require "secret"
local task = require "task"

local lease = {}

---Numbers of the lease's life; scripts may change them.
lease.settings = {
    seconds = 15, -- a lease that is not renewed for so long is nobody's
    renew_seconds = 5,
}

local KIND = "coordination.k8s.io/v1/Lease"
local POLL_SECONDS = 1

local function name_of(env) return "todo-lua.release." .. env.name end

-- Process ids mean something only within their namespace.
local function pid_space()
    local space = fs.stat("/proc/self/ns/pid")
    return space and tostring(space.inode) or "0"
end

local own_identity
local function identity()
    own_identity = own_identity or table.concat({ proc.platform().hostname, pid_space(), proc.pid(),
        proc.alive(proc.pid()) or 0, secret.sha256(tostring(proc.time())):sub(1, 8) }, " ")
    return own_identity
end

local function micro_time()
    local now = proc.time()
    return os.date("!%Y-%m-%dT%H:%M:%S", math.floor(now)) .. (".%06dZ"):format(math.floor(now % 1 * 1e6))
end

-- A program of this machine that has ended holds nothing; of any other the answer is nil.
local function is_local_corpse(holder)
    local host, space, pid, start = (holder or ""):match("^(%S+) (%S+) (%d+) (%d+) ")
    if host ~= proc.platform().hostname or space ~= pid_space() then return nil end
    return proc.alive(tonumber(pid)) ~= tonumber(start)
end

local function holder_of(live) return live.spec and live.spec.holderIdentity or "" end

---Who works on the release: nil where nobody holds a lease.
---@async
---@param env todo.ReleaseEnv
---@return { alive: boolean, holder: string }? found waits up to the lease's duration where only its renewal can tell
function lease.look(env)
    local live = env.client:get(KIND, name_of(env), { namespace = env.namespace })
    if not live then return nil end
    local holder = holder_of(live)
    if holder == identity() then return { alive = true, holder = holder } end
    local corpse = is_local_corpse(holder)
    if corpse ~= nil then return { alive = not corpse, holder = holder } end
    -- Clocks of two machines differ: only a renewal that is seen, or not, counts.
    local seen, deadline = live.spec.renewTime, task.now() + (live.spec.leaseDurationSeconds or lease.settings.seconds)
    while task.now() < deadline do
        task.sleep(POLL_SECONDS)
        live = env.client:get(KIND, name_of(env), { namespace = env.namespace })
        if not live then return nil end
        if live.spec.renewTime ~= seen then return { alive = true, holder = holder } end
    end
    return { alive = false, holder = holder }
end

---@param env todo.ReleaseEnv
---@param holder string?
function lease.raise_busy(env, holder)
    local host, pid = (holder or ""):match("^(%S+) %S+ (%d+)")
    local message = "another operation (install/upgrade/rollback) is in progress"
    if host then message = ("%s: process %s on %s works on release %s"):format(message, pid, host, env.name) end
    fail.raise("conflict", message, host and "wait for it to end"
        or ("wait until it has ended; where its program was killed: todo-lua helm rollback %s"):format(env.name))
end

local function spec(transitions)
    local now = micro_time()
    return { holderIdentity = identity(), leaseDurationSeconds = lease.settings.seconds, acquireTime = now,
        renewTime = now, leaseTransitions = transitions }
end

-- Creates the lease, or takes over one whose holder is gone.
local function take(env)
    local client = env.client
    local live = client:get(KIND, name_of(env), { namespace = env.namespace })
    if not live then
        return client:create({ apiVersion = "coordination.k8s.io/v1", kind = "Lease",
            metadata = { name = name_of(env), namespace = env.namespace }, spec = spec(0) })
    end
    local found = lease.look(env)
    if found and found.alive then lease.raise_busy(env, found.holder) end
    live.spec = spec((live.spec.leaseTransitions or 0) + 1)
    return client:update(live)
end

local function renew(env)
    while true do
        task.sleep(lease.settings.renew_seconds)
        -- What fails once may succeed the next time; a lease that nobody renews expires.
        pcall(env.client.patch, env.client, KIND, name_of(env),
            { spec = { holderIdentity = identity(), renewTime = micro_time() } }, { namespace = env.namespace })
    end
end

local function acquire(env)
    local ok, problem = pcall(take, env)
    if ok then return true end
    -- Somebody who may not have leases works without one, as helm does.
    if fail.kind(problem) == "denied" then return false end
    if fail.kind(problem) == "exists" or fail.kind(problem) == "conflict" and fail.field(problem, "status") then
        lease.raise_busy(env)
    end
    -- A namespace that is not there is told by whoever needs it next.
    if fail.kind(problem) == "not_found" then return false end
    error(problem, 0)
end

---Runs fn while holding the release's lease; a call within another's fn holds it already.
---@async
---@param env todo.ReleaseEnv
---@param on_abort async fun() called where the running task is cancelled meanwhile
---@param fn async fun(): any
---@return any result
function lease.hold(env, on_abort, fn)
    if env.held then return fn() end
    env.held = {}
    local held, has_lease = env.held, acquire(env)
    local renewal = has_lease and task.spawn(renew, env)
    local function give_back()
        env.held = nil
        if renewal then renewal:cancel() end
        if has_lease then pcall(env.client.delete, env.client, KIND, name_of(env), { namespace = env.namespace }) end
    end
    task.defer(function()
        if env.held ~= held then return end
        pcall(on_abort)
        give_back()
    end)
    local ok, result = pcall(fn)
    give_back()
    if not ok then error(result, 0) end
    return result
end

return lease
