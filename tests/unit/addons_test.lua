-- Which add-ons a deploy wants, and what it asks the provider for.
local addons = require "addons"
local fail = require "fail"
local lu = require "luaunit"

local tests = {}

-- A provider that has these add-ons, and notes what it is asked to enable.
local function provider_with(state)
    local asked = {}
    return { name = "some", addons = function(_, enable)
        asked[#asked + 1] = enable or "list"
        local list = {}
        for name, enabled in pairs(state) do list[#list + 1] = { name = name, enabled = enabled } end
        return list
    end }, asked
end

local function context(names, options)
    return { config = { cluster = { addons = names } }, options = options or {} }
end

function tests.ensure_nothing_wanted_asks_nothing()
    local provider, asked = provider_with { ingress = false }
    lu.assertEquals({ addons.ensure(context {}, provider) }, { false, {} })
    lu.assertEquals(asked, {})
end

function tests.ensure_enables_only_what_is_not_enabled()
    local provider, asked = provider_with { ingress = false, ["metrics-server"] = true, dashboard = false }
    local ctx = context { "ingress", "metrics-server" }
    lu.assertEquals({ addons.ensure(ctx, provider) }, { true, { "ingress", "metrics-server" } })
    lu.assertEquals(asked, { "list", { "ingress" } })
    provider, asked = provider_with { ingress = true, ["metrics-server"] = true }
    lu.assertEquals({ addons.ensure(ctx, provider) }, { false, { "ingress", "metrics-server" } })
    lu.assertEquals(asked, { "list" })
end

function tests.ensure_flag_wants_the_ingress_where_there_is_one()
    local ctx = context({}, { ingress = true })
    local provider, asked = provider_with { ingress = false }
    lu.assertEquals({ addons.ensure(ctx, provider) }, { true, { "ingress" } })
    lu.assertEquals(asked[2], { "ingress" })
    lu.assertEquals({ addons.ensure(ctx, (provider_with {})) }, { false, {} })
end

function tests.ensure_name_that_the_provider_lacks_is_refused()
    local ok, problem = pcall(addons.ensure, context { "ingres" }, (provider_with { ingress = false }))
    lu.assertEquals({ ok, fail.kind(problem), problem.message, problem.hint },
        { false, "config", "some has no add-on ingres", "it has ingress" })
    ok, problem = pcall(addons.ensure, context { "ingress" }, (provider_with {}))
    lu.assertEquals({ ok, problem.message }, { false, "some has no add-on ingress" })
end

function tests.ensure_takes_an_entry_with_places_of_images_by_its_name()
    local provider, asked = provider_with { ["metrics-server"] = false }
    local ctx = context { { name = "metrics-server", registries = { MetricsServer = "mirror.test" } } }
    lu.assertEquals({ addons.ensure(ctx, provider) }, { true, { "metrics-server" } })
    lu.assertEquals(asked[2], { "metrics-server" })
    lu.assertEquals(addons.entry(ctx, "metrics-server").registries, { MetricsServer = "mirror.test" })
    lu.assertNil(addons.entry(ctx, "ingress"))
end

function tests.entry_of_another_shape_is_refused()
    for _, entry in ipairs { true, {}, { images = {} }, { name = "ingress", image = {} }, { name = "ingress", images = "a" } } do
        local ok, problem = pcall(addons.wanted, context { entry })
        lu.assertEquals({ ok, fail.kind(problem) }, { false, "config" })
    end
end

function tests.wanted_names_what_each_is_for()
    local list = addons.wanted(context({ "metrics-server", "other" }, { ingress = true }))
    lu.assertEquals(#list, 3)
    for _, addon in ipairs(list) do lu.assertTrue(#addon.purpose > 10) end
end

return tests
