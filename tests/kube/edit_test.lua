-- todo-lua kube edit and replace, and --edit, --raw and --append-hash of create, beside kubectl: each works in a
-- namespace of its own, then the namespaces hold the same.
local apiserver = require "tests.cluster.apiserver"
local fs = require "fs"
local judge = require "tests.kube.judge"
local lu = require "luaunit"
local proc = require "proc"
local program = require "program"

local tests = {}
local server, both, client

function tests.setup_all()
    server = apiserver.start()
    both, client = judge.apart(server)
    both:pair("create deployment web --image=a:1")
    both:pair("create cm one --from-literal=a=1")
    both:pair("create cm two --from-literal=a=1")
end

function tests.teardown_all()
    if both then both:close() end
    if server then server:stop() end
end

-- An editor that runs the next of these commands on its file each time, and keeps what it was shown in seen-NS-N.
local function editor(...)
    local lines = { "#!/bin/sh", "n=$(cat count-$1 2>/dev/null || echo 0); n=$((n + 1)); echo $n > count-$1",
        'cp "$2" seen-$1-$n', "case $n in" }
    for i, command in ipairs { ... } do lines[#lines + 1] = ("%d) %s ;;"):format(i, command:gsub("FILE", '"$2"')) end
    lines[#lines + 1] = "esac"
    fs.write(server.dir .. "/editor", table.concat(lines, "\n") .. "\n", 0x1c0)
    for _, name in ipairs { "ours", "theirs" } do fs.remove(server.dir .. "/count-" .. name) end
    return { env = { KUBE_EDITOR = server.dir .. "/editor NS", EDITOR = "false", TMPDIR = server.dir }, errors = false }
end

local function seen(number) return fs.read(("%s/seen-ours-%d"):format(server.dir, number)) end

local function edit(line, ...) return both:pair(line, editor(...)) end

function tests.edit_sends_what_changed()
    lu.assertEquals(edit("edit deploy/web", "sed -i 's/replicas: 1/replicas: 3/; s/image: a:1/image: b:2/' FILE"),
        "deployment.apps/web edited\n")
    edit("edit cm one", "sed -i '/^  a:/a\\  b: added' FILE")
    edit("edit cm/one cm/two", "sed -i '0,/a: \"1\"/s//a: \"2\"/' FILE")
    edit("edit cm/one -o json", [[sed -i 's/"a": "2"/"a": "3"/' FILE]])
    edit("edit cm/one --output-patch", "sed -i '/^  b:/d' FILE")
    edit("edit deploy/web --subresource=scale", "sed -i 's/replicas: 3/replicas: 2/' FILE")
    lu.assertStrContains(seen(1), "kind: Scale")
    lu.assertNotStrContains(seen(1), "managedFields")
    both:same_content("deploy,cm")
end

function tests.edit_ends_without_a_change()
    for _, command in ipairs { "true", "sed -i '1i# a comment' FILE" } do
        edit("edit cm/two", command)
    end
    for _, command in ipairs { ": > FILE", "sed -i 's/^/# /' FILE" } do -- kubectl calls both invalid, for all it says
        local options = editor(command)
        options.env.KUBE_EDITOR = options.env.KUBE_EDITOR:gsub("NS", "ours")
        local result = both:ours("--context test -n ours edit cm/two", options)
        lu.assertEquals({ result.status, result.stderr }, { 0, "Edit cancelled, saved file was empty.\n" })
    end
    edit("edit cm/nope", "true")
    edit("edit cm/two -o wide", "true")
    edit("edit", "true")
    edit("edit cm/two", "false")
    edit("edit cm/two", "sed -i 's/name: two/name: three/' FILE")
    edit("edit cm/two", "sed -i 's/^  uid: .*/  uid: other/' FILE")
    both:same_content("cm")
end

function tests.edit_opens_a_refused_text_again()
    edit("edit deploy/web", "sed -i 's/replicas: [0-9]/replicas: -1/' FILE", "sed -i 's/replicas: -1/replicas: 5/' FILE")
    lu.assertStrContains(seen(2), '# deployments.apps "web" was not valid:\n# * spec.replicas: Invalid value: -1')
    lu.assertStrContains(seen(2), "replicas: -1")
    edit("edit deploy/web", "sed -i 's/replicas: [0-9]/replicas: -1/' FILE", "true")
    edit("edit cm/one", "sed -i 's/^data:/data: [/' FILE", "sed -i 's/^data: .*/data:/; s/a: .*/a: \"9\"/' FILE")
    lu.assertStrContains(seen(2), "# The edited file had a syntax error: ")
    both:same_content("deploy,cm")
end

-- What cannot be sent now stays in a file that nobody else may read.
function tests.edit_keeps_what_was_not_taken()
    local function change(method, namespace)
        local commands = { "sed -i 's/^data:/data:\\n  new: text/' FILE; sed -i 's/^  resourceVersion: .*/  resourceVersion: \"1\"/' FILE" }
        local options = editor(table.unpack(commands))
        options.env.KUBE_EDITOR = options.env.KUBE_EDITOR:gsub("NS", namespace)
        local result = both[method](both, "--context test -n " .. namespace .. " edit cm/two", options)
        lu.assertEquals(result.status, 1)
        lu.assertStrContains(result.stderr, 'error: configmaps "two" could not be patched: Operation cannot be fulfilled')
        return result.stderr:match("replace %-f ([^%s`]+)")
    end
    change("kubectl", "theirs")
    local kept = change("ours", "ours")
    lu.assertStrContains(fs.read(kept), "new: text")
    lu.assertEquals(fs.stat(kept).mode, 0x180)
    fs.remove(kept)
end

-- The editor has the terminal for itself.
function tests.edit_gives_the_editor_the_terminal()
    both:ours("--context test -n ours create cm asked --from-literal=a=1")
    fs.write(server.dir .. "/ask", "#!/bin/sh\nprintf 'new value: '\nread value\nsed -i \"s/a: .*/a: $value/\" \"$1\"\n", 0x1c0)
    local result = proc.run({ "python3", fs.join(program.project, "tests/unit/terminal.py"), program.executable,
        "--color=never", "kube", "--context", "test", "-n", "ours", "edit", "cm/asked" }, { check = false, timeout = 60,
        stdin = "wait new value: \nsend typed\\r\nwait edited\n",
        env = { KUBECONFIG = server.kubeconfig, KUBE_EDITOR = server.dir .. "/ask" } })
    lu.assertEquals(result.status, 0, result.stdout .. result.stderr)
    lu.assertEquals(client:get("cm", "asked", { namespace = "ours" }).data.a, "typed")
    client:delete("cm", "asked", { namespace = "ours" })
end

function tests.create_lets_edit_and_takes_raw_and_selected_files()
    fs.write(server.dir .. "/new.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: new, labels: {l: a}}\n---\n"
        .. "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: newer, labels: {l: b}}\n")
    fs.write(server.dir .. "/raw.json", '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"raw"}}')
    edit("create -f new.yaml --edit -l l=a", "sed -i '$adata: {k: v}' FILE")
    both:pair("create -f new.yaml -l l=b")
    both:pair("create -f new.yaml -l l=none")
    for _, line in ipairs { "create --raw /api/v1/namespaces/NS/configmaps -f raw.json",
        "create --raw /api/v1/namespaces/NS/configmaps -f raw.json",
        "replace --raw /api/v1/namespaces/NS/configmaps/raw -f raw.json",
        "delete --raw /api/v1/namespaces/NS/configmaps/raw", "create --raw nowhere -f raw.json",
        "create --raw /api/v1 -f raw.json -o json", "create --raw /api/v1 -f raw.json --edit",
        "create --raw /api/v1 -f /nope", "replace --raw /api/v1" } do
        local texts = {}
        for i, pair in ipairs { { "kubectl", "theirs" }, { "ours", "ours" } } do
            local result = both[pair[1]](both, "--context test " .. line:gsub("NS", pair[2]))
            texts[i] = { status = result.status, error = result.stderr:match("^[^\n]*"):gsub(pair[2], "NS"),
                stdout = result.stdout:gsub(pair[2], "NS"):gsub('"uid":"[^"]*"', ""):gsub('"resourceVersion":"%d+"', "")
                    :gsub('"%a*[tT]imes?t?a?m?p?":"[^"]*"', "") }
        end
        lu.assertEquals(texts[2], texts[1], line)
    end
    both:same_content("cm")
end

function tests.create_appends_a_hash()
    fs.write(server.dir .. "/bytes", "\255\254\0")
    for _, line in ipairs { "cm h --from-literal=a=1", "cm h", "cm h --from-file=bytes", "secret generic h --from-literal=a=<b>",
        "secret generic h", "secret generic h --type=x --from-literal=a=1",
        "secret docker-registry h --docker-username=u --docker-password=p" } do
        both:pair("create " .. line .. " --append-hash --dry-run=client")
    end
end

function tests.replace_puts_whole_objects()
    local function manifest(text) return { stdin = text } end
    local cm = "{apiVersion: v1, kind: ConfigMap, metadata: {name: one%s}, data: {only: this}}"
    both:pair("replace -f -", manifest(cm:format("")))
    both:pair("replace -f - --dry-run=server", manifest(cm:format("")))
    both:pair("replace -f - --dry-run=client -o name", manifest(cm:format("")))
    both:pair("replace -f - -o name", manifest(cm:format(", labels: {a: b}")))
    both:pair("replace -f - --save-config", manifest(cm:format("")))
    both:pair("replace -f -", manifest(cm:format(", resourceVersion: '1'")))
    both:pair("replace -f -", manifest("{apiVersion: v1, kind: ConfigMap, metadata: {name: absent}}"))
    both:pair("replace -f -", manifest("{apiVersion: v1, kind: ConfigMap, metadata: {name: one}, dta: {}}"))
    both:pair("replace --force -f -", manifest(cm:format("")))
    both:pair("replace --force -f -", manifest("{apiVersion: v1, kind: ConfigMap, metadata: {name: fresh}}"))
    both:pair("replace --force --grace-period=0 --timeout=5s -f -", manifest(cm:format(", labels: {a: c}")))
    both:pairs("", [[
        replace
        replace -f /nope
        replace -f - --grace-period=1
        replace -f - --timeout=1s
        replace -f - --force --dry-run=server
        replace -f - --force --cascade=x]], manifest(cm:format("")))
    both:same_content("cm")
end

function tests.last_applied_is_shown_set_and_edited()
    fs.write(server.dir .. "/applied.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: applied}\ndata: {a: '1'}\n")
    fs.write(server.dir .. "/other.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: applied}\ndata: {a: '2'}\n")
    fs.write(server.dir .. "/two.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: two}\n")
    both:pair("apply -f applied.yaml")
    both:pairs("apply ", [[
        view-last-applied cm/applied
        view-last-applied -f applied.yaml
        view-last-applied cm applied -o wide
        view-last-applied cm/nope
        set-last-applied -f applied.yaml
        set-last-applied -f other.yaml --dry-run=server
        set-last-applied -f other.yaml
        set-last-applied -f two.yaml
        set-last-applied -f two.yaml --create-annotation -o name
        set-last-applied -f /nope
        view-last-applied cm applied]])
    both:pair("apply view-last-applied cm two", { errors = false })
    edit("apply edit-last-applied cm/applied", "sed -i 's/a: .*/a: \"3\"/' FILE")
    edit("apply edit-last-applied cm/applied", "true")
    edit("apply edit-last-applied deploy/web", "true")
    both:pair("apply view-last-applied cm applied")
    local json_text = both:ours("--context test -n ours apply view-last-applied cm applied -o json").stdout
    lu.assertEquals(require "json".decode(json_text).data, { a = "3" })
    both:same_content("cm")
end

return tests
