-- Database URLs: taken apart, given in both forms, described without their password.
local database = require "database"
local fail = require "fail"
local fs = require "fs"
local http = require "http"
local lu = require "luaunit"
local secret = require "secret"

local tests = {}

local neon = "postgresql://alice:p%40ss@ep-cool-name-123456-pooler.eu-central-1.aws.neon.tech/neondb"
    .. "?sslmode=require&channel_binding=require"

local function refused(text)
    local ok, problem = pcall(database.parse, text)
    lu.assertFalse(ok, text)
    lu.assertEquals(fail.kind(problem), "config")
    return problem.message
end

function tests.parse_takes_every_part_apart()
    local parts = database.parse("postgres://user:secret@db.example:6543/app?sslmode=verify-full&application_name=x")
    lu.assertEquals({ parts.user, parts.password, parts.host, parts.port, parts.name },
        { "user", "secret", "db.example", 6543, "app" })
    lu.assertEquals(parts.query, { { "sslmode", "verify-full" }, { "application_name", "x" } })
end

function tests.parse_password_may_hold_colons_and_ats()
    local parts = database.parse("postgresql://u:a:b@c@host/d")
    lu.assertEquals({ parts.user, parts.password, parts.host }, { "u", "a:b@c", "host" })
end

function tests.parse_address_of_version_six()
    local parts = database.parse("postgresql://u@[fd00::1]:5433/d")
    lu.assertEquals({ parts.host, parts.port }, { "[fd00::1]", 5433 })
end

function tests.parse_wrong_urls_are_refused_with_the_reason()
    lu.assertStrContains(refused("mysql://u@h/d"), "it names mysql")
    lu.assertStrContains(refused("host=localhost dbname=d"), "must start with postgresql://")
    lu.assertStrContains(refused("postgresql://u:p@/d"), "host is missing")
    lu.assertStrContains(refused("postgresql://u:p@h"), "name is missing")
end

function tests.refused_url_does_not_repeat_the_password()
    lu.assertNotStrContains(refused("postgresql://user:hunter22@host"), "hunter22")
end

function tests.asyncpg_form_of_neon_keeps_tls_and_drops_what_asyncpg_lacks()
    lu.assertEquals(database.asyncpg_form(neon), "postgresql+asyncpg://alice:p%40ss@"
        .. "ep-cool-name-123456-pooler.eu-central-1.aws.neon.tech/neondb?ssl=require")
end

function tests.pg_form_of_neon_is_the_url_itself()
    lu.assertEquals(database.pg_form(neon), neon)
end

function tests.forms_turn_into_each_other()
    local asyncpg = "postgresql+asyncpg://u:p@h:5433/d?ssl=require"
    local pg = "postgresql://u:p@h:5433/d?sslmode=require"
    lu.assertEquals(database.pg_form(asyncpg), pg)
    lu.assertEquals(database.asyncpg_form(pg), asyncpg)
    lu.assertEquals(database.asyncpg_form(asyncpg), asyncpg)
    lu.assertEquals(database.pg_form("postgres://u:p@h/d"), "postgresql://u:p@h/d")
end

function tests.describe_holds_no_password()
    lu.assertEquals(database.describe("postgresql://u:p4ssw0rd@h:5433/d"), "h:5433/d as u")
end

-- A context of the test's own folder.
local function context(dir, options, config)
    local store = secret.store(dir .. "/secrets")
    return {
        options = options or {}, config = { database = config or {} }, secrets = function() return store end,
    }, store
end

function tests.given_nearest_source_wins()
    local dir <close> = fs.tempdir()
    fs.write(dir.path .. "/url", "postgresql://file@h/d\n")
    local ctx, store = context(dir.path, {}, { url_file = dir.path .. "/url" })
    store:set("DATABASE_URL", secret.new("postgresql://store@h/d"))
    lu.assertEquals(database.given(ctx):reveal(), "postgresql://file@h/d")
    ctx.config.database.url = secret.new("postgresql://config@h/d")
    lu.assertEquals(database.given(ctx):reveal(), "postgresql://config@h/d")
    ctx.config.database = {}
    local url, source = database.given(ctx)
    lu.assertEquals(url:reveal(), "postgresql://store@h/d")
    lu.assertEquals(source, "the secret store")
    ctx.options.database = "local"
    lu.assertNil((database.given(ctx)))
    ctx.options.database = "file:" .. dir.path .. "/url"
    lu.assertEquals(database.given(ctx):reveal(), "postgresql://file@h/d")
