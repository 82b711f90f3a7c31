-- The database: the URL that was given, in the forms its users need, or PostgreSQL in a container beside the cluster.
local base_images = require "base_images"
local fail = require "fail"
local fs = require "fs"
local http = require "http"
local log = require "log"
local secret = require "secret"
local stack = require "stack"
local tables = require "tables"
local task = require "task"
local term = require "term"

local database = {}

local READY_SECONDS = 60
local MOST_SERVERS = 50 -- ports that are tried, from the configured one on
local LABEL = "todo-lua"

---@class todo.DatabaseUrl
---@field scheme string
---@field user string? still percent-encoded
---@field password string? still percent-encoded
---@field host string
---@field port integer
---@field name string
---@field query { [1]: string, [2]: string }[]

---Takes a PostgreSQL URL apart; raises "config" with the reason where it is none.
---@param text string
---@return todo.DatabaseUrl
function database.parse(text)
    local function refuse(why)
        fail.raise("config", "DATABASE_URL is no PostgreSQL URL: " .. why,
            "expected: postgresql://user:password@host:5432/database?sslmode=require")
    end
    local scheme, rest = text:match("^%s*([%w+]+)://(%S+)%s*$")
    if not scheme then refuse("it must start with postgresql:// and hold no spaces") end
    local family = scheme:match("^[^+]+")
    if family ~= "postgresql" and family ~= "postgres" then refuse("it names " .. scheme) end
    local before, query_text = rest:match("^([^?#]*)%??([^#]*)")
    local authority, name = before:match("^([^/]*)/?(.*)$")
    local login, address = authority:match("^(.*)@(.*)$")
    address = address or authority
    local host, port = address:match("^(%[[^%]]+%]):?(%d*)$")
    if not host then host, port = address:match("^([^:]*):?(%d*)$") end
    if not host or host == "" then refuse("the host is missing") end
    if name == "" then refuse("the database's name is missing") end
    local user, password
    if login then user, password = login:match("^([^:]*):?(.*)$") end
    local query = {}
    for pair in query_text:gmatch("[^&]+") do
        local key, value = pair:match("^([^=]*)=?(.*)$")
        query[#query + 1] = { key, value }
    end
    return {
        scheme = scheme, user = user, password = password ~= "" and password or nil, host = host,
        port = tonumber(port) or 5432, name = name, query = query, explicit_port = port ~= nil and port ~= "",
    }
end

local function assemble(scheme, parts, query)
    local login = parts.user and parts.user .. (parts.password and ":" .. parts.password or "") .. "@" or ""
    local port = parts.explicit_port and ":" .. parts.port or ""
    local words = {}
    for index, pair in ipairs(query) do words[index] = pair[1] .. "=" .. pair[2] end
    local tail = #words > 0 and "?" .. table.concat(words, "&") or ""
    return ("%s://%s%s%s/%s%s"):format(scheme, login, parts.host, port, parts.name, tail)
end

-- libpq's settings that asyncpg has no words for.
local libpq_only = { channel_binding = true, sslcert = true, sslkey = true, gssencmode = true, sslcrl = true }

---SQLAlchemy's form with asyncpg: `sslmode` is called `ssl` there, and what asyncpg does not know is left out.
---@param text string
---@return string
function database.asyncpg_form(text)
    local parts = database.parse(text)
    local query = {}
    for _, pair in ipairs(parts.query) do
        if not libpq_only[pair[1]] then query[#query + 1] = { pair[1] == "sslmode" and "ssl" or pair[1], pair[2] } end
    end
    return assemble("postgresql+asyncpg", parts, query)
end

---The form of libpq and of node's pg, every setting kept.
---@param text string
---@return string
function database.pg_form(text)
    local parts = database.parse(text)
    local query = {}
    for _, pair in ipairs(parts.query) do query[#query + 1] = { pair[1] == "ssl" and "sslmode" or pair[1], pair[2] } end
    return assemble("postgresql", parts, query)
end

---"host:port/name as user", fit for a log.
---@param text string
---@return string
function database.describe(text)
    local parts = database.parse(text)
    return ("%s:%d/%s%s"):format(parts.host, parts.port, parts.name, parts.user and " as " .. parts.user or "")
end

local function from_file(path)
    local text = fs.read(path)
    if not text then fail.raise("not_found", ("%s does not exist"):format(path), "it must hold the database's URL") end
    local url = text:match("DATABASE_URL%s*=%s*[\"']?([^%s\"']+)") or text:match("^%s*(%S+)")
    if not url then fail.raise("config", ("%s holds no URL"):format(path), "one line: postgresql://…") end
    return secret.new(url)
end

local function ask(ctx)
    if not term.is_tty("stdin") then
        fail.raise("usage", "--database ask needs a terminal", "give DATABASE_URL in the environment instead",
            { status = 2 })
    end
    ctx.board:suspend()
    local text = term.prompt("DATABASE_URL: ", { hidden = true })
    ctx.board:resume()
    if not text or text == "" then
        fail.raise("declined", "no URL was given", "postgresql://user:password@host/database")
    end
    local url = secret.new((text:gsub("%s", "")))
    database.parse(url:reveal())
    ctx.secrets():set("DATABASE_URL", url)
    return url
end

---Refuses a --database that cannot mean anything, before anything is done.
---@param word string?
function database.check_flag(word)
    if not word or word == "local" or word == "ask" or word:find("^file:.") then return end
    local ok, problem = pcall(database.parse, word)
    if ok then return end
    local message = fail.message(problem):gsub("^DATABASE_URL", "--database")
    fail.raise("usage", message, fail.field(problem, "hint"), { status = 2 })
end

local function from_flag(ctx, word)
    if word == "local" then return nil, "local" end
    if word == "ask" then return ask(ctx), "the prompt, kept in the secret store" end
    local path = word:match("^file:(.+)$")
    if path then return from_file(path), path end
    log.warn("a database URL given as a flag can be seen by other users of this machine and stays in the shell's "
        .. "history; "
        .. "safer: DATABASE_URL in the environment, --database file:PATH, or --database ask")
    return secret.new(word), "--database"
end

---The URL that was given, nearest first: flag, environment, configuration, file, secret store.
---@async
---@param ctx todo.Context
---@return todo.Secret? url nil where the local database is to be used
---@return string source
function database.given(ctx)
    if ctx.options.database then return from_flag(ctx, ctx.options.database) end
    local from_environment = os.getenv("DATABASE_URL")
    if from_environment and from_environment ~= "" then return secret.new(from_environment), "the environment" end
    local config = ctx.config.database
    if config.url then return config.url, "the configuration" end
    if config.url_file then return from_file(config.url_file), config.url_file end
    local kept = ctx.secrets():get("DATABASE_URL")
    if kept then return kept, "the secret store" end
    return nil, "local"
end

local function kept_secret(ctx, name, bytes)
    local store = ctx.secrets()
    local kept = store:get(name)
    if kept then return kept, false end
    -- Hexadecimal letters need no escaping in a URL.
    local fresh = secret.new(secret.sha256(secret.random(bytes)))
    store:set(name, fresh)
    return fresh, true
end

---The configuration's `database` with the names of the release's own container and volume.
---@param ctx todo.Context
---@return table
function database.settings(ctx)
    pcall(stack.values, ctx) -- they may name the namespace; a broken chart is not told here
    local config, release, namespace = ctx.config.database, ctx.config.release, ctx.config.namespace
    local own = (namespace == release and release or namespace .. "-" .. release) .. "-postgres"
    return tables.merge(config, { container = config.container or own, volume = config.volume or own })
end

local function is_ip(text) return text:find("^%d+%.%d+%.%d+%.%d+$") ~= nil end

-- Bound to the one address where pods come in. A host name means that an engine in a machine of its own forwards it to
-- this machine's loopback.
local function bind_address(address) return is_ip(address) and address or "127.0.0.1" end

-- Address and port of this machine that lead to a container's server; nil where none do.
local function binding(container)
    local bindings = container.HostConfig and container.HostConfig.PortBindings
    local first = type(bindings) == "table" and bindings["5432/tcp"] and bindings["5432/tcp"][1]
    return first and first.HostIp, first and math.tointeger(tonumber(first.HostPort))
end

---The port of this machine that leads to the release's own server.
---@async
---@param ctx todo.Context
---@param client todo.Docker
---@return integer? port nil where there is no container
---@return table? container
function database.local_port(ctx, client)
    local container = client:container(database.settings(ctx).container)
    if not container then return nil end
    local _, port = binding(container)
    return port, container
end

-- The container keeps its port as long as that is one it could be given now, too.
local function choose_port(ctx, config, container, ip)
    local bound_ip, port = nil, nil
    if container then bound_ip, port = binding(container) end
    if bound_ip == ip and port and port >= config.port and port < config.port + MOST_SERVERS then return port end
    local taken = {}
    for _, one in ipairs(ctx.docker:containers { all = true, filters = { label = { LABEL .. "=database" } } }) do
        local other = one.Id ~= (container and container.Id) and ctx.docker:container(one.Id)
        if other then taken[select(2, binding(other)) or 0] = true end
    end
    for candidate = config.port, config.port + MOST_SERVERS - 1 do
        if not taken[candidate] then return candidate end
    end
    fail.raise("port_busy", ("%d releases have a database here already"):format(MOST_SERVERS),
        "destroy those that are not needed any more: todo-lua destroy --release NAME")
end

local function create(ctx, config, wanted, password, line)
    base_images.ensure(ctx, ctx.docker, config.image, line)
    line:set("starting PostgreSQL")
    ctx.docker:create_volume(config.volume, { labels = { [LABEL] = "database" } })
    local ok, problem = pcall(ctx.docker.run, ctx.docker, {
        image = config.image, name = config.container, restart = "unless-stopped",
        labels = { [LABEL] = "database" },
        env = { POSTGRES_USER = config.user, POSTGRES_DB = config.name, POSTGRES_PASSWORD = password },
        ports = { ["5432/tcp"] = ("%s:%d"):format(wanted.ip, wanted.port) },
        mounts = { { type = "volume", source = config.volume, target = "/var/lib/postgresql/data" } },
    })
    if ok then return end
    local message = fail.message(problem)
    ctx.docker:remove(config.container, { force = true })
    if message:find("already allocated", 1, true) or message:find("address already in use", 1, true) then
        fail.raise("port_busy", ("port %d of %s is taken by another program"):format(wanted.port, wanted.ip),
            "choose another: database = { port = 55433 } in todo.local.lua", { cause = problem })
    end
    error(problem, 0)
end

-- The volume may be older than the secret store (a store that was lost, a volume that was copied): inside the container
-- no password is asked for, so the server can be told the one that we know.
local function set_password(ctx, config, password)
    local statement = ('ALTER USER "%s" PASSWORD \'%s\';'):format(config.user, password:reveal())
    return ctx.docker:exec(config.container,
        { "psql", "-q", "-v", "ON_ERROR_STOP=1", "-U", config.user, "-d", config.name },
        { stdin = statement, user = "postgres", timeout = 10 })
end

local function query(ctx, config, password)
    return ctx.docker:exec(config.container, { "psql", "-qtA", "-h", "127.0.0.1", "-U", config.user, "-d", config.name,
        "-c", "select 1" }, { env = { PGPASSWORD = password:reveal() }, timeout = 10 })
end

local function container_log(ctx, config)
    local ok, lines = pcall(function()
        local reader, last = ctx.docker:logs(config.container, { tail = 5 }), {}
        for text in function() return (reader:next()) end do last[#last + 1] = term.clean(text) end
        return table.concat(last, "\n")
    end)
    return ok and lines or ""
end

-- What a client asks first, whether TLS is spoken; a PostgreSQL server says S or N (its manual, "SSL Session
-- Encryption").
local SSL_REQUEST = (">I4I4"):pack(8, 80877103)

local function greet(wanted)
    local connection <close> = http.connect(wanted.ip, wanted.port, 5)
    connection:write(SSL_REQUEST)
    local answer = task.timeout(5, connection.read, connection)
    if answer ~= "S" and answer ~= "N" then
        fail.raise("not_ready", answer and "what answers there is no PostgreSQL" or "the connection was closed")
    end
end

-- The server answers inside its container; pods come in from outside.
local function prove_address(wanted)
    local ok, problem = pcall(greet, wanted)
    if ok then return end
    fail.raise("not_ready", ("PostgreSQL runs, but %s:%d leads not to it: %s"):format(wanted.ip, wanted.port,
        fail.message(problem)), "a firewall between containers and this machine? Else give a DATABASE_URL",
        { cause = problem })
end

-- What was proven of a container's server since it was started holds as long as that server answers.
local function proof_of(container, config, password)
    return secret.sha256(table.concat({ container.Id, container.State.StartedAt, config.user, config.name,
        password:reveal() }, "\n"))
end

local function prove(ctx, config, password, wanted)
    local deadline, corrected, last = task.now() + READY_SECONDS, false, ""
    while task.now() < deadline do
        local ok, answer = pcall(query, ctx, config, password)
        if ok and answer.status == 0 then return prove_address(wanted) end
        last = ok and (answer.stderr or "") or fail.message(answer)
        if not corrected and last:find("password authentication failed", 1, true) then
            set_password(ctx, config, password)
            corrected = true
        end
        task.sleep(0.25)
    end
    fail.raise("not_ready", ("PostgreSQL in %s does not answer within %d s: %s"):format(config.container, READY_SECONDS,
        last:match("[^\n]*")), "its last lines:\n" .. container_log(ctx, config))
end

local function ensure_container(ctx, line)
    local config, changed = database.settings(ctx), false
    local address = ctx.provider.host_address(ctx)
    local password = kept_secret(ctx, "POSTGRES_PASSWORD", 32)
    local container = ctx.docker:container(config.container)
    local wanted = { ip = bind_address(address) }
    wanted.port = choose_port(ctx, config, container, wanted.ip)
    local ip, port = nil, nil
    if container then ip, port = binding(container) end
    if container and (ip ~= wanted.ip or port ~= wanted.port) then
        line:set("moving PostgreSQL to " .. wanted.ip)
        ctx.docker:remove(config.container, { force = true })
        container = nil
    end
    if not container then
        create(ctx, config, wanted, password, line)
        changed = true
    elseif not container.State.Running then
        ctx.docker:start(config.container)
        changed = true
    end
    local path = fs.join(ctx.state_dir, config.container .. ".proof")
    if changed or fs.read(path) ~= proof_of(container, config, password) or not pcall(greet, wanted) then
        line:set("waiting for PostgreSQL to answer")
        prove(ctx, config, password, wanted)
        fs.mkdir(ctx.state_dir, 448)
        fs.write(path, proof_of(ctx.docker:container(config.container), config, password), 384) -- 0600
    end
    return changed, secret.new(("postgresql://%s:%s@%s:%d/%s"):format(config.user, password:reveal(), address,
        wanted.port,
        config.name))
end

---Settles which database is used and that it answers where it is ours; puts `ctx.database` = { url, pg_url, source }.
---@async
---@param ctx todo.Context
---@param line todo.BoardLine
---@return boolean changed
---@return string text
function database.ensure(ctx, line)
    local url, source = database.given(ctx)
    local changed = false
    if not url then changed, url = ensure_container(ctx, line) end
    local text = url:reveal()
    ctx.database = {
        url = secret.new(database.asyncpg_form(text)), pg_url = secret.new(database.pg_form(text)), source = source,
    }
    local where = source == "local" and "PostgreSQL in the container " .. database.settings(ctx).container
        or "given by " .. source
    return changed, ("%s (%s)"):format(database.describe(text), where)
end

---Stops the container until the next deploy.
---@async
---@param ctx todo.Context
---@param client todo.Docker
---@return boolean stopped false where none runs
function database.stop(ctx, client)
    local container = client:container(database.settings(ctx).container)
    if not container or not container.State.Running then return false end
    client:stop(container.Id)
    return true
end

---Removes the container; its data only where `data` says so.
---@async
---@param ctx todo.Context
---@param data boolean?
---@return string[] removed what was there
function database.remove(ctx, data)
    local config, removed = database.settings(ctx), {}
    fs.remove(fs.join(ctx.state_dir, config.container .. ".proof"))
    if ctx.docker:remove(config.container, { force = true }) then
        removed[#removed + 1] = "container " .. config.container
    end
    if data and ctx.docker:remove_volume(config.volume) then removed[#removed + 1] = "volume " .. config.volume end
    return removed
end

return database
