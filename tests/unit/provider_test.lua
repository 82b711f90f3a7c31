-- What cluster providers share, and that each of them has the whole interface of lua/types/cluster.lua.
local fs = require "fs"
local lu = require "luaunit"
local program = require "program"
local provider = require "provider"

local tests = {}

local function context()
    local said = {}
    local images = { ["a:1"] = { Id = "sha256:aa" }, ["b:1"] = { Id = "sha256:bb" } }
    return {
        docker = { image = function(_, name) return images[name] end },
        progress = function(_, text) said[#said + 1] = text end,
    }, said
end

function tests.send_missing_skips_what_the_cluster_has()
    local ctx, said = context()
    local sent = {}
    local answer = provider.send_missing(ctx, { "a:1", "b:1" }, function(name)
        return name == "a:1" and "sha256:aa" or nil
    end, function(name, image) sent[name] = image.Id end)
    lu.assertEquals(answer, { "b:1" })
    lu.assertEquals(sent, { ["b:1"] = "sha256:bb" })
    lu.assertEquals(said, { "b:1", "1 images" })
end

function tests.send_missing_stops_at_an_image_that_was_not_built()
    local ctx = context()
    local ok, problem = pcall(provider.send_missing, ctx, { "c:1" }, error, error)
    lu.assertEquals({ ok, problem.kind }, { false, "not_found" })
    lu.assertStrContains(problem.message, "c:1")
    lu.assertStrContains(problem.hint, "todo-lua build")
end

function tests.check_gives_a_tools_last_words()
    local result = { status = 0, stdout = "fine", stderr = "" }
    lu.assertIs(provider.check("kind", result, "load"), result)
    local ok, problem = pcall(provider.check, "kind", { status = 3, stdout = "", stderr = " no such cluster\n" },
        "load the image", "kind get clusters")
    lu.assertEquals({ ok, problem.kind, problem.status, problem.hint }, { false, "exit", 3, "kind get clusters" })
    lu.assertEquals(problem.message, "kind could not load the image:\nno such cluster")
    local _, other = pcall(provider.check, "kind", { status = 1, stdout = "only here", stderr = "" }, "load")
    lu.assertStrContains(other.message, "only here")
end

function tests.provider_without_addons_refuses_those_that_are_wanted()
    local addons = provider.no_addons("kind has no add-ons")
    lu.assertEquals(addons({}), {})
    local ok, problem = pcall(addons, {}, { "ingress" })
    lu.assertEquals({ ok, problem.kind, problem.message }, { false, "unsupported", "kind has no add-ons" })
end

local OPTIONAL = { docker_host = true, prepare_load = true, holds_port = true, made_here = true, check_named = true,
    prune_command = true }

function tests.every_provider_has_the_interface()
    local stub = assert(fs.read(fs.join(program.project, "lua/types/cluster.lua")))
    local names = {}
    for name in stub:gmatch("function ClusterProvider%.([%w_]+)") do names[#names + 1] = name end
    lu.assertTrue(#names > 8)
    local files = 0
    for _, entry in ipairs(fs.list(fs.join(program.project, "lua/cluster"))) do
        local name = entry:match("^(.*)%.lua$")
        if name then
            files = files + 1
            local loaded = require("cluster." .. name)
            lu.assertEquals(loaded.name, name)
            for _, wanted in ipairs(names) do
                if not OPTIONAL[wanted] then lu.assertIsFunction(loaded[wanted], name .. "." .. wanted) end
            end
        end
    end
    lu.assertTrue(files >= 5)
end

return tests
