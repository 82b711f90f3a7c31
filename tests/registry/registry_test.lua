-- Images through a real registry: pushed, pulled by digest, and from there to the pods of the tests' cluster, which has
-- two nodes here.
local chart_text = [[
apiVersion: apps/v1
kind: Deployment
metadata: {name: {{ .Release.Name }}-page, labels: {app.kubernetes.io/instance: {{ .Release.Name }}}}
spec:
  replicas: 2
  selector: {matchLabels: {app: page}}
  template:
    metadata: {labels: {app: page, app.kubernetes.io/instance: {{ .Release.Name }}}}
    spec:
      terminationGracePeriodSeconds: 0
      topologySpreadConstraints: # one on each node
        - {topologyKey: kubernetes.io/hostname, maxSkew: 1, whenUnsatisfiable: DoNotSchedule,
           labelSelector: {matchLabels: {app: page}}, matchLabelKeys: [pod-template-hash]}
      {{- with .Values.global.imagePullSecrets }}
      imagePullSecrets: {{ toYaml . | nindent 8 }}
      {{- end }}
      containers:
        - name: page
          image: "{{ .Values.page.image.repository }}:{{ .Values.page.image.tag }}"
          args: [out, ready, sleep, "3600"]
]]

local docker = require "docker"
local eventually = require "tests.eventually"
local fs = require "fs"
local images = require "images"
local json = require "json"
local k8s = require "k8s"
local log = require "log"
local lu = require "luaunit"
local needs = require "tests.needs"
local node_images = require "cluster.standalone.images"
local proc = require "proc"
local registry = require "registry"
local release = require "release"
local rollout = require "rollout"
local running_images = require "running_images"
local secret = require "secret"
local server = require "tests.registry.server"
local stack = require "stack"
local standalone = require "cluster.standalone"
local tables = require "tables"
local wait = require "wait"

local tests = {}
local USER, PASSWORD = "builder", "registry-canary-0123456789"
local open, locked -- two registries: one for everybody, one with a password
local client, dir, before
local namespace = "registry-test-" .. proc.pid()
local NAME = "tl-registry-" .. proc.pid() -- two runs at once on one engine leave each other's images alone

local nothing = function() end
local line = { set = nothing, done = nothing, fail = nothing, drop = nothing, warn = nothing }

local context

local function remove_images()
    for _, image in ipairs(client:images { filters = { label = { "todo-lua.component=page" } } }) do
        if json.encode({ image.RepoTags, image.RepoDigests }):find(NAME, 1, true) then client:remove_image(image.Id, { force = true }) end
    end
end

function tests.setup_all()
    needs.nodes(2)
    client = docker.connect()
    dir = fs.tempdir()
    open, locked = server.start(), server.start { users = { [USER] = PASSWORD } }
    before = { config = proc.env("DOCKER_CONFIG", dir.path), kubeconfig = proc.env "KUBECONFIG" }
    fs.mkdir(dir.path .. "/src")
    proc.run { "gcc", "-static", "-O1", "-o", dir.path .. "/src/tool", "tests/unit/docker/tool.c" }
    fs.write(dir.path .. "/src/Dockerfile", "FROM scratch\nCOPY tool message /\nENTRYPOINT [\"/tool\"]\n")
    fs.mkdir(dir.path .. "/chart/templates")
    fs.write(dir.path .. "/chart/Chart.yaml", "apiVersion: v2\nname: page\nversion: 1.0.0\n")
    fs.write(dir.path .. "/chart/values.yaml", "global: {}\npage: {image: {repository: x, tag: y}}\n")
    fs.write(dir.path .. "/chart/templates/page.yaml", chart_text)
end

function tests.teardown_all()
    local ctx = context(open.host)
    k8s.connect({ context = ctx.context }):delete("Namespace", namespace)
    proc.env("DOCKER_CONFIG", before.config or false)
    proc.env("KUBECONFIG", before.kubeconfig or false)
    remove_images()
    client:close()
    open:close()
    locked:close()
    dir:close()
