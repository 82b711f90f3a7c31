-- Signed charts: what helm signs todo-lua verifies, and the other way round; what is wrong is told as by helm.
local fs = require "fs"
local lu = require "luaunit"
local needs = require "tests.needs"
local proc = require "proc"
local program = require "program"
local repo_world = require "tests.golden.repo_world"
local task = require "task"

local tests = {}
local PASSPHRASE = "open-sesame-canary-4711"
local keys, w

local function gpg(...)
    return proc.run { "gpg", "--homedir", keys.path .. "/home", "--batch", "--quiet", "--yes", "--pinentry-mode",
        "loopback", ... }
end

local function make_key(name, passphrase, seconds)
    gpg("--passphrase", passphrase, "--quick-gen-key", name, "rsa2048", "sign", seconds or "never")
end

local function ring(name) return keys.path .. "/" .. name end

local function export(name, ...)
    gpg("--passphrase", PASSPHRASE, "--output", ring(name), "--export", ...)
    gpg("--passphrase", PASSPHRASE, "--output", ring("secret-" .. name), "--export-secret-keys", ...)
end

function tests.setup_all()
    needs.packages { "gnupg" }
    keys = fs.tempdir()
    fs.mkdir(keys.path .. "/home", 448) -- 0700
    make_key("Old <old@example.com>", "", "seconds=1")
    make_key("Ann <ann@example.com>", "")
    make_key("Bob (at work) <bob@example.com>", PASSPHRASE)
    make_key("Gone: \\ once <gone@example.com>", "")
    export("all.gpg")
    export("ann.gpg", "ann@example.com")
    export("bob.gpg", "bob@example.com")
    -- GnuPG makes the certificate with the key; a colon keeps it from being used by mistake.
    local listed = gpg("--with-colons", "--list-keys", "gone@example.com").stdout
    local certificate = fs.read(("%s/home/openpgp-revocs.d/%s.rev"):format(keys.path, listed:match("fpr:+(%x+)")))
    fs.write(ring "certificate", (certificate:gsub(":%-%-%-%-%-BEGIN", "-----BEGIN")))
    gpg("--import", ring "certificate")
    export("revoked.gpg", "gone@example.com")
    gpg("--armor", "--output", ring "armored.gpg", "--export")
    fs.write(ring "empty.gpg", "")
    fs.write(ring "phrase", PASSPHRASE .. "\r\nmore\n")
    fs.write(ring "wrong", "not-it\n")
    task.sleep(1.5)
end

function tests.teardown_all()
    if not keys then return end
    proc.run({ "gpgconf", "--homedir", keys.path .. "/home", "--kill", "gpg-agent" }, { check = false })
    keys:close()
end

function tests.setup()
    w = repo_world.new()
    w:write("app/Chart.yaml", "apiVersion: v2\nname: app\nversion: 0.1.0\ndescription: '- dash \u{e9}'\nkeywords:\n"
        .. "- '- a'\n- 'From me'\nmaintainers: [{name: A}]\nannotations: {long: '" .. ("word "):rep(40) .. "'}\n")
    w:write("app/templates/one.yaml", "kind: ConfigMap\napiVersion: v1\nmetadata: {name: a}\n")
end

function tests.teardown() w:close() end

local function sign(who, ...)
    return w:run(who, { "package", "app", "--sign", ... })
end

local function signed_text(who)
    local text = fs.read(w:folder(who) .. "/app-0.1.0.tgz.prov")
    return text:match("^(.-)%-%-%-%-%-BEGIN PGP SIGNATURE"):gsub("sha256:%x+", "sha256:SUM")
end

function tests.charts_are_signed_and_verified_as_by_helm()
    for _, words in ipairs { { "--key", "ann@", "--keyring", ring "secret-all.gpg" },
        { "--key", "Bob (at work) <bob@example.com>", "--keyring", ring "secret-all.gpg", "--passphrase-file",
            ring "phrase" } } do
        w:both { "package", "app", "--sign", table.unpack(words) }
        lu.assertEquals(signed_text "todo", signed_text "helm")
        for _, who in ipairs { "helm", "todo" } do
            -- Each verifies what the other signed.
            for _, name in ipairs { "app-0.1.0.tgz", "app-0.1.0.tgz.prov" } do
                w:write(name, fs.read(w:folder(who) .. "/" .. name))
            end
            for _, keyring in ipairs { "all.gpg", "secret-all.gpg" } do
                w:both { "verify", "app-0.1.0.tgz", "--keyring", ring(keyring) }
            end
        end
    end
    local result = w:run("todo", { "package", "app", "--sign", "--key", "bob", "--keyring", ring "secret-bob.gpg",
        "--passphrase-file", "-", "-d", "out" }, { stdin = PASSPHRASE .. "\n" })
    lu.assertEquals(result.status, 0, result.stderr)
    lu.assertNotStrContains(result.stdout .. result.stderr, PASSPHRASE)
