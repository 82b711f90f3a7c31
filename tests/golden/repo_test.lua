-- Repositories, and charts that are found in them: todo-lua beside helm, which both read and write the same files.
local fs = require "fs"
local http = require "http"
local lu = require "luaunit"
local proc = require "proc"
local repo_world = require "tests.golden.repo_world"
local task = require "task"

local tests = {}
local served, charts, closed, w, url, closed_url

local DESCRIPTION = "description: A web server that says more of itself than a column of a table can hold\n"

function tests.setup_all()
    served = fs.tempdir()
    for _, version in ipairs { "1.2.0", "1.10.0", "2.0.0-rc.1", "0.9.1+build.5" } do
        repo_world.pack(served.path, "web", version, "appVersion: v" .. version .. "\nkeywords: [http, proxy]\n"
            .. DESCRIPTION)
    end
    repo_world.pack(served.path .. "/below", "db", "3.0.0", "description: Stores what web needs\nappVersion: '17'\n")
    charts = repo_world.serve(served.path)
    closed = repo_world.serve(served.path, "me:let-me-in")
    url, closed_url = "http://127.0.0.1:" .. charts.port, "http://127.0.0.1:" .. closed.port
    proc.run { "helm", "repo", "index", served.path }
end

function tests.setup() w = repo_world.new() end

function tests.teardown() w:close() end

function tests.teardown_all()
    if charts then charts:close() end
    if closed then closed:close() end
    if served then served:close() end
end

function tests.repositories_are_added_listed_updated_and_removed_as_by_helm()
    w:both({ "repo", "list" }, { status = 1 })
    w:both { "repo", "list", "-o", "json" }
    w:both({ "repo", "update" }, { status = 1 })
    w:both({ "repo", "remove", "one" }, { status = 1 })
    w:both { "repo", "add", "one", url }
    w:both { "repo", "add", "one", url }
    w:both({ "repo", "add", "one", closed_url }, { status = 1 })
    w:both({ "repo", "add", "o/ne", url }, { status = 1 })
    w:both({ "repo", "add", "absent", url .. "/absent" }, { status = 1 })
    w:both({ "repo", "add", "closed", closed_url, "--username", "me", "--password", "wrong" }, { status = 1 })
    w:both({ "repo", "add", "closed", closed_url, "--username", "me", "--password-stdin" }, { stdin = "let-me-in\n" })
    w:both { "repo", "add", "third", url .. "/", "--force-update", "--pass-credentials" }
    w:both({ "repo", "add", "old", "https://kubernetes-charts.storage.googleapis.com" }, { status = 1 })
    w:both({ "repo", "add", "file", "file:///tmp" }, { status = 1 })
    w:same_files()
    for _, format in ipairs { "table", "json", "yaml" } do w:both { "repo", "list", "-o", format } end
    w:both({ "repo", "update" }, { any_order = true })
    w:both { "repo", "update", "closed" }
    w:both({ "repo", "up", "unknown" }, { status = 1 })
    w:both { "repo", "remove", "third", "closed" }
    w:both({ "repo", "rm", "third" }, { status = 1 })
    w:same_files()
    lu.assertEquals(fs.stat(w:home("todo") .. "/.config/helm/repositories.yaml").mode & 511, 384) -- 0600
end