end

function tests.setup()
    fs.write(dir.path .. "/config.json", json.encode { auths = { [locked.host] = {
        auth = secret.base64(USER .. ":" .. PASSWORD) } } }, 384) -- 0600
    fs.write(dir.path .. "/src/message", "first " .. proc.time())
end

-- A context as project.open makes it, for the cluster that the tests share, under the name of a kubeconfig context.
function context(target)
    local found = standalone.kubeconfig(needs.context())
    proc.env("KUBECONFIG", found.kubeconfig)
    local ctx = {
        options = { set = {}, values = {}, context = found.context }, context = found.context, root = dir.path,
        cache_dir = dir.path .. "/cache", state_dir = dir.path .. "/state", value_layers = {}, step_layers = {},
        log = log, docker = client, provider = require "cluster.context", node_addresses = {},
        board = { line = function() return line end }, database = {},
        config = {
            release = "shop", namespace = namespace, chart = "chart", components = { "page" }, timeout = 120,
            url = { component = "page" }, ports = { node = 30097 }, cluster = { registry = target },
            images = { page = { name = NAME, context = "src", dockerfile = "src/Dockerfile", args = {} } },
        },
    }
    ctx.told = {}
    function ctx.progress(name, text, done, total)
        ctx.told[#ctx.told + 1] = { name = name, text = text, done = done, total = total }
    end
    ctx.secrets = function() return secret.store(dir.path .. "/secrets") end
    return ctx
end

local function build_and_push(ctx)
    local _, _, list = images.ensure(ctx, line, stack.values(ctx))
    return list[1]
end

local function manifest_digest(where, name, login)
    local answer = where:get("/v2/" .. name:gsub(":([^:]*)$", "/manifests/%1"), login,
        "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json")
    return answer.headers["docker-content-digest"], answer.status
end

function tests.push_tells_bytes_and_the_digest_that_the_registry_has()
    local ctx = context(open.host .. "/team")
    local image = build_and_push(ctx)
    lu.assertStrMatches(image.digest, "sha256:%x+")
    lu.assertEquals(image.digest, (manifest_digest(open, "team/" .. image.ref)))
    local most = 0
    for _, one in ipairs(ctx.told) do
        lu.assertEquals(one.name, "push")
        if one.text:find("Push", 1, true) then most = math.max(most, one.done or 0) end
    end
    lu.assertTrue(most > 100000, "told of " .. most .. " bytes")
end

function tests.image_that_the_registry_has_is_not_pushed_again()
    local first = build_and_push(context(open.host))
    local ctx = context(open.host)
    local second = build_and_push(ctx)
    lu.assertEquals(second.digest, first.digest)
    lu.assertEquals(ctx.told, {})
    -- It is looked for in the registry, not in a memory of ours.
    local answer = proc.run({ "curl", "-s", "--noproxy", "*", "-o", "/dev/null", "-w", "%{http_code}", "-X", "DELETE",
        ("http://%s/v2/%s/manifests/%s"):format(open.host, NAME, first.digest) }).stdout
    lu.assertEquals(answer, "202")
    ctx = context(open.host)
    lu.assertEquals(build_and_push(ctx).digest, first.digest)
    lu.assertTrue(#ctx.told > 0)
end

function tests.pull_by_digest_brings_the_very_image()
    local ctx = context(open.host)
    local image = build_and_push(ctx)
    local name = ("%s/%s@%s"):format(open.host, NAME, image.digest)
    remove_images()
    lu.assertNil(client:image(name))
    local events = {}
    client:pull(name, { on_progress = function(event) events[#events + 1] = event.stream end })
    lu.assertEquals(client:image(name).Id, image.id)
    lu.assertStrContains(table.concat(events, " "), "pull")
    client:remove_image(name, { force = true })
    local ok, problem = pcall(client.pull, client, ("%s/%s@sha256:%s"):format(open.host, NAME, ("0"):rep(64)))
    lu.assertFalse(ok)
    lu.assertTrue(problem.kind == "not_found" or problem.kind == "pull", problem.kind)
end

function tests.password_is_asked_for_and_used()
    local ctx = context(locked.host)
    local image = build_and_push(ctx)
    lu.assertEquals({ manifest_digest(locked, image.ref) }, { nil, 401 })
    lu.assertEquals((manifest_digest(locked, image.ref, USER .. ":" .. PASSWORD)), image.digest)
    local auth = registry.credentials(locked.host)
    lu.assertEquals(client:distribution(locked.host .. "/" .. image.ref, { auth = auth }).Descriptor.digest, image.digest)
    remove_images()
    client:pull(locked.host .. "/" .. image.ref, { auth = auth })
    lu.assertEquals(client:digest(locked.host .. "/" .. image.ref), image.digest)
end

function tests.credential_helper_is_used_for_a_push()
    fs.write(dir.path .. "/docker-credential-tests", ([[#!/bin/sh
test "$1 $(cat)" = "get %s" && echo '{"Username":"%s","Secret":"%s"}'
]]):format(locked.host, USER, PASSWORD), 448) -- 0700
    fs.write(dir.path .. "/config.json", json.encode { credHelpers = { [locked.host] = "tests" } })
    local path = proc.env("PATH", dir.path .. ":" .. proc.env "PATH")
    local ok, image = pcall(build_and_push, context(locked.host))
    proc.env("PATH", path)
    lu.assertTrue(ok, tostring(image))
    lu.assertStrMatches(image.digest, "sha256:%x+")
end

local function refused(ctx)
    local ok, problem = pcall(build_and_push, ctx)
    lu.assertFalse(ok)
    return problem
end

function tests.refusals_name_the_registry_and_the_next_step()
    fs.write(dir.path .. "/config.json", json.encode { auths = { [locked.host] = {
        auth = secret.base64(USER .. ":wrong-canary") } } })
    local wrong = refused(context(locked.host))
    lu.assertEquals(wrong.kind, "push")
    lu.assertStrContains(wrong.message, ("cannot push %s/%s"):format(locked.host, NAME))
    lu.assertEquals(wrong.hint, ("check the credentials that docker has for %s: docker login %s"):format(locked.host,
        locked.host))
    lu.assertNotStrContains(tostring(wrong), "wrong-canary")
    fs.write(dir.path .. "/config.json", "{}")
    lu.assertStrContains(refused(context(locked.host)).hint, "docker has no credentials for " .. locked.host)
    local listener <close> = require("http").bind("127.0.0.1", 0)
    local port = listener.port
    listener:close()
    lu.assertStrContains(refused(context("127.0.0.1:" .. port)).hint, "no registry listens at 127.0.0.1:" .. port)
    lu.assertStrContains(refused(context(nil)).hint, "--registry")
end

-- What deploy does between the cluster and the URL.
local function deploy(ctx)
    ctx.k8s = k8s.connect { context = ctx.context, namespace = ctx.config.namespace }
    local image = build_and_push(ctx)
    registry.ensure_pull_secret(ctx)
    local options = stack.release_values(ctx, ctx.images)
    local changed, _, rendered = release.ensure(ctx, line, stack.chart(ctx), options)
    local objects = {}
    for index, manifest in ipairs(rendered.manifests) do objects[index] = manifest.object end
    wait.deployed(ctx, objects)
    return image, changed, running_images.ensure(ctx, line, objects), objects
end

-- The pod of each node.
local function pods_of(ctx)
    local by = {}
    for _, pod in ipairs((ctx.k8s:list("pods", { namespace = ctx.config.namespace, labels = { app = "page" } }))) do
        if not pod.metadata.deletionTimestamp then by[pod.spec.nodeName or "none"] = pod end
    end
    lu.assertEquals(tables.keys(by), { "todo-lua", "todo-lua-2" })
    return by
end

function tests.deploy_through_a_registry_runs_what_was_built_on_every_node()
    local ctx = context(locked.host)
    ctx.database = { url = secret.new "postgresql://u:p@h/d", pg_url = secret.new "postgresql://u:p@h/d" }
    local database = ctx.database
    local image, changed, rolled = deploy(ctx)
    lu.assertEquals({ changed, rolled }, { true, false })
    local pods = pods_of(ctx)
    for _, pod in pairs(pods) do
        lu.assertEquals(pod.spec.containers[1].image, ("%s/%s@%s"):format(locked.host, image.ref, image.digest))
        lu.assertEquals(pod.spec.imagePullSecrets, { { name = "shop-registry" } })
        lu.assertStrContains(pod.status.containerStatuses[1].imageID, image.digest)
        local events = ctx.k8s:list("events", { namespace = ctx.config.namespace,
            fields = { ["involvedObject.uid"] = pod.metadata.uid, reason = "Pulled" } })
        lu.assertStrContains(events[1].message, "Successfully pulled image")
    end
    -- Nothing has changed: nothing is pushed, written or replaced.
    local again = context(locked.host)
    again.database = database
    local _, changed_again, rolled_again = deploy(again)
    lu.assertEquals({ changed_again, rolled_again, #again.told }, { false, false, 0 })
    for name, pod in pairs(pods_of(again)) do lu.assertEquals(pod.metadata.uid, pods[name].metadata.uid) end
    -- Other content reaches the pods.
    fs.write(dir.path .. "/src/message", "second " .. proc.time())
    local third = context(locked.host)
    third.database = database
    local newer = deploy(third)
    lu.assertNotEquals(newer.digest, image.digest)
    for _, pod in pairs(pods_of(third)) do
        lu.assertStrContains(pod.status.containerStatuses[1].imageID, newer.digest)
    end
    registry.remove_pull_secret(third)
    lu.assertNil(third.k8s:get("Secret", "shop-registry", { namespace = third.config.namespace }))
    lu.assertTrue(release.uninstall(third, line))
end

-- Without a registry, that is: in one, the digest says what an image is.
function tests.image_of_other_content_on_one_node_is_found_and_sent_again()
    local ctx, shared = context(nil), needs.context()
    ctx.provider, ctx.state_dir, ctx.cache_dir = standalone, shared.state_dir, shared.cache_dir
    ctx.database = { url = secret.new "postgresql://u:p@h/d", pg_url = secret.new "postgresql://u:p@h/d" }
    local image, _, rolled, objects = deploy(ctx)
    lu.assertFalse(rolled)
    local second = standalone.layout(ctx).nodes[2]
    fs.write(dir.path .. "/src/message", "other " .. proc.time())
    node_images.import_folder(second, dir.path .. "/src", "docker.io/library/" .. image.ref, { Entrypoint = { "/tool" } })
    local replaced = pods_of(ctx)[second.name].metadata
    ctx.k8s:delete("pods", replaced.name, { namespace = ctx.config.namespace, grace = 0 })
    eventually(60, "the second node runs the other content", function()
        local pod = pods_of(ctx)[second.name]
        return pod.metadata.uid ~= replaced.uid and rollout.pod_ready(pod)
    end)
    local first = pods_of(ctx)["todo-lua"].status.containerStatuses[1].imageID
    lu.assertNotEquals(pods_of(ctx)[second.name].status.containerStatuses[1].imageID, first)
    lu.assertEquals({ running_images.ensure(ctx, line, objects) }, { true, "running what was built" })
    for _, pod in pairs(pods_of(ctx)) do lu.assertEquals(pod.status.containerStatuses[1].imageID, first) end
    lu.assertEquals({ running_images.ensure(ctx, line, objects) }, { false, "running what was built" })
    lu.assertTrue(release.uninstall(ctx, line))
end

return tests
