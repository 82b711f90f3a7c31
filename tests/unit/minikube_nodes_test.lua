-- Minikube of several nodes, and one that runs while its API does not answer. The tool is a script that answers as the real
-- one does.
local fs = require "fs"
local http = require "http"
local json = require "json"
local lu = require "luaunit"
local minikube = require "cluster.minikube"
local proc = require "proc"

local tests = {}
local dir, before, ctx, api, answers

local function file(name) return dir.path .. "/" .. name end

local function install(script)
    fs.write(file "bin/minikube", ([[#!/bin/sh
shift 2
echo "$@" >> '%s'
case "$*" in
status*) echo '{"Name":"minikube","Host":"Running","Kubelet":"Running","APIServer":"Running","Kubeconfig":"Configured"}' ;;
%s
esac
]]):format(file "calls", script), 493)
end

-- How minikube was called, its questions left out.
local function calls() return ((fs.read(file "calls") or ""):gsub("[^\n]*json[^\n]*\n", "")) end

local function profile(nodes, runtime, driver)
    fs.mkdir(file ".minikube/profiles/minikube")
    fs.write(file ".minikube/profiles/minikube/config.json", json.encode { Driver = driver or "docker", Nodes = nodes,
        KubernetesConfig = { ContainerRuntime = runtime } })
    fs.write(file ".minikube/profiles/minikube/client.crt", "")
end

function tests.setup()
    dir = fs.tempdir()
    fs.mkdir(file "bin")
    before = { PATH = proc.env("PATH", file "bin" .. ":/usr/bin:/bin"), MINIKUBE_HOME = proc.env("MINIKUBE_HOME", dir.path),
        MINIKUBE_PROFILE = proc.env("MINIKUBE_PROFILE", false) or false, KUBECONFIG = proc.env("KUBECONFIG", file "kubeconfig") }
    answers = true
    api = http.listen("127.0.0.1", 0, function(conn)
        conn:read()
        if answers then
            conn:write("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 24\r\nConnection: close\r\n\r\n"
                .. '{"gitVersion":"v1.36.0"}')
        end
        conn:close()
    end)
    fs.write(file "kubeconfig", json.encode { apiVersion = "v1", kind = "Config",
        contexts = { { name = "minikube", context = { cluster = "minikube", user = "minikube" } } },
        clusters = { { name = "minikube", cluster = { server = "http://127.0.0.1:" .. api.port } } },
        users = { { name = "minikube", user = {} } } })
    local images = { ["a:1"] = { Id = "sha256:aa", Size = 1 }, ["b:1"] = { Id = "sha256:bb", Size = 1 } }
    ctx = { config = { cluster = {} }, docker = { image = function(_, name) return images[name] end } }
end

function tests.teardown()
    for name, value in pairs(before) do proc.env(name, value or false) end
    api:close()
    dir:close()
end

local ONE, BOTH = '{"id":"sha256:aa","repoTags":["docker.io/library/a:1"]}',
    '{"id":"sha256:aa","repoTags":["docker.io/library/a:1"]},{"id":"sha256:bb","repoTags":["docker.io/library/b:1"]}'

function tests.images_that_one_of_the_machines_lacks_are_loaded()
    profile({ { Name = "" }, { Name = "m02" } }, "docker", "kvm2")
    install(([[
"image ls"*) echo '[%s]' ;;
"ssh --node  "*) echo '{"images":[%s]}' ;;
"ssh --node m02 "*) echo '{"images":[%s]}' ;;
]]):format(BOTH:gsub("sha256:", ""), BOTH, ONE))
    lu.assertEquals(minikube.load_image(ctx, { "a:1", "b:1" }), { "b:1" })
    lu.assertEquals(calls(), "image load --daemon b:1\n")
    lu.assertEquals({ minikube.image_id(ctx, "a:1"), minikube.image_id(ctx, "b:1") }, { "sha256:aa" })
    profile({ { Name = "" } }, "docker", "kvm2")
    lu.assertEquals(minikube.load_image(ctx, { "a:1", "b:1" }), {})
end

function tests.images_are_asked_of_each_node_with_containerd()
    profile({ { Name = "" }, { Name = "m02" } }, "containerd")
    install ""
    local asked, sent = {}, {}
    function ctx.docker.exec(_, node, argv, options)
        if argv[1] ~= "crictl" then
            if options and options.stdin then sent[#sent + 1] = node end
            return { status = 0, stdout = "", stderr = "" }
        end
        asked[node] = true
        local has = node == "minikube" or argv[#argv] == "a:1"
        return { status = has and 0 or 1, stdout = has and (argv[#argv] == "a:1" and "sha256:aa" or "sha256:bb") or "" }
    end
    lu.assertEquals(minikube.load_image(ctx, { "a:1", "b:1" }), { "b:1" })
    lu.assertEquals(asked, { minikube = true, ["minikube-m02"] = true })
    lu.assertEquals(sent, { "minikube-m02" })
end

function tests.running_minikube_whose_api_answers_is_left_alone()
    profile({ { Name = "" } }, "docker")
    install ""
    lu.assertEquals(minikube.status(ctx).state, "running")
    lu.assertFalse(minikube.start(ctx))
    lu.assertEquals(calls(), "")
end

function tests.running_minikube_whose_api_is_silent_is_broken_and_started_again()
    profile({ { Name = "" } }, "docker")
    install ""
    answers = false
    local status = minikube.status(ctx)
    lu.assertEquals({ status.state, status.message }, { "broken", "its API server does not answer" })
    lu.assertTrue(minikube.start(ctx))
    lu.assertStrMatches(calls(), "start %-%-output=text .*\n")
end

return tests