end

function tests.signing_fails_as_with_helm()
    for _, words in ipairs {
        {}, { "--key", "ann" , "--keyring", "" }, { "--key", "ann", "--keyring", "absent" },
        { "--key", "example.com", "--keyring", ring "secret-all.gpg" },
        { "--key", "ANN", "--keyring", ring "secret-all.gpg" }, { "--key", "ann", "--keyring", ring "ann.gpg" },
        { "--key", "ann", "--keyring", ring "armored.gpg" }, { "--key", "ann", "--keyring", ring "empty.gpg" },
        { "--key", "bob", "--keyring", ring "secret-bob.gpg", "--passphrase-file", ring "wrong" },
        { "--key", "bob", "--keyring", ring "secret-bob.gpg", "--passphrase-file", ring "empty.gpg" },
        { "--key", "bob", "--keyring", ring "secret-bob.gpg", "--passphrase-file", "absent" },
    } do
        w:both({ "package", "app", "--sign", table.unpack(words) }, { status = 1 })
        w:same_files()
    end
    local result = sign("todo", "--key", "bob", "--keyring", ring "secret-bob.gpg")
    lu.assertEquals(result.status, 1)
    lu.assertStrContains(result.stderr, "no terminal to ask for its passphrase\n  name a file")
end

-- `change` gets the archive's and the .prov file's text, and gives them anew.
local function changed(who, change)
    local folder = w:folder(who)
    local archive, proof = change(fs.read(folder .. "/app-0.1.0.tgz"), fs.read(folder .. "/app-0.1.0.tgz.prov"))
    w:write("app-0.1.0.tgz", archive)
    w:write("app-0.1.0.tgz.prov", proof)
end

function tests.verification_fails_as_with_helm()
    local function verify(keyring, status, name)
        w:both({ "verify", name or "app-0.1.0.tgz", "--keyring", keyring }, { status = status or 1 })
    end
    lu.assertEquals(sign("helm", "--key", "ann", "--keyring", ring "secret-ann.gpg").status, 0)
    changed("helm", function(archive, proof) return archive, proof end)
    verify(ring "ann.gpg", 0)
    for _, keyring in ipairs { ring "bob.gpg", ring "secret-bob.gpg", ring "empty.gpg", ring "armored.gpg", "absent" } do
        verify(keyring)
    end
    verify(ring "ann.gpg", 1, "app")
    verify(ring "ann.gpg", 1, "absent.tgz")
    verify(ring "ann.gpg", 1, "app-0.1.0.tgz.prov")
    w:write("other.tgz", "x")
    verify(ring "ann.gpg", 1, "other.tgz")
    for _, who in ipairs { "helm", "todo" } do
        fs.write(w:folder(who) .. "/other.tgz.prov", fs.read(w:folder(who) .. "/app-0.1.0.tgz.prov"))
    end
    verify(ring "ann.gpg", 1, "other.tgz")
    local archive, proof = fs.read(w:folder "helm" .. "/app-0.1.0.tgz"), fs.read(w:folder "helm" .. "/app-0.1.0.tgz.prov")
    for _, texts in ipairs {
        { archive .. "x", proof }, { archive, (proof:gsub("name: app", "name: apq")) }, { archive, "nothing\n" },
        { archive, (proof:gsub("%-%-%-%-%-END PGP SIGNATURE.*", "")) }, { archive, "" },
        { archive, (proof:gsub("Hash: SHA512", "Hash: SHA512\nComment: no")) },
        { archive, (proof:gsub("(\n\n)%w%w%w%w(.-=)", "%1AAAA%2")) },
    } do
        w:write("app-0.1.0.tgz", texts[1])
        w:write("app-0.1.0.tgz.prov", texts[2])
        verify(ring "ann.gpg")
    end
    -- What stands around the signed text, and how its lines end, is not signed.
    for _, text in ipairs { "before\n" .. proof .. "\nafter\n", (proof:gsub("\n", "\r\n")),
        (proof:gsub("\nHash: SHA512", "")) } do
        w:write("app-0.1.0.tgz", archive)
        w:write("app-0.1.0.tgz.prov", text)
        verify(ring "ann.gpg", 0)
    end
end

function tests.keys_that_ended_vouch_for_nothing()
    for _, name in ipairs { "old", "gone" } do
        lu.assertEquals(sign("helm", "--key", name, "--keyring", ring "secret-all.gpg").status, 0)
        changed("helm", function(archive, proof) return archive, proof end)
        w:both({ "verify", "app-0.1.0.tgz", "--keyring", ring(name == "old" and "all.gpg" or "revoked.gpg") },
            { status = 1 })
    end
