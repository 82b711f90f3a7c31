-- Joining a process of a pod: what becomes of one that has ended meanwhile.
local attaching = require "kubectl.attaching"
local lu = require "luaunit"

local tests = {}

-- A session whose container cannot be joined, for this reason; and what its log has.
local function session(problem, log)
    local given
    return {
        writer = function() return { attach = function() error(problem, 0) end } end,
        client = { logs = function()
            return setmetatable({ read = function()
                local text = not given and log or nil
                given = true
                return text
            end }, { __close = function() end })
        end },
    }
end

local function follow(problem)
    local written = {}
    local before_out, before_err, write = io.stdout, io.stderr, io.write
    io.stdout = { flush = function() end } -- luacheck: ignore 122
    io.stderr = { write = function(_, text) written[#written + 1] = text end } -- luacheck: ignore 122
    io.write = function(text) written[#written + 1] = text end -- luacheck: ignore 122
    local results = table.pack(pcall(attaching.follow, session(problem, "over\n"), { metadata = { name = "brief", namespace = "n" } },
        { name = "c" }, { quiet = true }))
    io.stdout, io.stderr, io.write = before_out, before_err, write -- luacheck: ignore 122
    return results, table.concat(written)
end

-- The API server refuses to join it, or the kubelet says on the open connection that it cannot.
function tests.log_is_printed_in_place_of_a_process_that_has_ended()
    for _, problem in ipairs { { kind = "kube", message = "container not found", status = 404 },
        { kind = "kube", message = "Internal error occurred: error attaching to container: no running task found" } } do
        local results, written = follow(problem)
        lu.assertEquals(results, { true, 0, n = 2 })
        lu.assertEquals(written, "warning: couldn't attach to pod/brief, falling back to streaming logs: "
            .. problem.message .. "\nover\n")
    end
end

function tests.cancel_is_no_reason_for_a_log()
    local problem = { kind = "cancelled", message = "cancelled" }
    local results, written = follow(problem)
    lu.assertEquals({ results[1], results[2] }, { false, problem })
    lu.assertEquals(written, "")
end

return tests
