-- Charts in a real registry: pushed and pulled by helm and by todo-lua, each what the other pushed.
local fs = require "fs"
local json = require "json"
local lu = require "luaunit"
local needs = require "tests.needs"
local proc = require "proc"
local repo_world = require "tests.golden.repo_world"
local secret = require "secret"
local server = require "tests.registry.server"

local tests = {}
local USER, PASSWORD = "builder", "chart-canary-0123456789"
local open, locked, w, packed

function tests.setup_all()
    needs.context()
    open, locked = server.start(), server.start { users = { [USER] = PASSWORD } }
    packed = fs.tempdir()
    for _, version in ipairs { "1.2.0", "1.10.0", "2.0.0-rc.1", "0.9.1+build.5" } do
        repo_world.pack(packed.path, "web", version, "description: a web server\nhome: https://example.com\n"
            .. "sources: [https://example.com/a, b]\nmaintainers: [{name: A, email: a@example.com}, {name: B}]\n"
            .. "annotations: {note: kept, org.opencontainers.image.title: no}\n")
    end
end

function tests.teardown_all()
    for _, one in ipairs { open, locked } do one:close() end
    if packed then packed:close() end
end

function tests.setup() w = repo_world.new() end

function tests.teardown() w:close() end

local function archive(version) return ("%s/web-%s.tgz"):format(packed.path, version) end

local function must(who, arguments, options)
    local result = w:run(who, arguments, options)
    lu.assertEquals(result.status, 0, table.concat(arguments, " ") .. "\n" .. result.stderr)
    return result
end

-- The same bytes: so is the manifest's digest. (Where nobody says that it is plain HTTP, both find out when they pull;
-- helm fails when it pushes.)
function tests.t1_charts_are_pushed_as_by_helm()
    for _, version in ipairs { "1.2.0", "1.10.0", "2.0.0-rc.1" } do
        w:both { "push", archive(version), ("oci://%s/charts"):format(open.host), "--plain-http" }
    end
    local by = {}
    for _, who in ipairs { "helm", "todo" } do
        must(who, { "push", archive "0.9.1+build.5", ("oci://%s/%s"):format(open.host, who), "--plain-http" })
        by[who] = open:get(("/v2/%s/web/manifests/0.9.1_build.5"):format(who), nil,
            "application/vnd.oci.image.manifest.v1+json").body
    end
    lu.assertEquals(by.todo, by.helm)
    w:both({ "push", packed.path, "oci://" .. open.host }, { status = 1 })
    w:both({ "push", "absent.tgz", "oci://" .. open.host }, { status = 1 })
    w:both({ "push", archive "1.2.0", open.host }, { status = 1, any_error = true })
    w:both({ "push", archive "1.2.0", "https://" .. open.host }, { status = 1 })
end

function tests.t2_charts_are_found_by_version_range_and_digest_as_by_helm()
    local reference = ("oci://%s/charts/web"):format(open.host)
    for _, words in ipairs {
        {}, { "--version", "1.2.0" }, { "--version", "~1.2" }, { "--devel" }, { "--version", ">=1.3-0" },
        { "--untar", "--untardir", "in" },
    } do
        w:both { "pull", reference, table.unpack(words) }
        w:same_files()
    end
    w:both { "pull", reference .. ":1.2.0", "-d", "." }
    local digest = "sha256:" .. secret.sha256(open:get("/v2/charts/web/manifests/1.10.0", nil,
        "application/vnd.oci.image.manifest.v1+json").body)
    w:both { "pull", reference .. "@" .. digest }
    w:both { "pull", reference .. ":1.10.0@" .. digest }
    w:both { "template", "r", reference, "--version", "1.10.0", "--set", "size=4" }
    w:both { "show", "chart", reference, "--version", "^1" }
    w:same_files()
    for _, words in ipairs { { reference .. ":1.2.0", "--version", "1.10.0" }, { reference, "--version", "^9" } } do
        w:both({ "pull", table.unpack(words) }, { status = 1 })
    end
    for _, words in ipairs { { reference, "--version", "7.0.0" }, { ("oci://%s/absent"):format(open.host) },
        { reference .. ":1.2.0@" .. digest } } do
        w:both({ "pull", table.unpack(words) }, { status = 1, any_error = true })
    end
    -- Each has what the other pushed; a plus sign is an underscore there.
    must("todo", { "pull", ("oci://%s/helm/web"):format(open.host), "--version", "0.9.1+build.5" })
    lu.assertEquals(fs.read(w:folder "todo" .. "/web-0.9.1+build.5.tgz"), fs.read(archive "0.9.1+build.5"))
    must("helm", { "pull", ("oci://%s/todo/web"):format(open.host), "--version", "0.9.1+build.5" })
    lu.assertEquals(fs.read(w:folder "helm" .. "/web-0.9.1+build.5.tgz"), fs.read(archive "0.9.1+build.5"))
end

function tests.t3_dependencies_come_from_registries_as_with_helm()
    w:write("app/Chart.yaml", ("apiVersion: v2\nname: app\nversion: 0.1.0\ndependencies:\n"
        .. "- {name: web, version: ^1.0.0, repository: 'oci://%s/charts'}\n"):format(open.host))
    w:both { "dependency", "update", "app" }
    w:both { "dependency", "build", "app" }
    w:both { "dependency", "list", "app" }
    w:same_files()
end

