-- What package net of Go says where a server cannot be reached, so that scripts that read helm's errors find it.
local fail = require "fail"

local gonet = {}

---The reason at the bottom of a problem.
---@param problem any
---@return string
local function reason_of(problem)
    local cause = fail.field(problem, "cause")
    while cause do
        problem, cause = cause, fail.field(cause, "cause")
    end
    return fail.message(problem)
end

---@param url string
---@param problem any what a request of it raised
---@return string
function gonet.message(url, problem)
    local reason = reason_of(problem)
    local where, why = reason:match("^cannot connect to (%S+): (.*)$")
    if where then reason = ("dial tcp %s: connect: %s"):format(where, why:gsub("^%u", string.lower)) end
    return ('Get "%s": %s'):format(url, reason)
end

return gonet
