-- Errors as kubectl words them, so that scripts which read them keep working; our hint stands on a line of its own.
local fail = require "fail"

local kube_errors = {}

-- The Status reasons by HTTP status. (What the client raises has the status and a kind, not the reason itself.)
local reasons = {
    [400] = "BadRequest", [401] = "Unauthorized", [403] = "Forbidden", [404] = "NotFound", [405] = "MethodNotAllowed",
    [406] = "NotAcceptable", [409] = "Conflict", [410] = "Gone", [413] = "RequestEntityTooLarge",
    [415] = "UnsupportedMediaType", [422] = "Invalid", [429] = "TooManyRequests", [500] = "InternalError",
    [503] = "ServiceUnavailable", [504] = "Timeout",
}

local function reason_of(problem)
    if problem.kind == "exists" then return "AlreadyExists" end
    return reasons[problem.status] or "InternalError"
end

-- "The Deployment "x" is invalid: " with one line for each field, each said once.
local function invalid(problem)
    local kind, name = problem.message:match('^([%w%-]+)[%w.%-]* "(.-)" is invalid')
    local start = kind and ("The %s %q is invalid"):format(kind, name) or "The request is invalid"
    local lines, seen = {}, {}
    local cause = problem.cause
    while cause do
        if not seen[cause.message] then lines[#lines + 1] = cause.message end
        seen[cause.message] = true
        cause = cause.cause
    end
    if #lines == 0 then return kind and start or start .. ": " .. problem.message end
    if #lines == 1 then return start .. ": " .. lines[1] end
    return start .. ": \n* " .. table.concat(lines, "\n* ")
end

local function refused(problem)
    if problem.status == 401 then
        return "error: You must be logged in to the server (" .. problem.message .. ")"
    end
    if problem.status == 422 and problem.kind == "invalid" then return invalid(problem) end
    local message = problem.message
    if message:find("^%u+ /%S*: the server answered 404") then
        message = "the server could not find the requested resource"
    end
    return ("Error from server (%s): %s"):format(reason_of(problem), message)
end

-- The messages of a problem and of what caused it.
local function whole_message(problem)
    local parts = {}
    while problem do
        parts[#parts + 1] = fail.message(problem)
        problem = fail.field(problem, "cause")
    end
    return table.concat(parts, ": ")
end

local function unreachable(problem)
    local message = whole_message(problem)
    if not message:find("refused") then return "Unable to connect to the server: " .. message end
    local host = message:match("https?://([^/%s]+)") or message:match("([%w%.%-]+:%d+)")
    return ("The connection to the server %s was refused - did you specify the right host or port?"):format(host or "?")
end

---What to print for anything that was raised, without a final newline.
---@param problem any
---@return string
function kube_errors.text(problem)
    if type(problem) ~= "table" and type(problem) ~= "userdata" then return "error: " .. tostring(problem) end
    if fail.field(problem, "problems") then
        local lines = {}
        for i, one in ipairs(problem.problems) do
            lines[i] = kube_errors.text(one)
            if #problem.problems > 1 then lines[i] = lines[i]:gsub("^error: ", "") end
        end
        return table.concat(lines, "\n")
    end
    local text
    if problem.verbatim then
        text = problem.message
    elseif problem.status and problem.status >= 400 then
        text = refused(problem)
    elseif problem.kind == "connect" or problem.kind == "tls" or problem.kind == "timeout" and not problem.status
        and not fail.field(problem, "waited") then
        text = unreachable(problem)
    else
        text = "error: " .. fail.message(problem)
    end
    return problem.hint and text .. "\n  " .. problem.hint:gsub("\n", "\n  ") or text
end

---An error that kubectl prints as "error: …".
---@param message string
---@param hint string?
function kube_errors.raise(message, hint) fail.raise("kube", message, hint) end

---Raises the message of the first case that is so.
---@param cases { [1]: any, [2]: string }[] whether it is wrong, and the message
function kube_errors.raise_first(cases)
    for _, case in ipairs(cases) do
        if case[1] then kube_errors.raise(case[2]) end
    end
end

---Raises one error for all: nothing where there is none, the only one, or all of them, one a line.
---@param problems any[]
function kube_errors.raise_all(problems)
    if #problems == 0 then return end
    if #problems == 1 then error(problems[1], 0) end
    fail.raise("kube", "several requests failed", nil, { problems = problems })
end

return kube_errors