end

function tests.a_key_that_has_expired_signs_as_with_helm()
    for _, who in ipairs { "helm", "todo" } do
        local result = sign(who, "--key", "old", "--keyring", ring "secret-all.gpg")
        lu.assertEquals(result.status, 0, result.stderr)
    end
    for _, who in ipairs { "helm", "todo" } do
        changed(who, function(archive, proof) return archive, proof end)
        w:both({ "verify", "app-0.1.0.tgz", "--keyring", ring "all.gpg" }, { status = 1 })
    end
end

function tests.every_command_that_takes_a_chart_verifies_it_as_helm_does()
    local served <close> = fs.tempdir()
    repo_world.pack(served.path, "web", "1.0.0")
    lu.assertEquals(w:run("helm", { "package", "app", "--sign", "--key", "ann", "--keyring", ring "secret-ann.gpg", "-d",
        served.path }).status, 0)
    proc.run { "helm", "repo", "index", served.path }
    local server = repo_world.serve(served.path)
    for _, who in ipairs { "helm", "todo" } do fs.remove(w:folder(who) .. "/app") end
    local url, good, bad = "http://127.0.0.1:" .. server.port, ring "ann.gpg", ring "bob.gpg"
    w:both { "repo", "add", "one", url }
    for _, command in ipairs { { "template", "r" }, { "show", "chart" }, { "pull" }, { "pull", "--untar" } } do
        local function with(...)
            return table.move({ ... }, 1, select("#", ...), #command + 1, table.move(command, 1, #command, 1, {}))
        end
        w:both(with("one/app", "--verify", "--keyring", bad), { status = 1 })
        w:both(with("one/app", "--verify", "--keyring", good))
        w:both(with("one/web", "--verify", "--keyring", good), { status = 1 })
        w:same_files()
    end
    w:both { "pull", "app", "--repo", url, "--prov" }
    w:both { "pull", "one/web", "--prov" }
    w:both({ "template", "r", "app", "--verify", "--keyring", good }, { status = 1 })
    w:both { "template", "r", "app-0.1.0.tgz", "--verify", "--keyring", good }
    w:both({ "template", "r", "web-1.0.0.tgz", "--verify", "--keyring", good }, { status = 1 })
    w:same_files()
    w:write("top/Chart.yaml", "apiVersion: v2\nname: top\nversion: 0.1.0\ndependencies:\n"
        .. ("- {name: app, version: 0.1.0, repository: %q}\n- {name: web, version: 1.0.0, repository: %q}\n"):format(url, url))
    w:both({ "dependency", "update", "top", "--verify", "--keyring", good }, { status = 1 })
    w:both { "dependency", "update", "top" }
    w:both { "dependency", "build", "top", "--verify", "--keyring", good }
    w:both({ "dependency", "build", "top", "--verify", "--keyring", bad }, { status = 1 })
    w:same_files()
    server:close()
end

-- The default keyring is where helm looks for it.
function tests.keyrings_are_found_where_helm_looks()
    lu.assertEquals(sign("helm", "--key", "ann", "--keyring", ring "secret-ann.gpg").status, 0)
    changed("helm", function(archive, proof) return archive, proof end)
    w:both({ "verify", "app-0.1.0.tgz" }, { status = 1 })
    for _, who in ipairs { "helm", "todo" } do
        fs.mkdir(w:home(who) .. "/.gnupg")
        fs.write(w:home(who) .. "/.gnupg/pubring.gpg", fs.read(ring "ann.gpg"))
    end
    w:both { "verify", "app-0.1.0.tgz" }
end

-- Nothing stays behind: no agent, no copy of a key.
function tests.signing_leaves_nothing_behind()
    local temporary <close> = fs.tempdir()
    local result = proc.run({ program.executable, "helm", "package", "app", "--sign", "--key", "bob", "--keyring",
        ring "secret-bob.gpg", "--passphrase-file", ring "phrase" }, { cwd = w:folder "todo", check = false,
        env = { TMPDIR = temporary.path } })
    lu.assertEquals(result.status, 0, result.stderr)
    lu.assertEquals(fs.list(temporary.path), {})
    lu.assertEquals(proc.run({ "pgrep", "-f", "gpg-agent.*" .. temporary.path }, { check = false }).stdout, "")
end

function tests.a_machine_without_gnupg_says_what_to_install()
    local result = proc.run({ program.executable, "helm", "package", "app", "--sign", "--key", "bob" },
        { cwd = w:folder "todo", check = false, env = { PATH = "/nowhere" } })
    lu.assertEquals(result.status, 1)
    lu.assertStrContains(result.stderr, "GnuPG, which is not installed\n  install it")
end

return tests