function tests.t4_credentials_come_from_flags_and_files()
    local target, reference = "oci://" .. locked.host, ("oci://%s/web"):format(locked.host)
    local login = { "--username", USER, "--password", PASSWORD }
    w:both({ "push", archive "1.2.0", target }, { status = 1, any_error = true })
    must("todo", { "push", archive "1.2.0", target, table.unpack(login) })
    w:both({ "pull", reference }, { status = 1, any_error = true })
    w:both({ "pull", reference, "--username", USER, "--password", "wrong" }, { status = 1, any_error = true })
    must("todo", { "pull", reference, table.unpack(login) })
    -- Where helm's own login put them, and where docker has them.
    must("helm", { "registry", "login", locked.host, "-u", USER, "--password-stdin", "--plain-http" },
        { stdin = PASSWORD, home = "todo" })
    for _, who in ipairs { "helm", "todo" } do
        must(who, { "pull", reference, "-d", ".", "--plain-http" }, { home = "todo" })
    end
    lu.assertEquals(fs.read(w:folder "helm" .. "/web-1.2.0.tgz"), fs.read(archive "1.2.0"))
    fs.remove(w:home "todo" .. "/.config/helm/registry")
    lu.assertEquals(w:run("todo", { "pull", reference }).status, 1)
    fs.mkdir(w:home "todo" .. "/.docker")
    fs.write(w:home "todo" .. "/.docker/config.json", json.encode { auths = { [locked.host] = {
        auth = secret.base64(("%s:%s"):format(USER, PASSWORD)) } } })
    local result = must("todo", { "pull", reference })
    lu.assertNotStrContains(result.stdout .. result.stderr, PASSWORD)
end

-- What one of them logged in, the other uses and logs out.
function tests.t6_logins_are_kept_where_helm_keeps_them()
    local reference = ("oci://%s/web"):format(locked.host)
    local words = { "registry", "login", locked.host, "-u", USER, "--password-stdin", "--plain-http" }
    local path = w:home "todo" .. "/.config/helm/registry/config.json"
    lu.assertEquals(w:run("todo", words, { stdin = "wrong" }).status, 1)
    lu.assertNil(fs.read(path))
    must("todo", words, { stdin = PASSWORD .. "\n" })
    lu.assertEquals(fs.stat(path).mode & 511, 384) -- 0600
    must("helm", words, { stdin = PASSWORD })
    lu.assertEquals(json.decode(fs.read(path)).auths, json.decode(fs.read((path:gsub("/todo/", "/helm/")))).auths)
    must("helm", { "pull", reference, "--version", "1.2.0", "--plain-http" }, { home = "todo" })
    must("todo", { "pull", reference }, { home = "helm" })
    w:both { "registry", "logout", locked.host }
    lu.assertEquals(w:run("todo", { "pull", reference, "-d", "." }).status, 1)
end

-- The provenance file goes with the chart, and comes back where it is asked for.
function tests.t7_signed_charts_are_pushed_pulled_and_verified_as_by_helm()
    needs.packages { "gnupg" }
    local keys <close> = fs.tempdir()
    local function gpg(...)
        proc.run { "gpg", "--homedir", keys.path, "--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase",
            "", ... }
    end
    gpg("--quick-gen-key", "Ann <ann@example.com>", "rsa2048", "sign", "never")
    gpg("--output", keys.path .. "/public", "--export")
    gpg("--output", keys.path .. "/secret", "--export-secret-keys")
    w:write("app/Chart.yaml", "apiVersion: v2\nname: app\nversion: 0.1.0+one\n")
    must("helm", { "package", "app", "--sign", "--key", "ann", "--keyring", keys.path .. "/secret" })
    for _, name in ipairs { "app-0.1.0+one.tgz", "app-0.1.0+one.tgz.prov" } do
        fs.write(w:folder "todo" .. "/" .. name, fs.read(w:folder "helm" .. "/" .. name))
    end
    w:both { "push", "app-0.1.0+one.tgz", ("oci://%s/signed"):format(open.host), "--plain-http" }
    local reference = ("oci://%s/signed/app"):format(open.host)
    for _, words in ipairs { { "--prov" }, { "--verify", "--keyring", keys.path .. "/public" } } do
        w:both { "pull", reference, "--version", "0.1.0+one", table.unpack(words) }
        w:same_files()
    end
    w:both { "template", "r", reference, "--version", "0.1.0+one", "--verify", "--keyring", keys.path .. "/public" }
    w:both { "pull", ("oci://%s/charts/web"):format(open.host), "--version", "1.2.0", "--prov" }
    w:both({ "pull", ("oci://%s/charts/web"):format(open.host), "--version", "1.2.0", "--verify" }, { status = 1 })
    proc.run({ "gpgconf", "--homedir", keys.path, "--kill", "gpg-agent" }, { check = false })
end

-- A registry that gives other bytes than its manifest names.
function tests.t5_content_that_is_not_what_its_digest_says_is_refused()
    local digest = secret.sha256(fs.read(archive "1.2.0"))
    local path = ("%s/data/docker/registry/v2/blobs/sha256/%s/%s/data"):format(locked.dir.path, digest:sub(1, 2), digest)
    local bytes = fs.read(path)
    fs.write(path, bytes:sub(1, -2) .. string.char(bytes:byte(-1) ~ 1))
    local result = w:run("todo", { "pull", ("oci://%s/web"):format(locked.host), "--username", USER, "--password",
        PASSWORD })
    fs.write(path, bytes)
    lu.assertEquals(result.status, 1)
    lu.assertStrContains(result.stderr, "does not have the digest that is told")
    lu.assertEquals(fs.list(w:folder "todo"), {})
end

return tests
