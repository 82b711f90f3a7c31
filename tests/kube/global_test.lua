-- The flags of every kube command beside kubectl: which cluster, as whom, and what is told about the requests.
local apiserver = require "tests.cluster.apiserver"
local fs = require "fs"
local judge = require "tests.kube.judge"
local lu = require "luaunit"
local yaml = require "yaml"

local tests = {}
local server, both, pki

function tests.setup_all()
    server = apiserver.start()
    pki = server.pki
    local config = yaml.decode(fs.read(server.kubeconfig))
    config.clusters[2] = { name = "away", cluster = { server = "https://127.0.0.1:1" } }
    config.users[2] = { name = "robot", user = { token = "other-token" } }
    config.users[3] = { name = "nobody", user = {} }
    fs.write(server.kubeconfig, yaml.encode(config), 0x180)
    both = judge.new(server.kubeconfig, server.dir)
end

function tests.teardown_all()
    if both then both:close() end
    if server then server:stop() end
end

local WHO = " auth whoami -o jsonpath={.status.userInfo}"

function tests.user_and_cluster_are_taken_in_place_of_the_contexts()
    for _, flags in ipairs { "", "--user robot", "--cluster test --user robot", "--context test --user robot" } do
        both:same(flags .. WHO)
    end
    for _, flags in ipairs { "--user nope", "--cluster nope", "--cluster nope --user robot" } do
        both:same(flags .. " get ns")
    end
    lu.assertStrContains(both:ours("--user robto get pods").stderr, "did you mean robot?")
    for _, method in ipairs { "kubectl", "ours" } do
        local away = both[method](both, "--cluster away get pods")
        lu.assertEquals(away.status, 1)
        lu.assertStrContains(away.stderr, "The connection to the server 127.0.0.1:1 was refused")
    end
end

function tests.a_cluster_and_a_user_are_enough_without_a_context()
    local config = yaml.decode(fs.read(server.kubeconfig))
    config["current-context"] = ""
    local path = server.dir .. "/no-context"
    fs.write(path, yaml.encode(config), 0x180)
    both:same("--cluster test --user robot" .. WHO, { kubeconfig = path })
end

function tests.credentials_are_taken_in_place_of_the_users()
    for _, flags in ipairs {
        "--user nobody --client-certificate PKI/admin.crt --client-key PKI/admin.key",
        "--as you --as-uid 42 --as-group system:masters --as-group g",
        "--token good-token --user nobody",
    } do
        both:same(flags:gsub("PKI", pki) .. WHO)
    end
    for _, method in ipairs { "kubectl", "ours" } do
        local refused = both[method](both, "--user nobody --username a --password b get ns")
        lu.assertEquals(refused.status, 1)
        lu.assertStrContains(refused.stderr, "Error from server (Forbidden)", nil, method)
    end
    for _, flags in ipairs { "--client-certificate /nope", "--user nobody --client-certificate PKI/admin.crt", "--as-uid 3",
        "--user robot --username a --password b" } do
        for _, method in ipairs { "kubectl", "ours" } do
            local result = both[method](both, flags:gsub("PKI", pki) .. " get ns")
            lu.assertEquals({ result.status, result.stdout }, { 1, "" }, method .. flags)
            lu.assertNotEquals(result.stderr, "")
        end
    end
end

function tests.requests_are_told_from_level_six_on()
    local quiet, told = both:ours("-v=5 get ns"), both:ours("-v6 get ns")
    lu.assertEquals(quiet.stderr, "")
    lu.assertEquals(told.stdout:gsub("%d+s", ""), quiet.stdout:gsub("%d+s", ""), nil)
    lu.assertStrMatches(told.stderr, ".*GET https://127%.0%.0%.1:%d+/api/v1/namespaces%?[^\n]* 200 in %d+ ms\n.*")
    local written = both:ours("--context test --v 7 create ns traced")
    lu.assertStrMatches(written.stderr, ".*POST https://[^\n]*/api/v1/namespaces%?[^\n]* 201 in %d+ ms\n.*")
    both:ours("--context test run traced --image=i --overrides='{\"spec\":{\"nodeName\":\"n\"}}'")
    local streamed = both:ours("--context test -v6 exec traced -- true")
    lu.assertStrMatches(streamed.stderr, ".*GET https://[^\n]*/pods/traced/exec%?[^\n]* %d%d%d in %d+ ms\n.*")
    lu.assertNotStrContains(both:ours("--token good-token -v9 get ns").stderr, "good-token")
end

return tests