end

function tests.given_dotenv_file_is_understood()
    local dir <close> = fs.tempdir()
    fs.write(dir.path .. "/.env", 'OTHER=1\nDATABASE_URL="postgresql://env@h/d"\n')
    local url = database.given((context(dir.path, { database = "file:" .. dir.path .. "/.env" })))
    lu.assertEquals(url:reveal(), "postgresql://env@h/d")
end

function tests.given_nothing_means_local()
    local dir <close> = fs.tempdir()
    local url, source = database.given((context(dir.path)))
    lu.assertNil(url)
    lu.assertEquals(source, "local")
end

function tests.given_missing_file_is_named()
    local dir <close> = fs.tempdir()
    local ok, problem = pcall(database.given, (context(dir.path, { database = "file:/no/such/file" })))
    lu.assertFalse(ok)
    lu.assertStrContains(problem.message, "/no/such/file does not exist")
end

function tests.given_url_is_masked_when_printed()
    local dir <close> = fs.tempdir()
    local url = database.given((context(dir.path, {}, { url = secret.new("postgresql://u:geheim99@h/d") })))
    lu.assertNotStrContains(tostring(url), "geheim99")
end

-- An engine with one container that runs, and a server behind its port that says `greeting`.
local function with_container(greeting, fn)
    local dir <close> = fs.tempdir()
    local listener <close> = http.listen("127.0.0.1", 0, function(connection)
        connection:read()
        connection:write(greeting.text)
        connection:close()
    end)
    local asked = 0
    local container = { Id = "c0", State = { Running = true, StartedAt = "first" }, HostConfig = { PortBindings = {
        ["5432/tcp"] = { { HostIp = "127.0.0.1", HostPort = tostring(listener.port) } } } } }
    local store = secret.store(dir.path .. "/secrets")
    local ctx = {
        options = { database = "local" }, state_dir = dir.path, secrets = function() return store end,
        config = { release = "shop", namespace = "shop",
            database = { container = "pg", volume = "pg", name = "todo", user = "todo", port = listener.port } },
        provider = { host_address = function() return "127.0.0.1" end },
        docker = {
            container = function() return container end,
            containers = function() return {} end,
            exec = function()
                asked = asked + 1
                return { status = 0, stdout = "1", stderr = "" }
            end,
            remove = function() end,
        },
    }
    fn(ctx, container, function()
        database.ensure(ctx, { set = function() end })
        return asked
    end)
    database.remove(ctx)
    lu.assertFalse(fs.exists(dir.path .. "/pg.proof"))
end

function tests.server_that_was_proven_is_asked_again_only_after_it_was_started_anew()
    with_container({ text = "N" }, function(_, container, ensure)
        lu.assertEquals(ensure(), 1)
        lu.assertEquals(ensure(), 1)
        container.State.StartedAt = "second"
        lu.assertEquals(ensure(), 2)
        lu.assertEquals(ensure(), 2)
    end)
end

function tests.server_with_another_password_is_asked_again()
    with_container({ text = "S" }, function(ctx, _, ensure)
        lu.assertEquals(ensure(), 1)
        ctx.secrets():set("POSTGRES_PASSWORD", "another")
        lu.assertEquals(ensure(), 2)
    end)
end

function tests.port_that_does_not_speak_postgresql_is_no_proof()
    local greeting = { text = "N" }
    with_container(greeting, function(_, _, ensure)
        lu.assertEquals(ensure(), 1)
        greeting.text = "HTTP/1.1 400 Bad Request\r\n\r\n"
        local ok, problem = pcall(ensure)
        lu.assertFalse(ok)
        lu.assertStrContains(problem.message, "what answers there is no PostgreSQL")
    end)
end

return tests
