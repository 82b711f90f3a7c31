-- Database connection refused: DATABASE_URL leads nowhere, or the database does not let the pods in.
local signals = require "signals"

-- Lua patterns over lower-cased log lines, and what each means.
local causes = {
    { "password authentication failed", "the database refuses the password" },
    { "no password supplied", "DATABASE_URL holds no password, and the database wants one" },
    { "role .- does not exist", "the database does not know the user" },
    { "database .- does not exist", "the server has no database of that name" },
    { "no pg_hba.conf entry", "the server's rules do not let this address, user or TLS mode in" },
    { "self.signed certificate", "the server's certificate is not trusted" },
    { "certificate verify failed", "the server's certificate is not trusted" },
    { "ssl.*not support", "the server speaks no TLS, but the URL demands it (sslmode)" },
    { "connection is insecure", "the server demands TLS: add sslmode=require to the URL" },
    { "endpoint.*not found", "the URL names an endpoint that the provider does not know" },
    { "too many c[lo]", "the server has no connection left" },
    { "name or service not known", "the host's name cannot be resolved from inside the cluster" },
    { "temporary failure in name resolution", "the host's name cannot be resolved from inside the cluster" },
    { "enotfound", "the host's name cannot be resolved from inside the cluster" },
    { "eai_again", "the host's name cannot be resolved from inside the cluster" },
    { "no answer within", "nothing answers at that address" },
    { "timed? ?out", "nothing answers at that address" },
    { "no route to host", "the network leads nowhere" },
    { "network is unreachable", "the network leads nowhere" },
    { "refused", "nothing listens at that address and port" },
    { "is not a url", "DATABASE_URL is no PostgreSQL URL" },
    { "is not set", "DATABASE_URL is missing" },
}
local marks = { "database refused", "database [^%s]+:%d+", "database_url", "asyncpg", "psycopg", "econnrefused.*5432",
    "password authentication failed" }

local function cause_of(line)
    local lower = line:lower()
    for _, entry in ipairs(causes) do
        if lower:find(entry[1]) then return entry[2] end
    end
    return "the database cannot be used"
end

local function fix_of(seen)
    local found = seen.database or {}
    if found.is_local then
        local text = found.container == "running" and "give the pods the local database's own URL (unset DATABASE_URL)"
            or "start the local database again, and give the pods its URL"
        return { text = text, action = "deploy" }
    end
    return {
        text = ("correct DATABASE_URL (now: %s): user, password, host, database and sslmode; then deploy again with "
            .. "it, "
            .. "for example --database ask. To go back to the local database: --database local"):format(
            found.address or found.problem or "missing"),
    }
end

-- The reason that one of the unready pods gives, newest words first.
local function complaint(seen, pod)
    for _, status in ipairs(signals.containers(pod)) do
        for _, previous in ipairs { false, true } do
            local line = signals.last_line(signals.log(seen, pod, status.name, previous), marks)
            if line then return line end
        end
    end
    local event = signals.latest_event(seen, pod.metadata.name, "Unhealthy", "database")
    return event
end

return {
    name = "database",
    symptom = "DB connection refused",
    find = function(seen)
        local findings = {}
        for _, pod in ipairs(signals.unready(seen)) do
            local line = complaint(seen, pod)
            if line then
                local found = seen.database or {}
                findings[#findings + 1] = {
                    object = "pod/" .. pod.metadata.name,
                    summary = ("%s gets no connection to the database"):format(signals.component(pod) or "the pod"),
                    cause = cause_of(line),
                    evidence = { line, "DATABASE_URL leads to " .. (found.address or found.problem or "?"),
                        found.is_local and "the local database's container: " .. tostring(found.container) or nil },
                    fix = fix_of(seen),
                }
            end
        end
        -- One database, one cause: the first pod speaks for all.
        return { findings[1] }
    end,
}