function tests.charts_are_searched_as_by_helm()
    w:both({ "search", "repo" }, { status = 1 })
    w:both { "repo", "add", "one", url }
    w:both { "repo", "add", "two", closed_url, "--username", "me", "--password", "let-me-in" }
    for _, words in ipairs {
        {}, { "web" }, { "WEB" }, { "proxy" }, { "one/" }, { "needs" }, { "nothing-like-it" }, { "-l" }, { "web", "-l" },
        { "--devel" }, { "web", "--version", "^1.0.0" }, { "web", "-l", "--version", ">1.0.0-0" }, { "-r", "^d.*needs" },
        { "-r", "[hw]t*p\\b" }, { "--max-col-width", "0" }, { "--max-col-width", "12" }, { "web", "-o", "json" },
        { "web", "-o", "yaml" }, { "nothing", "-o", "json" }, { "nothing", "-o", "yaml" },
    } do
        w:both(table.move(words, 1, #words, 3, { "search", "repo" }))
    end
    w:both({ "search", "repo", "nothing", "--fail-on-no-result" }, { status = 1 })
    w:both({ "search", "repo", "--version", "x.y.z" }, { status = 1 })
    w:both({ "search", "repo", "-r", "(" }, { status = 1, any_error = true })
end

function tests.charts_are_pulled_as_by_helm()
    w:both { "repo", "add", "one", url }
    w:both { "pull", "one/web" }
    w:both { "pull", "one/web", "--version", "1.2.0", "-d", "." }
    w:both { "pull", "one/web", "--version", "~1.2" }
    w:both { "pull", "one/web", "--devel", "--untar" }
    w:both { "pull", "one/web", "--version", "0.9.1+build.5", "--untar", "--untardir", "deep/er" }
    w:both { "fetch", "db", "--repo", url }
    w:both { "pull", url .. "/web-1.10.0.tgz", "one/db" }
    w:both { "pull", "web", "--repo", closed_url, "--username", "me", "--password", "let-me-in", "--untar", "--untardir", "c" }
    w:same_files()
    for _, words in ipairs {
        { "one/absent" }, { "one/web", "--version", "^7" }, { "one/web", "--version", "x y" }, { "unknown/web" }, { "web" },
        { "absent", "--repo", url }, { "web", "--repo", url, "--version", "^7" }, { "web", "--repo", url .. "/no" },
        { url .. "/absent.tgz" }, { "one/web", "--untar", "--devel" },
        { "file:///tmp/x.tgz" },
    } do
        w:both(table.move(words, 1, #words, 2, { "pull" }), { status = 1 })
    end
    w:both({ "pull", "one/web", "-d", "absent" }, { status = 1, any_error = true })
    w:same_files()
end

-- The rendered objects are small; what is tested is that the right chart is found.
function tests.every_command_that_takes_a_chart_finds_it_as_helm_does()
    w:both { "repo", "add", "one", url }
    w:both { "template", "r", "one/web" }
    w:both { "template", "r", "one/web", "--version", ">=1 <1.5", "--set", "size=9" }
    w:both { "template", "r", "one/web", "--devel" }
    w:both { "template", "r", "web", "--repo", url }
    w:both { "template", "r", url .. "/below/db-3.0.0.tgz" }
    w:both { "template", "r", "web", "--repo", closed_url, "--username", "me", "--password", "let-me-in" }
    w:both({ "template", "r", "one/absent" }, { status = 1 })
    w:both({ "template", "r", "absent" }, { status = 1 })
    w:both({ "template", "r", "./absent" }, { status = 1 })
    for _, part in ipairs { "all", "chart", "values", "readme", "crds" } do w:both { "show", part, "one/web" } end
    w:both { "inspect", "chart", "one/web", "--version", "1.2.0" }
    w:same_files()
end

function tests.values_come_from_urls_as_with_helm()
    fs.write(served.path .. "/values.yaml", "size: 7\nmore: {a: b}\n")
    fs.write(served.path .. "/broken.yaml", "size: [\n")
    local template = { "template", "r", "web", "--repo", url }
    local function with(...) return { table.unpack(table.move({ ... }, 1, select("#", ...), #template + 1,
        table.move(template, 1, #template, 1, {}))) } end
    w:both(with("-f", url .. "/values.yaml"))
    w:both(with("-f", url .. "/values.yaml", "--set-file", "size=" .. url .. "/values.yaml,x.y=" .. url .. "/values.yaml"))
    w:both(with("-f", url .. "/broken.yaml"), { status = 1 })
    w:both(with("-f", url .. "/absent.yaml"), { status = 1 })
    w:both(with("--set-file", "a=" .. url .. "/absent.yaml"), { status = 1 })
    w:both(with("-f", "ftp://127.0.0.1/values.yaml"), { status = 1 })
    w:write("app/Chart.yaml", "apiVersion: v2\nname: app\nversion: 1.0.0\n")
    w:both { "lint", "app", "-f", url .. "/values.yaml" }
end

function tests.helm_and_todo_take_turns_on_one_list()
    lu.assertEquals(w:run("todo", { "repo", "add", "one", url }).status, 0)
    lu.assertEquals(w:run("helm", { "repo", "add", "two", url }, { home = "todo" }).status, 0)
    lu.assertEquals(w:run("todo", { "repo", "remove", "one" }).status, 0)
    local list = w:run("helm", { "repo", "list" }, { home = "todo" }).stdout
    lu.assertEquals(list, w:run("todo", { "repo", "list" }).stdout)
    lu.assertStrContains(list, "two")
    lu.assertNotStrContains(list, "one")
    lu.assertStrContains(w:run("helm", { "search", "repo" }, { home = "todo" }).stdout, "two/web")
end

-- helm does not look at the digest that the index tells.
function tests.a_chart_that_is_not_what_the_index_says_is_refused()
    local own <close> = fs.tempdir()
    repo_world.pack(own.path, "web", "1.0.0")
    proc.run { "helm", "repo", "index", own.path }
    fs.remove(own.path .. "/web-1.0.0.tgz")
    repo_world.pack(own.path, "web", "1.0.0", "description: another\n")
    local server <close> = setmetatable({ repo_world.serve(own.path) }, { __close = function(s) s[1]:close() end })
    local result = w:run("todo", { "pull", "web", "--repo", "http://127.0.0.1:" .. server[1].port })
    lu.assertEquals(result.status, 1)
    lu.assertStrContains(result.stderr, "is not what its repository's index says")
    lu.assertEquals(fs.list(w:folder "todo"), {})
end

-- Credentials stay with the repository that they are for. (helm pull --repo lets them go; helm's other commands do not.)
function tests.credentials_do_not_go_to_other_hosts()
    local own <close> = fs.tempdir()
    fs.write(own.path .. "/index.yaml", ("apiVersion: v1\nentries:\n  web:\n  - name: web\n    version: 1.10.0\n"
        .. "    urls: [%s/web-1.10.0.tgz]\n"):format(closed_url))
    local other = repo_world.serve(own.path, "me:let-me-in")
    local repository = "http://127.0.0.1:" .. other.port
    local credentials = { "--username", "me", "--password", "let-me-in" }
    local arguments = { "template", "r", "web", "--repo", repository, table.unpack(credentials) }
    w:both(arguments, { status = 1 })
    lu.assertEquals(w:run("todo", { "pull", "web", "--repo", repository, table.unpack(credentials) }).status, 1)
    arguments[#arguments + 1] = "--pass-credentials"
    w:both(arguments)
    w:both { "repo", "add", "other", repository, table.unpack(credentials) }
    w:both({ "pull", "other/web", "-d", "." }, { status = 1 })
    other:close()
end

function tests.what_a_server_says_of_a_status_is_told_as_by_helm()
    local said
    local server <close> = http.listen("127.0.0.1", 0, function(conn)
        while not (conn:read() or "\r\n\r\n"):find("\r\n\r\n", 1, true) do end
        conn:write(said .. "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    end)
    for _, line in ipairs { "HTTP/1.1 404 Nothing here", "HTTP/1.1 404", "HTTP/1.1 503 ", "HTTP/1.0 418 I'm  a teapot ",
        "HTTP/1.1  500 Two spaces", "HTTP/1.1 204 No Content" } do
        said = line
        w:both({ "repo", "add", "odd", "http://127.0.0.1:" .. server.port }, { status = 1 })
        w:both({ "pull", "http://127.0.0.1:" .. server.port .. "/web-1.0.0.tgz" }, { status = 1 })
    end
end

function tests.registries_that_do_not_answer_are_told_as_by_helm()
    for _, words in ipairs { { "pull", "oci://127.0.0.1:1/x" }, { "pull", "oci://127.0.0.1:1/x", "--version", "1.0.0" },
        { "show", "chart", "oci://127.0.0.1:1/x" }, { "template", "oci://127.0.0.1:1/x", "--plain-http" } } do
        w:both(words, { status = 1 })
    end
    w:both({ "registry", "login", "127.0.0.1:1", "-u", "a", "--password-stdin" }, { status = 1, stdin = "b" })
end

function tests.indexes_are_read_as_strictly_as_by_helm()
    local head = "apiVersion: v1\nentries:\n  web:\n  - name: web\n    version: 1.0.0\n    urls: [web-1.0.0.tgz]\n"
    local cases = {
        plain = head, above = head .. "more: 1\n", inside = head .. "    colour: red\n",
        maintainer = head .. "    maintainers: [{name: a, phone: 1}]\n", case = head .. "    APPVERSION: '1'\n",
        dependency = head .. "    dependencies: [{name: a, repository: '', version: '1', optional: true}]\n",
        kind = head .. "    type: other\n", many = head .. "  - name: .\n    version: 1.0.0\n  - name: a/b\n"
            .. "    version: 1.0.0\n  - version: 1.0.0\n  - name: web\n  - name: web\n    version: one\n"
            .. "  - name: web\n    version: 2.0.0\n    maintainers: [null]\n  - name: web\n    version: 3.0.0\n"
            .. "    dependencies: [{name: a, repository: '', alias: 'b c'}]\n  - null\n", json = '{"apiVersion":"v1","more":1,"entries":{"web":[{"name":"web",'
            .. '"version":"1.0.0","urls":["u"],"colour":"red"}]}}',
    }
    for _, name in ipairs { "plain", "above", "inside", "maintainer", "dependency", "case", "json", "kind", "many" } do
        local own <close> = fs.tempdir()
        fs.write(own.path .. "/index.yaml", cases[name])
        local server = repo_world.serve(own.path)
        local fails = name == "above" or name == "inside" or name == "maintainer" or name == "dependency"
        w:both({ "repo", "add", name, "http://127.0.0.1:" .. server.port }, { status = fails and 1 or 0 })
        if not fails then w:both { "search", "repo", name .. "/" } end
        server:close()
    end
end

function tests.indexes_are_made_as_by_helm()
    for _, who in ipairs { "helm", "todo" } do
        for _, folder in ipairs { "", "/below" } do
            fs.mkdir(w:folder(who) .. "/charts" .. folder)
            for _, name in ipairs(fs.list(served.path .. folder)) do
                if name:find("%.tgz$") then
                    fs.write(w:folder(who) .. "/charts" .. folder .. "/" .. name,
                        fs.read(served.path .. folder .. "/" .. name))
                end
            end
        end
        fs.write(w:folder(who) .. "/charts/broken-1.0.0.tgz", "no archive")
    end
    w:write("old.yaml", "apiVersion: v1\nentries:\n  web:\n  - name: web\n    version: 0.1.0\n    apiVersion: v2\n"
        .. "    created: \"2020-01-02T03:04:05Z\"\n    digest: abc\n    deprecated: true\n    urls: [x/web-0.1.0.tgz]\n"
        .. "  - name: web\n    version: 1.2.0\n    urls: [y]\ngenerated: \"2020-01-02T03:04:05Z\"\n")
    local function same_index()
        local texts = {}
        for _, who in ipairs { "helm", "todo" } do
            texts[who] = fs.read(w:folder(who) .. "/charts/index.yaml"):gsub("%d%d%d%d%-%d%d%-%d%dT[%d:.]+Z", "TIME")
        end
        lu.assertEquals(texts.todo, texts.helm)
    end
    for _, words in ipairs {
        { "charts" }, { "charts", "--url", "https://example.com/charts/" }, { "charts", "--json", "--url", "http://h" },
        { "charts", "--merge", "old.yaml" }, { "charts", "--merge", "new.yaml", "--json" },
    } do
        w:both(table.move(words, 1, #words, 3, { "repo", "index" }))
        same_index()
    end
    w:both({ "repo", "index", "absent" }, { status = 1, any_error = true })
end

-- openssl serves the folder; nobody but its own certificate vouches for it.
local function serve_tls(folder)
    local port
    do
        local listener <close> = http.bind("127.0.0.1", 0)
        port = listener.port
    end
    proc.run { "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", w.path .. "/key.pem", "-out",
        w.path .. "/cert.pem", "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost" }
    local process = proc.spawn({ "openssl", "s_server", "-accept", "127.0.0.1:" .. port, "-cert", w.path .. "/cert.pem",
        "-key", w.path .. "/key.pem", "-WWW", "-quiet" }, { cwd = folder, stdout = "null", stderr = "null",
        stdin = "pipe" })
    local deadline = task.now() + 30
    repeat
        local ok, connection = pcall(http.connect, "127.0.0.1", port, 1)
        if ok then
            connection:close()
            return process, "https://localhost:" .. port
        end
        task.sleep(0.1)
    until task.now() > deadline
    error "openssl does not serve"
end

function tests.certificates_are_checked_as_the_flags_say()
    local process, secure = serve_tls(served.path)
    local running <close> = process -- luacheck: ignore running
    local certificate = w.path .. "/cert.pem"
    local show = { "show", "chart", "web", "--repo", secure }
    local function with(...)
        local arguments = table.move(show, 1, #show, 1, {})
        return table.move({ ... }, 1, select("#", ...), #arguments + 1, arguments)
    end
    w:both(show, { status = 1, any_error = true })
    w:both(with("--ca-file", certificate))
    w:both(with "--insecure-skip-tls-verify")
    w:both(with("--ca-file", w.path .. "/absent"), { status = 1, any_error = true })
    w:both({ "repo", "add", "one", secure }, { status = 1, any_error = true })
    w:both { "repo", "add", "one", secure, "--ca-file", certificate }
    w:both { "repo", "update" }
    w:both { "template", "r", "one/web" }
    process:kill()
end

return tests
