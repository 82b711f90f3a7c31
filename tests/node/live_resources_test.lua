-- helm status --show-resources on a real node: what todo-lua shows of a release, helm shows, too.
local apiserver = require "tests.cluster.apiserver"
local fs = require "fs"
local json = require "json"
local lu = require "luaunit"
local node = require "tests.kube.node"
local proc = require "proc"
local program = require "program"
local world = require "tests.release.world"

local tests = {}
local programs = {
    helm = { apiserver.program("judges", "helm") },
    todo = { program.project .. "/build/bin/todo-lua", "helm" },
}
local here, home

local function workload(name)
    return { apiVersion = "apps/v1", kind = "Deployment", metadata = { name = name }, spec = {
        selector = { matchLabels = { app = name } }, template = { metadata = { labels = { app = name } },
            spec = node.spec "while :; do sleep 1000 & wait; done" } } }
end

local function run(who, arguments, stdin)
    local argv = table.move(programs[who], 1, #programs[who], 1, {})
    table.move(arguments, 1, #arguments, #argv + 1, argv)
    return proc.run(argv, { timeout = 120, stdin = stdin or "", env = { KUBECONFIG = here.kubeconfig, HOME = home.path,
        XDG_STATE_HOME = home.path .. "/state", TZ = "UTC", HELM_NAMESPACE = here.namespace } }).stdout
end

function tests.setup_all()
    home = fs.tempdir()
    here = node.open "live-resources"
    run("helm", { "install", "r", world.charts .. "/given", "-f", "-", "--wait", "--timeout", "90s" }, json.encode {
        objects = { workload "web", workload "other",
            { apiVersion = "v1", kind = "ConfigMap", metadata = { name = "one" }, data = { a = "b" } },
            { apiVersion = "v1", kind = "ConfigMap", metadata = { name = "a-much-longer-name" } },
            { apiVersion = "v1", kind = "Service", metadata = { name = "web" }, spec = { ports = { { port = 80 } } } } } })
    here.client:delete("configmaps", "one") -- what is gone is left out
end

function tests.teardown_all()
    if here then here:close() end
    if home then home:close() end
end

-- helm prints the kinds in any order.
local function sections_of(text)
    local head, resources, tail = text:match("^(.-)RESOURCES:\n(.-)\n\n(TEST SUITE.*)$")
    local list = {}
    for section in (resources .. "\n\n"):gmatch("(==> .-\n\n)") do
        list[#list + 1] = section:gsub("%f[%w]%d+[smh]%d*s?%f[^%w]", "AGE"):gsub(" +", " ")
    end
    table.sort(list)
    return head, list, tail
end

function tests.tables_are_shown_as_by_helm()
    local arguments = { "status", "r", "--show-resources", "--show-desc" }
    local expected, actual = { sections_of(run("helm", arguments)) }, { sections_of(run("todo", arguments)) }
    lu.assertEquals(actual, expected)
    lu.assertEquals(#actual[2], 4) -- Deployment, ConfigMap, Service, and the pods of the Deployments
end

function tests.objects_are_shown_as_by_helm()
    for _, format in ipairs { "json", "yaml" } do
        local arguments = { "status", "r", "--show-resources", "-o", format }
        local texts = {}
        for _, who in ipairs { "helm", "todo" } do
            -- The list of pods has the version of the whole store.
            texts[who] = run(who, arguments):gsub('("kind":"PodList","metadata":{"resourceVersion":")%d+', "%1N")
                :gsub('(kind: PodList\n *metadata:\n *resourceVersion: ")%d+', "%1N")
        end
        lu.assertStrContains(texts.helm, "PodList")
        if texts.todo ~= texts.helm then -- too long to be shown whole
            local at = 1
            while texts.todo:byte(at) == texts.helm:byte(at) do at = at + 1 end
            lu.fail(("%s, byte %d\n  helm: %s\n  here: %s"):format(format, at, texts.helm:sub(at - 60, at + 200),
                texts.todo:sub(at - 60, at + 200)))
        end
    end
end

return tests
